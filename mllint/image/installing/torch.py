"""The torch that an image gets from the package index, whose wheels for Linux bring CUDA."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.distributions import closure
from mllint.image.events import Distribution
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import is_public
from mllint.image.installing.locked import download as download_of
from mllint.image.installing.locked import in_image
from mllint.image.installing.pins import preinstalled
from mllint.image.releases import version_of
from mllint.image.values import Unknown
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from mllint.image.packages import Install
    from mllint.image.stage import Stage


OF_CUDA = ("nvidia-", "cuda-")
"""How the distributions with the libraries of CUDA begin."""


class WithCuda(NamedTuple):
    """A call that installs torch with CUDA."""

    stage: Stage
    install: Install
    event: Distribution
    """torch, or the distribution that brings it."""

    @property
    def locked_size(self) -> int | None:
        """The bytes to fetch for torch and the CUDA that it brings, by the lock file; None where that does not tell."""
        where = place(self.stage, self.install)
        if self.event.locked is None or where is None:
            return None
        return download_of(with_libraries(self.stage, self.event), where.minor, where.platform)


class Download(NamedTuple):
    """Megabytes to download; None for a release older than the first that was measured."""

    with_cuda: int | None
    for_cpu: int


def with_cuda(stage: Stage) -> WithCuda | None:
    """The call that brings torch with CUDA into an image for x86-64 with glibc; None where there surely is none, or
    the build of torch is decided elsewhere."""
    if not _is_for_linux_wheels(stage) or "torch" in preinstalled(stage):
        return None
    events = [each for each in stage.log.events if isinstance(each, Distribution) and not each.is_removed]
    locked = next((each for each in events if each.name == "torch" and each.locked is not None), None)
    if locked is not None:
        return _of_lock(stage, locked) if locked_build(stage, locked) == "public" else None
    direct = [each for each in events if each.name == "torch"]
    if any(_call(stage, each) is None for each in direct):
        return None
    found = next(iter(direct), None) or _bringing_torch(events)
    return _call(stage, found) if found is not None else None


def download(version: str | None) -> Download:
    """What a release of torch downloads, the newest for None."""
    rows = facts.rows("torch")
    cpu = next(int(row["download"]) for row in rows if row["build"] == "cpu")
    measured = [row for row in rows if row["build"] == "cuda"]
    older = [row for row in measured if version is None or version_of(row["first"]) <= version_of(version)]
    return Download(int(older[-1]["download"]) if older else None, cpu)


def locked_build(stage: Stage, torch: Distribution) -> str | None:
    """The build of a torch from a lock file: `cpu`, `cu121`, `public` for one without a name that brings CUDA along;
    None where that is not known."""
    local = torch.version.partition("+")[2] if isinstance(torch.version, str) else ""
    return local or ("public" if len(with_libraries(stage, torch)) > 1 else None)


def with_libraries(stage: Stage, torch: Distribution) -> tuple[Distribution, ...]:
    """A torch from a lock file, with triton and the libraries of CUDA that it requires there."""
    others = {
        each.name: each
        for each in in_image(stage)
        if each.cause.span == torch.cause.span and each.cause.step is torch.cause.step
        if each.name == "triton" or each.name.startswith(OF_CUDA)
    }
    found, waiting = {torch.name: torch}, [torch]
    while waiting:
        locked = waiting.pop().locked
        listed = (locked.dependencies, *locked.optional_dependencies.values()) if locked is not None else ()
        fresh = {each.name for each in chain(*listed)} & others.keys() - found.keys()
        found |= {name: others[name] for name in fresh}
        waiting += [others[name] for name in fresh]
    return tuple(found.values())


def _of_lock(stage: Stage, event: Distribution) -> WithCuda | None:
    for other in stage.build.stages:
        for step in other.steps:
            if step is event.cause.step:
                calls = [each for each in step.installs if each.executed.span == event.cause.span]
                return WithCuda(other, calls[0], event) if calls else None
    return None


def is_for_arm(stage: Stage) -> bool:
    """Whether the Dockerfile, its base or a compose file names 64-bit ARM."""
    reference = stage.root.base.reference
    named = [stage.platform, *(each.platform for each in stage.build.services)]
    texts = [each for each in named if each is not None and not isinstance(each, Unknown)]
    words = [each if isinstance(each, str) else each.text for each in texts]
    is_of_arm = reference is not None and reference.familiar.startswith("arm64v8/")
    return is_of_arm or any("arm64" in word or "aarch64" in word for word in words)


def _is_for_linux_wheels(stage: Stage) -> bool:
    platform = stage.platform
    is_x86 = not isinstance(platform, str) or "amd64" in platform or "x86_64" in platform
    return is_x86 and not is_for_arm(stage) and stage.root.base.libc == "glibc"


def _bringing_torch(events: list[Distribution]) -> Distribution | None:
    by_name = {each.name: each for each in events if each.manager in ("pip", "uv pip")}
    if not _may_bring_torch().intersection(by_name):
        return None
    roots = [
        (each.name, each.version if isinstance(each.version, str) else None, each.extras) for each in by_name.values()
    ]
    root = closure(roots, None, newest=True).via.get("torch")
    return by_name.get(root) if root is not None else None


@cache
def _may_bring_torch() -> frozenset[str]:
    """The distributions that may require torch, or one that does, by any of their rows."""
    users: dict[str, set[str]] = defaultdict(set)
    for row in facts.rows("distributions"):
        for required in (row.get("requires", ""), *row.get("extras", {}).values()):
            for name in re.findall(r"(?:^|, )([\w.-]+)", required):
                users[normalised(name)].add(row["name"])
    found, waiting = set[str](), ["torch"]
    while waiting:
        more = users[waiting.pop()] - found
        found |= more
        waiting += more
    return frozenset(found)


def _call(stage: Stage, event: Distribution) -> WithCuda | None:
    """The call behind an event, where it takes the wheel of the public index."""
    if isinstance(event.version, str) and "+" in event.version:
        return None
    if isinstance(event.version, Unknown) and not event.version.reason.endswith("is not pinned"):
        return None
    for other in stage.build.stages:
        for step in other.steps:
            if step is event.cause.step:
                calls = [each for each in step.installs if each.executed.span == event.cause.span]
                if calls and calls[0].manager.name in ("pip", "uv pip") and is_public(other, calls[0]):
                    return WithCuda(other, calls[0], event)
    return None
