"""Which processor architectures an image is built for, as far as the repository says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.findings import Location
from mllint.image.context import Tree
from mllint.sources import workflows
from mllint.walking import git_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllint.image.build import Build
    from mllint.sources.text import Source

_ARM = ("linux/arm64", "linux/arm64/v8")


def arm64(build: Build) -> Location | None:
    """Where the repository says that the image is built for 64-bit ARM: the platform of a compose service, or those of
    a workflow."""
    for service in build.services:
        if service.platform is not None and service.platform.literal in _ARM:
            return Location(service.source, service.platform.span)
    folder = (build.context.inputs.cwd / build.source.path).parent
    top = git_root(folder) or build.context.root
    own = folder.joinpath(build.source.path.rpartition("/")[2])
    if not own.is_relative_to(top):
        return None
    path = own.relative_to(top).as_posix()
    for source in _workflows(build, top / ".github" / "workflows"):
        for each in build.context.inputs.parsed(source, workflows.parse):
            if each.dockerfile == path and each.platforms.intersection(_ARM):
                return Location(source, each.span)
    return None


def _workflows(build: Build, folder: Path) -> Iterator[Source]:
    for entry in Tree(folder).children(""):
        if entry.name.endswith((".yml", ".yaml")):
            source = build.context.inputs.text(folder / entry.name)
            if source is not None:
                yield source
