"""Which releases to pin: those that a call of pip or uv would take today, as far as the tables tell."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import indexed, offered
from mllint.image.installing.fitting import place
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement as Required
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from mllint.image.distributions import Release
    from mllint.image.installing.fitting import Place
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_ROUNDS = 10
_NEAR = 5
"""Minor releases."""


class _Wanted(NamedTuple):
    """What the releases of a call have to agree with."""

    pins: Mapping[str, str]
    """The exact versions that the call and those before it ask for."""
    limits: Mapping[str, str]
    """The specifiers of what is open, by name."""
    where: Place


@lru_cache(maxsize=64)
def releases(stage: Stage, install: Install) -> Mapping[str, str]:
    """The newest releases that fit what a call asks for, its interpreter, each other and what is pinned, by normalised
    name. What is not known to fit is not among them, nor are companions, which the pin of another settles."""
    where = place(stage, install)
    if where is None or not indexed.is_public(stage, install):
        return {}
    wanted = _wanted(stage, install, where)
    asked = {*wanted.pins, *wanted.limits}
    return _agreed(wanted, {name for name in wanted.limits if leads().get(name) not in asked})


@cache
def leads() -> Mapping[str, str]:
    """By the name of a companion that of the distribution whose release decides on its own."""
    return {row["name"]: row["companion_of"] for row in facts.rows("ml_frameworks") if "companion_of" in row}


def _wanted(stage: Stage, install: Install, where: Place) -> _Wanted:
    pins: dict[str, str] = {}
    limits: dict[str, list[str]] = {}
    calls = [(one, call) for one in stage.lineage for step in one.steps for call in step.installs]
    for each in (asked for one, call in calls if call is not install for asked in indexed.asked(one, call)):
        if each.version:
            pins[each.name] = each.version
    for each in indexed.asked(stage, install):
        if each.version:
            pins[each.name] = each.version
        else:
            limits.setdefault(each.name, []).append(each.specifier)
    for file in stage.closure(install).constraints.values():
        for line in file.lines:
            if isinstance(line, Requirement) and line.key in limits:
                limits[line.key].append(line.specifier)
    open_ones = {name: ",".join(filter(None, several)) for name, several in limits.items() if name not in pins}
    return _Wanted(pins, open_ones, where)


def _agreed(wanted: _Wanted, names: Iterable[str]) -> Mapping[str, str]:
    """The newest of each that the newest of the others admit, too."""
    chosen: dict[str, str] = {}
    for _ in range(_ROUNDS):
        found = ((name, _newest(name, wanted, chosen)) for name in sorted(names))
        newer = {name: version for name, version in found if version is not None}
        if newer == chosen:
            break
        chosen = newer
    minor = wanted.where.minor
    return {name: version for name, version in chosen.items() if _agrees((name, version), chosen, minor)}


def _newest(name: str, wanted: _Wanted, chosen: Mapping[str, str]) -> str | None:
    """The newest release that the call and all others admit; None where that is not known."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    minor = wanted.where.minor
    others = {**wanted.limits, **wanted.pins, **chosen}
    if any(_may_limit(other, None if other in wanted.limits else version, name) for other, version in others.items()):
        return None
    given = [wanted.limits[name]]
    given += [limit for pair in {**wanted.pins, **chosen}.items() for limit in _limits(pair, name, minor)]
    try:
        limits = SpecifierSet(",".join(filter(None, given)))
    except InvalidSpecifier:
        return None
    for version in filter(limits.contains, reversed(offered.releases(name))):
        offer = offered.offer(name, version)
        if offered.is_yanked(name, version) or offer is None or not offer.has_wheel(minor, wanted.where.platform):
            continue
        if _required(name, version) is None:
            return None
        if _agrees((name, version), wanted.pins, minor):
            return version
    return None


def _may_limit(other: str, version: str | None, name: str) -> bool:
    """Whether releases of a distribution are known to hold another back, and nobody knows whether this one does."""
    if other == name or leads().get(other) == name:
        return False
    newest = version or next(iter(offered.releases(other)[-1:]), None)
    row = _row(other, newest) if newest is not None else None
    own = _asked_of(row, name) if row is not None else []
    # A row for several releases has the bounds that they share.
    if row is not None and (not own or row.first == row.last or any(map(_has_upper_bound, own))):
        return False
    rows = [each for each in distributions.releases(other) if row is None or each.is_verified]
    # From memory only the names are known.
    return any(not each.is_verified or _has_upper_bound(asked) for each in rows for asked in _asked_of(each, name))


def _asked_of(row: Release, name: str) -> list[Required]:
    return [each for each in map(_read, row.requires or ()) if normalised(each.name) == name]


def _has_upper_bound(required: Required) -> bool:
    return any(clause.operator in ("<", "<=", "~=", "==", "===") for clause in required.specifier)


@cache
def _read(text: str) -> Required:
    from packaging.requirements import Requirement as Required

    return Required(text)


def _limits(pair: tuple[str, str], name: str, minor: str) -> Iterator[str]:
    """What one release asks of a distribution."""
    for each in _required(*pair) or ():
        if normalised(each.name) == name and _is_for(each, minor):
            yield str(each.specifier)


def _agrees(release: tuple[str, str], fixed: Mapping[str, str], minor: str) -> bool:
    """Whether a release takes the versions that are fixed, and what it requires besides is not shut out by what these
    require."""
    from packaging.specifiers import SpecifierSet

    others = [(name, version) for name, version in fixed.items() if name != release[0]]
    for each in _required(*release) or ():
        name = normalised(each.name)
        if not _is_for(each, minor):
            continue
        if name in fixed and not each.specifier.contains(fixed[name], prereleases=True):
            return False
        asked = [str(each.specifier), *(limit for pair in others for limit in _limits(pair, name, minor))]
        if not _admits_any(SpecifierSet(",".join(filter(None, asked)))):
            return False
    return True


def _admits_any(limits: SpecifierSet) -> bool:
    """Whether some version lies within limits: if one does, then one of those that they name, or right behind it."""
    named = [clause.version.removesuffix(".*") for clause in limits]
    tried = ["0", *named, *(f"{version}.1" for version in named)]
    return any(limits.contains(version, prereleases=True) for version in tried)


def _is_for(required: Required, minor: str) -> bool:
    return required.marker is None or holds(str(required.marker), Environment(minor))


@cache
def _required(name: str, version: str) -> tuple[Required, ...] | None:
    """What a release requires; None where nobody knows."""
    row = _row(name, version)
    return tuple(map(_read, row.requires or ())) if row is not None else None


@cache
def _row(name: str, version: str) -> Release | None:
    """The row with what a release requires, read from its metadata or that of one shortly before it."""
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    rows = [row for row in distributions.releases(name) if row.is_verified and row.requires is not None]
    found = next((row for row in rows if row.covers(wanted)), None)
    if found is not None:
        return found
    earlier = [row for row in rows if row.last is not None and _is_shortly_before(row.last, wanted)]
    nearest = max(earlier, key=lambda row: row.last or wanted, default=None)
    # One that asks for its own release of another asks for the next one by then.
    is_tied = nearest is not None and any("==" in text.partition(";")[0] for text in nearest.requires or ())
    return None if is_tied else nearest


def _is_shortly_before(earlier: Version, wanted: Version) -> bool:
    """Whether one release comes soon behind another: what a project requires changes seldom."""
    return earlier < wanted and earlier.major == wanted.major and wanted.minor - earlier.minor <= _NEAR
