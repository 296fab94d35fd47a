"""Lock files that a build has and does not hold itself to, and pins that it takes away."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path
from mllint.image.installing import indexed
from mllint.image.installing.indexed import view_at
from mllint.image.paths import joined, upward
from mllint.patterns import regex
from mllint.sources import lockfiles, pyproject
from mllint.sources.lock_selection import admits
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.text import Span

_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pipenv": "Pipfile.lock"}
_PROJECTS = {"uv": "pyproject.toml", "poetry": "pyproject.toml", "pipenv": "Pipfile"}
_SYNCS = {("uv", "sync"), ("poetry", "install"), ("poetry", "sync"), ("pipenv", "install"), ("pipenv", "sync")}
_HELD = {
    "uv": (("--locked", "--frozen", "--check", "--dry-run"), ("UV_LOCKED", "UV_FROZEN")),
    "pipenv": (("--deploy", "--ignore-pipfile", "--skip-lock"), ("PIPENV_IGNORE_PIPFILE", "PIPENV_SKIP_LOCK")),
}
_UPGRADES = ("-U", "--upgrade", "-P", "--upgrade-package")
_INDEXES = ("-i", "--index-url", "--default-index", "--extra-index-url", "--index")
_CHECKS = ("--check", "--locked", "--frozen", "--dry-run")
_LIMITS = ("--no-deps", "--no-dependencies", "-c", "--constraint", "--constraints", "--override", "--overrides")
_LISTS = regex(
    r"(?:^|[/_.-])(?:requirements?|constraints?)[^/]*\.(?:txt|in)$|(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg))$"
)
# A substitution that begins with what pins and does not write it again.
_LOOSENS = regex(r"s(?P<mark>[/|#@,!])\\?[=~]=(?P=mark)>=(?P=mark)")
_UNPINS = regex(
    r"(?:^|;\s*)s(?P<mark>[/|#@,!])(?:\\?[=~]=|===|\[[=<>~!]+\][+*]?)[^;]*?(?P=mark)(?!=)[^;=]*(?:>=[^;=]*)?(?P=mark)\w*$"
)


class Unheld(NamedTuple):
    """A lock file that an install does not hold itself to."""

    install: Install
    lock: str
    """Its name."""
    why: str
    """What the call does with it: `rewrites`, `lacks` where it is not in the image, `ignores`."""
    path: str
    """Its path in the build context."""
    is_explicit: bool
    """Whether the build copies the lock file by its name, and so means to use it."""


class Undone(NamedTuple):
    """A command that takes a lock or pins away."""

    span: Span
    what: str
    """As a message begins: the command and what it does."""
    repair: str
    is_sure: bool
    """Whether nobody does so on purpose."""


def unheld(stage: Stage) -> Iterator[Unheld]:
    """The installs of a stage that do not hold themselves to the lock file of their project."""
    calls = [call for step in stage.steps for call in step.installs if call.executed.is_sure]
    for call in calls:
        if (call.manager.name, call.verb) in _SYNCS:
            found = _synced(stage, call)
        elif call.verb in ("install", "pip install") and not _reads_lock(stage):
            found = _ignored(stage, call)
        else:
            found = None
        if found is not None and (found.why == "lacks" or not _has_torch_of_its_own(stage, call)):
            yield found


def _has_torch_of_its_own(stage: Stage, install: Install) -> bool:
    """Whether an earlier call takes a build of torch that the lock file may not have."""
    for call in (call for step in stage.steps_before(None) for call in step.installs):
        if call.span.start >= install.span.start or call.manager.name not in ("pip", "uv pip"):
            continue
        is_torch = any(isinstance(line, Requirement) and line.key == "torch" for line in call.requirements)
        if is_torch and any("pytorch" in word.value for word in call.values(*_INDEXES)):
            return True
    return False


def _synced(stage: Stage, call: Install) -> Unheld | None:
    """uv and Pipenv lock anew where the lock does not fit the project; Poetry ends the build."""
    tool = call.manager.name
    options, variables = _HELD.get(tool, ((), ()))
    if call.has(*options, *_UPGRADES) or call.operands or any(call.variable(name) for name in variables):
        return None
    values = call.values("--project", "--directory", "-C")
    folder = joined(call.directory, values[-1].value) if values else call.directory
    if not isinstance(folder, str) or (values and not values[-1].is_literal):
        return None
    lock = _LOCKS[tool]
    folders = [*upward(folder)] if tool == "uv" else [folder]
    paths = [posixpath.join(each, lock) for each in folders]
    found = next(filter(None, (context_path(stage, call.step, path) for path in paths)), None)
    if found is not None:
        is_held = tool == "poetry" or (tool == "pipenv" and call.verb == "sync")
        return None if is_held else Unheld(call, lock, "rewrites", found, True)
    project = context_path(stage, call.step, posixpath.join(folder, _PROJECTS[tool]))
    view, mounts = view_at(stage, call), call.step.mounts
    if project is None or any(view.find(path) is not None for path in paths):
        return None
    is_mounted = any(mount.covers(path) is not False for mount in mounts for path in paths)
    beside = posixpath.join(posixpath.dirname(project), lock)
    is_there = stage.build.context.find(beside) is not None
    return Unheld(call, lock, "lacks", beside, True) if is_there and not is_mounted else None


def is_fresh(stage: Stage, found: Unheld) -> bool:
    """Whether `uv.lock` has what the `pyproject.toml` beside it asks for, as far as names and versions tell."""
    context = stage.build.context
    beside = posixpath.join(posixpath.dirname(found.path), "pyproject.toml")
    sources = context.text(found.path), context.text(beside)
    if sources[0] is None or sources[1] is None:
        return False
    lock = context.inputs.parsed(sources[0], lockfiles.parse)
    project = context.inputs.parsed(sources[1], pyproject.parse)
    lines = [line for line in project.dependencies if isinstance(line, Requirement) and line.key]
    python = project.requires_python.text.replace(" ", "") if project.requires_python is not None else ""
    return (
        bool(lock.packages)
        and python == (lock.requires_python or "").replace(" ", "")
        and all(any(admits(line.specifier, one.version) for one in lock.named(line.key or "")) for line in lines)
    )


def _ignored(stage: Stage, call: Install) -> Unheld | None:
    """pip and `uv pip` read no lock file of a project."""
    if call.manager.name not in ("pip", "uv pip") or call.has(*_LIMITS, *_UPGRADES) or stage.closure(call).constraints:
        return None
    names = {each.name for each in indexed.asked(stage, call) if each.version is None}
    if not names or any(line.hashes for _, line in stage.closure(call).lines()):
        return None
    for folder, is_project in _folders(call):
        for lock in ("uv.lock", "poetry.lock"):
            path = joined(folder, lock)
            found = context_path(stage, call.step, path) if isinstance(path, str) else None
            if found is not None and (is_project or _has_any(stage, found, names)):
                return Unheld(call, lock, "ignores", found, _is_copied_by_name(stage, lock))
    return None


def _has_any(stage: Stage, path: str, names: Collection[str]) -> bool:
    """Whether a lock file is one for what is asked for."""
    source = stage.build.context.text(path)
    lock = stage.build.context.inputs.parsed(source, lockfiles.parse) if source is not None else None
    return lock is not None and any(each.name in names for each in lock.packages)


def _folders(call: Install) -> Iterator[tuple[str, bool]]:
    """The folders of the projects that a call installs, and those of its requirements files, which may be for something
    else."""
    operands = () if call.verb == "pip sync" else call.operands
    names = [word.value.partition("[")[0] for word in (*operands, *call.values("-e", "--editable")) if word.is_literal]
    written = [(name, True) for name in names if name.startswith((".", "/"))]
    written += [(posixpath.dirname(word.value) or ".", True) for word in call.projects if word.is_literal]
    written += [(posixpath.dirname(word.value) or ".", False) for word in call.files if word.is_literal]
    for each, is_project in written:
        path = joined(call.directory, each)
        if isinstance(path, str):
            yield path, is_project


def _is_copied_by_name(stage: Stage, lock: str) -> bool:
    copies = (step.copy for step in stage.steps_before(None) if step.copy is not None)
    paths = [source.path for copy in copies for source in copy.sources if isinstance(source.path, str)]
    return any(posixpath.basename(path).startswith(lock) for path in paths)


def _reads_lock(stage: Stage) -> bool:
    """Whether something in the making of the image reads a lock file."""
    return any(
        each.name in ("uv", "poetry", "pipenv")
        and not {"sync", "install", "export", "requirements"}.isdisjoint(_verbs(each))
        for one in stage.build.needed
        for step in one.steps
        for each in step.commands
    ) or any(step.instruction.keyword == "RUN" and "uv run" in step.instruction.rest.text for step in stage.steps)


def _verbs(each: Executed) -> list[str]:
    """The words of a command that are no options, up to two."""
    words = [value for value in each.arguments if not value.startswith("-")]
    return [] if words[:1] == ["pip"] else words[:2]


# --- commands that take a lock or pins away -------------------------------------------------------------------------


def undone(stage: Stage) -> Iterator[Undone]:
    """The commands of a stage that write a lock file anew, remove it, or take pins out of files."""
    for step in stage.steps:
        for each in step.commands:
            if each.is_certain:
                yield from _undone(stage, step, each)


def _undone(stage: Stage, step: Step, each: Executed) -> Iterator[Undone]:
    verb = (_verbs(each) or [""])[0]
    if each.name in ("uv", "poetry", "pipenv") and verb in ("lock", "update") and not _is_check(each):
        if each.name == "uv" and verb == "update":
            return
        lock = _LOCKS[each.name]
        yield Undone(
            each.span,
            f"{each.name} {verb} writes {lock} during the build: the image gets the releases of the day, and not those"
            " that were tested",
            f"run {each.name} {verb} beside the source, commit {lock} and copy it",
            True,
        )
    elif each.name == "rm":
        yield from _removed(stage, step, each)
    elif each.name == "sed":
        yield from _unpinned(stage, step, each)


def _is_check(each: Executed) -> bool:
    return not set(_CHECKS).isdisjoint(each.arguments)


def _removed(stage: Stage, step: Step, each: Executed) -> Iterator[Undone]:
    gone = [name for name in map(posixpath.basename, each.arguments) if name in _LOCKS.values()]
    behind = [call for one in stage.steps for call in one.installs if _is_behind(stage, step, each, one, call)]
    tools = {lock: tool for tool, lock in _LOCKS.items()}
    for lock in gone:
        call = next((call for call in behind if call.manager.name == tools[lock]), None)
        if call is not None:
            yield Undone(
                each.span,
                f"rm takes {lock} away in front of {call.manager.name} {call.verb}, which then chooses the releases of"
                " the day, and not those that were tested",
                f"keep {lock}; where it does not fit the image, lock again beside the source",
                True,
            )


def _is_behind(stage: Stage, step: Step, each: Executed, other: Step, call: Install) -> bool:
    at, behind = stage.steps.index(step), stage.steps.index(other)
    return behind > at or (behind == at and call.span.start > each.span.start)


def _unpinned(stage: Stage, step: Step, each: Executed) -> Iterator[Undone]:
    is_in_place = any(value.startswith(("-i", "--in-place", "-Ei", "-ri")) for value in each.arguments)
    lists = [(value, joined(each.directory, value)) for value in each.arguments if _LISTS.search(value)]
    if not is_in_place or not lists or not any(_UNPINS.search(value) for value in each.arguments):
        return
    own = [value for value, path in lists if isinstance(path, str) and context_path(stage, step, path) is not None]
    # Of the list of a clone nobody knows whether it has pins.
    if not own and not _is_behind_clone(stage, step, each):
        return
    what = f"takes the pins out of {own[0]}" if own else f"takes out of {lists[0][0]} of the clone whatever pins it has"
    if any(_LOOSENS.search(value) for value in each.arguments):
        pins = f"the pins of {own[0]}" if own else f"whatever pins {lists[0][0]} of the clone has"
        what = f"turns {pins} into lower bounds"
    tested = "those that the file names" if own else "those that its authors chose"
    yield Undone(
        each.span,
        f"sed {what}: the image gets the newest releases of the day, and not {tested}",
        "change the pins that do not fit, one by one, or install them from a file of your own with -c",
        False,
    )


def _is_behind_clone(stage: Stage, step: Step, each: Executed) -> bool:
    earlier = [other for one in stage.steps_before(step) for other in one.commands]
    own = [other for other in step.commands if other.span.start < each.span.start]
    return any(other.name == "git" and "clone" in other.arguments for other in (*earlier, *own))
