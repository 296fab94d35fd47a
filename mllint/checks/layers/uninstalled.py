"""ML413: large packages that an uninstall only hides."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.installing.downloads import is_large
from mllint.image.installing.pins import preinstalled
from mllint.image.packages import Install, install_of
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.requirements import Requirement, normalised
from mllint.wording import enumerated

_PIP = regex(r"pip[0-9.]*")
_PYTHON = regex(r"python[0-9.]*")


@check("ML413")
def uninstalled_in_later_layer(stage: Stage) -> Iterator[Finding]:
    """A RUN uninstalls a framework that a layer below holds."""
    for step in stage.steps if stage.is_in_image else ():
        if step.instruction.keyword != "RUN" or step.trigger is not None:
            continue
        for at, each in enumerate(step.commands):
            names = [name for name in _uninstalled(each) if is_large(name)] if each.is_sure else []
            if names and not any(_installs(step, other) for other in step.commands[:at]):
                yield from _finding(stage, step, each, names)
                break


def _uninstalled(each: Executed) -> list[str]:
    """The distributions that a call of pip takes out."""
    words = list(each.arguments)
    if _PYTHON.fullmatch(each.name) and words[:2] == ["-m", "pip"]:
        words = words[2:]
    elif each.name == "uv" and words[:1] == ["pip"]:
        words = words[1:]
    elif not _PIP.fullmatch(each.name):
        return []
    return [normalised(word) for word in words[1:] if not word.startswith("-")] if words[:1] == ["uninstall"] else []


def _installs(step: Step, each: Executed) -> bool:
    found = install_of(step, each)
    return found is not None and found.manager.language == "python"


def _finding(stage: Stage, step: Step, each: Executed, names: list[str]) -> Iterator[Finding]:
    before = [call for other in stage.steps_before(step) for call in other.installs]
    calls = [call for call in before if call.manager.language == "python" and not _named(call).isdisjoint(names)]
    base = preinstalled(stage)
    known = [name for name in names if name in base or any(name in _named(call) for call in calls)]
    is_told = stage.root.base.is_plain or bool(base)
    if not known and is_told and stage.view_before(step).doubt("distributions") is None:
        return
    names = known or names
    them = "it" if len(names) == 1 else "them"
    stays = f"the layer that brought {them} stays" if known else f"what the layers below hold of {them} stays"
    message = f"uninstalling {enumerated(names)} in a later layer frees nothing: {stays} in the image"
    repair = f"start from an image without {them}, or let a builder stage make the environment"
    related = tuple(Related(Location(stage.build.source, call.span), "installed here") for call in calls[-1:])
    if related:
        repair = f"do not install {them} there, or uninstall {them} in that RUN"
    yield Finding(Location(stage.build.source, each.span), message, repair, related)


def _named(call: Install) -> set[str | None]:
    return {line.key for line in call.requirements if isinstance(line, Requirement)}
