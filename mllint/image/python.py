"""Which Python a program name starts, and which packages it sees."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution, Gone, Installed, Interpreter, Put, Unsure
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, View, covers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mllint.image.distributions import Brought
    from mllint.image.stage import State

_MAX_LINKS = 5
_BRING_NOTHING = frozenset({"pip", "setuptools", "wheel", "packaging"})
"""Those of them that need no other distribution."""


class Environment(NamedTuple):
    """The packages that an interpreter can import, by normalised name, the latest of each."""

    interpreter: Interpreter
    distributions: Mapping[str, Distribution]
    scripts: tuple[Distribution, ...]
    """Those whose console scripts may be used, wherever their packages are."""
    unknown_requested: Unknown | None
    """Why the build may ask for others, beside those that these bring along."""
    unknown_elsewhere: Unknown | None
    """Why the base, a folder that nobody knows, or what the build asks for may bring others."""

    @property
    def unknown(self) -> Unknown | None:
        """Why there may be others, wherever they come from."""
        return self.unknown_requested or self.unknown_elsewhere

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
    for folder in view.search(path):
        found = _at(view, posixpath.join(folder, name), 0)
        if found is not None:
            return found
    if isinstance(view.base.python, Unknown):
        return _seen_running(view, name) or view.base.python
    return view.doubt("interpreters")


def _seen_running(view: View, name: str) -> Interpreter | None:
    """The Python of a base of which nobody knows more than that a command of the build ran it."""
    for event in view.behind():
        if isinstance(event, Interpreter) and event.prefix.startswith(UNKNOWN_FOLDER) and name in event.names:
            return event
    return None


def _doubtful(view: View, path: str) -> Unknown | None:
    found = view.find(path)
    if isinstance(found, Node):
        return Unknown(f"which Python {path} is nobody knows")
    return found


def _at(view: View, path: str, links: int) -> Interpreter | Unknown | None:
    """The interpreter whose program lies at a path."""
    folder, _, name = path.rpartition("/")
    for index in range(view.end - 1, -1, -1):
        event = view.events[index]
        if isinstance(event, Distribution):
            # Most events are distributions, which bring no interpreter.
            continue
        if isinstance(event, Interpreter) and event.bin == folder and name in event.names:
            return event if event.cause.is_sure else _of_branch(view, event, index, path, links)
        if isinstance(event, Put) and event.path == path and isinstance(event.target, str) and links < _MAX_LINKS:
            target = posixpath.normpath(posixpath.join(folder, event.target))
            return _at(view, target, links + 1) or _doubtful(view, target)
        if isinstance(event, Gone) and covers(event.path, path):
            return None if event.cause.is_sure else Unknown(f"{path} may have been removed")
        if isinstance(event, Unsure) and "interpreters" in event.about and _reaches(event, path):
            return Unknown(event.reason)
    through = view.through_link(path)
    return _at(view, through, links + 1) if through is not None and links < _MAX_LINKS else None


def _of_branch(view: View, made: Interpreter, index: int, path: str, links: int) -> Interpreter | Unknown:
    """An interpreter that only a branch makes, in the place of one that was there before or of none."""
    before = _at(View(view.base, view.context, view.events, index), path, links)
    if not isinstance(before, Interpreter):
        return Unknown(f"whether {path} is there depends on a branch")
    if before.version == made.version:
        return made
    return made._replace(version=Unknown(f"which Python {path} is depends on a branch"))


def _reaches(event: Unsure, path: str) -> bool:
    """Whether it may have made the file at a path; one that may have worked anywhere is asked about only at the end."""
    return event.below != "/" and covers(event.below, path)


def by_prefix(view: View, prefix: str) -> Interpreter | None:
    """The interpreter with this prefix."""
    for event in view.behind():
        if isinstance(event, Interpreter) and event.prefix == prefix:
            return event
        if isinstance(event, Gone) and event.cause.is_sure and covers(event.path, prefix):
            return None
    return None


def by_site(view: View, site: str) -> Interpreter | None:
    """The interpreter that imports from a folder of packages of its own."""
    for event in view.behind():
        if isinstance(event, Interpreter) and event.site == site:
            return event
    return None


def user_site(view: View, found: Interpreter, state: State) -> tuple[str, str] | Unknown:
    """Where `pip install --user` puts packages and scripts of the user of a state; below UNKNOWN_FOLDER where nobody
    knows the home folder of that user."""
    base = state.env.get("PYTHONUSERBASE")
    if base is None:
        home = view.home(state)
        if isinstance(home, Unknown) and isinstance(state.user, str):
            home = f"{UNKNOWN_FOLDER}home of {state.user}"
        base = home if isinstance(home, Unknown) else posixpath.join(home, ".local")
    if isinstance(base, Unknown):
        return base
    minor = found.minor if isinstance(found.minor, str) else "X"
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
    yield from _own_sites(found)
    if found.sees_system and found.made_from is not None:
        below = by_prefix(view, found.made_from)
        if below is not None:
            yield from _own_sites(below)


def _own_sites(found: Interpreter) -> Iterator[str]:
    yield found.site
    if found.kind == "system" and "dist-packages" in found.site:
        yield "/usr/lib/python3/dist-packages"


def environment(view: View, found: Interpreter, state: State) -> Environment:
    """What an interpreter can import in a state."""
    folders = list(sites(view, found, state))
    elsewhere = next((folder for folder in folders if isinstance(folder, Unknown)), None)
    requested: Unknown | None = None
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
        elif event.cause.step is None or (isinstance(event, Installed) and event.is_all_asked_known):
            elsewhere = elsewhere or _doubt(event, known)
        else:
            requested = requested or _doubt(event, known)
    return Environment(found, newest, tuple(scripts), requested, elsewhere)


def _doubt(event: object, folders: list[str]) -> Unknown | None:
    if isinstance(event, Installed) and event.site in folders and not event.is_complete:
        return Unknown(event.reason)
    if isinstance(event, Unsure) and "distributions" in event.about:
        reaches = any(covers(event.below, folder) or covers(folder, event.below) for folder in folders)
        return Unknown(event.reason) if reaches else None
    return None


def _brought(distributions: tuple[Distribution, ...], minor: Value) -> Brought:
    found = brought_by([each for each in distributions if each.manager != "apt"], minor)
    # Packages of the operating system bring one another, by other rules than those of the index.
    packaged = {each.name: each.name for each in distributions if each.manager == "apt"}
    unknown = (*found.unknown, *(name for name in packaged if name not in _BRING_NOTHING))
    return found._replace(via={**found.via, **packaged}, unknown=unknown)


def brought_by(distributions: Sequence[Distribution], minor: Value | None, *, newest: bool = False) -> Brought:
    """What distributions bring along for a minor release of Python, themselves included; with `newest` by the newest
    releases of those that are not pinned."""
    from mllint.image.distributions import closure

    roots = [
        (each.name, each.version if isinstance(each.version, str) else None, each.extras)
        for each in distributions
        if each.brings_more
    ]
    found = closure(roots, minor if isinstance(minor, str) else None, newest=newest)
    settled = {each.name: each.name for each in distributions if not each.brings_more}
    return found._replace(via={**found.via, **settled}) if settled else found
