"""ML641: packages of an image for use that are installed as editable."""

import posixpath
from collections.abc import Iterator
from itertools import pairwise

from mllint.checks import check
from mllint.edits import delete, insert
from mllint.findings import Finding, Fix, Location
from mllint.image.compiling import is_for_development, is_for_tests, is_service
from mllint.image.content.cloning import cloned_to
from mllint.image.copies import relative
from mllint.image.packages import Install
from mllint.image.paths import joined
from mllint.image.service import file_of_image
from mllint.image.serving import modules
from mllint.image.serving.modules import Target
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python
from mllint.sources.shell_tree import Word
from mllint.sources.text import Span

_OPTIONS = ("-e", "--editable")
# What writes into the source, where it is called in its folder or with it.
_MAKES = regex(r"make|cmake|ninja|protoc|patch")
# A search that starts inside of the package, so that no module of it is found for a wheel.
_FINDS_NONE = regex(r"\bfind_packages\(\s*(?:where\s*=\s*)?[\"'](?!\.?/?[\"'])")


@check("ML641")
def editable_install(stage: Stage) -> Iterator[Finding]:
    """A package that is imported from the folder of its source."""
    final = stage.build.final
    if final is None or not stage.is_in_image or not _is_for_use(final) or is_for_development(stage):
        return
    for install in (each for step in stage.steps for each in step.installs):
        words = install.values(*_OPTIONS) if install.manager.name in ("pip", "uv pip") else ()
        if words and (message := _linked(final, install, words[0])) is not None:
            repair = "leave -e out"
            if (bare := next(filter(_is_bare, words), None)) is not None:
                repair = f"leave -e out and write ./{bare.value}"
            if "://" not in words[0].value:
                repair += ", and take the source from a bind mount or in a builder stage"
                repair += ", as behind a COPY the image has the code twice"
            yield Finding(Location(stage.build.source, words[0].span), message, repair, fix=_without(stage, install))


def _is_bare(word: Word) -> bool:
    """Whether pip reads it as a folder behind -e alone, and by itself as the name of a project of the index."""
    return "/" not in word.value and not word.value.startswith(".")


def _is_for_use(final: Stage) -> bool:
    """Whether the image starts something that others use."""
    process, server = final.process, final.server
    if is_for_development(final) or is_for_tests(final) or (server is not None and server.is_notebook):
        return False
    if is_service(final):
        return True
    last = process.commands[-1] if process is not None and process.commands else None
    return (
        last is not None
        and last.name in POSIX_SHELLS
        and any(not word.value.startswith("-") for word in last.words[1:2])
    )


def _linked(final: Stage, install: Install, word: Word) -> str | None:
    """What becomes of the package; None where its source is meant to change, or nobody knows its folder."""
    call, written = f"{install.manager.name} install -e", word.value.partition("[")[0]
    if "://" in written:
        name = written.partition("#")[0].rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git")
        return f"{call} keeps a clone of {name} with its history in the image, and the package is imported from there"
    folder = joined(install.directory, written) if word.is_literal else None
    # Nobody can take away the root, and what lies in it is not the package alone.
    if not isinstance(folder, str) or folder == "/" or _is_mounted(final, folder):
        return None
    if _is_imported_anyway(final, folder) or _has_to_be_linked(final, folder) or _is_cloned(final, install, folder):
        return None
    if _is_filled_later(final, install, folder) or _is_made_later(final, install, folder):
        return None
    message = f"{call} links to the source in {folder} instead of installing the package"
    return f"{message}: Python imports out of that folder, which the image has to keep for it with all that lies there"


def _is_imported_anyway(final: Stage, folder: str) -> bool:
    """Whether what the image starts looks for its modules in that folder, installed or not, and the package lies
    there."""
    found = modules.targets(final, final.process) if final.process is not None else ()
    return any(folder in _searched(each) and _lies_in(final, each, folder) for each in found)


def _searched(target: Target) -> tuple[object, ...]:
    """The folders that Python looks in for what is started and imported."""
    return (posixpath.dirname(target.file),) if target.path and isinstance(target.file, str) else target.folders


def _lies_in(final: Stage, target: Target, folder: str) -> bool:
    """Whether a package that is started, or one that the file which is started imports, lies right in a folder."""
    name = target.module.partition(".")[0]
    path = target.file if target.path else f"{folder}/{name}.py"
    source = file_of_image(final, path) if isinstance(path, str) else None
    module = final.build.context.inputs.parsed(source, python.parse) if source is not None else None
    paths = {name} if name else set()
    if module is not None:
        paths = {f"{each}{end}" for each in module.packages for end in ("", ".py")}
    return any(isinstance(final.view.find(f"{folder}/{each}"), Node) for each in paths)


def _has_to_be_linked(final: Stage, folder: str) -> bool:
    """Whether setup.py finds none of the modules, which the link alone makes up for."""
    setup = file_of_image(final, f"{folder}/setup.py")
    return setup is not None and "package_dir" not in setup.text and _FINDS_NONE.search(setup.text) is not None


def _is_mounted(final: Stage, folder: str) -> bool:
    """Whether compose puts a folder of the host there."""
    targets = (volume.target for each in final.build.services for volume in each.volumes)
    return any(relative(folder, each.rstrip("/")) is not None for each in targets)


def _is_cloned(final: Stage, install: Install, folder: str) -> bool:
    """Whether the source is a clone of a repository: nobody here knows what it opens beside its modules."""
    steps = (*final.steps_before(install.step), install.step)
    targets = (cloned_to(each) for step in steps for each in step.commands)
    return any(isinstance(each, Unknown) or relative(folder, each) is not None for each in targets if each is not None)


def _is_filled_later(final: Stage, install: Install, folder: str) -> bool:
    """Whether a later COPY of the image brings something of what the link leads to."""
    steps = final.steps_before(None)
    for step in steps[len(final.steps_before(install.step)) :]:
        target = step.copy.destination if step.copy is not None else None
        target = target.rstrip("/") or "/" if isinstance(target, str) else None
        if target is not None and (relative(target, folder) is not None or relative(folder, target) is not None):
            return True
    return False


def _is_made_later(final: Stage, install: Install, folder: str) -> bool:
    """Whether a later command of the image may make something in what the link leads to."""
    steps = final.steps_before(None)
    for step in steps[len(final.steps_before(install.step)) :]:
        for each in step.commands:
            is_later = step is not install.step or each.span.start > install.span.start
            if is_later and (_MAKES.fullmatch(each.name) or "setup.py" in each.arguments):
                places = [each.directory, *(joined(each.directory, word) for word in each.arguments)]
                if any(isinstance(place, str) and relative(place, folder) is not None for place in places):
                    return True
    return False


def _without(stage: Stage, install: Install) -> Fix | None:
    """The same call without its options for that."""
    source, edits, words = stage.build.source, [], install.executed.words
    if install.step.trigger is not None:
        return None
    for option, value in pairwise(words):
        if option.value in _OPTIONS:
            span = Span(option.span.start, value.span.start)
            if source.slice(span).rstrip(" \t") != option.value:
                return None
            edits.append(delete(source, span))
            if _is_bare(value):
                is_quoted = source.slice(value.span)[:1] in ("'", '"')
                edits.append(insert(source, value.span.start + is_quoted, "./"))
    return Fix("unsafe", "leave -e out", tuple(edits)) if edits else None
