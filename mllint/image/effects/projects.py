"""Installs from projects and lock files: `pip install .`, uv, Poetry, Pipenv and pipx."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import addresses, declared, environments
from mllint.image.effects.declared import Folder
from mllint.image.effects.targets import Gap, Target, applies, finish, is_set, note, pinned, target_of
from mllint.image.events import Installed, Interpreter
from mllint.image.values import Unknown, Value
from mllint.sources import lockfiles, pipfile_lock
from mllint.sources.lock_selection import Wanted, selected
from mllint.sources.lockfiles import Dependency
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.image.effects.work import Work
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.sources.lockfiles import LockFile
    from mllint.sources.pyproject import Project
    from mllint.sources.requirements import Invalid
    from mllint.sources.text import Source, Span

_DECIDED = Unknown("the project decides")
_SETTINGS = ("pyproject.toml", "setup.cfg", "setup.py")


def install(work: Work, call: Install) -> None:
    """Write what a call of uv, Poetry, Pipenv or pipx installs into the log."""
    match call.manager.name, call.verb:
        case "uv", "sync":
            _uv_sync(work, call)
        case "uv", "tool install":
            _tool(work, call, "~/.local/share/uv/tools", work.variable(call.executed, "UV_TOOL_BIN_DIR"))
        case "pipx", _:
            _tool(work, call, "~/.local/share/pipx/venvs", work.variable(call.executed, "PIPX_BIN_DIR"))
        case "poetry", "install":
            _poetry_install(work, call)
        case "pipenv", _:
            _pipenv(work, call)
        case _:
            work.unsure(
                call.executed, f"nobody can follow {call.manager.name} {call.verb}", "distributions", "programs"
            )


def project(
    work: Work,
    call: Install,
    target: Target,
    folder: str,
    place: tuple[Source, Span] | None,
    name: str | None = None,
    in_context: bool = False,
) -> list[Gap]:
    """Note a project that is installed from its folder or address with what it depends on; gives what of it is not
    known. `in_context` says that the folder is one of the build context, not of the image."""
    folder, _, listed = folder.partition("[")
    extras = frozenset(extra.strip() for extra in listed.rstrip("]").split(",") if extra.strip())
    tree = Folder(work, call, folder, in_context)
    found = None if "://" in folder else declared.read(tree, extras)
    title = found.name if found is not None and found.name is not None else name
    by_address = addresses.name_of(_address(work, call, folder)) if found is None and title is None else None
    title = title or by_address
    if title is not None:
        note(work, call, target, title, found.version if found else _DECIDED, extras, place)
    for source, line in found.lines if found is not None and not call.has("--no-deps") else ():
        if line.key and (line.marker is None or applies(line.marker, target.minor)):
            note(work, call, target, line.key, pinned(line), frozenset(line.extras), (source, line.span))
    if found is not None and found.is_complete and title is not None:
        return []
    if title is not None and (call.has("--no-deps") or ("://" in folder and by_address is None)):
        # What a distribution of this name brings, the tables tell as of one from the index.
        return []
    return [Gap(f"what {_unread(tree) or tree.shown} asks for is not known", by_address is None)]


def _unread(folder: Folder) -> str | None:
    """The file of a project that would tell what it asks for, could it be read."""
    found = [name for name in _SETTINGS if folder.locate(name) is not None]
    chosen = next((name for name in found if folder.text(name) is None), found[-1] if found else None)
    return folder.locate(chosen) if chosen is not None else None


def _address(work: Work, call: Install, folder: str) -> str:
    """Where a project comes from: what is written, what an archive was fetched from, or the repository that the folder
    was cloned from."""
    if "://" in folder:
        return folder
    for step in (*work.stage.steps_before(work.step), work.step):
        for other in step.commands:
            if other.name in ("curl", "wget") and folder in other.arguments:
                return next((value for value in other.arguments if "://" in value), folder)
    path = work.path(call.executed, folder or ".")
    repository = work.repository(path) if isinstance(path, str) else None
    return f"git+{repository}" if repository is not None else folder


def _lock(work: Work, call: Install, name: str) -> LockFile | None:
    source = Folder(work, call, _folder(call)).text(name)
    return work.stage.build.context.inputs.parsed(source, lockfiles.parse) if source is not None else None


def _folder(call: Install) -> str:
    values = call.values("--project", "--directory", "-C")
    return values[-1].value if values and values[-1].is_literal else "."


def _split(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in re.split(r"[,\s]+", value) if part)


def _uv_sync(work: Work, call: Install) -> None:
    each = call.executed
    target = _uv_environment(work, call)
    lock, found = _lock(work, call, "uv.lock"), Folder(work, call, _folder(call)).pyproject()
    if target is None:
        work.unsure(each, "which Python uv sync takes is not known", "distributions", "programs")
        return
    groups = set(_split(word.value for word in call.values("--group", "--only-group")))
    default = found.uv.default_groups if found is not None and found.uv is not None else ("dev",)
    no_dev = call.has("--no-dev", "--no-default-groups") or is_set(work.variable(each, "UV_NO_DEV"))
    if not no_dev and not call.has("--only-group"):
        groups |= set(default or ("dev",))
    groups -= set(_split(word.value for word in call.values("--no-group")))
    extras = _split(word.value for word in call.values("--extra"))
    if call.has("--all-extras") and found is not None:
        extras = tuple(found.optional_dependencies)
    wanted = Wanted(extras, tuple(sorted(groups)), not call.has("--only-group", "--only-dev"))
    name = found.name.text if found is not None and found.name is not None else None
    minor = target.minor if isinstance(target.minor, str) else "3.11"
    chosen = selected(lock, wanted, minor, project=name) if lock is not None else None
    if chosen is None and found is not None:
        _asked_for(work, call, target, found, wanted)
    skips_project = call.has("--no-install-project", "--no-install-workspace", "--no-install-local")
    for package in chosen or ():
        if skips_project and package.origin.kind in ("editable", "virtual", "path"):
            continue
        if package.origin.kind == "virtual":
            continue
        assert lock is not None
        version: Value = package.version or _DECIDED
        span = lock.source.line_span(package.line)
        note(work, call, target, package.name, version, place=(lock.source, span))
    _finish(work, call, target, "" if chosen is not None else "uv.lock is not known", found)


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


def _finish(work: Work, call: Install, target: Target, reason: str, found: Project | None) -> None:
    """Note that a project is installed; with its `pyproject.toml` all that it asks for itself is known."""
    cause = work.cause(call.executed)
    is_asked_known = found is not None and not found.problems
    work.events.append(
        Installed(cause, target.site, not reason, reason, is_asked_known, python.by_site(work.view, target.site))
    )


def _uv_environment(work: Work, call: Install) -> Target | None:
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
        chosen = next((word.value for word in call.values("-p", "--python")), None)
        base = environments.uv_python(
            work, each, chosen or work.variable(each, "UV_PYTHON") or _python_version(work, call)
        )
        environments.make(work, each, path, base, False, False)
        found = python.by_prefix(work.view, path)
    return Target(found.site, found.bin, found.minor) if found is not None else None


def _python_version(work: Work, call: Install) -> str | None:
    source = Folder(work, call, _folder(call)).text(".python-version")
    first = source.text.split()[:1] if source is not None else []
    return first[0] if first and re.fullmatch(r"3\.\d+(?:\.\d+)?", first[0]) else None


def _tool(work: Work, call: Install, folder: str, scripts: Value | None) -> None:
    """Each tool gets an environment of its own and puts its scripts into one folder."""
    each = call.executed
    home = work.view.resolve(folder, work.state)
    place = scripts if isinstance(scripts, str) else work.view.resolve("~/.local/bin", work.state)
    if isinstance(home, Unknown) or isinstance(place, Unknown):
        work.unsure(each, "the home folder of the tools is not known", "programs")
        return
    for word in call.operands:
        name = re.split(r"[\[=<>~!@]", word.value)[0]
        target = Target(f"{home}/{name}/lib/site-packages", place, Unknown("the Python of the tool"))
        match = re.search(r"==?([\w.]+)|@([\w.]+)$", word.value)
        version: Value = (match.group(1) or match.group(2)) if match else Unknown(f"{name} is not pinned")
        note(work, call, target, name, version)


def _poetry_install(work: Work, call: Install) -> None:
    each = call.executed
    found, lock = Folder(work, call, _folder(call)).pyproject(), _lock(work, call, "poetry.lock")
    environment = _poetry_environment(work, call)
    if not isinstance(environment, Interpreter):
        work.unsure(each, "which environment Poetry installs into is not known", "distributions", "programs")
        return
    target = Target(environment.site, environment.bin, environment.minor)
    wanted = _poetry_wanted(call, found)
    minor = target.minor if isinstance(target.minor, str) else "3.11"
    chosen = selected(lock, wanted, minor, requested=_poetry_requested(found, wanted)) if lock is not None else None
    for package in chosen or ():
        assert lock is not None
        version: Value = package.version or _DECIDED
        note(work, call, target, package.name, version, place=(lock.source, lock.source.line_span(package.line)))
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
    values = [word.value for word in call.values("--with")]
    only = _split(word.value for word in call.values("--only"))
    without = _split(word.value for word in call.values("--without"))
    groups = set(_split(values)) | (set(only) - {"main"})
    if not only and not call.has("--no-dev") and found is not None and found.poetry is not None:
        groups |= {name for name, group in found.poetry.groups.items() if not group.is_optional} - set(without)
    extras = _split(word.value for word in call.values("-E", "--extras"))
    return Wanted(extras, tuple(sorted(groups)), not only or "main" in only)


def _poetry_requested(found: Project | None, wanted: Wanted) -> list[Dependency] | None:
    if found is None or found.poetry is None:
        return None
    lines = [each.requirement for each in found.poetry.dependencies if not each.is_optional] if wanted.with_main else []
    for name in wanted.groups:
        group = found.poetry.groups.get(name)
        lines += [each.requirement for each in group.dependencies] if group is not None else []
    return [Dependency(line.key, line.extras, line.marker) for line in lines if line.key]


def runner_environment(work: Work, each: Executed) -> Interpreter | None:
    """The environment of `conda run -n NAME`, `uv run` and `poetry run`."""
    runner = each.runner
    for option in ("-n", "--name"):
        if option in runner[:-1]:
            name = runner[runner.index(option) + 1]
            for event in work.view.behind():
                if isinstance(event, Interpreter) and event.prefix.endswith(f"/envs/{name}"):
                    return event
    if runner[:2] == ("uv", "run") and isinstance(each.directory, str):
        return python.by_prefix(work.view, f"{each.directory.rstrip('/')}/.venv")
    return None


def _pipenv(work: Work, call: Install) -> None:
    """`pipenv install` takes the lock file beside the Pipfile, whichever of the two commands asks."""
    each = call.executed
    is_system = call.has("--system") or is_set(work.variable(each, "PIPENV_SYSTEM"))
    found = environments.interpreter_of(work, each, "python") if is_system else _pipenv_environment(work, call)
    if not isinstance(found, Interpreter):
        work.unsure(each, "which environment Pipenv installs into is not known", "distributions", "programs")
        return
    target = target_of(found)
    lock = Folder(work, call, "Pipfile.lock")
    source = Folder(work, call, ".").text("Pipfile.lock")
    locked = pipfile_lock.packages(source, with_dev=call.has("-d", "--dev")) if source is not None else None
    for package in locked or ():
        if package.marker is None or applies(package.marker, target.minor):
            version: Value = package.version or Unknown(f"{package.name} is not pinned")
            place = (package.source, package.span)
            note(work, call, target, package.name, version, package.extras, place)
    finish(work, each, target, [] if locked is not None else [Gap(f"{lock.shown} is not known")])


def _pipenv_environment(work: Work, call: Install) -> Interpreter | Unknown | None:
    """Where the environment is active already, or lies in the folder of the project."""
    active = work.variable(call.executed, "VIRTUAL_ENV")
    if isinstance(active, str) and active:
        return python.by_prefix(work.view, active)
    if not is_set(work.variable(call.executed, "PIPENV_VENV_IN_PROJECT")):
        return Unknown("Pipenv names the folder of the environment itself")
    path = work.path(call.executed, ".venv")
    if isinstance(path, Unknown):
        return path
    if python.by_prefix(work.view, path) is None:
        base = environments.interpreter_of(work, call.executed, "python")
        environments.make(work, call.executed, path, base, True, False)
    return python.by_prefix(work.view, path)
