"""Installs from projects and lock files: `pip install .`, uv, Poetry, Pipenv, pipx and conda."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.copies import context_path
from mllint.image.effects import environments
from mllint.image.events import Installed, Interpreter, Programs
from mllint.image.values import Unknown, Value
from mllint.sources import lockfiles, pyproject
from mllint.sources.lock_selection import Wanted, selected
from mllint.sources.lockfiles import Dependency
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.image.commands import Executed
    from mllint.image.effects.resolving import Target
    from mllint.image.effects.work import Work
    from mllint.image.packages import Install
    from mllint.sources.lockfiles import LockFile
    from mllint.sources.pyproject import Project
    from mllint.sources.text import Source, Span

_CONDA = frozenset({"conda", "micromamba"})


def install(work: Work, call: Install) -> None:
    """Write what a call of uv, Poetry, Pipenv, pipx or conda installs into the log."""
    match call.manager.name, call.verb:
        case "uv", "sync":
            _uv_sync(work, call)
        case "uv", "tool install":
            _tool(work, call, "~/.local/share/uv/tools", work.variable(call.executed, "UV_TOOL_BIN_DIR"))
        case "pipx", _:
            _tool(work, call, "~/.local/share/pipx/venvs", work.variable(call.executed, "PIPX_BIN_DIR"))
        case "poetry", "install":
            _poetry_install(work, call)
        case (("conda" | "micromamba"), _):
            _conda(work, call)
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
) -> list[str]:
    """Note a project that is installed from its folder with what it depends on; gives the reasons why that is not
    known. `in_context` says that the folder is one of the build context, not of the image."""
    from mllint.image.effects.resolving import applies, note

    folder, _, extras = folder.partition("[")
    found = _pyproject(work, call, folder, in_context)
    if found is None or found.problems or "dependencies" in found.dynamic or (found.name is None and name is None):
        if name is not None:
            note(work, call, target, name, Unknown("the project decides"), place=place)
        return [f"what the project in {folder or '.'} depends on is not known"]
    title = found.name.text if found.name is not None else str(name)
    version = found.version.text if found.version is not None else Unknown("the build of the project decides")
    wanted = frozenset(extra.strip() for extra in extras.rstrip("]").split(",") if extra.strip())
    note(work, call, target, title, version, wanted, place)
    lines = [*found.dependencies]
    for extra in wanted:
        lines += found.optional_dependencies.get(normalised(extra), ())
    if found.poetry is not None and not lines:
        lines += [each.requirement for each in found.poetry.dependencies if not each.is_optional]
    for line in lines:
        if isinstance(line, Requirement) and line.key and (line.marker is None or applies(line.marker, target.minor)):
            pinned: Value = line.exact_version or Unknown(f"{line.key} is not pinned")
            note(work, call, target, line.key, pinned, frozenset(line.extras), (found.source, line.span))
    return []


def _file(work: Work, call: Install, folder: str, name: str, in_context: bool = False) -> Source | None:
    """The text of a file of the context, seen from the working directory of a call."""
    context = work.stage.build.context
    if in_context:
        return context.text(posixpath.normpath(posixpath.join(folder, name)))
    path = work.path(call.executed, posixpath.join(folder or ".", name))
    found = context_path(work.stage, work.step, path) if isinstance(path, str) else None
    return context.text(found) if found else None


def _pyproject(work: Work, call: Install, folder: str, in_context: bool = False) -> Project | None:
    source = _file(work, call, folder, "pyproject.toml", in_context)
    return work.stage.build.context.inputs.parsed(source, pyproject.parse) if source is not None else None


def _lock(work: Work, call: Install, name: str) -> LockFile | None:
    source = _file(work, call, _folder(call), name)
    return work.stage.build.context.inputs.parsed(source, lockfiles.parse) if source is not None else None


def _folder(call: Install) -> str:
    values = call.values("--project", "--directory", "-C")
    return values[-1].value if values and values[-1].is_literal else "."


def _split(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in re.split(r"[,\s]+", value) if part)


def _uv_sync(work: Work, call: Install) -> None:
    each = call.executed
    target = _uv_environment(work, call)
    lock, found = _lock(work, call, "uv.lock"), _pyproject(work, call, _folder(call))
    if target is None:
        work.unsure(each, "which Python uv sync takes is not known", "distributions", "programs")
        return
    groups = set(_split(word.value for word in call.values("--group", "--only-group")))
    default = found.uv.default_groups if found is not None and found.uv is not None else ("dev",)
    no_dev = call.has("--no-dev", "--no-default-groups") or _is_on(work, each, "UV_NO_DEV")
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
    reason = "" if chosen is not None else "uv.lock is not known"
    skips_project = call.has("--no-install-project", "--no-install-workspace", "--no-install-local")
    for package in chosen or ():
        if skips_project and package.origin.kind in ("editable", "virtual", "path"):
            continue
        if package.origin.kind == "virtual":
            continue
        assert lock is not None
        version: Value = package.version or Unknown("the project decides")
        span = lock.source.line_span(package.line)
        _note(work, call, target, package.name, version, (lock.source, span))
    work.events.append(Installed(work.cause(each), target.site, not reason, reason))


def _is_on(work: Work, each: Executed, name: str) -> bool:
    from mllint.image.effects.resolving import is_set

    return is_set(work.variable(each, name))


def _note(
    work: Work, call: Install, target: Target, name: str, version: Value, place: tuple[Source, Span] | None
) -> None:
    from mllint.image.effects.resolving import note

    note(work, call, target, name, version, place=place)


def _uv_environment(work: Work, call: Install) -> Target | None:
    """`uv sync` makes the environment where it is not there: UV_PROJECT_ENVIRONMENT, else `.venv` of the project."""
    from mllint.image.effects.resolving import Target

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
    source = _file(work, call, _folder(call), ".python-version")
    first = source.text.split()[:1] if source is not None else []
    return first[0] if first and re.fullmatch(r"3\.\d+(?:\.\d+)?", first[0]) else None


def _tool(work: Work, call: Install, folder: str, scripts: Value | None) -> None:
    """Each tool gets an environment of its own and puts its scripts into one folder."""
    from mllint.image.effects.resolving import Target

    each = call.executed
    home = work.view.resolve(folder, work.state)
    place = scripts if isinstance(scripts, str) else work.view.resolve("~/.local/bin", work.state)
    if isinstance(home, Unknown) or isinstance(place, Unknown):
        work.unsure(each, "the home folder of the tools is not known", "programs")
        return
    for word in call.operands:
        name = re.split(r"[\[=<>~!@]", word.value)[0]
        target = Target(f"{home}/{name}/lib/site-packages", place, Unknown("the Python of the tool"))
        pinned = re.search(r"==?([\w.]+)|@([\w.]+)$", word.value)
        version: Value = (pinned.group(1) or pinned.group(2)) if pinned else Unknown(f"{name} is not pinned")
        _note(work, call, target, name, version, None)


def _poetry_install(work: Work, call: Install) -> None:
    from mllint.image.effects.resolving import Target

    each = call.executed
    found, lock = _pyproject(work, call, _folder(call)), _lock(work, call, "poetry.lock")
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
        version: Value = package.version or Unknown("the project decides")
        _note(work, call, target, package.name, version, (lock.source, lock.source.line_span(package.line)))
    reason = "" if chosen is not None else "poetry.lock is not known"
    work.events.append(Installed(work.cause(each), target.site, not reason, reason))


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
    inside = _is_on(work, each, "POETRY_VIRTUALENVS_IN_PROJECT") or "virtualenvs.in-project true" in configured
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


def _conda(work: Work, call: Install) -> None:
    from mllint.image.effects.resolving import Target
    from mllint.sources import conda

    each = call.executed
    specs = [word.value for word in call.operands if word.is_literal]
    reasons = ["the shell computes a package"] if len(specs) < len(call.operands) else []
    pips: list[Requirement] = []
    name: str | None = None
    for word in call.values("-f", "--file"):
        source = _file(work, call, "", word.value)
        if source is None:
            reasons.append(f"{word.value} is not known")
        elif word.value.endswith((".yml", ".yaml")):
            parsed = work.stage.build.context.inputs.parsed(source, conda.parse)
            name = parsed.name.text if parsed.name is not None else None
            specs += [str(each_spec.text) for each_spec in parsed.dependencies]
            pips += [line for line in parsed.pip if isinstance(line, Requirement)]
        else:
            specs += [line.strip() for line in source.text.splitlines() if line.strip() and not line.startswith("#")]
    prefix = _conda_prefix(work, call, name)
    if prefix is None:
        work.unsure(each, "which conda environment is meant is not known", "distributions", "programs")
        return
    made = _conda_python(work, call, prefix, specs)
    target = Target(made.site, made.bin, made.minor)
    for spec in specs:
        title, version = _spec(spec)
        if title != "python":
            work.events.append(Programs(work.cause(each), title, frozenset({title})))
            _note(work, call, target, title, version, None)
    for line in pips:
        if line.key:
            _note(work, call, target, line.key, line.exact_version or Unknown(f"{line.key} is not pinned"), None)
    reasons.append("what conda packages bring along is not in the tables")
    work.events.append(Installed(work.cause(each), target.site, False, reasons[0]))


def _spec(spec: str) -> tuple[str, Value]:
    text = spec.rpartition("::")[2].strip()
    match = re.match(r"([\w.-]+)(?:\[.*\])?\s*(?:==?\s*([\w.]+))?", text)
    if match is None:
        return text, Unknown("no match specification")
    return match.group(1), match.group(2) or Unknown(f"{match.group(1)} is not pinned")


def _conda_root(work: Work, call: Install) -> str | None:
    root = work.variable(call.executed, "MAMBA_ROOT_PREFIX")
    if isinstance(root, str) and root:
        return root
    program = call.executed.words[0].value
    if program.endswith("/bin/conda"):
        return program.removesuffix("/bin/conda")
    found = next((e for e in work.view.behind() if isinstance(e, Interpreter) and e.kind == "conda"), None)
    if found is not None:
        return found.prefix.partition("/envs/")[0]
    return "/opt/conda" if call.manager.name == "micromamba" else None


def _conda_prefix(work: Work, call: Install, name: str | None) -> str | None:
    prefix = [word.value for word in call.values("-p", "--prefix")]
    if prefix:
        path = work.path(call.executed, prefix[-1])
        return path if isinstance(path, str) else None
    root = _conda_root(work, call)
    names = [word.value for word in call.values("-n", "--name")]
    chosen = names[-1] if names else name
    if root is None or chosen is None or chosen == "base":
        return root
    return f"{root}/envs/{chosen}"


def _conda_python(work: Work, call: Install, prefix: str, specs: list[str]) -> Interpreter:
    """The Python of a conda environment, new where the call names one or the environment is not there."""
    known = python.by_prefix(work.view, prefix)
    named = next((spec for spec in specs if _spec(spec)[0] == "python"), None)
    if known is not None and named is None:
        return known
    version: Value = Unknown("the newest Python that the packages admit")
    if named is not None:
        given = _spec(named)[1]
        version = given if isinstance(given, str) and re.fullmatch(r"3\.\d+(?:\.\d+)*", given) else version
    minor = ".".join(version.split(".")[:2]) if isinstance(version, str) else "X"
    site = f"{prefix}/lib/python{minor}/site-packages"
    names = frozenset({"python", "python3", f"python{minor}"})
    cause = work.cause(call.executed)
    made = Interpreter(cause, prefix, version, "conda", names, False, True, site)
    work.events.append(made)
    work.events.append(environments.preinstalled(work, call.executed, "pip", site, made.bin))
    return made


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
