"""What the image runs: the command of its process, and whether that serves a network port."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.build import joined
from mllint.image.commands import Executed, executed
from mllint.image.copies import context_path

if TYPE_CHECKING:
    from mllint.image.stage import Stage, Step
    from mllint.sources.python import Module
    from mllint.sources.text import Source

_PYTHON = re.compile(r"python[0-9.]*|pypy[0-9.]*")
# Programs that stay in front as process 1, pass signals on and run what follows them.
INITS = frozenset({"tini", "dumb-init", "catatonit", "s6-svscan"})


@dataclass(frozen=True, slots=True)
class Process:
    """What `docker run` starts. `commands` are the programs, wrappers removed; the last one is what stays."""

    entrypoint: Step | None
    command: Step | None
    commands: tuple[Executed, ...]

    @property
    def step(self) -> Step:
        """The instruction that names the program."""
        step = self.command if self.command is not None else self.entrypoint
        assert step is not None
        return step


@dataclass(frozen=True, slots=True)
class Server:
    """A network server that the image starts: the row of the table and the command that runs it."""

    name: str
    executed: Executed
    host: str
    port: str
    is_python_call: bool
    """Started by a call in the source that the command runs, not by a server program of its own."""


def process(stage: Stage) -> Process | None:
    """The process of a stage's image, as far as this file sets it; a CMD from before an ENTRYPOINT is gone."""
    entrypoint = _setting(stage, "ENTRYPOINT")
    command = _setting(stage, "CMD")
    if entrypoint is not None and command is not None and _comes_before(stage, command, entrypoint):
        command = None
    if entrypoint is None and command is None:
        return None
    if entrypoint is not None and not entrypoint.instruction.is_exec_form:
        # The shell form of ENTRYPOINT takes no arguments: CMD is without effect.
        return Process(entrypoint, None, executed(entrypoint.instruction))
    commands = [each for step in (entrypoint, command) if step for each in executed(step.instruction)]
    return Process(entrypoint, command, tuple(commands))


def _setting(stage: Stage, keyword: str) -> Step | None:
    step = stage.last(keyword)
    return step if step is not None and step.instruction.words else None


def _comes_before(stage: Stage, first: Step, second: Step) -> bool:
    steps = [step for each in stage.lineage for step in each.steps]
    return next(i for i, step in enumerate(steps) if step is first) < next(
        i for i, step in enumerate(steps) if step is second
    )


def server(stage: Stage) -> Server | None:
    """The network server a stage's process is, None where it is none or nobody can tell."""
    found = process(stage)
    if found is None:
        return None
    for each in reversed(found.commands):
        row = _by_command(each)
        if row is not None:
            return Server(row["server"], each, row["host"], row["port"], False)
        row = _by_source(stage, each)
        if row is not None:
            return Server(row["server"], each, row["host"], row["port"], True)
    return None


def _by_command(each: Executed) -> dict[str, str] | None:
    words = [word.value for word in each.words]
    name = each.name
    if _PYTHON.fullmatch(name):
        options = [index for index, word in enumerate(words) if word == "-m"]
        if options and options[0] + 1 < len(words):
            return _row("module", words[options[0] + 1], words[options[0] + 2 :])
        script = next((index for index, word in enumerate(words[1:], 1) if not word.startswith("-")), None)
        return _row("program", words[script].rpartition("/")[2], words[script + 1 :]) if script else None
    return _row("program", name, words[1:])


def _row(column: str, name: str, rest: list[str]) -> dict[str, str] | None:
    plain = [word for word in rest if not word.startswith("-")]
    for row in facts.rows("servers"):
        verb = row.get("verb", "").split()
        if row.get(column) == name and plain[: len(verb)] == verb:
            return row
    return None


def _by_source(stage: Stage, each: Executed) -> dict[str, str] | None:
    """A server that the script started by `python FILE` or `python -m NAME` runs itself."""
    path = _script(each)
    if path is None:
        return None
    module = _module(stage, path)
    return _served_by(module) if module is not None else None


def _script(each: Executed) -> str | None:
    words = [word.value for word in each.words]
    if not _PYTHON.fullmatch(each.name):
        return words[0] if words[0].endswith(".py") else None
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        if rest[0] == "-m":
            return rest[1].replace(".", "/") + ".py" if len(rest) > 1 else None
        if rest[0] in ("-c", "-"):
            return None
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    return rest[0] if rest else None


def script_source(stage: Stage, path: str) -> Source | None:
    """The text of a file of the image by its path as the process sees it; None where it did not come from the context."""
    target = joined(stage.end.directory, path)
    found = context_path(stage, None, target) if isinstance(target, str) else None
    return stage.build.context.text(found) if found else None


def _module(stage: Stage, path: str) -> Module | None:
    source = script_source(stage, path)
    if source is None and path.endswith(".py"):
        source = script_source(stage, path[:-3] + "/__main__.py")
    return _parsed(source) if source is not None else None


@cache
def _parsed(source: Source) -> Module | None:
    from mllint.sources import python

    return python.parse(source)


def _served_by(module: Module) -> dict[str, str] | None:
    calls = {call.name for call in module.calls}
    for row in facts.rows("servers"):
        wanted = row.get("import_call")
        if wanted is None or wanted.partition(".")[0] not in module.packages:
            continue
        if wanted in calls or _method_called(wanted, calls):
            return row
    return None


def _method_called(wanted: str, calls: set[str]) -> bool:
    """`flask.Flask().run` also stands for `app = Flask(…)` with `app.run(…)` somewhere in the module."""
    made, mark, method = wanted.partition("().")
    if not mark:
        # Gradio's interfaces are many; what they share is the method.
        package, _, method = wanted.rpartition(".")
        return package == "gradio" and any(call.endswith(f".{method}") for call in calls)
    return made in calls and any(call.endswith(f".{method}") for call in calls)
