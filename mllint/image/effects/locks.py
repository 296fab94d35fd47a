"""Installs from lock files: uv, Poetry, and `pylock.toml` by pip and uv."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import declared, environments
from mllint.image.effects.declared import Folder
from mllint.image.effects.targets import Gap, Target, applies, is_set, note, pinned
from mllint.image.events import Installed, Interpreter
from mllint.image.releases import admits_python
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources import lockfiles
from mllint.sources.lock_selection import Wanted, selected
from mllint.sources.lockfiles import Dependency
from mllint.sources.markers import Environment, holds, machine_of
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mllint.image.effects.work import Work
    from mllint.image.packages import Install
    from mllint.sources.lockfiles import Locked, LockFile
    from mllint.sources.pyproject import Project
    from mllint.sources.requirements import Invalid
    from mllint.sources.text import Source

_DECIDED = Unknown("the project decides")
_PYLOCK = regex(r"(?:^|/)pylock(?:\.[^./]+)?\.toml$")
_OWN: tuple[lockfiles.OriginKind, ...] = ("editable", "virtual", "path")
_MINORS = tuple(f"3.{minor}" for minor in range(8, 16))
_ALL = "*"


# --- what all of them do ------------------------------------------------------------------------------------------


def _lock(work: Work, call: Install, name: str) -> LockFile | None:
    """The lock file of a project, or of the workspace above it."""
    folder = _folder(call)
    while True:
        tree = Folder(work, call, folder)
        if tree.locate(name) is not None:
            source = tree.text(name)
            return work.stage.build.context.inputs.parsed(source, lockfiles.parse) if source is not None else None
        path = work.path(call.executed, folder)
        if call.manager.name != "uv" or not isinstance(path, str) or posixpath.dirname(path) in (path, ""):
            return None
        folder = posixpath.dirname(path)


def _folder(call: Install) -> str:
    values = call.values("--project", "--directory", "-C")
    return values[-1].value if values and values[-1].is_literal else "."


def _split(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in re.split(r"[,\s]+", value) if part)


def _given(call: Install, *names: str) -> frozenset[str]:
    return frozenset(_split(word.value for word in call.values(*names)))


def _minor(target: Target, lock: LockFile | None) -> str:
    """The Python to evaluate markers for; one that the lock admits, where that of the environment is not known."""
    if isinstance(target.minor, str):
        return target.minor
    limit = lock.requires_python if lock is not None else None
    fitting = (minor for minor in _MINORS if limit is not None and admits_python(limit, minor))
    return next(fitting, "3.11")


def _note(work: Work, call: Install, target: Target, lock: LockFile, package: Locked) -> None:
    version: Value = package.version or _DECIDED
    place = lock.source, lock.source.line_span(package.line)
    environment = Environment(_minor(target, lock), machine_of(work.stage.platform))
    # Of a lock for other environments, the files for this one are left out.
    is_for_it = not lock.environments or any(holds(marker, environment) for marker in lock.environments)
    locked = package if is_for_it else None
    note(work, call, target, package.name, version, place=place, brings_more=False, locked=locked)


def _finish(work: Work, call: Install, target: Target, reason: str, found: Project | None) -> None:
    """Note that a project is installed; with its `pyproject.toml` all that it asks for itself is known."""
    cause = work.cause(call.executed)
    is_asked_known = found is not None and not found.problems
    work.events.append(
        Installed(cause, target.site, not reason, reason, is_asked_known, python.by_site(work.view, target.site))
    )


def _asked_for(work: Work, call: Install, target: Target, found: Project, wanted: Wanted) -> None:
    """Note what a project asks for where its lock file is not there."""
    lines: list[Requirement | Invalid] = []
    if wanted.with_main:
        declares = declared.read(Folder(work, call, _folder(call)), frozenset(wanted.extras))
        lines += [line for _, line in declares.lines] if declares is not None else []
    for name in wanted.groups:
        lines += found.group(name) or ()
        group = found.poetry.groups.get(name) if found.poetry is not None else None
        lines += [each.requirement for each in group.dependencies] if group is not None else []
    for line in lines:
        if isinstance(line, Requirement) and line.key and (line.marker is None or applies(line.marker, target.minor)):
            note(work, call, target, line.key, pinned(line), frozenset(line.extras), (found.source, line.span))


# --- files that a call of pip or uv pip names -----------------------------------------------------------------------


def named(work: Work, call: Install, target: Target) -> list[Gap]:
    """Note what the lock files and projects bring that a call takes with `-r`; gives what of it is not known."""
    gaps: list[Gap] = []
    for word in call.projects:
        folder, _, name = word.value.rpartition("/")
        tree = Folder(work, call, folder or ("/" if word.value.startswith("/") else "."))
        if _PYLOCK.search(word.value):
            gaps += _pylock(work, call, target, tree, name)
        else:
            gaps += _declared(work, call, target, tree)
    return gaps


def _pylock(work: Work, call: Install, target: Target, tree: Folder, name: str) -> list[Gap]:
    source = tree.text(name)
    lock = work.stage.build.context.inputs.parsed(source, lockfiles.parse) if source is not None else None
    if lock is None or lock.problems:
        return [Gap(f"{name} is not known")]
    wanted = Wanted(tuple(_given(call, "--extra")), tuple(_given(call, "--group")))
    for package in selected(lock, wanted, _minor(target, lock), machine_of(work.stage.platform)) or ():
        _note(work, call, target, lock, package)
    return []


def _declared(work: Work, call: Install, target: Target, tree: Folder) -> list[Gap]:
    """What a project asks for, without the project itself."""
    found = tree.pyproject()
    extras = _given(call, "--extra")
    if call.has("--all-extras") and found is not None:
        extras = frozenset(found.optional_dependencies)
    read = declared.read(tree, extras)
    for source, line in read.lines if read is not None else ():
        if line.key and (line.marker is None or applies(line.marker, target.minor)):
            note(work, call, target, line.key, pinned(line), frozenset(line.extras), (source, line.span))
    return [] if read is not None and read.is_complete else [Gap(f"what {tree.shown} asks for is not known")]


# --- uv -------------------------------------------------------------------------------------------------------------


def uv_sync(work: Work, call: Install) -> None:
    """`uv sync` puts what `uv.lock` says into the environment of the project."""
    lock, found = _lock(work, call, "uv.lock"), Folder(work, call, _folder(call)).pyproject()
    target = _uv_environment(work, call, found)
    if target is None:
        work.unsure(call.executed, "which Python uv sync takes is not known", "distributions", "programs")
        return
    wanted = _uv_wanted(work, call, found)
    chosen = _uv_chosen(work, call, lock, wanted, found, _minor(target, lock)) if lock is not None else None
    if chosen is None and found is not None:
        _asked_for(work, call, target, found, wanted)
    skips_project = call.has("--no-install-project", "--no-install-workspace", "--no-install-local")
    skipped = _given(call, "--no-install-package")
    for package in chosen or ():
        is_skipped = (skips_project and package.origin.kind in _OWN) or package.name in skipped
        if lock is not None and not is_skipped and package.origin.kind != "virtual":
            _note(work, call, target, lock, package)
    _finish(work, call, target, "" if chosen is not None else "uv.lock is not known", found)


def uv_takes(work: Work, call: Install, minor: str) -> Sequence[Locked] | None:
    """What `uv sync`, or `uv run` in front of its program, takes from `uv.lock`; None where that is not known."""
    lock, found = _lock(work, call, "uv.lock"), Folder(work, call, _folder(call)).pyproject()
    if lock is None or lock.problems or found is None or found.problems:
        return None
    return _uv_chosen(work, call, lock, _uv_wanted(work, call, found), found, minor)


def uv_locked(work: Work, call: Install) -> frozenset[str] | None:
    """The names that the `uv.lock` of a call holds; None where it is not known."""
    lock = _lock(work, call, "uv.lock")
    return None if lock is None or lock.problems else frozenset(each.name for each in lock.packages)


def uv_default_groups(work: Work, call: Install) -> tuple[Project, frozenset[str]] | None:
    """A project, and the groups of it that `uv sync` takes without being asked; None where it cannot be read."""
    found = Folder(work, call, _folder(call)).pyproject()
    if found is None or found.problems or call.has("--all-groups"):
        return None
    asked = _given(call, "--group", "--only-group") | ({"dev"} if call.has("--dev", "--only-dev") else frozenset())
    return found, frozenset(_uv_wanted(work, call, found).groups) - asked


def uv_python_asked(work: Work, call: Install) -> tuple[str, str, Source | None] | None:
    """The Python that a call of uv has to take, what says so, and the file where one does: `3.12`, or a specifier of
    versions. None where nothing does, or nobody knows."""
    each = call.executed
    option = next((word.value for word in call.values("-p", "--python")), None)
    variable = work.variable(each, "UV_PYTHON")
    tree = Folder(work, call, _folder(call))
    if option is not None:
        return option, "--python", None
    if isinstance(variable, Unknown) and "not set in this file" not in variable.reason:
        return None
    if isinstance(variable, str) and variable:
        return variable, "UV_PYTHON", None
    if tree.locate(".python-version") is not None:
        version = _python_version(work, call)
        return (version, ".python-version", tree.text(".python-version")) if version is not None else None
    found = tree.pyproject()
    if found is None or found.problems or found.requires_python is None:
        return None
    return found.requires_python.text, "requires-python", found.source


def _uv_chosen(
    work: Work, call: Install, lock: LockFile, wanted: Wanted, found: Project | None, minor: str
) -> Sequence[Locked] | None:
    names: list[str | None] = [word.value for word in call.values("--package")]
    if call.has("--all-packages"):
        names = [each.name for each in lock.packages if each.origin.kind in ("editable", "virtual")]
    if not names:
        names = [found.name.text if found is not None and found.name is not None else None]
    lists = [selected(lock, wanted, minor, machine_of(work.stage.platform), name) for name in names]
    known = [each for each in lists if each is not None]
    lines = {package.line for each in known for package in each}
    return [each for each in lock.packages if each.line in lines] if len(known) == len(lists) else None


def _uv_wanted(work: Work, call: Install, found: Project | None) -> Wanted:
    """The extras and groups that options and variables choose."""
    declares = frozenset(found.groups) if found is not None else frozenset[str]()
    by_default = frozenset(found.uv.default_groups if found is not None and found.uv is not None else ()) or {"dev"}
    only = _given(call, "--only-group") | ({"dev"} if call.has("--only-dev") else frozenset())
    groups = only or _given(call, "--group")
    if call.has("--all-groups") or (_ALL in by_default and not only):
        groups |= declares | {"dev"}
    if not only and not call.has("--no-default-groups") and not _is_on(work, call, "UV_NO_DEFAULT_GROUPS"):
        groups |= by_default - {_ALL}
    without = _given(call, "--no-group")
    if (call.has("--no-dev") or _is_on(work, call, "UV_NO_DEV")) and "dev" not in only:
        without |= {"dev"}
    extras = _given(call, "--extra")
    if call.has("--all-extras") and found is not None:
        extras = frozenset(found.optional_dependencies)
    return Wanted(tuple(sorted(extras - _given(call, "--no-extra"))), tuple(sorted(groups - without)), not only)


def _is_on(work: Work, call: Install, name: str) -> bool:
    return is_set(work.variable(call.executed, name))


def _uv_environment(work: Work, call: Install, project: Project | None) -> Target | None:
    """`uv sync` makes the environment where it is not there: UV_PROJECT_ENVIRONMENT, else `.venv` of the project."""
    each = call.executed
    given = work.variable(each, "UV_PROJECT_ENVIRONMENT")
    if isinstance(given, Unknown) and "not set in this file" not in given.reason:
        return None
    place = given if isinstance(given, str) and given else posixpath.join(_folder(call), ".venv")
    if call.has("--active") and isinstance(active := work.variable(each, "VIRTUAL_ENV"), str):
        place = active
    path = work.path(each, place)
    if isinstance(path, Unknown):
        return None
    found = python.by_prefix(work.view, path)
    if found is None:
        environments.make(work, each, path, _uv_base(work, call, project), False, False)
        found = python.by_prefix(work.view, path)
    return Target(found.site, found.bin, found.minor) if found is not None else None


def _uv_base(work: Work, call: Install, project: Project | None) -> Interpreter | Unknown | None:
    """The Python for the environment: uv looks for another one, and downloads it, where that of the image does not suit
    the project."""
    each = call.executed
    chosen = next((word.value for word in call.values("-p", "--python")), None)
    asked = chosen or work.variable(each, "UV_PYTHON") or _python_version(work, call)
    found = environments.uv_python(work, each, asked)
    limit = project.requires_python if project is not None else None
    if isinstance(found, Interpreter) and isinstance(found.minor, str) and limit is not None:
        return found if admits_python(limit.text, found.minor) else Unknown("which Python uv downloads is not known")
    return found


def _python_version(work: Work, call: Install) -> str | None:
    source = Folder(work, call, _folder(call)).text(".python-version")
    first = source.text.split()[:1] if source is not None else []
    return first[0] if first and re.fullmatch(r"3\.\d+(?:\.\d+)?", first[0]) else None


# --- Poetry ---------------------------------------------------------------------------------------------------------


def poetry_install(work: Work, call: Install) -> None:
    """`poetry install` puts what `poetry.lock` says into the environment of the project."""
    each = call.executed
    found, lock = Folder(work, call, _folder(call)).pyproject(), _lock(work, call, "poetry.lock")
    environment = _poetry_environment(work, call)
    if not isinstance(environment, Interpreter):
        work.unsure(each, "which environment Poetry installs into is not known", "distributions", "programs")
        return
    target = Target(environment.site, environment.bin, environment.minor)
    wanted = _poetry_wanted(call, found)
    minor, asked = _minor(target, lock), _poetry_requested(found, wanted)
    chosen = (
        selected(lock, wanted, minor, machine_of(work.stage.platform), requested=asked) if lock is not None else None
    )
    for package in chosen or ():
        assert lock is not None
        _note(work, call, target, lock, package)
    if chosen is None and found is not None:
        _asked_for(work, call, target, found, wanted)
    _finish(work, call, target, "" if chosen is not None else "poetry.lock is not known", found)


def _poetry_environment(work: Work, call: Install) -> Interpreter | Unknown | None:
    each = call.executed
    created = work.variable(each, "POETRY_VIRTUALENVS_CREATE")
    configured = " ".join(
        " ".join(other.arguments)
        for step in (*work.stage.steps_before(work.step), work.step)
        for other in step.commands
        if other.name == "poetry" and other.arguments[:1] == ("config",)
    )
    if (isinstance(created, str) and created.lower() in ("false", "0")) or "virtualenvs.create false" in configured:
        return environments.interpreter_of(work, each, "python")
    active = work.variable(each, "VIRTUAL_ENV")
    if isinstance(active, str) and active:
        return python.by_prefix(work.view, active)
    inside = is_set(work.variable(each, "POETRY_VIRTUALENVS_IN_PROJECT")) or "virtualenvs.in-project true" in configured
    if not inside:
        return Unknown("Poetry names the folder of the environment itself")
    path = work.path(each, posixpath.join(_folder(call), ".venv"))
    if isinstance(path, Unknown):
        return path
    if python.by_prefix(work.view, path) is None:
        environments.make(work, each, path, environments.interpreter_of(work, each, "python"), True, False)
    return python.by_prefix(work.view, path)


def _poetry_wanted(call: Install, found: Project | None) -> Wanted:
    only, without = _given(call, "--only"), _given(call, "--without")
    groups = _given(call, "--with") | (only - {"main"})
    declares = found.poetry.groups if found is not None and found.poetry is not None else {}
    if call.has("--all-groups"):
        groups |= frozenset(declares)
    elif not only and not call.has("--no-dev", "--only-root"):
        groups |= frozenset(name for name, group in declares.items() if not group.is_optional)
    extras = _given(call, "-E", "--extras")
    if call.has("--all-extras") and found is not None:
        in_old_form = found.poetry.extras if found.poetry is not None else {}
        extras = frozenset(found.optional_dependencies) | frozenset(in_old_form)
    with_main = (not only or "main" in only) and not call.has("--only-root") and "main" not in without
    return Wanted(tuple(sorted(extras)), tuple(sorted(groups - without)), with_main)


def _poetry_requested(found: Project | None, wanted: Wanted) -> list[Dependency] | None:
    if found is None or found.poetry is None:
        return None
    lines = [each.requirement for each in found.poetry.dependencies if not each.is_optional] if wanted.with_main else []
    for name in wanted.groups:
        group = found.poetry.groups.get(name)
        lines += [each.requirement for each in group.dependencies] if group is not None else []
    return [Dependency(line.key, line.extras, line.marker) for line in lines if line.key]
