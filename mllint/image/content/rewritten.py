"""What a recursive `chown` or `chmod` writes once more, because it lies in a layer further down."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.events import Distribution, FromContext, FromElsewhere, Gone, Moded, Owned
from mllint.image.installing.downloads import large_names
from mllint.image.view import covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Entry
    from mllint.image.events import Cause, Event
    from mllint.image.stage import Stage, Step

_LEAST = 50_000_000
"""Bytes from which on an image notices them."""


class Copied(NamedTuple):
    """Files of the build context that a change reaches."""

    event: FromContext
    files: tuple[Entry, ...]
    """The largest first."""

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(each.size for each in self.files)


class Brought(NamedTuple):
    """A distribution that downloads more than 500 MB with what it requires, and the step that brings it."""

    name: str
    cause: Cause


class Rewritten(NamedTuple):
    """A change of owner or mode that copies large files of a layer below into its own."""

    change: Owned | Moded
    copied: tuple[Copied, ...]
    """What came from the build context; together more than 50 MB, or nothing."""
    package: Brought | None


def rewritten(stage: Stage) -> Iterator[Rewritten]:
    """The changes of a stage that make the image larger by files of 50 MB and more, one for each RUN."""
    own = {id(step) for step in stage.steps if step.trigger is None}
    earlier: list[Event] = []
    step: Step | None = None
    told: set[int] = set()
    pending: list[Event] = []
    for event in stage.log.events:
        if event.cause.step is not step:
            earlier += pending
            pending, step = [], event.cause.step
        pending.append(event)
        if not isinstance(event, Owned | Moded) or not event.is_recursive or not event.cause.is_sure:
            continue
        if id(step) not in own or id(step) in told:
            continue
        copied, package = _copied(stage, earlier, event.path), _package(earlier, event.path)
        if copied or package is not None:
            told.add(id(step))
            yield Rewritten(event, copied, package)


def _copied(stage: Stage, earlier: list[Event], path: str) -> tuple[Copied, ...]:
    found = []
    for event in earlier:
        if isinstance(event, FromContext):
            files = tuple(sorted(_below(stage, event, path), key=lambda each: (-each.size, each.path)))
            found += [Copied(event, files)] if files else []
        elif isinstance(event, Gone) and (covers(event.path, path) or relative(event.path, path) is not None):
            return ()
    return tuple(found) if sum(each.size for each in found) >= _LEAST else ()


def _below(stage: Stage, event: FromContext, path: str) -> Iterator[Entry]:
    """The files of a copy that surely come to lie below a path."""
    context = stage.build.context
    for match in event.source.matches(context):
        places = event.places(match)
        for each in event.source.entries_of(context, match):
            inner = relative(each.path, match.path) if match.is_folder else ""
            targets = [posixpath.join(place, inner) if inner else place for place in places]
            if targets and all(relative(target, path) is not None for target in targets):
                yield each


def _package(earlier: list[Event], path: str) -> Brought | None:
    held: dict[str, Brought] = {}
    for event in earlier:
        if isinstance(event, Gone) and covers(event.path, path):
            held.clear()
        for each in _distributions(event):
            if relative(each.site, path) is not None and each.is_removed:
                held.pop(each.name, None)
            elif relative(each.site, path) is not None:
                held[each.name] = Brought(each.name, event.cause)
    return next((each for each in held.values() if each.cause.is_sure), None)


def _distributions(event: Event) -> Iterator[Distribution]:
    """The large distributions that an event brings, each with the folder that it comes to lie in."""
    if isinstance(event, Distribution) and event.name in large_names():
        yield event
    elif isinstance(event, FromElsewhere) and event.view is not None:
        for inner in event.view.events[: event.view.end]:
            for each in _distributions(inner):
                inside = relative(each.site, event.path)
                if inside is not None:
                    yield each._replace(site=posixpath.join(event.target, inside) if inside else event.target)
