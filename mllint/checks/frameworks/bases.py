"""ML719: the framework that is in place, installed once more."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.companions import pinned
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing.indexed import tool
from mllint.image.installing.over_base import Framework, Loose, Over, loose, over
from mllint.image.stage import Stage


@check("ML719")
def framework_reinstalled(subject: Stage | Requirements) -> Iterator[Finding]:
    """A call that puts another release of the framework over that of the base, or may do so over any in place."""
    told = set[str]()
    for use in uses_of(subject):
        found = _found(subject, use)
        if found is not None and found.message not in told:
            told.add(found.message)
            yield found


def _found(subject: Stage | Requirements, use: Use) -> Finding | None:
    found = over(use.stage, use.install)
    if found is not None:
        return _over(use, found) if is_own(subject, use, found.asked.source) else None
    open_ = loose(use.stage, use.install)
    if open_ is None or not is_own(subject, use, open_.open[0].source) or not _is_first(use):
        return None
    return _loose(use, open_)


def _over(use: Use, found: Over) -> Finding:
    base, name = found.framework, found.asked.name
    there = _called(use, base)
    release = f" {found.release}" if found.release else found.asked.specifier
    message = f"{name}{release} goes over {there}: {_effect(base)}"
    if base.is_removed:
        message = f"{there} is uninstalled first, which frees nothing: the layers of the base hold it for ever"
    repair = f"start from an image with {name}{release} or with none, or leave {name} to the base"
    if not release:
        repair = f"start from an image without {name}, or leave {name} to the base"
    if not found.is_direct:
        newest = ", the newest," if found.asked.version is None else ""
        limit = found.requires.removeprefix("==")
        brings = f"{name}{release}{newest} requires {base.name} {limit}, and so brings another over {there}"
        message = f"{brings}: {_effect(base)}"
        repair = f"pin a release of {name} that takes {base.name} {base.version}"
        if found.matching is not None:
            repair = f"pin {name}=={found.matching}, which is made for {base.name} {base.version}"
    where, call = place_of(use, found.asked)
    related = (*([call] if call else []), _where(use, base))
    return Finding(where, message, repair, related, _fix(found))


def _effect(base: Framework) -> str:
    if base.is_own_build:
        return "the build made for the image is replaced, or pip stops at a constraint of the image"
    return "the image holds both, and the one below is never used"


def _loose(use: Use, found: Loose) -> Finding:
    base, first = found.framework, found.open[0]
    listed = f"{first.name}, among others," if found.open[1:] else first.name
    message = (
        f"nothing holds {_called(use, base)}: {listed} is not pinned, and once a release of it requires a newer"
        f" {base.name}, {tool(use.install)} brings that over it"
    )
    if found.brings is not None:
        whose = f"each release of {first.name}"
        if found.brings != first.name:
            whose = f"{first.name} brings {found.brings}, each release of which"
        effect = f"requires one {base.name}, and {tool(use.install)} puts that over it"
        message = f"nothing holds {_called(use, base)}: {whose} {effect}"
    repair = f"pass a constraints file with the {base.name} that is in place (-c constraints.txt)"
    if found.is_all_open:
        repair += f", or pin {' and '.join(each.name for each in found.open)}"
    where, call = place_of(use, first)
    related = (*([call] if call else []), _where(use, base))
    return Finding(where, message, repair, related, is_strict=found.brings is None)


def _called(use: Use, base: Framework) -> str:
    name = f"{base.name} {base.version}" if base.version else f"the {base.name}"
    if base.taken_from is not None:
        name = f"the {base.name} of {base.taken_from}"
    return f"{name} of {use.stage.root.base.text}" if base.place is None else f"{name}, which an earlier call installs"


def _where(use: Use, base: Framework) -> Related:
    if base.place is not None:
        return Related(Location(*base.place), f"{base.name} is asked for here")
    root = use.stage.root
    return Related(Location(root.build.source, root.from_word.span), "the base")


def _is_first(use: Use) -> bool:
    """Whether no call before says the same: one constraints file mends all."""
    calls = (call for step in use.stage.steps for call in step.installs)
    found = (call for call in calls if loose(use.stage, call) is not None)
    return next(found, use.install) is use.install


def _fix(found: Over) -> Fix | None:
    if found.matching is None:
        return None
    base = found.framework
    title = f"take {found.asked.name} {found.matching}, which is made for {base.name} {base.version}"
    edit = pinned(found.asked, found.matching)
    return Fix("unsafe", title, (edit,)) if edit is not None else None
