"""Indexes of PyTorch that do not last, or have not what they are asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint import facts
from mllint.image.installing import builds, indexed
from mllint.image.installing.fitting import place
from mllint.image.installing.indexes import named
from mllint.image.releases import version_of
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.installing.indexed import Asked
    from mllint.image.installing.indexes import Index
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_NIGHTLY = regex(r"https?://download\.pytorch\.org/whl/nightly(?:/(?P<build>[a-z]+[\d.]*))?(?:/torch_nightly\.html)?/?")
_UNSTABLE = regex(r"https?://download\.pytorch\.org/whl/(?:nightly|test)\b")
_DATED = regex(r"\d[\d.]*\.?dev\d{8}(?:\+[\w.]+)?")

Why = Literal["nightly", "dated", "over", "never", "lacks"]


class Dead(NamedTuple):
    """An index of PyTorch, and what of it will fail."""

    torch: Asked
    url: str
    why: Why
    """`nightly`: another build each day; `dated`: one build, which is dropped; `over`: no nightly build is made for it
    any more; `never`: there is no such index; `lacks`: it has not the release."""
    extra: Index
    build: str = ""
    instead: str = ""
    """The nearest build of the release."""


def dead(stage: Stage, install: Install) -> Dead | None:
    """The first index of PyTorch of a call for torch or its companions that does not last or is not there."""
    torch = next((each for each in indexed.asked(stage, install) if each.name in builds.FAMILY), None)
    if torch is None:
        return None
    for index in named(stage, install):
        if index is None:
            return None
        found = _nightly(torch, index) if _NIGHTLY.fullmatch(index.url) else None
        if index.build is not None and index.build != "cpu":
            found = _stable(stage, install, index)
        if found is not None:
            return found
    return None


def _nightly(torch: Asked, index: Index) -> Dead:
    match = _NIGHTLY.fullmatch(index.url)
    build = (match["build"] or "") if match else ""
    if build in builds.OVER:
        return Dead(torch, index.url, "over", index, build)
    return Dead(torch, index.url, "dated" if _DATED.fullmatch(torch.version or "") else "nightly", index, build)


def _stable(stage: Stage, install: Install, index: Index) -> Dead | None:
    """The index of a build that never was, or not for the release that is pinned."""
    torch = next((each for each in indexed.asked(stage, install) if each.name == "torch"), None)
    where = place(stage, install)
    if torch is None or index.build is None or where is None or where.platform.is_arm:
        return None
    release = (torch.version or "").partition("+")[0]
    if index.build in _known():
        if index.kind != "only" or not _is_outside(index.build, release):
            return None
        why: Why = "lacks"
    elif _is_between(index.build):
        why = "never"
    else:
        return None
    there = builds.builds_of(release) if release else frozenset[str]()
    return Dead(torch, index.url, why, index, index.build, _nearest(index.build, there))


def _is_outside(build: str, release: str) -> bool:
    """Whether a release is older than the first that was built for a CUDA, or newer than the last; of builds that are
    still made the table may lack some."""
    if not release or not builds.builds_of(release):
        return False
    numbers = _releases_of(build)
    own = version_of(release)[:2]
    return own < numbers[0] or (build in builds.OVER and own > numbers[-1])


def spans(stage: Stage, install: Install, release: str) -> bool:
    """Whether the indexes of PyTorch that a call names, if any, may have releases of torch before this one, and from it
    on: none was built before its CUDA, and those of the past get none any more."""
    turn = version_of(release)[:2]
    for index in filter(None, named(stage, install)):
        if _UNSTABLE.match(index.url):
            return False
        if index.build in _known():
            numbers = _releases_of(index.build)
            if numbers[0] >= turn or (index.kind == "only" and index.build in builds.OVER and numbers[-1] < turn):
                return False
    return True


def _releases_of(build: str) -> list[tuple[int, ...]]:
    """The minor releases of torch that were built for a CUDA, the oldest first."""
    return [version_of(row["release"]) for row in facts.rows("torch_builds") if build in row["cuda_builds"].split()]


def newest_of(build: str) -> str:
    """The last release of torch that was built for a CUDA of the past."""
    return str([row["release"] for row in facts.rows("torch_builds") if build in row["cuda_builds"].split()][-1])


@cache
def _known() -> frozenset[str]:
    return frozenset(build for row in facts.rows("torch_builds") for build in row["cuda_builds"].split())


def _is_between(build: str) -> bool:
    """Whether a CUDA is older than the newest and newer than the oldest of the table, so that it would be there."""
    numbers = sorted(int(each[2:]) for each in _known())
    return numbers[1] < int(build[2:]) < numbers[-1]


def _nearest(build: str, there: frozenset[str]) -> str:
    """The build of the same major CUDA, rather a newer one."""
    wanted = int(build[2:])
    same = sorted(int(each[2:]) for each in there if int(each[2:]) // 10 == wanted // 10)
    later = [each for each in same if each > wanted]
    return f"cu{(later or same[-1:])[0]}" if same else ""
