"""What the process of an image installs before, or instead of, serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image import python
from mllint.image.events import Interpreter
from mllint.image.packages import install_of
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.text import Source

_ORIGINS = {"python": "package index", "node": "package registry", "": "package archive"}
# With these nothing is fetched, or nothing but the project itself is put in.
_FETCHES_NOTHING = ("--no-index", "--offline", "--no-deps", "--download-only")
_OTHER_VERBS = frozenset({"wheel", "download", "add"})
_TOOL_RUNNERS = {"uvx": (), "uv": ("tool", "run"), "pipx": ("run",)}


class Late(NamedTuple):
    """A command of the process that installs."""

    executed: Executed
    source: Source
    """The Dockerfile, or the entry script."""
    shown: str
    """`pip install`, as messages name it."""
    origin: str
    """Where it takes packages from."""
    is_sure: bool
    """Whether every start does it, and fails where it does."""
    call: Install | None
    """None for a tool that is run without being installed."""


def late_installs(stage: Stage) -> Iterator[Late]:
    """The installs in the process of an image and its entry scripts."""
    process = stage.process
    if process is None or process.step is None:
        return
    for source, each in process.started(stage.build.source):
        found = _late(stage, process.step, source, each)
        if found is not None:
            yield found


def _late(stage: Stage, step: Step, source: Source, each: Executed) -> Late | None:
    verb = _TOOL_RUNNERS.get(each.name)
    if verb is not None and each.arguments[: len(verb)] == verb and each.arguments[len(verb) :]:
        shown = " ".join((each.name, *verb))
        return None if _prepares_tools(stage) else Late(each, source, shown, "package index", each.is_sure, None)
    call = install_of(step, each)
    if call is None or call.has(*_FETCHES_NOTHING) or call.verb in _OTHER_VERBS or _is_asked_from_outside(call):
        return None
    if _is_there(stage, call):
        return None
    shown = f"{call.manager.name.partition(' ')[0]} {call.verb}"
    return Late(each, source, shown, _ORIGINS[call.manager.language], each.is_sure, call)


def _prepares_tools(stage: Stage) -> bool:
    """Whether the build runs such a tool or installs one, so that the start may find it."""
    commands = (each for step in stage.steps_before(None) for each in step.commands)
    return any(each.name in _TOOL_RUNNERS and (each.name != "uv" or "tool" in each.arguments) for each in commands)


def _is_asked_from_outside(call: Install) -> bool:
    """Whether who starts the container names the packages."""
    words = (*call.operands, *call.files)
    return bool(words) and not any(word.is_literal for word in words)


def _is_there(stage: Stage, call: Install) -> bool:
    """Whether the image has all that pip is asked for, so that it downloads nothing."""
    asked = list(call.requirements) if call.manager.name in ("pip", "uv pip") else []
    read = stage.closure(call)
    asked += [line for _, line in read.lines()]
    names = {line.key for line in asked if isinstance(line, Requirement) and line.key}
    used = python.interpreter(stage.view, "python3", stage.end.env.get("PATH"))
    if not names or not read.is_complete or not isinstance(used, Interpreter) or call.has("-U", "--upgrade"):
        return False
    return names <= set(python.environment(stage.view, used, stage.end).distributions)
