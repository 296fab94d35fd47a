"""ML411: wheels that stay in the image beside what is installed from them."""

import posixpath
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.moving import block
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.copies import Copy, relative
from mllint.image.packages import Install
from mllint.image.paths import joined
from mllint.image.stage import Stage, Step
from mllint.patterns import regex

_LARGE = 1_000_000
"""Bytes from which on wheels of the build context count."""
_WHEELS = regex(r"(?:^|/)wheel(?:s|house)/?(?:\*\.whl)?$")
_FOLDERS = ("-f", "--find-links")


class _Kept(NamedTuple):
    """A copy of wheels, and the call that installs them."""

    copy: Copy
    folder: str
    install: Install


@check("ML411")
def wheels_kept(stage: Stage) -> Iterator[Finding]:
    """A COPY brings wheels for a later RUN to install."""
    for at, step in enumerate(stage.steps if stage.is_in_image else ()):
        found = _kept(step, stage.steps[at + 1 :]) if step.trigger is None else None
        if found is None or not _is_much(stage, found.copy):
            continue
        message = (
            f"the wheels that this copies to {found.folder} stay in the image beside what is installed from them: each"
            " package is there twice"
        )
        repair = f"mount them for the RUN that installs: --mount=type=bind,...,target={found.folder}"
        related = (Related(Location(stage.build.source, found.install.span), "installs them"),)
        where = Location(stage.build.source, step.instruction.keyword_span)
        is_strict = not _holds_closure(stage, found.copy)
        yield Finding(where, message, repair, related, fix=_mounted(stage, found), is_strict=is_strict)


def _kept(step: Step, later: Sequence[Step]) -> _Kept | None:
    """The first call behind a COPY that surely installs what it brings."""
    copy = step.copy
    if copy is None or copy.origin == "elsewhere" or not isinstance(copy.destination, str):
        return None
    folder = posixpath.normpath(copy.destination)
    if folder.endswith(".whl"):
        folder = posixpath.dirname(folder)
    for other in later:
        for install in other.installs:
            if install.manager.name in ("pip", "uv pip") and any(_below(folder, path) for path in _read(install)):
                return _Kept(copy, folder, install)
    return None


def _below(folder: str, path: str) -> bool:
    return folder != "/" and relative(path, folder) is not None


def _read(install: Install) -> Iterator[str]:
    """The wheels and folders of wheels that a call names."""
    words = [word for word in install.operands if word.value.endswith(".whl")]
    for word in (*words, *install.values(*_FOLDERS)):
        path = joined(install.directory, word.value.removeprefix("file://"))
        if isinstance(path, str):
            yield path


def _is_much(stage: Stage, copy: Copy) -> bool:
    """Whether they may be large: those of another stage, by the names, or of the context by their size."""
    if copy.origin == "stage":
        is_folder = any(_WHEELS.search(source.word.text) for source in copy.sources)
        return is_folder or _holds_closure(stage, copy)
    entries = (entry for source in copy.sources for entry in source.entries(stage.build.context))
    return sum(entry.size for entry in entries if entry.name.endswith(".whl")) >= _LARGE


def _holds_closure(stage: Stage, copy: Copy) -> bool:
    """Whether they are those of all requirements, and not of the project alone."""
    if copy.stage is None:
        return True
    calls = (each.arguments for step in stage.build.stages[copy.stage].steps for each in step.commands)
    return any("wheel" in words and {"-r", "--requirement"} & {*words} and "--no-deps" not in words for words in calls)


def _mounted(stage: Stage, found: _Kept) -> Fix | None:
    """The RUN with the folder mounted, where nothing else asks for it."""
    step, run = found.copy.step.instruction, found.install.step.instruction
    source = found.copy.sources[0]
    mentions = [each for each in stage.build.dockerfile.instructions if found.folder in each.source.slice(each.span)]
    own = [each for each in mentions if each in [other.instruction for other in stage.steps]]
    is_plain = len(found.copy.sources) == 1 and isinstance(source.path, str) and not source.has_wildcard
    names = {word.text.partition("=")[0] for word in step.flag_words}
    if (
        not is_plain
        or len(own) != 2
        or not names <= {"--from", "--chown"}
        or run.is_exec_form
        or ".whl" in source.word.text
    ):
        return None
    if found.install.step.trigger is not None or stage.is_windows:
        return None
    origin = step.flag("from")
    taken = f"from={origin.text},source=/{source.path}" if origin is not None else f"source={source.path}"
    flag = f" --mount=type=bind,{taken},target={found.folder}"
    edits = (block(stage.build.dockerfile, step).removed(), insert(stage.build.source, run.keyword_span.end, flag))
    return Fix("unsafe", f"mount {found.folder} for the RUN that installs from it", edits)
