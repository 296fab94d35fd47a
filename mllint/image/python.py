"""Which Python a program name starts, and which packages it sees."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution, Gone, Installed, Interpreter, Put, Unsure
from mllint.image.paths import UNKNOWN_FOLDER, search_path
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, covers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.distributions import Brought
    from mllint.image.stage import State
    from mllint.image.view import View

_MAX_LINKS = 5


class Environment(NamedTuple):
    """The packages that an interpreter can import, by normalised name, the latest of each."""

    interpreter: Interpreter
    distributions: Mapping[str, Distribution]
    scripts: tuple[Distribution, ...]
    """Those whose console scripts may be used, wherever their packages are."""
    unknown: Unknown | None
    """Why there may be others, beside those that these bring along."""

    def brought(self) -> Brought:
        """What they bring along."""
        return _brought(tuple(self.distributions.values()), self.interpreter.minor)


def interpreter(
    view: View, name: str, path: Value | None, directory: Value | None = None
) -> Interpreter | Unknown | None:
    """The interpreter that a program name (or path) starts; None where surely none is found."""
    if "/" in name:
        place = posixpath.normpath(posixpath.join(directory, name)) if isinstance(directory, str) else name
        return _at(view, place, 0) or _doubtful(view, place)
    if isinstance(path, Unknown):
        return path
    for folder in search_path(path):
        if folder.startswith(UNKNOWN_FOLDER):
            continue
        found = _at(view, posixpath.join(folder, name), 0)
        if found is not None:
            return found
    if isinstance(view.base.python, Unknown):
        return view.base.python
    return view.doubt("programs")


def _doubtful(view: View, path: str) -> Unknown | None:
    found = view.find(path)
    if isinstance(found, Node):
        return Unknown(f"which Python {path} is nobody knows")
    return found


def _at(view: View, path: str, links: int) -> Interpreter | Unknown | None:
    """The interpreter whose program lies at a path."""
    folder, _, name = path.rpartition("/")
    for event in view.behind():
        if isinstance(event, Interpreter) and event.bin == folder and name in event.names:
            return event if event.cause.is_sure else Unknown(f"whether {path} is there depends on a branch")
        if isinstance(event, Put) and event.path == path and isinstance(event.target, str) and links < _MAX_LINKS:
            target = posixpath.normpath(posixpath.join(folder, event.target))
            return _at(view, target, links + 1) or _doubtful(view, target)
        if isinstance(event, Gone) and event.cause.is_sure and covers(event.path, path):
            return None
    return None


def by_prefix(view: View, prefix: str) -> Interpreter | None:
    """The interpreter with this prefix."""
    for event in view.behind():
        if isinstance(event, Interpreter) and event.prefix == prefix:
            return event
        if isinstance(event, Gone) and event.cause.is_sure and covers(event.path, prefix):
            return None
    return None


def user_site(view: View, found: Interpreter, state: State) -> tuple[str, str] | Unknown:
    """Where `pip install --user` puts packages and scripts of the user of a state."""
    base = state.env.get("PYTHONUSERBASE")
    if base is None:
        home = view.home(state)
        base = home if isinstance(home, Unknown) else posixpath.join(home, ".local")
    if isinstance(base, Unknown):
        return base
    minor = found.minor
    if isinstance(minor, Unknown):
        return minor
    return f"{base}/lib/python{minor}/site-packages", f"{base}/bin"


def sites(view: View, found: Interpreter, state: State) -> Iterator[str | Unknown]:
    """The folders that an interpreter imports from, beside its own library."""
    path = state.env.get("PYTHONPATH")
    if isinstance(path, Unknown):
        yield path
    elif path:
        yield from (posixpath.normpath(posixpath.join(state.directory, folder)) for folder in path.split(":") if folder)
    if found.kind != "venv" or found.sees_system:
        place = user_site(view, found, state)
        if isinstance(place, Unknown):
            yield place
        else:
            yield place[0]
    yield found.site
    if found.kind == "system" and "dist-packages" in found.site:
        yield "/usr/lib/python3/dist-packages"
    if found.sees_system and found.made_from is not None:
        below = by_prefix(view, found.made_from)
        if below is not None:
            yield below.site


def environment(view: View, found: Interpreter, state: State) -> Environment:
    """What an interpreter can import in a state."""
    folders = list(sites(view, found, state))
    unknown = next((folder for folder in folders if isinstance(folder, Unknown)), None)
    known = [folder for folder in folders if isinstance(folder, str)]
    newest: dict[str, Distribution] = {}
    scripts: list[Distribution] = []
    gone: list[str] = []
    decided: set[tuple[str, str]] = set()
    for event in view.behind():
        if isinstance(event, Gone) and event.cause.is_sure:
            gone.append(event.path)
        elif isinstance(event, Distribution):
            if any(covers(path, event.site) for path in gone) or (event.name, event.site) in decided:
                continue
            decided.add((event.name, event.site))
            if event.is_removed:
                continue
            scripts.append(event)
            if event.site in known:
                newest.setdefault(event.name, event)
        elif unknown is None:
            unknown = _doubt(event, known)
    return Environment(found, newest, tuple(scripts), unknown)


def _doubt(event: object, folders: list[str]) -> Unknown | None:
    if isinstance(event, Installed) and event.site in folders and not event.is_complete:
        return Unknown(event.reason)
    if isinstance(event, Unsure) and "distributions" in event.about:
        reaches = any(covers(event.below, folder) or covers(folder, event.below) for folder in folders)
        return Unknown(event.reason) if reaches else None
    return None


def _brought(distributions: tuple[Distribution, ...], minor: Value) -> Brought:
    from mllint.image.distributions import closure

    roots = [
        (each.name, each.version if isinstance(each.version, str) else None, each.extras) for each in distributions
    ]
    return closure(roots, minor if isinstance(minor, str) else None)
