"""Folders that a RUN of its own empties: what earlier instructions left in them, and what asks for them to be empty."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.copies import relative
from mllint.image.events import Cause, FromContext, FromElsewhere, Gone, Put, Unsure
from mllint.image.view import covers
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Event
    from mllint.image.stage import Stage, Step

# What package managers keep beside the packages, also behind `clean all`.
_CACHES = {"dnf": "/var/cache/dnf", "yum": "/var/cache/yum", "zypper": "/var/cache/zypp"}
# Why files have to be gone that has nothing to do with the size of the image.
_REASON = regex(r"(?i)\b(?:requir|must|need|check|because|otherwise|secur|secret|permission|conflict)")


def is_volume(stage: Stage, step: Step, path: str) -> bool:
    """Whether a VOLUME of the stage makes volumes of a path: what is in it at the end is copied into each new one."""
    declared = (each for each in stage.steps if each.instruction.keyword == "VOLUME" and each is not step)
    values = (each.before.expand(word.text) for each in declared for word in each.instruction.words)
    folder = path.rstrip("/*") or "/"
    return any(isinstance(value, str) and relative(folder, value.rstrip("/") or "/") is not None for value in values)


def has_reason(step: Step) -> bool:
    """Whether the comment directly above a RUN says what its removal is for, other than space."""
    return any(map(_REASON.search, step.instruction.source.comments_above(step.instruction.span.start)))


def left_in(stage: Stage, step: Step, path: str) -> Cause | None:
    """What is known to have written, outside of mounts, what is in front of a step at a path or pattern."""
    before = {id(each) for each in stage.steps_before(step)}
    left: dict[str, Cause] = {}
    for event in stage.log.events:
        if event.cause.step is None or id(event.cause.step) not in before:
            continue
        if isinstance(event, Gone):
            left = {place: cause for place, cause in left.items() if not covers(event.path, place)}
        elif event.cause.is_sure:
            for place in _written(stage, event):
                if covers(path, place) and not any(
                    mount.covers(place) is not False for mount in event.cause.step.mounts
                ):
                    left[place] = event.cause
    return next(iter(left.values()), None) or _filled(stage, step, path)


def _written(stage: Stage, event: Event) -> Iterator[str]:
    if isinstance(event, Put):
        if event.kind != "folder":
            yield event.path
    elif isinstance(event, Unsure) and event.below != "/":
        yield event.below
    elif isinstance(event, FromElsewhere):
        yield posixpath.join(event.target, posixpath.basename(event.path)) if event.is_into_folder else event.target
    elif isinstance(event, FromContext):
        for match in event.source.matches(stage.build.context):
            yield from event.places(match)[:1]


def _filled(stage: Stage, step: Step, path: str) -> Cause | None:
    """A call of a package manager whose cache lies in a folder, and whose RUN leaves it there."""
    for other in stage.steps_before(step):
        removed = [word.value for each in other.commands if each.name == "rm" for word in each.words[1:]]
        for call in other.installs:
            folder = _CACHES.get(call.manager.name)
            if folder is None or not covers(path, folder) or not call.executed.is_sure:
                continue
            is_kept = not any(covers(word, folder) for word in removed)
            if is_kept and not any(mount.covers(folder) is not False for mount in other.mounts):
                return Cause(other, call.span)
    return None
