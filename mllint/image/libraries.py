"""Which shared libraries of the operating system an image has, and which its Python distributions ask for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mllint import facts
from mllint.image import python
from mllint.image.events import Distribution, FromContext, FromElsewhere, Interpreter, Programs, Put, Unsure
from mllint.image.names import first_row
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.distributions import Brought
    from mllint.image.events import Event
    from mllint.image.python import Environment
    from mllint.image.stage import Stage
    from mllint.image.view import View

_SUITES = ("bullseye", "bookworm", "trixie")
"""Those whose packages were looked into."""
_OF_SYSTEM = ("apt", "conda", "micromamba")
"""Managers that bring the libraries of what they install."""
_SYSTEM_FOLDERS = ("/", "/lib", "/lib64", "/usr", "/usr/lib", "/usr/lib64")
_FOLDERS = (*_SYSTEM_FOLDERS, "/usr/local", "/usr/local/lib")


class Need(NamedTuple):
    """A distribution of the image, and the libraries that it asks for and does not find."""

    name: str
    """The distribution that asks."""
    root: Distribution
    """The one that the build installs: itself, or what brings it."""
    libraries: tuple[str, ...]
    packages: tuple[str, ...]
    """Of the operating system, that bring them."""
    module: str
    says: str
    """What Python says when it imports that module."""
    is_verified: bool
    """Whether no part of it is from memory."""


def missing(stage: Stage) -> Iterator[Need]:
    """What the distributions of a stage ask for at its end and surely do not find."""
    view = stage.view
    if view.base.family not in ("debian", "ubuntu"):
        return
    prefixes = {event.prefix: event for event in view.behind() if isinstance(event, Interpreter)}
    for found in prefixes.values():
        # The Python of conda looks for libraries in the folder of conda first.
        if found.kind != "conda" and found.cause.is_sure:
            yield from _of_environment(view, python.environment(view, found, stage.end))


def _of_environment(view: View, environment: Environment) -> Iterator[Need]:
    installed = environment.distributions
    if all(each.cause.step is None for each in installed.values()):
        return
    brought = environment.brought()
    for name, rows in facts.by("library_needs", "name").items():
        root, own = installed.get(brought.via.get(name, "")), installed.get(name)
        if root is None or root.cause.step is None or not root.cause.is_sure or root.manager in _OF_SYSTEM:
            continue
        row = next((row for row in rows if _holds(row, own)), None)
        need = _need(view, row, root) if row is not None and not _is_met(row, own, brought) else None
        if row is not None and need is not None:
            is_closed = "unless" not in row or brought.is_complete
            yield need._replace(is_verified=need.is_verified and is_closed)


def _holds(row: Mapping[str, Any], own: Distribution | None) -> bool:
    """Whether a row is about the release that is installed, the newest where that is open."""
    from packaging.version import InvalidVersion, Version

    if own is None or not isinstance(own.version, str):
        return "until" not in row
    try:
        version = Version(own.version)
    except InvalidVersion:
        return False
    is_behind = "since" in row and version < Version(row["since"])
    return not is_behind and not ("until" in row and version > Version(row["until"]))


def _is_met(row: Mapping[str, Any], own: Distribution | None, brought: Brought) -> bool:
    """Whether an extra or another distribution makes the library needless, or may."""
    others = row.get("unless", "").split()
    extras = own.extras if own is not None else frozenset()
    return any(each in extras or each in brought.via or each in brought.possible for each in others)


def _need(view: View, row: Mapping[str, Any], root: Distribution) -> Need | None:
    answers = {name: presence(view, name) for name in row["libraries"].split()}
    absent = tuple(name for name, answer in answers.items() if answer == "absent")
    if not absent:
        return None
    packages = row["packages"].split()
    brings = [each for each in packages if not {*absent}.isdisjoint(libraries_of(each)[0] or ())]
    is_verified = row["status"] == "verified" and is_read(view)
    says = row["says"].replace("{library}", absent[0])
    return Need(row["name"], root, absent, tuple(brings), row["module"], says, is_verified)


def presence(view: View, name: str) -> Literal["present", "absent"] | Unknown:
    """Whether an image has a shared library (`libGL.so.1`)."""
    answer = _of_base(view, name)
    for event in view.behind():
        if isinstance(event, Programs) and not event.is_removed:
            brings, perhaps = libraries_of(event.package)
            if brings is None:
                return Unknown(f"which libraries {event.package} brings is not in the tables")
            if name in brings:
                return "present" if event.cause.is_sure else Unknown(f"{event.package} may bring {name}")
            if name in perhaps:
                return Unknown(f"{event.package} may bring {name}")
        elif _is_open(event):
            return Unknown(f"{name} may be among what the build copies or runs")
    return answer


def _of_base(view: View, name: str) -> Literal["present", "absent"] | Unknown:
    described = view.base.library(name)
    if not isinstance(described, Unknown):
        return described
    row = _row(view)
    for answer in ("present", "absent"):
        if name in row.get(answer, "").split():
            return answer
    return Unknown(f"whether {view.base.text} has {name} is not known")


def _row(view: View) -> Mapping[str, Any]:
    known = view.base.known_as
    return (first_row("base_libraries", known) if known is not None else None) or {}


def is_read(view: View) -> bool:
    """Whether what is known of the libraries of a base and of its packages was read, and is not from memory."""
    suite = view.base.suite
    return _row(view).get("status") == "verified" and (isinstance(suite, Unknown) or suite in _SUITES)


def _is_open(event: Event) -> bool:
    """Whether it may bring libraries that nobody knows of."""
    if isinstance(event, Unsure):
        return "programs" in event.about or ("files" in event.about and event.below in _FOLDERS[1:])
    if isinstance(event, FromElsewhere):
        known = _FOLDERS if event.view is None else _SYSTEM_FOLDERS
        return event.target in known or _is_library(event.target)
    if isinstance(event, FromContext):
        return isinstance(event.copy.destination, Unknown) or _is_library(event.copy.destination)
    return isinstance(event, Put) and _is_library(event.path)


def _is_library(path: str) -> bool:
    return "/lib" in path and ("-linux-gnu" in path or ".so" in path)


@cache
def _packages() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    found = {}
    for row in facts.rows("system_libraries"):
        brings, perhaps = (frozenset(row.get(column, "").split()) for column in ("libraries", "perhaps"))
        found.update(dict.fromkeys(row["packages"].split(), (brings, perhaps)))
    return found


def libraries_of(package: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The libraries that a package of the operating system brings, None where that is not known; and those it may."""
    return _packages().get(package, (None, frozenset()))
