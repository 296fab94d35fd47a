"""What `uv run` does before it starts the program of a container: it syncs the environment of the project."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import python
from mllint.image.content.reach import is_shut, shut_above
from mllint.image.effects.locks import uv_takes
from mllint.image.effects.targets import is_set
from mllint.image.effects.work import Work
from mllint.image.events import Interpreter, Moded, Owned
from mllint.image.packages import run_of_uv
from mllint.image.paths import joined, upward
from mllint.image.service import file_of_image
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.lockfiles import Locked
    from mllint.sources.text import Source

# With these it syncs nothing, or elsewhere.
_ELSEWHERE = tuple(
    "--no-sync --no-project --script -s --isolated --active --all-packages --package --all-groups".split()
)
_OWN_CACHE = ("-n", "--no-cache", "--no-cache-dir", "--cache-dir")
_CACHE_VARIABLES = ("UV_CACHE_DIR", "UV_NO_CACHE", "XDG_CACHE_HOME")


class UvRun(NamedTuple):
    """One `uv run` that the start of a container surely carries out."""

    call: Install
    source: Source
    """The file that the command stands in: the Dockerfile or an entry script."""

    @property
    def executed(self) -> Executed:
        return self.call.executed


def uv_runs(stage: Stage) -> Iterator[UvRun]:
    """The calls of `uv run` in the process of an image and its entry scripts."""
    process = stage.process
    if process is None or process.step is None:
        return
    for source, each in process.started(stage.build.source):
        call = run_of_uv(process.step, each) if each.is_sure else None
        if call is not None:
            yield UvRun(call, source)


def cache_denied(stage: Stage, run: UvRun) -> str | None:
    """The folder that uv cannot make for its cache, without which it runs nothing; None where it can, or nobody
    knows."""
    names = frozenset({"HOME", *_CACHE_VARIABLES})
    for service in stage.build.services:
        if service.user is not None or names & {setting.name for setting in service.environment}:
            return None
    if run.call.has(*_OWN_CACHE) or any(_set(stage, run.executed, name) is not None for name in _CACHE_VARIABLES):
        return None
    view, home = stage.view, stage.view.home(stage.end)
    if isinstance(home, Unknown) or not home.startswith("/") or _configures(stage, run):
        return None
    cache = posixpath.join(home, ".cache/uv")
    if view.find(posixpath.dirname(cache)) is not None:
        return None
    user = stage.end.user if run.executed.user is None else run.executed.user
    return cache if shut_above(view, cache, view.uid(user)) is not None else None


def _configures(stage: Stage, run: UvRun) -> bool:
    """Whether a file may tell uv another folder for its cache."""
    folder = _project(stage, run.call) or stage.end.directory
    project = file_of_image(stage, posixpath.join(folder, "pyproject.toml"))
    is_told = project is not None and ("cache-dir" in project.text or "no-cache" in project.text)
    own, of_system = (stage.view.find(path) for path in (posixpath.join(folder, "uv.toml"), "/etc/uv/uv.toml"))
    return is_told or own is not None or isinstance(of_system, Node)


def _set(stage: Stage, each: Executed, name: str) -> Value | None:
    """The value of a variable where a command of the process runs; None where nothing in the file sets it."""
    return each.environment[name] if name in each.environment else stage.end.env.get(name)


class Sync(NamedTuple):
    """What `uv run` finds when it syncs."""

    environment: str
    """The folder of the environment that it uses."""
    is_made: bool
    """Whether it has to make that first."""
    missing: tuple[Locked, ...] | None
    """What it has to install there; None where that is not known."""
    is_locked: bool
    """Whether there is a lock file."""
    is_closed: bool
    """Whether who runs it surely may not write there."""


def sync(stage: Stage, run: UvRun) -> Sync | None:
    """What the sync in front of a program has to do; None where there is none, or nobody knows."""
    each, call = run.executed, run.call
    if call.has(*_ELSEWHERE) or is_set(_set(stage, each, "UV_NO_SYNC")):
        return None
    folder = _project(stage, call)
    if folder is None or isinstance(_set(stage, each, "UV_PROJECT_ENVIRONMENT"), Unknown):
        return None
    given = _set(stage, each, "UV_PROJECT_ENVIRONMENT") or ".venv"
    place = joined(folder, given)
    assert isinstance(place, str)
    is_locked = isinstance(stage.view.find(posixpath.join(folder, "uv.lock")), Node)
    environment = python.by_prefix(stage.view, place)
    if environment is None:
        is_made = stage.view.find(place) is None
        return Sync(place, True, None, is_locked, _is_closed(stage, posixpath.dirname(place))) if is_made else None
    if not environment.cause.is_sure:
        return None
    missing = _missing(stage, call, environment) if is_locked else None
    return Sync(place, False, missing, is_locked, _is_closed(stage, place))


def _project(stage: Stage, call: Install) -> str | None:
    """The folder of the project that uv finds: where a `pyproject.toml` lies, here or above."""
    named = call.values("--project", "--directory")
    folder = joined(stage.end.directory, named[-1].value) if named else call.directory
    for each in upward(folder) if isinstance(folder, str) else ():
        found = stage.view.find(posixpath.join(each, "pyproject.toml"))
        if found is not None:
            return each if isinstance(found, Node) else None
    return None


def _missing(stage: Stage, call: Install, environment: Interpreter) -> tuple[Locked, ...] | None:
    """What the lock file has for a call and the environment lacks."""
    there = python.environment(stage.view, environment, stage.end)
    if there.unknown is not None or not isinstance(environment.minor, str):
        return None
    found = uv_takes(Work(stage, stage.steps[-1], stage.view), call, environment.minor)
    if found is None:
        return None
    return tuple(each for each in found if each.origin.kind != "virtual" and each.name not in there.distributions)


def _is_closed(stage: Stage, folder: str) -> bool:
    """Whether the user of the process surely may not write into a folder that a step made."""
    view, uid = stage.view, stage.view.uid(stage.end.user)
    found = view.find(folder)
    made = found.cause.step if isinstance(found, Node) else None
    if not isinstance(found, Node) or not isinstance(found.owner, Unknown) or made is None:
        return is_shut(view, folder, uid)
    # Who makes an environment owns it.
    changed = any(isinstance(event, Owned | Moded) and covers(event.path, folder) for event in view.behind())
    owner = view.uid(made.before.user)
    is_known = isinstance(uid, str) and isinstance(owner, str) and made.instruction.keyword == "RUN"
    return is_known and not changed and uid not in ("0", owner)
