"""What the package index offers of a distribution: its releases, and the wheels of each, by the tables `releases` and
`wheels`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.releases import admits_python
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

_RELEASE = regex(r"(\d+(?:\.\d+)*)(\.\*)?")
MINORS = tuple(f"3.{minor}" for minor in range(6, 20))
"""The minor releases of Python that wheels may be asked for."""


class Platform(NamedTuple):
    """What wheels are built for."""

    libc: str
    """glibc or musl."""
    libc_version: str | None
    """None where it is not surely known, and so counts as new enough."""
    is_arm: bool
    """64-bit ARM, else x86-64."""


class Offer(NamedTuple):
    """What there is to install of consecutive releases of a distribution."""

    first: str
    last: str
    python: frozenset[str]
    """The interpreters with a wheel, in the notation of the table."""
    requires_python: str
    glibc: str | None
    arm64: str | None
    has_musl: bool
    has_sdist: bool

    @property
    def has_wheels(self) -> bool:
        """Whether there is a wheel for any platform."""
        return bool(self.python)

    def admits(self, minor: str) -> bool:
        """Whether its Requires-Python lets some patch release of a minor one in."""
        return admits_python(self.requires_python, minor)

    def is_for(self, minor: str) -> bool:
        """Whether anything of it can be installed for a minor release of Python on some platform."""
        return self.admits(minor) and (self.has_sdist or "any" in self.python or self._is_built_with(minor))

    def has_wheel(self, minor: str, platform: Platform) -> bool:
        """Whether there is a wheel for an interpreter on a platform, and it is let in."""
        if not self.admits(minor):
            return False
        return "any" in self.python or (self.is_built_for(platform) and self._is_built_with(minor))

    def is_built_for(self, platform: Platform) -> bool:
        """Whether it has wheels of compiled code for a platform at all."""
        if platform.libc == "musl":
            return self.has_musl
        needed = self.arm64 if platform.is_arm else self.glibc
        if needed is None or needed == "no":
            return False
        return platform.libc_version is None or _numbers(needed) <= _numbers(platform.libc_version)

    def _is_built_with(self, minor: str) -> bool:
        if minor in self.python or "py3" in self.python:
            return True
        stable = (each[:-1] for each in self.python if each.endswith("+"))
        return any(_numbers(minor) >= _numbers(each) for each in stable)

    def minors(self, platform: Platform) -> tuple[str, ...]:
        """The minor releases of Python that it has a wheel for."""
        return tuple(minor for minor in MINORS if self.has_wheel(minor, platform))

    def covers(self, version: Version) -> bool:
        """Whether a release is one of these."""
        return _version(self.first) <= version <= _version(self.last)


@cache
def _version(text: str) -> Version:
    from packaging.version import Version

    return Version(text)


@cache
def offers(name: str) -> tuple[Offer, ...]:
    """What there is of a distribution, the oldest first; empty for one that the table does not have."""
    return tuple(
        Offer(
            row["first"],
            row["last"],
            frozenset(row.get("python", "").split()),
            row.get("requires_python", ""),
            row.get("glibc"),
            row.get("arm64"),
            row.get("musl") == "yes",
            row.get("sdist", "yes") == "yes",
        )
        for row in facts.by("wheels", "name").get(name, ())
        if row["status"] == "verified"
    )


def offer(name: str, version: str) -> Offer | None:
    """What there is of one release; None where that is not known."""
    from packaging.version import InvalidVersion, Version

    if not offers(name):
        return None
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    if wanted.is_prerelease or wanted.local is not None:
        return None
    return next((each for each in offers(name) if each.covers(wanted)), None)


@cache
def releases(name: str) -> tuple[str, ...]:
    """Every final release of a distribution, the oldest first; empty for one that the table does not have."""
    rows = facts.by("releases", "name").get(name, ())
    return tuple(version for row in rows if row["status"] == "verified" for version in row["versions"].split())


def is_missing(name: str, version: str) -> bool:
    """Whether the index surely has no such release: one that is older than the newest of the table, and not in it."""
    known = releases(name)
    if not known or version in known:
        return False
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return False
    if wanted.is_prerelease or wanted.local is not None or wanted > _version(known[-1]):
        return False
    return all(_version(each) != wanted for each in known)


def is_yanked(name: str, version: str) -> bool:
    """Whether its maintainers withdrew a release."""
    return any(row["version"] == version for row in facts.by("yanked", "name").get(name, ()))


def newest(name: str, minor: str, specifier: str = "") -> str | None:
    """The newest release that a specifier admits and whose Requires-Python admits a minor release of Python; None where
    there is none, or nobody knows."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    for version in reversed(releases(name)):
        found = offer(name, version)
        if found is None:
            return None
        if limits.contains(version) and found.admits(minor) and not is_yanked(name, version):
            return version
    return None


def next_of_line(name: str, version: str) -> str | None:
    """The next release with the same two first numbers, or else the one in front of it, none that was withdrawn."""
    line, wanted = _version(version).release[:2], _version(version)
    known = [each for each in releases(name) if _version(each).release[:2] == line and not is_yanked(name, each)]
    later = [each for each in known if _version(each) > wanted]
    return next(iter(later or known[-1:]), None)


def nearest(name: str, version: str) -> tuple[str, ...]:
    """The releases to take for one that is missing: the one whose number only goes on behind it, else those in front
    of it and behind it."""
    known, wanted = releases(name), _version(version)
    longer = [each for each in known if each.startswith((f"{wanted.public}.", f"{wanted.public}-"))]
    if longer:
        return (longer[-1],)
    before = [each for each in known if _version(each) < wanted]
    behind = [each for each in known if _version(each) > wanted]
    return (*before[-1:], *behind[:1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def is_closed(name: str, clauses: Iterable[tuple[str, str]]) -> bool:
    """Whether no release is to come into what clauses of operator and version admit: there is one at or above the upper
    end of it, or the end is itself a release; of a distribution that the table does not have, whether they admit the
    patch releases of one minor alone, which as a rule have ended."""
    clauses = tuple(clauses)
    return any(_is_reached(name, *clause) for clause in clauses) or (not releases(name) and _is_of_one_minor(clauses))


def _is_of_one_minor(clauses: Iterable[tuple[str, str]]) -> bool:
    lower = upper = None
    for operator, version in clauses:
        match = _RELEASE.fullmatch(version)
        numbers = _numbers(match[1]) if match is not None else ()
        major, minor, patch = (*numbers, 0, 0, 0)[:3]
        if match and ((operator == "~=" and len(numbers) > 2) or (operator == "==" and match[2] and len(numbers) > 1)):
            return True
        if numbers and operator in (">", ">="):
            lower = (major, minor)
        elif numbers and operator == "<":
            upper = (major, minor if patch else minor - 1)
            if patch and lower is None:
                lower = upper
    return upper is not None and lower == upper


def _is_reached(name: str, operator: str, version: str) -> bool:
    match = _RELEASE.fullmatch(version)
    known = releases(name)
    if match is None or operator not in ("<", "<=", "~=", "=="):
        return False
    numbers = _numbers(match[1])
    if operator == "<=" and not known:
        # Who writes all three numbers means a release.
        return len(numbers) > 2
    if operator == "~=" or match[2]:
        numbers = numbers[: len(numbers) - (not match[2])]
        numbers = (*numbers[:-1], numbers[-1] + 1) if numbers else ()
    return bool(known and numbers) and _version(known[-1]) >= _version(".".join(map(str, numbers)))


def goes_on(name: str, minor: object) -> bool:
    """Whether releases to come may be for a Python, so far as is known: whether the newest one is."""
    found = offers(name)
    return not found or not isinstance(minor, str) or found[-1].is_for(minor)
