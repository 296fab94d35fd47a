"""Rules about downloads that stay in layers."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Edit, Finding, Fix, Location, Severity
from mllint.image.installing.downloads import copies_out_of_cache, downloads_little, keeps_cache, large
from mllint.image.packages import Install, install_of
from mllint.image.shell.commands import executed
from mllint.image.stage import Stage, Step


@check("ML402")
def installer_cache_kept(stage: Stage) -> Iterator[Finding]:
    """pip or uv leaves its download cache in a layer of the image."""
    # A base that is not known may have switched the cache off, and one made for builds often has.
    if not stage.is_in_image or stage.root.base.kind == "unknown":
        return
    kept = {step: found for step in stage.steps if (found := [each for each in step.installs if _keeps(stage, each)])}
    small = [step for step, installs in kept.items() if all(map(downloads_little, installs))]
    for step, installs in kept.items():
        if step in small:
            yield _kept(stage, installs)._replace(fix=_without_cache(stage, [step]), is_strict=True)
        else:
            # Who repairs a large one does not leave the small ones as they are.
            yield _kept(stage, installs)._replace(fix=_without_cache(stage, [step, *small]))
            small = []


def _keeps(stage: Stage, install: Install) -> bool:
    return install.is_certain and keeps_cache(stage, install)


def _kept(stage: Stage, installs: list[Install]) -> Finding:
    first = next((each for each in installs if not downloads_little(each)), installs[0])
    where = Location(stage.build.source, first.span)
    big = next(filter(None, (large(stage, each) for each in installs)), None)
    if first.manager.name != "pip":
        is_double = any(map(copies_out_of_cache, installs))
        cost = ": a second copy of all it installs, as its link mode is copy" if is_double else ""
        severity = Severity.WARNING if is_double and big else None
        message = f"uv leaves its cache in this layer of the image{cost}"
        return Finding(where, message, _OFF["uv"], severity=severity)
    cost = f": more than 500 MB with {big}" if big else ""
    message = f"pip leaves the packages that it downloads in this layer of the image{cost}"
    severity = Severity.WARNING if big else None
    return Finding(where, message, _OFF["pip"], severity=severity)


def _without_cache(stage: Stage, steps: list[Step]) -> Fix | None:
    """The option at each call of a RUN that leaves a cache there, also at those that may not run, and at those of other
    RUNs where it can be put in."""
    first, *others = (_options(stage, step) for step in steps)
    if not first:
        return None
    edits = [edit for found in (first, *others) for edit in found]
    names = " and ".join(dict.fromkeys(edit.text.strip(' ,"') for edit in edits))
    return Fix("safe", f"add {names}", tuple(edits))


def _options(stage: Stage, step: Step) -> tuple[Edit, ...]:
    """The edits that put the option into a RUN; none where one of its calls cannot be given it."""
    found = [each for each in _calls(step) if keeps_cache(stage, each)]
    edits = [_with_option(each) for each in found]
    if step.trigger is not None or None in edits or any(each.values("--cache-dir") for each in found):
        return ()
    # A loop and a function of the shell run one call several times.
    return tuple(dict.fromkeys(edit for edit in edits if edit is not None))


def _calls(step: Step) -> list[Install]:
    """Every install that a RUN makes, also in branches that these build arguments do not lead to."""
    followed = {each.span for each in step.commands}
    others = (install_of(step, each) for each in executed(step.instruction) if each.span not in followed)
    return [*step.installs, *filter(None, others)]


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
