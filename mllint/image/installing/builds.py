"""The builds of torch: which CUDA the wheel of the package index has, and what PyTorch's own indexes have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import offered
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import asked, tool
from mllint.image.installing.indexes import indexes
from mllint.image.releases import version_of

if TYPE_CHECKING:
    from mllint.image.installing.fitting import Place
    from mllint.image.installing.indexed import Asked
    from mllint.image.installing.indexes import Index
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

FAMILY = frozenset({"torch", "torchvision", "torchaudio"})
OVER = frozenset({"cu102", "cu113", "cu115", "cu116", "cu117", "cu118", "cu121", "cu124"})
"""Builds that no release since torch 2.8 has any more: their indexes stay as they are."""


class Outrun(NamedTuple):
    """An extra index of PyTorch whose builds of torch are older than the one that pip takes from the public index."""

    torch: Asked
    extra: Index
    newest: str
    """The newest release of torch there that has a wheel for the interpreter."""
    taken: str
    cuda: str
    """The CUDA of that release on the public index."""


def builds_of(version: str) -> frozenset[str]:
    """The builds for CUDA of a release of torch; none for one that the table lacks."""
    row = _row(version)
    return frozenset(row["cuda_builds"].split()) if row is not None else frozenset()


def cuda_of(version: str) -> str | None:
    """The CUDA that the wheel of the package index brings; None for a release that the table lacks."""
    row = _row(version)
    return row["cuda"] if row is not None else None


def outrun(stage: Stage, install: Install) -> Outrun | None:
    """Where pip, which takes the highest version of all indexes, passes an extra index of PyTorch by."""
    wanted = [each for each in asked(stage, install) if each.name == "torch"]
    where, read = place(stage, install), stage.closure(install)
    if len(wanted) != 1 or where is None or tool(install) != "pip" or not read.is_complete:
        return None
    if read.constraints or read.has_unread_constraints or where.platform.is_arm or where.platform.libc != "glibc":
        return None
    found = indexes(stage, install) or ()
    if len(found) != 1 or found[0].kind != "extra" or found[0].build not in OVER:
        return None
    fitting = _fitting(wanted[0], where)
    there = [version for version in fitting if found[0].build in builds_of(version)]
    cuda = cuda_of(fitting[-1]) if fitting else None
    if cuda is None or fitting[-1] in there:
        return None
    newest = next(reversed(there), "")
    return Outrun(wanted[0], found[0], newest, fitting[-1], cuda)


def _fitting(torch: Asked, where: Place) -> list[str]:
    """The releases of torch on the public index that are admitted and have a wheel, the oldest first."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(torch.specifier)
    except InvalidSpecifier:
        return []
    offers = ((version, offered.offer("torch", version)) for version in offered.releases("torch") if version in limits)
    return [version for version, found in offers if found is not None and found.has_wheel(where.minor, where.platform)]


def _row(version: str) -> dict[str, str] | None:
    minor = ".".join(str(part) for part in version_of(version)[:2])
    return next(iter(facts.by("torch_builds", "release").get(minor, ())), None)
