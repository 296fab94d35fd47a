"""Releases that one call asks for and that do not fit together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import indexed, offered
from mllint.image.installing.pins import preinstalled
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement as Required

    from mllint.image.distributions import Release
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# Who gives these takes what does not fit.
_ANYHOW = ("--no-deps", "--override", "--overrides", "--use-deprecated", "--target", "-t")


class Clash(NamedTuple):
    """A pin that something else does not fit."""

    pin: Asked
    other: str
    """The name of what does not fit."""
    beside: Asked | None
    """Where that is asked for; None where it only comes along."""
    requirement: str | None
    """What the pin requires of it; None for a row of `bad_combinations`."""
    row: Mapping[str, str]
    """That row; empty for a requirement."""
    minor: str | None = None
    """The Python whose newest release of the other one breaks it, where none is pinned."""
    older: str | None = None
    """The newest release of the other one for that Python which fits all pins."""
    is_read: bool = True
    """Whether the requirement was read from this very release, and not from those in front of it and behind it."""


def clashes(stage: Stage, install: Install) -> Iterator[Clash]:
    """What does not fit together in a call."""
    if install.has(*_ANYHOW) or "--no-deps" in stage.closure(install).options:
        return
    interpreter = indexed.interpreter_of(stage, install)
    minor = interpreter.minor if interpreter is not None else None
    asked = {each.name: each for each in indexed.asked(stage, install)}
    for pin in asked.values():
        if pin.version is None:
            continue
        if isinstance(minor, str):
            yield from _against_requirements(pin, asked, minor)
        for row in facts.by("bad_combinations", "name").get(pin.name, ()):
            if contains(row["versions"], pin.version):
                yield from _against_row(stage, install, pin, row, asked)


def _against_row(
    stage: Stage, install: Install, pin: Asked, row: Mapping[str, str], asked: Mapping[str, Asked]
) -> Iterator[Clash]:
    """Where the other one surely comes in a release that breaks a pin."""
    other = row["other"]
    beside = asked.get(other)
    if beside is not None and beside.version is not None:
        if contains(row["breaks"], beside.version):
            yield Clash(pin, other, beside, None, row)
        return
    interpreter = indexed.interpreter_of(stage, install)
    minor = interpreter.minor if interpreter is not None else None
    if "newest" not in row or not isinstance(minor, str) or _is_settled_elsewhere(stage, install, other):
        return
    limits = ",".join((*((beside.specifier,) if beside and beside.specifier else ()), *_required_of(other, asked)))
    newest = offered.newest(other, minor, limits)
    if newest is not None and contains(row["breaks"], newest):
        fitting = row["repair"].removeprefix(other)
        older = offered.newest(other, minor, f"{limits},{fitting}" if limits else fitting)
        yield Clash(pin, other, beside, None, row, minor, older)


def _required_of(name: str, asked: Mapping[str, Asked]) -> Iterator[str]:
    """What the pins of a call require of a distribution."""
    for pin in asked.values():
        for each in required(pin.name, pin.version) if pin.version is not None else ():
            if normalised(each.name) == name and each.specifier:
                yield str(each.specifier)


def fits(name: str, version: str, asked: Iterable[Asked]) -> bool:
    """Whether a release goes with the pins of a call, of which it is one or takes the place of one, as far as the
    tables tell."""
    pins = {each.name: each.version for each in asked if each.version is not None and each.name != name}
    limits = (one for pin in pins.items() for one in required(*pin) if normalised(one.name) == name)
    needs = ((pins[normalised(one.name)], one) for one in required(name, version) if normalised(one.name) in pins)
    return all(
        one.marker is not None or one.specifier.contains(release, prereleases=True)
        for release, one in (*((version, one) for one in limits), *needs)
    )


def _against_requirements(pin: Asked, asked: Mapping[str, Asked], minor: str) -> Iterator[Clash]:
    """Pins that another pin does not admit, by its metadata."""
    assert pin.version is not None
    for each in required(pin.name, pin.version):
        beside = asked.get(normalised(each.name))
        if beside is None or beside.version is None or beside is pin:
            continue
        is_for_it = each.marker is None or holds(str(each.marker), Environment(minor))
        broken = sorted(str(one) for one in each.specifier if not contains(str(one), beside.version))
        if is_for_it and broken:
            older = offered.newest(beside.name, minor, ",".join(_required_of(beside.name, asked)))
            requirement = f"{each.name}{','.join(broken)}"
            yield Clash(pin, beside.name, beside, requirement, {}, minor, older, _is_read(pin.name, pin.version))


@cache
def required(name: str, version: str) -> tuple[Required, ...]:
    """What a release requires by its own metadata; empty where that was not read."""
    from packaging.requirements import Requirement as Required

    row = _row(name, version)
    return tuple(Required(text) for text in row.requires or ()) if row is not None else ()


def _row(name: str, version: str) -> Release | None:
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    rows = (row for row in distributions.releases(name) if row.is_verified and row.covers(wanted))
    return next(rows, None)


def _is_read(name: str, version: str) -> bool:
    from packaging.version import Version

    row = _row(name, version)
    return row is not None and Version(version) in (row.first, row.last)


def contains(specifier: str, version: str) -> bool:
    """Whether a specifier takes a release, a pre-release too; False where it is none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def _is_settled_elsewhere(stage: Stage, install: Install, name: str) -> bool:
    """Whether the base, another call or a constraint may decide on a release."""
    limits = [line for file in stage.closure(install).constraints.values() for line in file.lines]
    if any(isinstance(line, Requirement) and line.key == name for line in limits):
        return True
    others = (call for one in (*stage.lineage, stage) for step in one.steps for call in step.installs)
    calls = (call for call in others if call is not install)
    return name in preinstalled(stage) or any(
        each.name == name for call in calls for each in indexed.asked(stage, call)
    )
