"""Which wheel an installer takes: the tags in a wheel's file name against those of a Linux platform.

The tags are those of PEP 425, 600 and 656; the order is that of `packaging.tags` for a CPython with its global lock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.sources.lockfiles import Archive, Locked

Libc = Literal["glibc", "musl"]
_WHEEL = regex(
    r"[^-]+-[^-]+(?:-(?P<build>\d[^-]*))?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl", re.IGNORECASE
)
_LIBC = regex(r"(?P<libc>many|musl)linux_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>\w+)")
_LEGACY = {"manylinux1_": "manylinux_2_5_", "manylinux2010_": "manylinux_2_12_", "manylinux2014_": "manylinux_2_17_"}
_INTERPRETER = regex(r"(?P<name>cp|py)3(?P<minor>\d*)")
NEWEST = (99, 99)
"""A C library that is new enough for any wheel."""
_Rank = tuple[int, ...]


def wheel_for(
    locked: Locked,
    python: str = "3.11",
    machine: str = "x86_64",
    libc: Libc = "glibc",
    libc_version: tuple[int, int] = NEWEST,
) -> Archive | None:
    """The wheel that pip and uv take on Linux with a CPython; None where no wheel fits, so that it must be built.

    Without `libc_version` the C library counts as new enough for any wheel.
    """
    ranked = [
        (rank, wheel)
        for wheel in locked.wheels
        if (rank := tag_rank(wheel.name, python, machine, libc, libc_version)) is not None
    ]
    return min(ranked, key=lambda each: each[0])[1] if ranked else None


def tag_rank(name: str, python: str, machine: str, libc: Libc, libc_version: tuple[int, int] = NEWEST) -> _Rank | None:
    """How well the wheel of a file name fits, smaller is better; None where it does not. Of equal tags the higher build
    number wins."""
    match = _WHEEL.fullmatch(name)
    if match is None:
        return None
    minor = int(python.split(".")[1])
    build = re.match(r"\d+", match["build"] or "")
    ranks = [
        (*rank, *newness, -int(build[0]) if build else 0)
        for platform in match["platform"].lower().split(".")
        if (newness := _newness(platform, machine, libc, libc_version)) is not None
        for interpreter in match["python"].lower().split(".")
        for abi in match["abi"].lower().split(".")
        if (rank := _rank(interpreter, abi, minor, is_any=platform == "any")) is not None
    ]
    return min(ranks, default=None)


def glibc_of(name: str, machine: str) -> tuple[int, int] | None:
    """The oldest glibc that the wheel of a file name does with on a machine; None where it is for another platform or
    for any."""
    match = _WHEEL.fullmatch(name)
    platforms = match["platform"].lower().split(".") if match is not None else ()
    found = [newness for each in platforms if (newness := _newness(each, machine, "glibc", NEWEST))]
    oldest = max(found, default=(0, 0))
    return (-oldest[0], -oldest[1]) if oldest != (0, 0) else None


def _newness(platform: str, machine: str, libc: Libc, newest: tuple[int, int]) -> tuple[int, int] | None:
    """How new a C library a platform tag asks for, newer is smaller; None for another platform."""
    if platform in ("any", f"linux_{machine}"):
        return (0, 0)
    for legacy, modern in _LEGACY.items():
        platform = modern + platform.removeprefix(legacy) if platform.startswith(legacy) else platform
    match = _LIBC.fullmatch(platform)
    if match is None or match["machine"] != machine or (match["libc"] == "musl") != (libc == "musl"):
        return None
    wanted = int(match["major"]), int(match["minor"])
    return (-wanted[0], -wanted[1]) if wanted <= newest else None


def _rank(interpreter: str, abi: str, minor: int, *, is_any: bool) -> tuple[int, int] | None:
    """CPython's own tags first, then the stable ABI of older versions, then `py3` with and at last without platform."""
    match = _INTERPRETER.fullmatch(interpreter)
    if match is None:
        return None
    of = int(match["minor"]) if match["minor"] else None
    if match["name"] == "py":
        if abi != "none" or (of is not None and of > minor):
            return None
        return (4 if is_any else 2), (1 if of is None else 0 if of == minor else 2 + minor - of)
    if of == minor and is_any:
        return (3, 0) if abi == "none" else None
    if of == minor:
        order = {f"cp3{minor}": 0, "abi3": 1, "none": 2}.get(abi)
        return None if order is None else (0, order)
    is_stable = abi == "abi3" and of is not None and 2 <= of < minor
    return (1, minor - of) if is_stable and of is not None and not is_any else None
