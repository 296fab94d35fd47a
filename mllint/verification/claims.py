"""What the build on paper says of an image, as a flat list of claims that a container can confirm or refute."""

from __future__ import annotations

import posixpath
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mllint.image import python
from mllint.image.copies import relative
from mllint.image.events import Distribution, FromContext, Gone, Interpreter, Put, User
from mllint.image.programs import Program, program
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.events import Event
    from mllint.image.stage import Stage
    from mllint.image.view import View
    from mllint.inspection.records import Answer, Inspection

T = TypeVar("T")

Claim = tuple[str, str]
"""A topic, and the thing it is about: `("mode", "/app")`."""
Claims = dict[Claim, Any]
"""A value of None stands for what is not there; Unknown for what nobody can tell."""

PROGRAMS = ("python", "python3", "pip", "pip3", "sh", "bash", "curl", "git", "gcc", "uvicorn", "gunicorn")
PACKAGES = ("pip", "six", "idna", "click", "h11", "uvicorn", "requests", "numpy")
PATHS = ("/app", "/app/main.py", "/opt", "/root", "/tmp", "/srv", "/home", "/data", "/nowhere/at-all")
# A shell takes them apart at spaces.
_PROGRAM, _PYTHON = regex(r"[\w.+-]+"), regex(r"/[\w./+-]+")
# A container has others there than its image.
_OF_CONTAINERS = regex(r"/(?:dev|proc|sys|etc/(?:hosts|hostname|resolv\.conf))(?:/.*)?")
_MOST_PATHS = 1000
"""A context may have more files than a command line has room for."""


class Questions(NamedTuple):
    """What a container is asked, beside its configuration."""

    programs: tuple[str, ...]
    paths: tuple[str, ...]
    pythons: tuple[str, ...]
    """The programs of interpreters, by path."""


def questions(stage: Stage, inspection: Inspection) -> Questions:
    """What the paper speaks of, and what every image is asked about."""
    programs = {*PROGRAMS, *(each.name for each in inspection.programs if _PROGRAM.fullmatch(each.name))}
    named = (path for event in stage.log.events for path in _paths(event, stage))
    wanted = filter(_can_be_asked, chain(PATHS, (stage.end.directory,), named))
    paths = tuple(islice(_each_once(wanted), _MOST_PATHS))
    pythons = {path for each in _interpreters(stage) if _PYTHON.fullmatch(path := _executable(each))}
    return Questions(tuple(sorted(programs)), paths, tuple(sorted(pythons)))


def _each_once(paths: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for path in paths:
        if path not in seen:
            seen.add(path)
            yield path


def _can_be_asked(path: str) -> bool:
    if not path.startswith("/") or path.startswith("//") or _OF_CONTAINERS.fullmatch(path):
        return False
    return not any(mark in path for mark in "*?[$\n")


def _paths(event: Event, stage: Stage) -> Iterator[str]:
    match event:
        case Put() | Gone():
            yield event.path
        case User(home=str(home)):
            yield home
        case Interpreter():
            yield from (event.prefix, *(f"{event.bin}/{name}" for name in event.names))
        case Distribution():
            yield event.site
        case FromContext():
            yield from _copied(event, stage)


def _copied(event: FromContext, stage: Stage) -> Iterator[str]:
    """Where the files that a COPY names come to lie, those that the ignore file keeps out as well."""
    tree = stage.build.context.tree
    for match in event.source.matches(stage.build.context):
        for place in event.copy.places(event.source, match.path, match.is_folder):
            yield place
            for found in (tree.root / match.path).rglob("*") if match.is_folder else ():
                yield posixpath.join(place, str(relative(found.relative_to(tree.root).as_posix(), match.path)))


def _interpreters(stage: Stage) -> list[Interpreter]:
    """Those of the image at the end, by prefix."""
    found = {event.prefix: event for event in stage.log.events if isinstance(event, Interpreter)}
    return [each for prefix in found if (each := python.by_prefix(stage.view, prefix)) is not None]


def _executable(interpreter: Interpreter) -> str:
    return f"{interpreter.bin}/{'python3' if 'python3' in interpreter.names else min(interpreter.names)}"


def claims(stage: Stage, inspection: Inspection, asked: Questions) -> Claims:
    """Everything that is claimed of the image."""
    found = configuration(inspection)
    for name in asked.programs:
        found |= program_claims(stage.view, name, stage.end.env.get("PATH"))
    for path in asked.paths:
        found |= node_claims(stage.view.find(path), path)
    for each in _interpreters(stage):
        found |= _environment(stage, each)
    return found


def _value(answer: Answer[T]) -> T | Unknown:
    return answer if isinstance(answer, Unknown) else answer.value


def configuration(inspection: Inspection) -> Claims:
    """What `mllint inspect` shows of the configuration and of `python`."""
    found: Claims = {("env", each.name): _value(each.value) for each in inspection.variables}
    found |= {("label", each.name): _value(each.value) for each in inspection.labels}
    found |= {("port", port): True for each in inspection.ports for port in _ports(_value(each))}
    found |= {("volume", path): True for each in inspection.volumes if isinstance(path := _value(each), str)}
    found["env", "all names"] = inspection.more_variables or tuple(sorted(each.name for each in inspection.variables))
    single = {
        "user": inspection.user,
        "uid": inspection.uid,
        "home": inspection.home,
        "directory": inspection.directory,
        "stop signal": inspection.stop_signal,
        "entrypoint": inspection.entrypoint,
        "command": inspection.command,
        "health check": inspection.healthcheck,
    }
    found |= {("image", name): _value(answer) for name, answer in single.items()}
    interpreter = _value(inspection.python)
    if isinstance(interpreter, Unknown) or interpreter is None:
        return found | {("python", "version"): interpreter}
    return found | {("python", "version"): _value(interpreter.version), ("python", "prefix"): interpreter.prefix}


def _ports(text: str | Unknown) -> list[str]:
    """Each of a range, as the engine lists them."""
    if isinstance(text, Unknown):
        return []
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    return [f"{number}/{protocol}" for number in range(int(first), int(last or first) + 1)]


def program_claims(view: View, name: str, path: Value | None) -> Claims:
    """What a name leads to on a PATH."""
    found = program(view, name, path)
    if not isinstance(found, Program):
        return {("program", name): found}
    return {("program", name): True, ("path of program", name): found.path or Unknown("somewhere in the base")}


def node_claims(found: Node | Unknown | None, path: str) -> Claims:
    """What is at a path."""
    if not isinstance(found, Node):
        return {("kind", path): found}
    unknown = Unknown("not followed")
    return {
        ("kind", path): unknown if found.kind in ("unknown", "link") else found.kind,
        ("owner", path): found.owner,
        ("mode", path): unknown if found.mode is None else found.mode & 0o777,
    }


def _environment(stage: Stage, interpreter: Interpreter) -> Claims:
    """The packages that an interpreter sees, and some that it may not see."""
    where = _executable(interpreter)
    seen = python.environment(stage.view, interpreter, stage.end)
    brought = seen.brought()
    found: Claims = {("version of", where): interpreter.version}
    for name, each in seen.distributions.items():
        found[f"version in {where}", name] = each.version
    for name in sorted({*PACKAGES, *seen.distributions, *brought.via}):
        verdict = brought.brings(name)
        if verdict == "absent":
            verdict = seen.unknown or "absent"
        found[f"package in {where}", name] = verdict if isinstance(verdict, Unknown) else verdict == "present" or None
    # All that are listed: what is missing on paper shows.
    names = tuple(sorted({*seen.distributions, *brought.via}))
    is_open = seen.unknown or next(iter(map(Unknown, (*brought.unknown, *brought.possible))), None)
    found[f"packages in {where}", "all names"] = is_open or names
    return found
