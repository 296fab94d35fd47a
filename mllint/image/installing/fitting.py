"""Whether what a call of pip or uv asks for can be installed for its interpreter, or has to be built from source."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import programs
from mllint.image.installing import offered
from mllint.image.installing.indexed import asked, interpreter_of, locked, view_at
from mllint.image.installing.locked import LockedFiles, files_of
from mllint.image.installing.offered import Offer, Platform
from mllint.image.interpreter import Interpreter
from mllint.image.values import Unknown
from mllint.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image import events
    from mllint.image.installing.indexed import Asked
    from mllint.image.installing.locked import Files
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_ARCHITECTURES = {"amd64": False, "x86_64": False, "arm64": True, "aarch64": True}
# What builds from source on purpose, or chooses wheels for another interpreter than the one that it runs in.
_ON_PURPOSE = (
    *("--no-binary", "--no-binary-package", "--ignore-requires-python", "--python-version", "--python-platform"),
    *("--platform", "--implementation", "--abi"),
)
_COMPILERS = ("gcc", "cc", "clang")
_ABOVE_ALL = "999999"


class Misfit(NamedTuple):
    """A requirement without a wheel for the interpreter that it is installed for."""

    release: str
    """The distribution and its release, or the newest one where the release is open."""
    reason: str
    fails: bool
    """Whether there is no source to build from either."""
    is_certain: bool
    """Whether it rests on verified facts alone, and on no release that may come."""
    repair: str
    python: str | None
    """The newest minor release of Python, another than that of the place, that all pins of the call have wheels for."""


class Place(NamedTuple):
    """What a call installs for."""

    minor: str
    platform: Platform
    is_verified: bool
    """Whether the interpreter rests on no fact from memory."""
    stage: Stage
    install: Install

    def pins(self) -> Iterator[Files]:
        """What there is of the releases that the call pins."""
        pins = (*asked(self.stage, self.install), *locked(self.stage, self.install))
        files = (files_of(each) for each in pins)
        return (each for each in files if each is not None and (each.has_wheels or isinstance(each, Offer)))


@lru_cache(maxsize=64)
def place(stage: Stage, install: Install) -> Place | None:
    """What a call installs for; None where that is not known, and for a call that means something else by it."""
    found, platform = interpreter_of(stage, install), _platform(stage)
    builds = install.has(*_ON_PURPOSE) or "--no-binary" in stage.closure(install).options
    if (
        builds
        or _builds_in_project(stage, install)
        or found is None
        or platform is None
        or not isinstance(found.minor, str)
    ):
        return None
    return Place(found.minor, platform, _is_verified(stage, found), stage, install)


def _builds_in_project(stage: Stage, install: Install) -> bool:
    """Whether the settings of uv or Poetry may tell them to build from source."""
    if install.manager.name not in ("uv", "uv pip", "poetry"):
        return False
    texts = (stage.build.context.text(name) for name in ("pyproject.toml", "uv.toml", "poetry.toml"))
    is_told = any(text is not None and "no-binary" in text.text for text in texts)
    return is_told or any(install.variable(name) for name in ("UV_NO_BINARY", "POETRY_INSTALLER_NO_BINARY"))


def misfit(each: Asked, where: Place) -> Misfit | None:
    """What is wrong with a requirement at a place; None where it has a wheel, never had any, or is not known."""
    return _open_misfit(each, where) if each.version is None else _pinned_misfit(each, each.version, where)


def lacks_compiler(stage: Stage, install: Install) -> bool:
    """Whether a call surely finds no C compiler."""
    path = install.executed.environment.get("PATH", install.step.before.env.get("PATH"))
    view = view_at(stage, install)
    return all(programs.program(view, name, path, install.directory) is None for name in _COMPILERS)


def _platform(stage: Stage) -> Platform | None:
    base = stage.root.base
    is_arm = False
    if isinstance(stage.platform, str):
        architecture = stage.platform.lower().split("/")[1:2]
        if not architecture or architecture[0] not in _ARCHITECTURES:
            return None
        is_arm = _ARCHITECTURES[architecture[0]]
    if isinstance(base.libc, Unknown):
        return None
    rows = facts.by("distro_pythons", "suite").get(base.suite, ()) if isinstance(base.suite, str) else ()
    version = next((row["libc_version"] for row in rows if row["status"] == "verified"), None)
    return Platform(base.libc, version, is_arm)


def _is_verified(stage: Stage, found: events.Interpreter) -> bool:
    """Whether the version is told by the files or by facts that were verified, not by those from memory."""
    known = stage.root.base.python
    of_base = known.version if isinstance(known, Interpreter) else None
    if isinstance(known, Interpreter) and isinstance(of_base, str) and f"{of_base}.".startswith(f"{found.minor}."):
        return known.is_verified
    if found.kind == "system":
        suite = stage.root.base.suite
        rows = facts.by("distro_pythons", "suite").get(suite, ()) if isinstance(suite, str) else ()
        return any(row["status"] == "verified" for row in rows)
    return True


def _pinned_misfit(each: Asked, version: str, where: Place) -> Misfit | None:
    found = files_of(each)
    if found is None or found.has_wheel(where.minor, where.platform) or _is_missing(each):
        return None
    release = f"{each.name} {version}"
    if isinstance(found, LockedFiles):
        repair, python = _relock(found, where), None
    else:
        repair, python = _repair(each.name, found, where), _python(found, where)
    if not found.admits(where.minor):
        reason = f"asks for Python {found.requires_python}, and this is Python {where.minor}"
        return Misfit(release, reason, True, where.is_verified, repair, python)
    if not found.has_wheels and found.has_sdist:
        return None
    return Misfit(release, _no_wheel(found, where), not found.has_sdist, where.is_verified, repair, python)


def _is_missing(each: Asked) -> bool:
    return each.locked is None and each.version is not None and offered.is_missing(each.name, each.version)


def _relock(found: LockedFiles, where: Place) -> str:
    """What to lock instead; the lock may have been written for another Python or platform."""
    release = f"lock a release of {found.locked.name} that has a wheel for it"
    python = _python(found, where)
    return f"{release}, or use Python {python}, the newest that all of the lock has files for" if python else release


def _open_misfit(each: Asked, where: Place) -> Misfit | None:
    """A requirement that no release fits."""
    is_known = bool(offered.offers(each.name))
    newest = _newest_unfit(each.name, each.specifier, where.minor, where.platform) if is_known else None
    if newest is None:
        return None
    version, found, is_closed = newest
    release = f"{each.name}{each.specifier}" if is_closed else f"{each.name} up to its release {version}"
    reason = _no_wheel(found, where) if found.admits(where.minor) else f"has no release for Python {where.minor}"
    repair, python = _repair(each.name, found, where), _python(found, where)
    return Misfit(release, reason, True, where.is_verified and is_closed, repair, python)


@cache
def _newest_unfit(name: str, specifier: str, minor: str, platform: Platform) -> tuple[str, Offer, bool] | None:
    """The newest release that a specifier admits, and whether it admits no later one, where none of them fits."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    known = offered.offers(name)
    try:
        limits = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    newest: tuple[str, Offer] | None = None
    for version in filter(limits.contains, reversed(offered.releases(name))):
        found = offered.offer(name, version) or known[0]
        if found.has_wheel(minor, platform) or found.has_sdist:
            return None
        newest = newest or (version, found)
    return (*newest, not limits.contains(_ABOVE_ALL)) if newest is not None else None


def _no_wheel(found: Files, where: Place) -> str:
    platform = where.platform
    if not found.is_built_for(platform):
        if platform.libc == "musl":
            return "has no wheel for musl, the C library of Alpine"
        if platform.is_arm and found.arm64 in (None, "no"):
            return "has no wheel for 64-bit ARM"
        if not platform.is_arm and found.glibc in (None, "no"):
            return "has no wheel for Linux"
        return f"has no wheel for glibc {platform.libc_version} (its wheels ask for {found.glibc})"
    return f"has no wheel for Python {where.minor}{_others(found.minors(platform))}"


def _others(minors: Sequence[str]) -> str:
    """The minor releases that have one, in words."""
    if not minors:
        return ""
    if len(minors) == 1:
        return f" (only {minors[0]} has one)"
    numbers = [int(minor.split(".")[1]) for minor in minors]
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return f" ({minors[0]} to {minors[-1]} have one)"
    return f" ({enumerated(minors)} have one)"


def _repair(name: str, found: Offer, where: Place) -> str:
    """The nearest release with a wheel, and the newest Python that all pins of the call have wheels for."""
    known = offered.offers(name)
    at = known.index(found)
    fitting = [each.has_wheel(where.minor, where.platform) for each in known]
    later = next((known[index].first for index in range(at + 1, len(known)) if fitting[index]), None)
    earlier = next((known[index].last for index in range(at - 1, -1, -1) if fitting[index]), None)
    ways = []
    if later is not None:
        ways.append(f"{name} {later} or later")
    elif earlier is not None:
        ways.append(f"{name} {earlier}")
    if python := _python(found, where):
        ways.append(f"Python {python}, the newest that all pins here have wheels for")
    return f"use {', or '.join(ways)}" if ways else ""


def _python(found: Files, where: Place) -> str | None:
    sets = [set(each.minors(where.platform)) for each in (*where.pins(), found)]
    common = sorted(set.intersection(*sets), key=lambda minor: int(minor.split(".")[1]))
    return common[-1] if common and common[-1] != where.minor else None
