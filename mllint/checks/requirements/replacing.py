"""ML621: calls that replace what an earlier call pinned."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related
from mllint.image.events import Distribution
from mllint.image.installing import indexed
from mllint.image.installing.over_base import loose, over
from mllint.image.installing.replacing import Replaced, pinned_later, replaced
from mllint.image.installing.unheld import Unheld, unheld
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step

_PACKAGES = "-packages"


@check("ML621")
def unconstrained_installs(subject: Stage | Requirements) -> Iterator[Finding]:
    """A call that installs another release over the one that an earlier call pinned."""
    seen = set[str]()
    for use in uses_of(subject):
        found = [each for each in _replaced(use.stage, use.install) if is_own(subject, use, each.asked.source)]
        fresh = [each for each in found if each.asked.name not in seen]
        seen.update(each.asked.name for each in fresh)
        # What two calls disagree about is one fault, however many distributions it concerns.
        for pair in dict.fromkeys((_call(each), bool(each.requirement)) for each in fresh):
            yield _finding(use, [each for each in fresh if (_call(each), bool(each.requirement)) == pair])
    if isinstance(subject, Stage) and subject in subject.build.needed:
        yield from _unheld(subject)


def _replaced(stage: Stage, install: Install) -> Iterator[Replaced]:
    """What is not put back by a pin of a later call."""
    found = [each for each in replaced(stage, install) if not _is_taken_from(stage, install, each)]
    later = pinned_later(stage, install) if found else ()
    return (each for each in found if any(one.name not in later for one in each.pinned))


def _is_taken_from(stage: Stage, install: Install, each: Replaced) -> bool:
    """Whether a command up to this call copies out of the packages, for which the earlier release may have come."""
    steps = [*stage.steps_before(install.step), install.step]
    at = next((index for index, step in enumerate(steps) if step is _call(each)), 0)
    commands = (command for step in steps[at:] for command in step.commands if command.name in ("cp", "mv"))
    return any(_PACKAGES in word for command in commands for word in command.arguments)


def _unheld(stage: Stage) -> Iterator[Finding]:
    """Resolving anew over a framework that nothing holds, where no call is sure to replace it."""
    found = unheld(stage)
    calls = [use.install for use in uses_of(stage)] if found is not None else []
    if found is None or any(over(stage, call) or loose(stage, call) or any(replaced(stage, call)) for call in calls):
        return
    if found.framework in pinned_later(stage, found.install):
        return
    message = (
        f"nothing holds {_settled(stage, found)}: {_times(found)}{_opened(found)} may bring another {found.framework}"
    )
    repair = "write the tested releases into a constraints file, and give it to every call with -c"
    earlier = found.earlier
    related = (Related(Location(earlier.source, earlier.span), "asked for here"),) if earlier else ()
    where = Location(stage.build.source, found.install.span)
    yield Finding(where, message, repair, related, is_strict=found.version is None)


def _settled(stage: Stage, found: Unheld) -> str:
    if found.earlier is None:
        return f"{found.framework}, which {stage.root.base.text} brings"
    if found.version is None:
        return f"{found.framework}, which an earlier call limits"
    return f"{found.framework} {found.version}, which an earlier call pins"


def _times(found: Unheld) -> str:
    return f"{indexed.tool(found.install)} resolves {found.calls} times here, and " if found.calls > 1 else ""


def _opened(found: Unheld) -> str:
    if found.unseen is not None:
        return f"what {found.unseen} asks for, which cannot be read here,"
    others = len(found.opened) - 1
    return f"{found.opened[0]} and {others} more, not pinned," if others else f"{found.opened[0]}, not pinned,"


def _call(each: Replaced) -> Step | None:
    return each.pinned[0].cause.step


def _finding(use: Use, found: list[Replaced]) -> Finding:
    each = found[0]
    first = each.pinned[0]
    others = len({one.name for replacing in found for one in replacing.pinned}) - 1
    before = f"{first.name} {first.version}" + (f" and {others} more" if others else "")
    tool, source = indexed.tool(use.install), use.stage.build.source
    if each.requirement:
        newest = ", the newest," if each.asked.version is None else ""
        what = f"{each.asked.name} {each.release}{newest} requires {each.requirement}: {tool} replaces {before}"
        repair = "ask for both in one call, or give all calls the same constraints with -c"
    else:
        what = f"{each.asked.name} {each.release} takes the place of {before}"
        repair = "pin one release, in one call" if not others else "compile one list from both, and install that"
    place = Location(*first.place) if first.place else Location(source, first.cause.span)
    where, call = place_of(use, each.asked)
    related = (Related(place, "pinned here"), *((call,) if call else ()))
    return Finding(where, f"{what}, {_by(first, where)}", repair, related, is_strict=not each.is_sure)


def _by(pinned: Distribution, where: Location) -> str:
    """Who pinned it, by file and line where that is another file."""
    if pinned.place is None or pinned.place[0] is where.source:
        return "which an earlier call pinned"
    source, span = pinned.place
    return f"which {source.path}:{source.position(span.start)[0]} pinned for an earlier call"
