"""What `uv sync` brings into an image beside what the service needs, and what it leaves behind."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import python
from mllint.image.effects import locks
from mllint.image.effects.targets import is_set
from mllint.image.effects.work import Work
from mllint.image.events import Distribution, Interpreter
from mllint.image.paths import joined
from mllint.image.releases import admits_python
from mllint.image.serving.started import started
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage, Step
    from mllint.sources.pyproject import Project
    from mllint.sources.text import Source

# The names under which projects keep what only their developers need.
_FOR_DEVELOPERS = frozenset("dev develop development test tests testing lint linting docs typing type-checking".split())
_MADE_FOR_THEM = regex(r"(?:^|[._/-])(?:dev|devel|development|test|tests|testing|ci|local|debug)(?:$|[._/-])")
_VERSION = regex(r"3\.\d+(?:\.\d+)?")
_LOWEST = regex(r">=?\s*(3\.\d+)|[~=]=\s*(3\.\d+)")


def syncs(stage: Stage) -> Iterator[Install]:
    """The calls of `uv sync` of a stage that the image needs and that surely run."""
    for step in stage.steps if stage in stage.build.needed else ():
        for call in step.installs:
            if call.manager.name == "uv" and call.verb == "sync" and call.executed.is_sure:
                yield call


def _work(stage: Stage, step: Step) -> Work:
    return Work(stage, step, stage.view_after(step))


class Group(NamedTuple):
    """A group for developers that comes into the image."""

    name: str
    packages: tuple[str, ...]
    """What it asks for."""


def development(stage: Stage, call: Install) -> Group | None:
    """The group for developers that a call installs unasked, and whose packages the image has in the end."""
    final, read = stage.build.final, locks.uv_default_groups(_work(stage, call.step), call)
    names = (stage.name or "", final.name or "" if final is not None else "", stage.build.source.path.lower())
    if final is None or read is None or any(_MADE_FOR_THEM.search(name) for name in names):
        return None
    project, groups = read
    held = locks.uv_locked(_work(stage, call.step), call)
    comes = any(isinstance(event, Distribution) and event.cause.step is call.step for event in final.view.behind())
    for name in sorted(groups & _FOR_DEVELOPERS) if comes else ():
        packages = tuple(each for each in _asked(project, name) if held is None or each in held)
        if packages and not {each.executed.name for each in started(final)} & {*packages}:
            return Group(name, packages)
    return None


def _asked(project: Project, group: str) -> Iterator[str]:
    """What a group asks for and the project itself does not."""
    lines = [*(project.group(group) or ())]
    if group == "dev" and project.uv is not None:
        lines += project.uv.dev_dependencies
    own = {line.key for line in project.dependencies if isinstance(line, Requirement)}
    for line in lines:
        if isinstance(line, Requirement) and line.key and line.key not in own:
            yield line.key


class Another(NamedTuple):
    """A Python that uv has to get beside that of the image."""

    asked: str
    """The version, or a specifier."""
    by: str
    """What asks for it: `.python-version`, `requires-python` …"""
    source: Source | None
    there: Interpreter
    minor: str | None
    """The minor release that would do; None where it is open."""
    is_forbidden: bool
    """Whether uv may not download one."""


def another_python(stage: Stage, call: Install) -> Another | None:
    """The Python that uv does not find in an image of Python; None where that one will do, or nobody knows."""
    view, each = stage.view_before(call.step), call.executed
    found = python.interpreter(view, "python3", call.step.before.env.get("PATH"))
    asked = locks.uv_python_asked(_work(stage, call.step), call)
    if not isinstance(found, Interpreter) or found.kind != "image" or not isinstance(found.minor, str) or not asked:
        return None
    version, by, source = asked
    others = [event for event in view.behind() if isinstance(event, Interpreter) and event.kind != "image"]
    if others or _is_own(call) or _suits(version, by, found):
        return None
    match = _LOWEST.match(version) if by == "requires-python" else None
    minor = (match[1] or match[2]) if match else ".".join(version.split(".")[:2])
    setting = call.variable("UV_PYTHON_DOWNLOADS")
    if isinstance(setting, Unknown) or each.runner:
        return None
    is_forbidden = call.has("--no-python-downloads") or (setting or "").lower() in ("never", "manual", "false", "0")
    return Another(version, by, source, found, minor if _VERSION.fullmatch(minor) else None, is_forbidden)


def _is_own(call: Install) -> bool:
    """Whether uv is told to take a Python of its own anyway."""
    preference = call.variable("UV_PYTHON_PREFERENCE")
    is_managed = call.has("--managed-python", "--python-preference") or is_set(call.variable("UV_MANAGED_PYTHON"))
    return is_managed or (preference is not None and preference != "system")


def _suits(asked: str, by: str, found: Interpreter) -> bool:
    """Whether a Python is, or may be, what is asked for."""
    assert isinstance(found.minor, str)
    if by == "requires-python":
        return admits_python(asked, found.minor)
    if not _VERSION.fullmatch(asked):
        return True
    return ".".join(asked.split(".")[:2]) == found.minor


class LeftBehind(NamedTuple):
    """A project whose source an environment only points to."""

    call: Install
    name: str
    path: str
    """Where its package lies in the stage that installs it."""
    used_by: str | None
    """The program of the process that needs it."""


def left_behind(stage: Stage) -> LeftBehind | None:
    """The project that the final stage has as a link to source that stays in another stage."""
    for event in stage.view.behind() if stage.is_final else ():
        if not isinstance(event, Distribution) or event.locked is None or event.locked.origin.kind != "editable":
            continue
        home = next((each for each in stage.build.stages if event.cause.step in each.steps), None)
        if home is None or home in stage.lineage or event.cause.step is None:
            continue
        calls = [each for each in event.cause.step.installs if each.span == event.cause.span]
        call = calls[0] if calls and calls[0].verb == "sync" else None
        if call is None or call.has("--no-editable") or call.variable("UV_NO_EDITABLE") is not None:
            continue
        folder = joined(call.directory, event.locked.origin.location or ".")
        package = event.name.replace("-", "_")
        path = _package(home, folder, package) if isinstance(folder, str) else None
        if path is not None and _is_nowhere(stage, path, package):
            return LeftBehind(call, event.name, path, _user(stage, package, event))
    return None


def _package(stage: Stage, folder: str, package: str) -> str | None:
    paths = [posixpath.join(folder, each) for each in (f"src/{package}", package, f"src/{package}.py", f"{package}.py")]
    return next((path for path in paths if isinstance(stage.view.find(path), Node)), None)


def _is_nowhere(stage: Stage, path: str, package: str) -> bool:
    """Whether a package surely is neither there nor where the process looks besides."""
    extra = stage.end.env.get("PYTHONPATH")
    if isinstance(extra, Unknown):
        return False
    folders = [stage.end.directory, *(each for each in (extra or "").split(":") if each)]
    paths = [path, *(posixpath.join(each, name) for each in folders for name in (package, f"{package}.py"))]
    return all(stage.view.find(each) is None for each in paths)


def _user(stage: Stage, package: str, event: Distribution) -> str | None:
    """The program of the process that surely imports a package."""
    app = stage.server.app if stage.server is not None else None
    if stage.server is not None and app is not None and app.value.partition(":")[0].partition(".")[0] == package:
        return stage.server.executed.name
    for each in started(stage):
        words = each.executed.arguments
        is_module = "-m" in words[:-1] and words[words.index("-m") + 1].partition(".")[0] == package
        if each.by == "container" and (is_module or each.executed.name == event.name):
            return each.executed.name
    return None
