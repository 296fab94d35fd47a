"""What COPY and ADD bring."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.copies import relative
from mllint.image.events import (
    EVERYTHING,
    Cause,
    Distribution,
    FromContext,
    FromElsewhere,
    Installed,
    Interpreter,
    Put,
    Unsure,
)
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.copies import Copy, CopySource
    from mllint.image.effects.work import Work
    from mllint.image.events import Scope
    from mllint.image.view import View

# Programs that images of nothing else have in their root folder.
_LONE_PROGRAMS = frozenset({"uv", "uvx", "lambda-adapter", "executor"})
_FILE = regex(r"\.(?:py|sh|txt|json|toml|ya?ml|conf|cfg|pem|crt|so(?:\.\d+)*)$")
_ONLY_FILES = regex(r"/lib[^/]*$|\.(?:h|a|so|so\.\*|whl|txt|jar|conf|pem|crt|sh|json|ya?ml)$")
"""Patterns that match libraries and other files, no folder of packages."""


def carry_out(work: Work, copy: Copy) -> None:
    """Write what a COPY or ADD brings into the log."""
    cause = Cause(work.step, work.step.instruction.span)
    owner = _owner(work, copy)
    for heredoc in work.step.instruction.heredocs:
        _heredoc(work, copy, cause, owner, heredoc.name)
    for source in copy.sources:
        if copy.origin == "context" and not source.is_remote:
            work.events.append(FromContext(cause, copy, source, owner, _is_into_folder(work, copy)))
            _unpack(work, copy, source, cause)
        else:
            _from_elsewhere(work, copy, source, cause, owner)


def _is_into_folder(work: Work, copy: Copy) -> bool | None:
    """Whether the destination is a folder by now; None where nobody knows."""
    if copy.is_into_folder or isinstance(copy.destination, Unknown):
        return copy.is_into_folder
    found = work.view.find(copy.destination)
    if isinstance(found, Unknown):
        # The WORKDIR of a base made that folder.
        return True if copy.destination == work.stage.root.base.workdir else None
    return found is not None and found.kind == "folder"


def _owner(work: Work, copy: Copy) -> Value:
    return "0" if copy.owner is None else work.view.uid(copy.owner.user)


def _heredoc(work: Work, copy: Copy, cause: Cause, owner: Value, name: str) -> None:
    if isinstance(copy.destination, Unknown):
        work.events.append(Unsure(cause, copy.destination.reason, frozenset({"files"})))
        return
    inside = copy.destination.endswith("/") or len(copy.step.instruction.heredocs) > 1
    path = posixpath.join(copy.destination, name) if inside else copy.destination
    mode = 0o644 if copy.mode is None else copy.mode if isinstance(copy.mode, int) else None
    work.events.append(Put(cause, path, "file", owner, mode))


def _unpack(work: Work, copy: Copy, source: CopySource, cause: Cause) -> None:
    if isinstance(copy.destination, str):
        for match in source.matches(work.stage.build.context):
            if source.unpacks(match.path):
                reason = f"nobody knows what is in {match.name}"
                work.events.append(Unsure(cause, reason, frozenset({"files"}), copy.destination.rstrip("/") or "/"))


def _from_elsewhere(work: Work, copy: Copy, source: CopySource, cause: Cause, owner: Value) -> None:
    target = copy.destination
    if isinstance(target, Unknown) or isinstance(source.path, Unknown):
        reason = target.reason if isinstance(target, Unknown) else str(source.path)
        work.events.append(Unsure(cause, reason, EVERYTHING))
        return
    folder = target.rstrip("/") or "/"
    if source.is_remote:
        _remote(work, copy, source, cause, folder)
        return
    view = _view(work, copy)
    path = f"/{source.path}"
    if source.has_wildcard:
        about: frozenset[Scope] = frozenset({"files"}) if _ONLY_FILES.search(path) else EVERYTHING
        work.events.append(Unsure(cause, f"{path} is a pattern", about, folder))
        return
    if view is None:
        _from_image(work, copy, cause, path, folder, owner)
        return
    events = work.events
    events.append(FromElsewhere(cause, view, path, folder, copy.is_into_folder, owner, copy.owner is None))
    _take_along(work, view, cause, path, folder)


def _remote(work: Work, copy: Copy, source: CopySource, cause: Cause, folder: str) -> None:
    name = posixpath.basename(str(source.path).partition("?")[0])
    if source.kind == "git" or source.may_unpack:
        work.events.append(Unsure(cause, f"nobody knows what is in {source.word.text}", frozenset({"files"}), folder))
    else:
        path = posixpath.join(folder, name) if copy.is_into_folder else folder
        work.events.append(Put(cause, path, "file", "0", 0o600))


def _view(work: Work, copy: Copy) -> View | None:
    return work.stage.build.stages[copy.stage].view if copy.stage is not None else None


def _from_image(work: Work, copy: Copy, cause: Cause, path: str, folder: str, owner: Value) -> None:
    """From another image: what is named is there, or there would be no image; what a folder holds nobody knows."""
    name = posixpath.basename(path)
    place = posixpath.join(folder, name) if copy.is_into_folder and name else folder
    is_file = (
        name in _LONE_PROGRAMS
        or posixpath.basename(posixpath.dirname(path)) in ("bin", "sbin")
        or _FILE.search(name) is not None
    )
    if not is_file:
        work.events.append(Unsure(cause, f"nobody knows what {path} of another image holds", EVERYTHING, folder))
    if place != "/":
        work.events.append(Put(cause, place, "file" if is_file else "unknown", owner, None))


def _take_along(work: Work, view: View, cause: Cause, path: str, folder: str) -> None:
    """The interpreters and packages that lie in what is copied lie in the new place from now on."""

    def moved(old: str) -> str | None:
        inside = relative(old, path)
        return None if inside is None else posixpath.join(folder, inside).rstrip("/") or "/"

    for event in list(view.events[: view.end]):
        if isinstance(event, Interpreter):
            prefix, site = moved(event.prefix), moved(event.site)
            if prefix is None and moved(event.bin) is not None and event.kind == "image":
                continue
            if prefix is not None:
                here = Cause(cause.step, cause.span, event.cause.is_sure)
                work.events.append(event._replace(cause=here, prefix=prefix, site=site or event.site))
        elif isinstance(event, Distribution):
            site = moved(event.site)
            if site is not None:
                scripts = moved(event.scripts) or UNKNOWN_FOLDER + event.scripts
                here = event.cause._replace(is_sure=event.cause.is_sure)
                work.events.append(event._replace(cause=here, site=site, scripts=scripts))
            elif moved(event.scripts) is not None:
                work.events.append(event._replace(site=UNKNOWN_FOLDER + event.site, scripts=moved(event.scripts) or ""))
        elif isinstance(event, Installed):
            site = moved(event.site)
            if site is not None:
                work.events.append(event._replace(site=site))
        elif isinstance(event, Unsure) and ("distributions" in event.about or event.repository is not None):
            below = moved(event.below)
            reaches = relative(path, event.below) is not None
            if below is not None or reaches:
                work.events.append(event._replace(below=below or folder))
