"""Files of the name of one that is missing, and what may bring that one all the same."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.events import FromContext
from mllint.image.view import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.copies import Copy
    from mllint.image.stage import Stage


class Found(NamedTuple):
    """A file of that name."""

    path: str
    """In the image, or in the build context where nothing brings it there."""
    is_in_image: bool


def named(stage: Stage, name: str) -> Found | None:
    """The file of this name that the build context brings into the image, else the one that it could."""
    return _first(stage, [entry.path for entry in stage.build.context.files() if entry.name == name])


def brought(stage: Stage, path: str) -> Found | None:
    """The same for one file of the build context; None where it is not sent."""
    entry = stage.build.context.find(path)
    is_sent = entry is not None and not entry.is_folder and not stage.build.context.excludes(path)
    return _first(stage, [path] if is_sent else [])


def _first(stage: Stage, files: list[str]) -> Found | None:
    for event in stage.view.behind() if files else ():
        for place, path in _places(stage, event, files) if isinstance(event, FromContext) else ():
            node = stage.view.find(place)
            if isinstance(node, Node) and node.origin == path:
                return Found(place, True)
    return Found(files[0], False) if files else None


def _places(stage: Stage, event: FromContext, files: list[str]) -> Iterator[tuple[str, str]]:
    """Where a copy may put some files of the context."""
    for match in event.source.matches(stage.build.context):
        for path in files:
            inside = relative(path, match.path)
            for place in event.copy.places(event.source, match.path, match.is_folder) if inside is not None else ():
                yield posixpath.join(place, inside or "").rstrip("/"), path


def may_be_brought(stage: Stage, path: str) -> bool:
    """Whether a mount that is meant for a place brings it, or a copy whose source is not in the build context."""
    volumes = [setting.value for setting in stage.end.volumes]
    volumes += [volume.target for each in stage.build.services for volume in each.volumes]
    if any(not isinstance(each, str) or relative(path, each.rstrip("/")) is not None for each in volumes):
        return True
    copies = (step.copy for step in stage.steps_before(None) if step.copy is not None)
    return any(_is_empty(stage, copy) and _reaches(copy, path) for copy in copies)


def _is_empty(stage: Stage, copy: Copy) -> bool:
    context = stage.build.context
    return copy.origin == "context" and any(not each.matches(context) for each in copy.sources)


def _reaches(copy: Copy, path: str) -> bool:
    """Whether a copy may bring a path, by where it goes."""
    target = copy.destination
    return not isinstance(target, str) or relative(path, target.rstrip("/") or "/") is not None
