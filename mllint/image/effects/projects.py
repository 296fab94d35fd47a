"""Installs of projects and tools: `pip install .`, `uv tool install` and pipx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import addresses, declared, locks, pipfiles
from mllint.image.effects.declared import Folder
from mllint.image.effects.targets import Gap, Target, applies, note, pinned
from mllint.image.events import Interpreter
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.sources.text import Source, Span

_DECIDED = Unknown("the project decides")
_SETTINGS = ("pyproject.toml", "setup.cfg", "setup.py")


def install(work: Work, call: Install) -> None:
    """Write what a call of uv, Poetry, Pipenv or pipx installs into the log."""
    match call.manager.name, call.verb:
        case "uv", "sync":
            locks.uv_sync(work, call)
        case "uv", "tool install":
            _tool(work, call, "~/.local/share/uv/tools", work.variable(call.executed, "UV_TOOL_BIN_DIR"))
        case "pipx", _:
            _tool(work, call, "~/.local/share/pipx/venvs", work.variable(call.executed, "PIPX_BIN_DIR"))
        case "poetry", "install" | "sync":
            locks.poetry_install(work, call)
        case "pipenv", _:
            pipfiles.install(work, call)
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
