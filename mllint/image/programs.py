"""Which program a name leads to."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions
from mllint.image.copies import relative
from mllint.image.events import Distribution, FromContext, FromElsewhere, Gone, Interpreter, Programs, Put, Unsure
from mllint.image.paths import UNKNOWN_FOLDER, search_path
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Cause
    from mllint.image.view import View

_STANDARD = frozenset(search_path(None))


class Program(NamedTuple):
    """A program that is there; `path` is None where the tables only tell that the base has it."""

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
    for folder in search_path(path):
        if not folder.startswith(UNKNOWN_FOLDER):
            found = _in_folder(view, posixpath.normpath(folder), name)
            if isinstance(found, Program):
                return found
            doubt = doubt or found
    packaged = _packaged(view, name)
    if isinstance(packaged, Program):
        return packaged
    known = view.base.program(name)
    if known == "present" and packaged is None:
        return Program(None, None)
    if isinstance(known, Unknown):
        return doubt or known
    return doubt or packaged or view.doubt("programs")


def _at(view: View, path: str) -> Found:
    folder, _, name = path.rpartition("/")
    found = _in_folder(view, folder, name)
    if found is not None:
        return found
    node = view.find(path)
    if isinstance(node, Node):
        return Program(path, node.cause)
    if isinstance(node, Unknown) and folder in _STANDARD:
        packaged = _packaged(view, name)
        return packaged if packaged is not None else node
    return node


def _in_folder(view: View, folder: str, name: str) -> Found:
    """What the log tells of a program in one folder of PATH."""
    path = posixpath.join(folder, name)
    for event in view.behind():
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


def _brought_along(event: FromElsewhere, view: View, path: str) -> Found:
    """A program of another stage whose folder, or which itself, is copied to where it is looked for."""
    inside = relative(path, event.target)
    if inside is None:
        return None
    origin = posixpath.join(event.path, inside) if inside else event.path
    folder, _, name = origin.rpartition("/")
    found = _in_folder(view, folder, name)
    if found is None and event.is_into_folder and inside == posixpath.basename(event.path):
        folder, _, name = event.path.rpartition("/")
        found = _in_folder(view, folder, name)
    if found is None and folder in _STANDARD:
        found = _packaged(view, name)
        if found is None and view.base.program(name) != "absent":
            found = Unknown(f"whether {view.base.text} has {name} in {folder} is not known")
    return found._replace(path=path, cause=event.cause) if isinstance(found, Program) else found


def _script(view: View, folder: str, name: str) -> Found:
    """A console script of one of the distributions whose scripts go to a folder, or of what these bring along."""
    roots = list(_with_scripts_in(view, folder))
    for each in roots:
        given = distributions.scripts(each.name, each.version)
        if isinstance(given, frozenset) and name in given:
            sure = each.cause.is_sure
            return Program(f"{folder}/{name}", each.cause, each.name) if sure else Unknown(f"{name} may not be there")
    if not roots:
        return None
    asked = [(each.name, each.version if isinstance(each.version, str) else None, each.extras) for each in roots]
    brought = distributions.closure(asked, None)
    for owner in distributions.providers_of_script(name):
        answer = brought.brings(owner)
        if answer == "present":
            return Program(f"{folder}/{name}", roots[0].cause, owner)
        if isinstance(answer, Unknown):
            return answer
    if distributions.providers_of_script(name):
        return None
    silent = next(
        (each.name for each in roots if isinstance(distributions.scripts(each.name, each.version), Unknown)), ""
    )
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
        elif name in event.names:
            if event.is_removed or not event.cause.is_sure:
                return Unknown(f"whether {name} is there depends on what becomes of {event.package}")
            return Program(f"/usr/bin/{name}", event.cause, event.package)
    return doubt
