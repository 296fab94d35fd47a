"""Installs of Python distributions by pip and its like: which ones, and into which environment."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects.environments import active_environment, interpreter_of, uv_python
from mllint.image.effects.targets import Gap, Target, applies, finish, is_set, note, pinned, target_of
from mllint.image.events import Distribution, Interpreter
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources.requirements import Editable, Invalid, Requirement

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.packages import Closure, Install
    from mllint.sources.requirements import RequirementsFile

_WHEEL = regex(r"(?:^|/)(?P<name>[\w.]+)-(?P<version>[^-/]+)(?:-[^/]*)?\.whl(?:\[(?P<extras>[^]]*)])?$")
"""The file name of a wheel, which may hold a pattern of the shell behind the name."""
_NAME_ALONE = regex(r"(?P<name>[A-Za-z0-9][\w.-]*)==[\w.+-]*")
"""A requirement whose version is none, as where a build argument without a default stands for it."""


def install(work: Work, call: Install) -> None:
    """Write what a call installs into the log."""
    from mllint.image.effects import conda, projects

    if call.verb in ("wheel", "download"):
        _wheels(work, call)
        return
    name = call.manager.name
    if name in ("pip", "uv pip"):
        target = _pip_target(work, call) if name == "pip" else _uv_target(work, call)
        if isinstance(target, Target):
            requested(work, call, target)
        else:
            reason = target.reason if target else f"which Python {call.executed.words[0].value} belongs to is not known"
            work.unsure(call.executed, reason, "distributions", "programs")
    elif name in ("conda", "micromamba"):
        conda.install(work, call)
    else:
        projects.install(work, call)


def _wheels(work: Work, call: Install) -> None:
    folder = call.values("-w", "--wheel-dir", "-d", "--dest")
    path = work.path(call.executed, folder[-1]) if folder else work.path(call.executed, ".")
    below = path if isinstance(path, str) else "/"
    work.unsure(call.executed, "the names of the wheels are not known", "files", below=below)


def _given(call: Install, *names: str) -> Value | None:
    values = call.values(*names)
    if not values:
        return None
    return values[-1].value if values[-1].is_literal else Unknown(f"the shell computes {values[-1].text}")


def _pip_target(work: Work, call: Install) -> Target | Unknown | None:
    from mllint.image.effects import projects

    each = call.executed
    chosen = _given(call, "--python")
    program = each.words[0].value
    found = interpreter_of(work, each, chosen if isinstance(chosen, str) else program)
    if each.runner:
        found = projects.runner_environment(work, each) or found
    return _placed(work, call, found, "PIP") if isinstance(found, Interpreter) else found


def _placed(work: Work, call: Install, found: Interpreter, tool: str) -> Target | Unknown:
    place = _place(work, call, found, tool)
    return place._replace(interpreter=found) if isinstance(place, Target) else place


def _place(work: Work, call: Install, found: Interpreter, tool: str) -> Target | Unknown:
    """Into the interpreter, or where `--target`, `--prefix`, `--root` and `--user` say."""
    each = call.executed
    folder = _given(call, "-t", "--target") or work.variable(each, f"{tool}_TARGET")
    if folder is not None and not _is_unset(folder):
        path = work.path(each, folder)
        return path if isinstance(path, Unknown) else Target(path, f"{path}/bin", found.minor)
    prefix = _given(call, "--prefix", "--root") or work.variable(each, f"{tool}_PREFIX")
    if prefix is not None and not _is_unset(prefix):
        path = work.path(each, prefix)
        if isinstance(path, Unknown):
            return path
        inside = found.prefix if call.has("--root") else ""
        kind = "dist-packages" if call.has("--root") and "dist-packages" in found.site else "site-packages"
        return Target(f"{path}{inside}/lib/python{found.minor}/{kind}", f"{path}{inside}/bin", found.minor)
    if tool == "PIP" and (
        call.has("--user") or is_set(work.variable(each, "PIP_USER")) or _falls_back(work, call, found)
    ):
        state = work.state
        place = python.user_site(work.view, found, state)
        return place if isinstance(place, Unknown) else Target(*place, found.minor)
    return target_of(found)


def _is_unset(value: Value) -> bool:
    return isinstance(value, Unknown) and "not set in this file" in value.reason


def _falls_back(work: Work, call: Install, found: Interpreter) -> bool:
    """pip installs for the user where he cannot write to the folder of packages."""
    return found.kind in ("image", "system") and work.owner(call.executed) not in ("0", "root")


def _uv_target(work: Work, call: Install) -> Target | Unknown | None:
    """uv takes a virtual environment that is active or in `.venv`, or with `--system` the first Python on PATH."""
    each = call.executed
    chosen = _given(call, "-p", "--python") or work.variable(each, "UV_PYTHON")
    found: Interpreter | Unknown | None = None
    if chosen is not None and not _is_unset(chosen):
        path = work.path(each, chosen) if isinstance(chosen, str) and "/" in chosen else None
        by_folder = python.by_prefix(work.view, path) if isinstance(path, str) else None
        found = by_folder or uv_python(work, each, path or chosen)
    elif (
        call.has("--system")
        or is_set(work.variable(each, "UV_SYSTEM_PYTHON"))
        or call.has("-t", "--target", "--prefix")
    ):
        found = uv_python(work, each, None)
    else:
        found = active_environment(work, each) or _own_environment(work, call)
        is_told = any(isinstance(work.variable(each, name), Unknown) for name in ("VIRTUAL_ENV", "UV_SYSTEM_PYTHON"))
        if found is None and is_told and each.is_sure:
            # One that the base names in a variable: without it uv would have stopped.
            found = uv_python(work, each, None)
    return _placed(work, call, found, "UV") if isinstance(found, Interpreter) else found


def _own_environment(work: Work, call: Install) -> Interpreter | None:
    """`python -m uv` takes the virtual environment of that Python for the active one."""
    program = call.executed.words[0].value
    found = interpreter_of(work, call.executed, program) if "python" in program else None
    return found if isinstance(found, Interpreter) and found.kind == "venv" else None


def requested(work: Work, call: Install, target: Target) -> None:
    """What the command line and the files name, by the markers that hold here."""
    from mllint.image.effects import locks, projects

    read = work.stage.closure(call)
    begin = len(work.events)
    gaps = [Gap(f"{path} is not known") for path in read.lost]
    for word, asked in zip(call.operands, call.requirements, strict=False):
        wheel, unpinned = _WHEEL.search(word.value), _NAME_ALONE.fullmatch(word.value)
        if wheel is not None:
            extras = frozenset((wheel["extras"] or "").split(",")) - {""}
            version: Value = Unknown("the file decides") if "*" in wheel["version"] else wheel["version"]
            note(work, call, target, wheel["name"], version, extras)
        elif isinstance(asked, Invalid) and unpinned is not None:
            note(work, call, target, unpinned["name"], Unknown(f"{word.value} names no version"))
        elif isinstance(asked, Invalid) and word.value.endswith(".whl"):
            gaps += projects.project(work, call, target, word.value, None)
        else:
            gaps += _asked(work, call, target, asked, None)
    for path, file in read.files.items():
        for line in file.lines:
            if isinstance(line, Requirement | Editable | Invalid):
                gaps += _asked(work, call, target, line, (path, file))
    for word in call.values("-e", "--editable"):
        gaps += projects.project(work, call, target, word.value, None)
    if call.projects:
        gaps += locks.named(work, call, target)
    if _is_whole(call, read):
        _close(work, begin)
    finish(work, call.executed, target, gaps)
    _limit(work, call, read)


def _is_whole(call: Install, read: Closure) -> bool:
    """Whether a call installs what it names alone: with a hash anywhere pip takes nothing that has none."""
    if call.has("--no-deps", "--no-dependencies", "--require-hashes") or call.verb == "pip sync":
        return True
    return call.manager.name == "pip" and any(line.hashes for _, line in read.lines())


def _close(work: Work, begin: int) -> None:
    """Note that what was written into the log brings nothing else along."""
    for index in range(begin, len(work.events)):
        event = work.events[index]
        if isinstance(event, Distribution):
            work.events[index] = event._replace(brings_more=False)


def _asked(
    work: Work,
    call: Install,
    target: Target,
    line: Requirement | Editable | Invalid,
    where: tuple[str, RequirementsFile] | None,
) -> list[Gap]:
    """Note one requirement; gives what of it is not known."""
    from mllint.image.effects import projects

    if isinstance(line, Invalid):
        return [Gap("a requirement is not valid")]
    place = (where[1].source, line.span) if where is not None else None
    if isinstance(line, Editable):
        folder = _with_extras(where, line.url, line.extras)
        return projects.project(work, call, target, folder, place, line.key, in_context=where is not None)
    if line.marker is not None and not applies(line.marker, target.minor):
        return []
    if line.key is None or (line.url is not None and line.url.startswith((".", "/"))):
        folder = _with_extras(where, line.url or line.text, line.extras)
        return projects.project(work, call, target, folder, place, line.key, in_context=where is not None)
    note(work, call, target, line.key, pinned(line), frozenset(line.extras), place)
    return []


def _with_extras(where: tuple[str, RequirementsFile] | None, path: str, extras: tuple[str, ...]) -> str:
    folder = posixpath.join(posixpath.dirname(where[0]), path) if where is not None else path
    return f"{folder}[{','.join(extras)}]" if extras and not folder.endswith("]") else folder


def _limit(work: Work, call: Install, read: Closure) -> None:
    """A version that a constraint settles is known as well."""
    pins = {
        line.key: line.exact_version
        for file in read.constraints.values()
        for line in file.lines
        if isinstance(line, Requirement) and line.key and line.exact_version
    }
    for index, event in enumerate(work.events):
        if isinstance(event, Distribution) and event.cause.span == call.executed.span and event.name in pins:
            settled = pins[event.name] if isinstance(event.version, Unknown) else event.version
            work.events[index] = event._replace(version=settled or event.version)
