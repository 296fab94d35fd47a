"""Releases that one call asks for and that do not fit together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import indexed
from mllint.image.installing.pins import preinstalled
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.requirements import Requirement as Required

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# Who gives these takes what does not fit.
_ANYHOW = ("--no-deps", "--override", "--overrides", "--use-deprecated", "--target", "-t")
_ABOVE_ALL = "999999"


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
            if _contains(row["versions"], pin.version) and _breaks(stage, install, row, asked.get(row["other"])):
                yield Clash(pin, row["other"], asked.get(row["other"]), None, row)


def _against_requirements(pin: Asked, asked: Mapping[str, Asked], minor: str) -> Iterator[Clash]:
    """Pins that another pin does not admit, by its metadata."""
    assert pin.version is not None
    for each in required(pin.name, pin.version):
        beside = asked.get(normalised(each.name))
        if beside is None or beside.version is None or beside is pin:
            continue
        is_for_it = each.marker is None or holds(str(each.marker), Environment(minor))
        if is_for_it and not _contains(str(each.specifier), beside.version):
            yield Clash(pin, beside.name, beside, f"{each.name}{each.specifier}", {})


@cache
def required(name: str, version: str) -> tuple[Required, ...]:
    """What a release requires by its own metadata; empty where that was not read."""
    from packaging.requirements import Requirement as Required
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return ()
    rows = (row for row in distributions.releases(name) if row.is_verified and row.covers(wanted))
    row = next(rows, None)
    return tuple(Required(text) for text in row.requires or ()) if row is not None else ()


def _contains(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False


def _breaks(stage: Stage, install: Install, row: Mapping[str, str], beside: Asked | None) -> bool:
    """Whether the other one surely comes in a release that breaks it."""
    if beside is not None and beside.version is not None:
        return _contains(row["breaks"], beside.version)
    if "newest" not in row or _is_settled_elsewhere(stage, install, row["other"]):
        return False
    return beside is None or _contains(beside.specifier or ">=0", _ABOVE_ALL)


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
