"""Which program a name leads to."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions
from mllint.image.copies import relative
from mllint.image.events import Distribution, FromContext, FromElsewhere, Gone, Interpreter, Programs, Put, Unsure
from mllint.image.paths import DEFAULT_PATH, UNKNOWN_FOLDER
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Cause, Event
    from mllint.image.view import View

_STANDARD = frozenset(DEFAULT_PATH.split(":"))


class Program(NamedTuple):
    """A program that is there; `path` is None where nobody knows in which folder it is."""

    path: str | None
    cause: Cause | None
    """None for one of the base."""
    brought_by: str = ""
    """The package or distribution that brings it."""


Found = Program | Unknown | None
"""None where there surely is no such program."""


def program(view: View, name: str, path: Value | None, directory: Value = "/") -> Found:
    """The program that a name, or a path seen from a directory, leads to."""
    if "/" in name:
        place = posixpath.normpath(posixpath.join(directory, name)) if isinstance(directory, str) else name
        return _at(view, place)
    doubt = path if isinstance(path, Unknown) else None
    for folder in view.search(path):
        found = _in_folder(view, folder, name) or _behind_link(view, folder, name)
        if isinstance(found, Program):
            return found._replace(path=None) if folder.startswith(UNKNOWN_FOLDER) else found
        doubt = doubt or found
    packaged = _packaged(view, name)
    if isinstance(packaged, Program):
        return packaged
    known = view.base.program(name)
    if known == "present" and packaged is None:
        is_gone = _is_removed(view, view.search(path), name)
        return Unknown(f"it may be the {name} that was removed") if is_gone else Program(None, None)
    if isinstance(known, Unknown):
        return doubt or known
    return doubt or packaged or view.doubt("programs")


def _at(view: View, path: str) -> Found:
    folder, _, name = path.rpartition("/")
    found = _in_folder(view, folder, name) or _behind_link(view, folder, name)
    if found is not None:
        return found
    node = view.find(path)
    if isinstance(node, Node):
        return Program(path, node.cause)
    if isinstance(node, Unknown) and folder in _STANDARD:
        packaged = _packaged(view, name)
        if packaged is None and view.base.program(name) == "absent":
            return view.doubt("programs")
        return packaged if packaged is not None else node
    return node


def _in_folder(view: View, folder: str, name: str) -> Found:
    """What the log tells of a program in one folder of PATH."""
    path = posixpath.join(folder, name)
    for event in view.behind():
        # Most events are distributions, whose scripts are looked for in the end.
        if isinstance(event, Distribution):
            if event.is_removed and _removes(event, path):
                return None
            continue
        if isinstance(event, Gone) and covers(event.path, path):
            return None if event.cause.is_sure else Unknown(f"{path} may have been removed")
        if isinstance(event, Interpreter) and event.bin == folder:
            has_pip = event.has_pip is True and name in ("pip", "pip3")
            if name in event.names or has_pip:
                return Program(path, event.cause) if event.cause.is_sure else Unknown(f"{path} may not be there")
        if isinstance(event, FromElsewhere) and event.view is not None:
            found = _brought_along(event, event.view, path)
            if found is not None:
                return found if event.cause.is_sure else Unknown(f"{path} may not be there")
        elif isinstance(event, Put | FromContext | FromElsewhere):
            node = view.made(event, path)
            if isinstance(node, Node) and event.cause.is_sure:
                return Program(path, event.cause)
            if node is not None:
                return node if isinstance(node, Unknown) else Unknown(f"{path} may not be there")
        if isinstance(event, Unsure) and event.below != "/" and covers(event.below, path):
            return Unknown(event.reason)
    return _script(view, folder, name)


def _is_removed(view: View, folders: list[str], name: str) -> bool:
    """Whether a program of this name was removed from one of the folders."""
    paths = [posixpath.join(folder, name) for folder in folders]
    return any(
        (isinstance(event, Gone) and covers(event.path, path)) or _removes(event, path)
        for event in view.behind()
        for path in paths
    )


def _removes(event: Event, path: str) -> bool:
    """Whether an event takes away pip, which interpreters have without saying so in the log."""
    if not isinstance(event, Distribution) or not event.is_removed or event.name != "pip":
        return False
    return path in (f"{event.scripts}/pip", f"{event.scripts}/pip3")


def _behind_link(view: View, folder: str, name: str) -> Found:
    """A program in a folder that is, or lies below, a link to another."""
    path = posixpath.join(folder, name)
    through = view.through_link(path)
    found = _in_folder(view, *posixpath.split(through)) if through is not None else None
    return found._replace(path=path) if isinstance(found, Program) else found


def _brought_along(event: FromElsewhere, view: View, path: str) -> Found:
    """A program of another stage whose folder, or which itself, is copied to where it is looked for."""
    inside = relative(path, event.target)
    if inside is None:
        return None
    origin = posixpath.join(event.path, inside) if inside else event.path
    folder, _, name = origin.rpartition("/")
    found = _in_folder(view, folder, name)
    is_in_folder = event.is_into_folder and inside == posixpath.basename(event.path)
    if found is None and is_in_folder:
        folder, _, name = event.path.rpartition("/")
        found = _in_folder(view, folder, name)
    if found is None and folder in _STANDARD:
        found = _packaged(view, name)
        if found is None and view.base.program(name) != "absent":
            found = Unknown(f"whether {view.base.text} has {name} in {folder} is not known")
    if found is None and (is_in_folder or not inside):
        # What COPY names is there, or there would be no image.
        return Program(path, event.cause)
    if found is None and not _is_program(view, event.path):
        node = view.find(origin) if not view.base.is_plain else view.doubt("programs")
        return Program(path, event.cause) if isinstance(node, Node) else node
    return found._replace(path=path, cause=event.cause) if isinstance(found, Program) else found


def _is_program(view: View, path: str) -> bool:
    """Whether a path is one of a program, and so no folder that others may lie in."""
    folder, name = posixpath.split(path)
    return posixpath.basename(folder) in ("bin", "sbin") or view.base.program(name) == "present"


def _script(view: View, folder: str, name: str) -> Found:
    """A console script of one of the distributions whose scripts go to a folder, or of what these bring along."""
    roots = list(_with_scripts_in(view, folder))
    silent = ""
    for each in roots:
        given = distributions.has_script(each.name, each.version, name)
        if given is True:
            sure = each.cause.is_sure
            return Program(f"{folder}/{name}", each.cause, each.name) if sure else Unknown(f"{name} may not be there")
        if isinstance(given, Unknown):
            silent = silent or each.name
    owners = distributions.providers_of_script(name) if roots else ()
    if owners:
        asked = [(each.name, each.version if isinstance(each.version, str) else None, each.extras) for each in roots]
        brought = distributions.closure(asked, None)
        for owner in owners:
            answer = brought.brings(owner)
            if answer == "present":
                return Program(f"{folder}/{name}", roots[0].cause, owner)
            if isinstance(answer, Unknown):
                return answer
        return None
    return Unknown(f"which programs {silent} brings is not known") if silent else None


def _with_scripts_in(view: View, folder: str) -> Iterator[Distribution]:
    seen: set[str] = set()
    for event in view.behind():
        if isinstance(event, Distribution) and event.scripts == folder and event.name not in seen:
            seen.add(event.name)
            if not event.is_removed:
                yield event


def _packaged(view: View, name: str) -> Found:
    """A program by the packages of the operating system that were installed."""
    doubt: Unknown | None = None
    for event in view.behind():
        if not isinstance(event, Programs):
            continue
        if event.names is None:
            doubt = doubt or Unknown(f"which programs {event.package} brings is not in the tables")
        elif name in event.perhaps:
            doubt = doubt or Unknown(f"whether {event.package} brings {name} depends on its release")
        elif name in event.names:
            if event.is_removed or not event.cause.is_sure:
                return Unknown(f"whether {name} is there depends on what becomes of {event.package}")
            return Program(f"/usr/bin/{name}", event.cause, event.package)
    return doubt
