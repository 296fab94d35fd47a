"""What is where inside an image at one point of its build, told from the log of events."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.copies import relative
from mllint.image.events import (
    Cause,
    Distribution,
    FromContext,
    FromElsewhere,
    Gone,
    Interpreter,
    Moded,
    Owned,
    Put,
    Unsure,
    User,
)
from mllint.image.modes import changed_mode
from mllint.image.paths import DEFAULT_PATH, PATH_OF_BASE, UNKNOWN_FOLDER, joined, search_path
from mllint.image.values import Unknown, Value
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.base import Base
    from mllint.image.context import Context, Entry
    from mllint.image.events import Event, Kind, Scope
    from mllint.image.stage import State

# Folders of an operating system in which there may be anything.
_SYSTEM_FOLDERS = frozenset("bin boot dev etc lib lib32 lib64 libx32 proc run sbin sys usr var".split())
_EMPTY_FOLDERS = frozenset({"home", "media", "mnt", "opt", "root", "srv", "tmp"})
"""Those that a plain image has with nothing in them, but for the profile of root."""
_PROFILE = frozenset({".bashrc", ".profile", ".bash_history", ".wget-hsts", ".cache", ".ash_history"})
_SYSTEM_USERS = frozenset("daemon bin sys sync games man lp mail news uucp proxy www-data backup list nobody".split())
_ACCOUNTS = "/etc/passwd"
_MAX_LINKS = 10


class Node(NamedTuple):
    """Something that is there."""

    path: str
    kind: Kind
    owner: Value
    mode: int | None
    """Permission bits; None where they are not known."""
    cause: Cause
    origin: str | None = None
    """The file of the build context that it is."""
    target: Value | None = None
    """Of a link."""
    is_above: bool = False
    """Whether it is known as a folder above something else that is made: it may have been there before, and then keeps
    its owner and mode."""


class View:
    """The inside of an image after the first `end` events of a log."""

    def __init__(self, base: Base, context: Context, events: Sequence[Event], end: int | None = None) -> None:
        self.base = base
        self.context = context
        self.events = events
        self.end = len(events) if end is None else end

    def behind(self) -> Iterator[Event]:
        """The events, the latest first."""
        return (self.events[index] for index in range(self.end - 1, -1, -1))

    def search(self, path: Value | None) -> list[str]:
        """The folders of a PATH; where that of the base is not known, those of its Python and the standard ones."""
        found: list[str] = []
        for folder in search_path(path):
            found += self._folders_of_base() if folder == PATH_OF_BASE else [posixpath.normpath(folder)]
        return found

    def _folders_of_base(self) -> list[str]:
        own = [
            event.bin
            for event in self.events[: self.end]
            if isinstance(event, Interpreter) and (event.cause.step is None or event.prefix.startswith(UNKNOWN_FOLDER))
        ]
        return [*own, *DEFAULT_PATH.split(":")]

    # files

    def find(self, path: str, links: int = 0) -> Node | Unknown | None:
        """What is at an absolute path, links followed; None where surely nothing is there."""
        found = self._recorded(path)
        if found is False:
            return None
        if isinstance(found, Node) and found.target is not None and links < _MAX_LINKS:
            if isinstance(found.target, Unknown):
                return found.target
            return self.find(posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target)), links + 1)
        if found is not None:
            return found
        through = self.through_link(path)
        if through is not None and links < _MAX_LINKS:
            return self.find(through, links + 1)
        return self._of_base(path)

    def _recorded(self, path: str) -> Node | Unknown | Literal[False] | None:
        """What the log says of a path: False where it was removed, None where it is not spoken of."""
        doubt: Unknown | None = None
        above: tuple[Node, int] | None = None
        silent: tuple[str, str] | None = None
        for index in range(self.end - 1, -1, -1):
            event = self.events[index]
            # Most events are distributions in the same two folders.
            if isinstance(event, Distribution) and (event.site, event.scripts) == silent:
                continue
            if isinstance(event, Gone):
                if covers(event.path, path):
                    if event.cause.is_sure:
                        return self._as_folder_above(*above, doubt) if above else doubt or False
                    doubt = doubt or Unknown("it may have been removed")
                continue
            if isinstance(event, Unsure):
                if doubt is None and "files" in event.about and relative(path, event.below) is not None:
                    doubt = Unknown(event.reason)
                continue
            found = self.made(event, path)
            if found is None and isinstance(event, Distribution) and not event.is_removed:
                silent = event.site, event.scripts
            if isinstance(found, Node):
                if not found.is_above:
                    if event.cause.is_sure:
                        # What starts a virtual environment are links, which `chown -R` leaves alone.
                        return found if isinstance(event, Interpreter) else self._as_changed(found, index)
                    found = Unknown(f"{path} may not be there")
                    return self._as_folder_above(*above, found) if above else found
                if event.cause.is_sure:
                    above = (found, index)
                    continue
                found = Unknown(f"{path} may not be there")
            doubt = doubt or found
        if above is None:
            return doubt
        before = self._of_base(path)
        return before if isinstance(before, Node) else self._as_folder_above(*above, doubt or before)

    def _as_folder_above(self, node: Node, index: int, doubt: Unknown | None) -> Node:
        """A folder by the first event that needs it, which made it unless it may have been there before."""
        if doubt is not None:
            return node._replace(owner=Unknown(f"who made {node.path} is not known"), mode=None)
        return self._as_changed(node, index)

    def made(self, event: Event, path: str) -> Node | Unknown | None:
        """What one event makes of a path; None where it does not speak of it."""
        match event:
            case Put():
                return _put(event, path)
            case FromContext():
                return self._from_context(event, path)
            case FromElsewhere():
                return self._from_elsewhere(event, path)
            case User() if event.has_home is not False and event.home == path:
                return Node(path, "folder", event.uid, None, event.cause)
            case Interpreter():
                return _of_interpreter(event, path)
            case Distribution():
                return _of_distribution(event, path)
        return None

    def _from_context(self, event: FromContext, path: str) -> Node | Unknown | None:
        copy, source = event.copy, event.source
        if isinstance(source.path, Unknown):
            return source.path
        if isinstance(copy.destination, Unknown):
            return copy.destination
        above: Node | None = None
        for match in source.matches(self.context):
            for place in event.places(match):
                found = self._in_match(event, match, place, path)
                if found is not None and not found.is_above:
                    is_open = event.is_into_folder is None and place != copy.destination and not match.is_folder
                    return Unknown(f"whether {copy.destination} is a folder is not known") if is_open else found
                above = above or found
        return above

    def _in_match(self, event: FromContext, match: Entry, place: str, path: str) -> Node | None:
        inside = relative(path, place)
        if inside is None:
            above = relative(place, path) is not None
            return _above(path, event.owner, event.cause) if above and path != "/" else None
        name = posixpath.join(match.path, inside) if inside else match.path
        entry = self.context.find(name)
        if entry is None or event.source.leaves_out(match, name):
            return None
        if self.context.excludes(name) and not (entry.is_folder and self.context.files(name)):
            return None
        if not inside and match.is_folder and path != "/":
            # What is in a folder is copied, without the mode of the folder itself.
            return _above(path, event.owner, event.cause)._replace(origin=name)
        kind: Kind = "folder" if entry.is_folder else "file"
        given = event.copy.mode
        mode = self.context.mode(name) if given is None else given if isinstance(given, int) else None
        return Node(path, kind, event.owner, mode, event.cause, name)

    def _from_elsewhere(self, event: FromElsewhere, path: str) -> Node | Unknown | None:
        inside = relative(path, event.target)
        if inside is None:
            above = relative(event.target, path) is not None
            return _above(path, event.owner, event.cause) if above and path != "/" else None
        if event.view is None:
            return Unknown(f"nobody can look into what {event.target} is copied from")
        origin = posixpath.join(event.path, inside) if inside else event.path
        found = event.view.find(origin)
        if event.is_into_folder and inside == posixpath.basename(event.path) and not isinstance(found, Node):
            file = event.view.find(event.path)
            if isinstance(file, Node) and file.kind != "folder":
                found = file
        if isinstance(found, Node) and found.kind == "folder" and not inside and path != "/":
            return _above(path, event.owner, event.cause)._replace(origin=found.origin)
        if isinstance(found, Node):
            owner = found.owner if event.keeps_owner else event.owner
            return found._replace(path=path, owner=owner, cause=event.cause, target=None)
        return found

    def _as_changed(self, node: Node, since: int) -> Node:
        """The owner and mode after what chown and chmod did behind an event."""
        for event in self.events[since + 1 : self.end]:
            if not isinstance(event, Owned | Moded) or not _changes(event, node.path):
                continue
            if isinstance(event, Owned):
                sure = event.cause.is_sure or event.owner == node.owner
                node = node._replace(owner=event.owner if sure else Unknown("its owner is changed in a branch"))
            else:
                changed = changed_mode(node.mode, event.mode, node.kind == "folder")
                node = node._replace(mode=changed if event.cause.is_sure else None)
        return node

    def through_link(self, path: str) -> str | None:
        """The path that a link to one of the folders above leads to."""
        for event in self.behind():
            if isinstance(event, Put) and event.kind == "link" and isinstance(event.target, str):
                inside = relative(path, event.path)
                if inside:
                    target = posixpath.normpath(posixpath.join(posixpath.dirname(event.path), event.target))
                    return posixpath.join(target, inside)
        return None

    def _of_base(self, path: str) -> Node | Unknown | None:
        cause = Cause(None, Span(0, 0))
        if path == "/":
            return Node(path, "folder", "0", 0o755, cause)
        if self.base.kind == "scratch":
            return None
        top, _, rest = path[1:].partition("/")
        if path == f"/{top}" and self.base.is_plain and top in _SYSTEM_FOLDERS | _EMPTY_FOLDERS:
            return self._as_changed(Node(path, "folder", "0", self._mode_of_folder(top), cause), -1)
        is_profile = top == "root" and rest.partition("/")[0] in _PROFILE
        if not self.base.is_plain or top in _SYSTEM_FOLDERS or is_profile:
            return Unknown(f"nobody knows what {self.base.text} has at {path}")
        return None

    def _mode_of_folder(self, top: str) -> int | None:
        mode = self.base.root_home_mode
        if top == "root":
            return int(mode, 8) if isinstance(mode, str) else None
        return 0o1777 if top == "tmp" else 0o755

    # users

    def user(self, name: str) -> User | Unknown | None:
        """The account of a name or uid (`app`, `1000`, `app:app`); None where there surely is none."""
        wanted = name.partition(":")[0]
        if wanted in ("root", "0", ""):
            return User(Cause(None, Span(0, 0)), "root", "0", "0", "/root", True)
        for event in self.behind():
            if isinstance(event, User) and wanted in (event.name, event.uid):
                return event if event.cause.is_sure else Unknown(f"the user {wanted} may not be there")
            if isinstance(event, Unsure) and "users" in event.about and relative(_ACCOUNTS, event.below) is not None:
                return Unknown(event.reason)
            if isinstance(event, FromElsewhere) and event.view is not None and _brings_accounts(event):
                return event.view.user(wanted) if event.cause.is_sure else Unknown(f"{_ACCOUNTS} may be replaced")
            if isinstance(event, Put | FromContext) and self._is_in(event, _ACCOUNTS):
                return Unknown(f"{_ACCOUNTS} is replaced")
        return self._user_of_base(wanted)

    def _is_in(self, event: Put | FromContext, path: str) -> bool:
        found = self.made(event, path)
        return isinstance(found, Node) and found.kind != "folder"

    def _user_of_base(self, wanted: str) -> User | Unknown | None:
        base = self.base
        entry = base.entry(wanted)
        if entry is not None:
            return User(Cause(None, Span(0, 0)), entry.name, entry.uid, entry.gid, entry.home, Unknown("its home"))
        if wanted == base.user and isinstance(base.home, str):
            return User(Cause(None, Span(0, 0)), wanted, base.uid, Unknown("its group"), base.home, True)
        if base.kind == "scratch":
            return None
        if not base.is_plain or wanted in _SYSTEM_USERS or (wanted.isdecimal() and int(wanted) < 1000):
            return Unknown(f"nobody knows whether {base.text} has a user {wanted}")
        return None

    def uid(self, user: Value) -> Value:
        """The number a USER stands for."""
        if isinstance(user, Unknown):
            return user
        name = user.partition(":")[0]
        if name.isdecimal():
            return name
        found = self.user(name)
        if isinstance(found, User):
            return found.uid
        return found or Unknown(f"there is no user {name}")

    def home(self, state: State) -> Value:
        """HOME of a process: what the environment says, else the home folder of the account; `/` for a number without
        an account, as runc sets it."""
        given = state.env.get("HOME")
        if given is not None:
            return given
        if isinstance(state.user, Unknown):
            return state.user
        found = self.user(state.user)
        if isinstance(found, User):
            return found.home
        return "/" if found is None else found

    def resolve(self, path: Value, state: State, directory: Value | None = None) -> Value:
        """A path as a process of this state means it: absolute, with its home folder for `~`."""
        if isinstance(path, str) and (path == "~" or path.startswith("~/")):
            home = self.home(state)
            return home if isinstance(home, Unknown) else posixpath.normpath(posixpath.join(home, path[2:]))
        return joined(state.directory if directory is None else directory, path)

    def doubt(self, about: Scope) -> Unknown | None:
        """Why something of this kind may be anywhere that the log does not tell of."""
        for event in self.behind():
            if isinstance(event, Unsure) and about in event.about and event.below == "/":
                return Unknown(event.reason)
        return None


def covers(pattern: str, path: str) -> bool:
    """Whether a path is one that a path or pattern of the shell names, or lies below it."""
    if relative(path, pattern) is not None:
        return True
    if not any(mark in pattern for mark in "*?["):
        return False
    depth = pattern.count("/")
    above = "/".join(path.split("/")[: depth + 1])
    return path.count("/") >= depth and fnmatchcase(above, pattern)


def _brings_accounts(event: FromElsewhere) -> bool:
    inside = relative(_ACCOUNTS, event.target)
    return inside is not None and posixpath.join(event.path, inside).rstrip("/") == _ACCOUNTS


def _put(event: Put, path: str) -> Node | None:
    if event.path == path:
        return Node(path, event.kind, event.owner, event.mode, event.cause, event.origin, event.target)
    if relative(event.path, path) is not None and path != "/":
        return _above(path, event.owner, event.cause)
    return None


def _above(path: str, owner: Value, cause: Cause) -> Node:
    return Node(path, "folder", owner, 0o755, cause, is_above=True)


def _of_interpreter(event: Interpreter, path: str) -> Node | Unknown | None:
    folder, _, name = path.rpartition("/")
    if folder == event.bin and name in event.names:
        return Node(path, "file", Unknown("its owner"), 0o755, event.cause)
    if event.kind in ("image", "system") or relative(path, event.prefix) is None:
        return None
    if path in (event.prefix, event.bin) or relative(event.site, path) is not None:
        return Node(path, "folder", Unknown("its owner"), 0o755, event.cause)
    return None


def _of_distribution(event: Distribution, path: str) -> Node | Unknown | None:
    if event.is_removed or event.site.startswith(("/usr/", UNKNOWN_FOLDER)):
        return None
    for folder in (event.site, event.scripts):
        if relative(folder, path) is not None and path != "/":
            return Node(path, "folder", Unknown("its owner"), None, event.cause, is_above=True)
        if relative(path, folder) is not None:
            return Unknown(f"{folder} holds what pip puts there")
    return None


def _changes(event: Owned | Moded, path: str) -> bool:
    if event.is_recursive:
        return covers(event.path, path)
    return path == event.path or ("*" in event.path and fnmatchcase(path, event.path))
