"""Which files of an image a user cannot get at, because a folder above them is closed to him."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.copies import relative
from mllint.image.events import Moded, Owned, Put
from mllint.image.modes import changed_mode
from mllint.image.paths import upward
from mllint.image.values import Unknown
from mllint.image.view import Node, covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.values import Value
    from mllint.image.view import View

_MAX_LINKS = 10
_HOME_OF_ROOT = "/root"
# Of others and of the group: images that run as any number do so in the group of root.
_SEARCH = 0o011
_OTHERS_WRITE = 0o022


def closed_folder(view: View, path: str, uid: str | None) -> str | None:
    """The folder above a path, or above what a link there leads to, that a user other than root cannot enter; None
    where there is none or nobody knows. `uid` is None where all that is known of it is that it is not root's."""
    for place in _with_targets(view, path):
        for folder in _above(place):
            if _is_closed(view, folder, uid):
                return folder
    return None


def is_shut(view: View, folder: str, uid: Value) -> bool:
    """Whether an account surely may not write into a folder that somebody else owns."""
    found = view.find(folder)
    if (
        not isinstance(found, Node)
        or isinstance(uid, Unknown)
        or isinstance(found.owner, Unknown)
        or found.mode is None
    ):
        return False
    owner = view.uid(found.owner)
    return not isinstance(owner, Unknown) and uid not in ("0", owner) and not found.mode & _OTHERS_WRITE


def shut_above(view: View, path: str, uid: Value) -> str | None:
    """The folder in which a path would have to be made and where an account surely may not; None where it may, or
    nobody knows. A path that is there counts as such a folder itself."""
    there = next((each for each in upward(path) if view.find(each) is not None), None)
    return there if there is not None and is_shut(view, there, uid) else None


def _with_targets(view: View, path: str) -> Iterator[str]:
    """A path and, where it is a link, what it leads to."""
    for _ in range(_MAX_LINKS):
        yield path
        found = next((event for event in view.behind() if isinstance(event, Put) and event.path == path), None)
        if found is None or not isinstance(found.target, str) or not found.cause.is_sure:
            return
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts))]


def _is_closed(view: View, folder: str, uid: str | None) -> bool:
    """Whether others may not enter a folder, by the mode it is known to have. Whoever it was given to may."""
    known = view.base.root_home_mode if folder == _HOME_OF_ROOT else ""
    mode = int(known, 8) if isinstance(known, str) and known else None
    owner: Value | None = "0" if folder == _HOME_OF_ROOT else None
    for event in view.events[: view.end]:
        if isinstance(event, Put) and event.path == folder and folder != _HOME_OF_ROOT:
            mode, owner = event.mode, event.owner
        elif isinstance(event, Owned) and _reaches(event, folder):
            owner = event.owner
        elif isinstance(event, Moded) and _reaches(event, folder):
            mode = changed_mode(mode, event.mode) if event.cause.is_sure else None
    is_own = owner == uid if uid is not None else owner != "0"
    return mode is not None and not mode & _SEARCH and isinstance(owner, str) and not is_own


def _reaches(event: Owned | Moded, folder: str) -> bool:
    return covers(event.path, folder) if event.is_recursive else relative(folder, event.path) == ""
