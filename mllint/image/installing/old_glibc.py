"""What the C library of an image is too old for: releases whose wheels were made for a newer glibc."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import offered
from mllint.image.installing.locked import files_of

if TYPE_CHECKING:
    from mllint.image.base import Base
    from mllint.image.installing.fitting import Place
    from mllint.image.installing.indexed import Asked
    from mllint.image.installing.locked import Files
    from mllint.image.installing.offered import Platform


class Glibc(NamedTuple):
    """The version of the GNU C library of an image."""

    version: str
    is_verified: bool


class TooNew(NamedTuple):
    """A requirement whose wheels ask for a newer glibc."""

    release: str
    needed: str
    """The glibc that they ask for."""
    taken: str | None
    """The older release that is taken in its place; None where none is."""
    has_source: bool
    """Whether it, or what is taken, is built from source."""

    @property
    def fails(self) -> bool:
        """Whether nothing can be installed."""
        return self.taken is None and not self.has_source


def glibc_of(base: Base) -> Glibc | None:
    """The glibc of a base; None where it is not known, and with another C library."""
    if base.libc != "glibc" or not isinstance(base.suite, str):
        return None
    rows = facts.by("distro_pythons", "distro").get(base.distro, ()) if isinstance(base.distro, str) else ()
    row = next((row for row in rows if base.suite in (row["suite"], row["version"])), None)
    return Glibc(row["libc_version"], row["status"] == "verified") if row is not None else None


def is_too_new(each: Asked, where: Place) -> bool:
    """Whether all that a requirement lacks at a place is a newer glibc."""
    here = glibc_of(where.stage.root.base)
    return here is not None and too_new(each, where, here) is not None


def too_new(each: Asked, where: Place, here: Glibc) -> TooNew | None:
    """What of a requirement is too new for a glibc; None where it has a wheel, or lacks one for another reason."""
    aged = where.platform._replace(libc_version=here.version)
    if each.version is None:
        return _open(each.name, each.specifier, where.minor, aged)
    found = files_of(each)
    if found is None or not _is_about_glibc(found, where.minor, aged):
        return None
    return TooNew(f"{each.name} {each.version}", _needed(found, aged), None, found.has_sdist)


def _is_about_glibc(found: Files, minor: str, platform: Platform) -> bool:
    newer = platform._replace(libc_version=None)
    return found.has_wheel(minor, newer) and not found.has_wheel(minor, platform)


def _needed(found: Files, platform: Platform) -> str:
    return str(found.arm64 if platform.is_arm else found.glibc)


@cache
def _open(name: str, specifier: str, minor: str, platform: Platform) -> TooNew | None:
    """What pip takes of an open requirement, where the newest release that it could take is too new."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    newest: tuple[str, str] | None = None
    for version in filter(limits.contains, reversed(offered.releases(name))):
        found = offered.offer(name, version)
        if found is None or not found.admits(minor):
            continue
        if newest is None and not _is_about_glibc(found, minor, platform):
            return None
        newest = newest or (f"{name} {version}", _needed(found, platform))
        if found.has_sdist or found.has_wheel(minor, platform):
            return TooNew(*newest, version, not found.has_wheel(minor, platform))
    return TooNew(*newest, None, has_source=False) if newest is not None else None
