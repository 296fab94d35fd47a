"""Rules about downloads that stay in layers."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Edit, Finding, Fix, Location, Severity
from mllint.image.installing.downloads import copies_out_of_cache, downloads_little, keeps_cache, large
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step


@check("ML402")
def installer_cache_kept(stage: Stage) -> Iterator[Finding]:
    """pip or uv leaves its download cache in a layer of the image."""
    # A base that is not known may have switched the cache off, and one made for builds often has.
    if not stage.is_in_image or stage.root.base.kind == "unknown":
        return
    for step in stage.steps:
        kept = [each for each in step.installs if each.is_certain and keeps_cache(stage, each)]
        if kept:
            yield _kept(stage, kept)._replace(fix=_without_cache(stage, step))


def _kept(stage: Stage, installs: list[Install]) -> Finding:
    is_small = all(map(downloads_little, installs))
    first = next((each for each in installs if not downloads_little(each)), installs[0])
    where = Location(stage.build.source, first.span)
    big = next(filter(None, (large(stage, each) for each in installs)), None)
    if first.manager.name != "pip":
        is_double = any(map(copies_out_of_cache, installs))
        cost = ": a second copy of all it installs, as its link mode is copy" if is_double else ""
        severity = Severity.WARNING if is_double and big else None
        message = f"uv leaves its cache in this layer of the image{cost}"
        return Finding(where, message, _OFF["uv"], severity=severity, is_strict=is_small)
    cost = f": more than 500 MB with {big}" if big else ""
    message = f"pip leaves the packages that it downloads in this layer of the image{cost}"
    severity = Severity.WARNING if big else None
    return Finding(where, message, _OFF["pip"], severity=severity, is_strict=is_small)


def _without_cache(stage: Stage, step: Step) -> Fix | None:
    """The option at each call of a RUN that leaves a cache there, also at those that may not run."""
    if step.trigger is not None:
        return None
    found = [each for each in step.installs if keeps_cache(stage, each)]
    edits = [_with_option(each) for each in found]
    if None in edits or any(each.values("--cache-dir") for each in found):
        return None
    options = " and ".join(dict.fromkeys(map(_option, found)))
    # A loop and a function of the shell run one call several times.
    return Fix("safe", f"add {options}", tuple(dict.fromkeys(edit for edit in edits if edit is not None)))


def _option(install: Install) -> str:
    return "--no-cache-dir" if install.manager.name == "pip" else "--no-cache"


def _with_option(install: Install) -> Edit | None:
    """The option behind the verb; None where the verb does not stand in the Dockerfile as such."""
    instruction = install.step.instruction
    verb = install.verb.split()[-1]
    word = next(each for each in install.executed.words if each.value == verb)
    written = instruction.source.slice(word.span)
    if written == verb:
        return insert(instruction.source, word.span.end, f" {_option(install)}")
    if written == f'"{verb}"' and instruction.is_exec_form:
        return insert(instruction.source, word.span.end, f', "{_option(install)}"')
    return None


_OFF = {
    "pip": "add --no-cache-dir, set PIP_NO_CACHE_DIR=1 above, or mount a cache over ~/.cache/pip",
    "uv": "add --no-cache, set UV_NO_CACHE=1 above, or mount a cache over ~/.cache/uv",
}
