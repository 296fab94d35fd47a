"""What the lock files of an image say of what is installed: its wheels, its source and its sizes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.events import Distribution
from mllint.image.installing.offered import MINORS, Offer, Platform, offer
from mllint.image.releases import admits_python
from mllint.sources.wheels import NEWEST, glibc_of, tag_rank, wheel_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.image.installing.indexed import Asked
    from mllint.image.stage import Stage
    from mllint.sources.lockfiles import Archive, Locked

_WITH_FILES = frozenset({"registry", "url"})


class LockedFiles(NamedTuple):
    """The files that a lock file lists of a release, asked like those of the package index (`offered.Offer`)."""

    locked: Locked

    @property
    def requires_python(self) -> str:
        """Empty where the lock does not tell it."""
        return self.locked.requires_python or ""

    @property
    def has_wheels(self) -> bool:
        """Whether there is a wheel for any platform."""
        return bool(self.locked.wheels)

    @property
    def has_sdist(self) -> bool:
        """Whether there is source to build from."""
        return self.locked.sdist is not None

    @property
    def glibc(self) -> str:
        """The oldest glibc that a wheel for x86-64 does with; "no" where there is no such wheel."""
        return self._glibc("x86_64")

    @property
    def arm64(self) -> str:
        """The same for 64-bit ARM."""
        return self._glibc("aarch64")

    def _glibc(self, machine: str) -> str:
        found = [version for wheel in self.locked.wheels if (version := glibc_of(wheel.name, machine))]
        return "{}.{}".format(*min(found)) if found else "no"

    def admits(self, minor: str) -> bool:
        """Whether its Requires-Python lets some patch release of a minor one in."""
        return admits_python(self.requires_python, minor)

    def wheel(self, minor: str, platform: Platform) -> Archive | None:
        """The wheel that is taken for an interpreter on a platform."""
        return wheel_for(self.locked, minor, *_tags(platform))

    def size(self, minor: str, platform: Platform) -> int | None:
        """How many bytes are fetched there: of the wheel, else of the source; None where the lock does not tell."""
        archive = self.wheel(minor, platform) or self.locked.sdist
        return archive.size if archive is not None else None

    def has_wheel(self, minor: str, platform: Platform) -> bool:
        """Whether there is one, and its Requires-Python lets the interpreter in."""
        return self.admits(minor) and self.wheel(minor, platform) is not None

    def is_built_for(self, platform: Platform) -> bool:
        """Whether it has a wheel for a platform with any interpreter."""
        tags = _tags(platform)
        names = [wheel.name for wheel in self.locked.wheels]
        return any(tag_rank(name, minor, *tags) is not None for name in names for minor in MINORS)

    def minors(self, platform: Platform) -> tuple[str, ...]:
        """The minor releases of Python that it has a wheel for."""
        return tuple(minor for minor in MINORS if self.has_wheel(minor, platform))


def _tags(platform: Platform) -> tuple[str, Literal["glibc", "musl"], tuple[int, int]]:
    major, _, minor = (platform.libc_version or "").partition(".")
    version = (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else NEWEST
    machine = "aarch64" if platform.is_arm else "x86_64"
    return (machine, "musl", NEWEST) if platform.libc == "musl" else (machine, "glibc", version)


Files = Offer | LockedFiles


def files_of(each: Asked) -> Files | None:
    """The wheels and the source that there are of a requirement: by the lock file that it comes from, else by the table
    `wheels`. None for a release that is open, and where nobody knows."""
    if each.locked is None:
        return offer(each.name, each.version) if each.version is not None else None
    has_files = each.locked.origin.kind in _WITH_FILES and (each.locked.wheels or each.locked.sdist)
    return LockedFiles(each.locked) if has_files else None


def download(found: Iterable[Distribution], minor: str, platform: Platform) -> int | None:
    """How many bytes are fetched for distributions, by the lock file that they come from; None where it does not tell
    that of each."""
    sizes = [LockedFiles(each.locked).size(minor, platform) if each.locked is not None else None for each in found]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


@lru_cache(maxsize=64)
def in_image(stage: Stage) -> tuple[Distribution, ...]:
    """What the image takes from lock files."""
    return tuple(each for each in stage.log.events if isinstance(each, Distribution) and each.locked is not None)
