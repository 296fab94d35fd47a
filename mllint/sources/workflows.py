"""The images that GitHub's workflows build: the steps of docker/build-push-action."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.sources.nodes import Node
    from mllint.sources.text import Source, Span

_ACTION = "docker/build-push-action@"


class ImageBuild(NamedTuple):
    """A step that builds an image. Paths are relative to the root of the repository."""

    dockerfile: str
    platforms: frozenset[str]
    span: Span
    """The platforms there."""


def parse(source: Source) -> tuple[ImageBuild, ...]:
    """The builds of a workflow whose Dockerfile and platforms are written out; never raises."""
    if _ACTION not in source.text:
        return ()
    from mllint.sources.yaml_tree import read_yaml

    root, _ = read_yaml(source.text)
    return tuple(_builds(root)) if root is not None else ()


def _builds(root: Node) -> Iterator[ImageBuild]:
    jobs = root.at("jobs")
    for _, job in jobs.entries.values() if jobs is not None else ():
        steps = job.at("steps")
        for step in steps.items if steps is not None else ():
            uses, platforms = step.at("uses"), step.at("with", "platforms")
            if uses is None or platforms is None or not uses.text.startswith(_ACTION):
                continue
            context = _text(step, "context", ".")
            path = _text(step, "file", posixpath.join(context, "Dockerfile"))
            if "${{" not in f"{path}{platforms.text}":
                names = platforms.text.replace("\n", ",").split(",")
                found = frozenset(name.strip() for name in names)
                yield ImageBuild(posixpath.normpath(path), found, platforms.span)


def _text(step: Node, key: str, default: str) -> str:
    found = step.at("with", key)
    return found.text if found is not None and found.text else default
