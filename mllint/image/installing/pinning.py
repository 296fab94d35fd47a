"""Which releases to pin: those that a call of pip or uv would take today, as far as the tables tell."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import lists, offered
from mllint.image.releases import version_of
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement as Required
    from packaging.specifiers import SpecifierSet

    from mllint.image.distributions import Release
    from mllint.image.installing.lists import Pinnable
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_ROUNDS = 10
_LIMITS = frozenset({">=", ">", "==", "===", "~=", "<=", "<"})


class _Unsure(Exception):
    """The tables do not tell whether releases fit each other."""


class _Known(NamedTuple):
    """A release, and what it requires."""

    name: str
    version: str
    requires: tuple[Required, ...]
    """For the interpreter of the place, those of the extras that are asked for with them."""
    is_exact: bool
    """Whether these are its own bounds, not those that it shares with others."""


@lru_cache(maxsize=64)
def releases(stage: Stage, install: Install) -> Mapping[str, str]:
    """The newest releases that fit what a call asks for, its interpreter, each other and what is pinned, by normalised
    name: one for each open requirement of its list, or none at all."""
    wanted = lists.pinnable(stage, install)
    if wanted is None or not wanted.open:
        return {}
    try:
        return _Choice(wanted).releases()
    except _Unsure:
        return {}


@cache
def leads() -> Mapping[str, str]:
    """By the name of a companion that of the distribution whose release decides on its own."""
    return {row["name"]: row["companion_of"] for row in facts.rows("ml_frameworks") if "companion_of" in row}


class _Choice:
    """The choice of releases for one list."""

    def __init__(self, wanted: Pinnable) -> None:
        self.wanted = wanted
        self.where = wanted.where
        self.limits = {name: _specifiers(line.requirement.specifier) for name, line in wanted.open.items()}
        pins = sorted(wanted.pins.items())
        self.pinned = [self._known(*pin) for pin in pins if _row(*pin) is not None]
        self.family = frozenset[str]().union(*(_family(pin[0]) for pin in pins if _row(*pin) is None))
        """What other releases require of those pinned ones whose requirements are not known."""

    def releases(self) -> Mapping[str, str]:
        """One for each open name. Raises _Unsure where that is not known."""
        chosen: dict[str, _Known] = {}
        for _ in range(_ROUNDS):
            newer = {name: self._newest(name, chosen) for name in self.limits}
            if newer == chosen:
                break
            chosen = newer
        fixed = {**self.wanted.pins, **{name: each.version for name, each in chosen.items()}}
        for each in chosen.values():
            self._hold(each, fixed)
        for each in self.pinned:
            self._hold(each, {name: release.version for name, release in chosen.items()})
        self._carry_in([*chosen.values()], fixed)
        self._keep_brought({name: each.version for name, each in chosen.items()})
        self._keep_majors()
        _keep_modules_apart(fixed)
        return {name: each.version for name, each in chosen.items()}

    def _newest(self, name: str, chosen: Mapping[str, _Known]) -> _Known:
        """The newest release that the list, its pins and the other releases admit."""
        others = [each for each in (*self.pinned, *chosen.values()) if each.name != name]
        limits = [*_asked_of(others, name), self.limits[name]]
        for version in self._offered(name):
            if all(limit.contains(version) for limit in limits):
                found = self._known(name, version)
                if all(_takes(found, *pin) for pin in self.wanted.pins.items()):
                    return found
        raise _Unsure

    def _offered(self, name: str) -> tuple[str, ...]:
        """The releases with a wheel for the place, the newest first."""
        return _offered(name, self.where.minor, self.where.platform)

    def _is_newest(self, name: str, version: str) -> bool:
        return self._offered(name)[:1] == (version,)

    def _known(self, name: str, version: str) -> _Known:
        row = _row(name, version)
        if row is None:
            raise _Unsure
        requires = _requires(row, self.wanted.extras.get(name, frozenset()), self.where.minor)
        return _Known(name, version, requires, row.first == row.last)

    def _hold(self, release: _Known, fixed: Mapping[str, str]) -> None:
        """Make sure that a release takes what is fixed. Bounds that several releases share are its own bounds at least
        where all are the newest for the place: they were made for what was there."""
        is_newest = self._is_newest(release.name, release.version)
        for each in release.requires:
            name = normalised(each.name)
            if name not in fixed:
                continue
            is_current = is_newest and self._is_newest(name, fixed[name]) and bool(each.specifier)
            has_extras = each.extras <= self.wanted.extras.get(name, frozenset())
            fits = each.specifier.contains(fixed[name], prereleases=True)
            if not fits or not has_extras or not (release.is_exact or is_current):
                raise _Unsure

    def _carry_in(self, chosen: Iterable[_Known], fixed: Mapping[str, str]) -> None:
        """Make sure that what the releases bring along has releases which fit all that is fixed, and each other."""
        brought: dict[str, _Known] = {}
        for _ in range(_ROUNDS):
            all_known = [*chosen, *brought.values()]
            names = {normalised(each.name) for known in all_known for each in known.requires} - fixed.keys()
            newer = {name: self._brought(name, [*all_known, *self.pinned]) for name in names}
            if newer == brought:
                break
            brought = newer
        if self.family & {*self.limits, *brought}:
            raise _Unsure
        for known in brought.values():
            if not all(_takes(known, *pin) for pin in fixed.items()):
                raise _Unsure

    def _keep_brought(self, chosen: Mapping[str, str]) -> None:
        """Make sure that what the pins bring along is known, and is not known to shut out what is chosen."""
        names = {normalised(each.name) for known in self.pinned for each in known.requires}
        roots = [(name, None, frozenset[str]()) for name in sorted(names - self.wanted.pins.keys() - chosen.keys())]
        brought = distributions.closure(roots, self.where.minor)
        if not brought.is_complete:
            raise _Unsure
        for name in (*brought.via, *brought.possible):
            for row in distributions.releases(name):
                known = _Known(name, "", _requires(row, frozenset(), self.where.minor), False)
                if row.is_verified and not all(_takes(known, *pin) for pin in chosen.items()):
                    raise _Unsure

    def _brought(self, name: str, others: list[_Known]) -> _Known:
        """The newest known release of what comes along."""
        limits = _asked_of(others, name)
        asked = [each for known in others for each in known.requires if normalised(each.name) == name]
        extras = frozenset(extra for each in asked for extra in each.extras)
        for row in distributions.releases(name):
            if row.is_verified and row.requires is not None and all(row.overlaps(limit) for limit in limits):
                return _Known(name, str(row.last), _requires(row, extras, self.where.minor), False)
        raise _Unsure

    def _keep_majors(self) -> None:
        """Leave a list alone that was made for older releases, where one that it leaves open has gone on to another
        major one since: which of them its code is made for, nobody knows."""
        newest = {name: version_of(next(iter(self._offered(name)), "")) for name in (*self.wanted.pins, *self.limits)}
        pins = {name: version_of(version) for name, version in self.wanted.pins.items()}
        is_old = any(version[:2] < newest[name][:2] for name, version in pins.items())
        for name, line in self.wanted.open.items():
            named = (version for operator, version in line.requirement.clauses if operator in _LIMITS)
            is_old = is_old or any(version_of(version)[:1] < newest[name][:1] for version in named)
        if is_old and any(len(self._majors(name)) > 1 for name in self.limits):
            raise _Unsure

    def _majors(self, name: str) -> set[tuple[int, ...]]:
        return {version_of(version)[:1] for version in self._offered(name) if self.limits[name].contains(version)}


def _keep_modules_apart(fixed: Mapping[str, str]) -> None:
    """Make sure that distributions which put the same module into place, as those of OpenCV do, are of one release."""
    owners: dict[str, str] = {}
    for name, version in fixed.items():
        provided = distributions.imports(name, version)
        for module in provided if isinstance(provided, frozenset) else ():
            if owners.setdefault(module, version) != version:
                raise _Unsure


def _takes(release: _Known, name: str, version: str) -> bool:
    """Whether a release takes a version of another distribution, as far as its bounds are known."""
    return all(limit.contains(version, prereleases=True) for limit in _asked_of([release], name))


def _asked_of(known: Iterable[_Known], name: str) -> list[SpecifierSet]:
    return [each.specifier for release in known for each in release.requires if normalised(each.name) == name]


@cache
def _offered(name: str, minor: str, platform: offered.Platform) -> tuple[str, ...]:
    found = []
    for version in reversed(offered.releases(name)):
        offer = offered.offer(name, version)
        if offer is not None and offer.has_wheel(minor, platform) and not offered.is_yanked(name, version):
            found.append(version)
    return tuple(found)


def _specifiers(text: str) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise _Unsure from error


@cache
def _read(text: str) -> Required:
    from packaging.requirements import Requirement as Required

    return Required(text)


def _requires(row: Release, extras: frozenset[str], minor: str) -> tuple[Required, ...]:
    """What a release requires with some extras. Raises _Unsure for an extra that the row does not have."""
    lists_of = [row.requires or ()]
    for extra in map(normalised, extras):
        if extra not in row.extras:
            raise _Unsure
        lists_of.append(row.extras[extra])
    found = (_read(text) for listed in lists_of for text in listed)
    return tuple(each for each in found if each.marker is None or holds(str(each.marker), Environment(minor)))


@cache
def _family(name: str) -> frozenset[str]:
    """What the releases of a distribution are known to require. Raises _Unsure where that is known of none."""
    rows = [row for row in distributions.releases(name) if row.requires is not None]
    if not any(row.is_verified for row in rows):
        raise _Unsure
    listed = (text for row in rows for texts in (row.requires or (), *row.extras.values()) for text in texts)
    return frozenset(normalised(_read(text).name) for text in listed)


@cache
def _row(name: str, version: str) -> Release | None:
    """The row with what a release requires, read from its metadata or those of its neighbours."""
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(Version(version).public)
    except InvalidVersion:
        return None
    rows = (row for row in distributions.releases(name) if row.is_verified and row.requires is not None)
    return next((row for row in rows if row.covers(wanted)), None)
