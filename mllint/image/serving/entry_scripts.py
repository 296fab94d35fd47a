"""The scripts that ENTRYPOINT, CMD and HEALTHCHECK start by themselves, and what keeps them from starting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import programs
from mllint.image.events import Unsure
from mllint.image.paths import joined
from mllint.image.programs import Program
from mllint.image.service import python_of_base
from mllint.image.serving import lookalikes
from mllint.image.shell.commands import argv, executed, from_argv
from mllint.image.shell.scope import Scope
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import git_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Context
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.image.values import Value
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.text import Source

_SHEBANG = regex(r"#!\s*(?P<path>\S+)(?:[ \t]+(?P<rest>[^\r\n]*))?")
_SCRIPTS = (".sh", ".bash", ".py")
_MENDS_LINE_ENDS = regex(r"dos2unix|fromdos|\\r|\^M|\\015")


class Start(NamedTuple):
    """A script that an instruction starts."""

    instruction: Instruction
    written: str
    place: str
    """Where it lies, or would; empty where no folder of PATH has it."""
    is_direct: bool
    """Whether no shell stands in front, which would run what has no `#!` line."""
    is_read: bool
    """Whether a shell is given it to read, which needs neither `#!` nor the right to run it."""


def starts(stage: Stage) -> Iterator[Start]:
    """The scripts that the image starts."""
    for instruction, each in _commands(stage):
        words = each.words
        if "uv" in each.wrappers and each.name.endswith(".py"):
            # `uv run main.py` is `uv run python main.py`.
            continue
        if each.name in POSIX_SHELLS:
            words = tuple(word for word in words[1:] if not word.value.startswith(("-", "+")))[:1]
        if not words or not words[0].is_literal or not words[0].value:
            continue
        written, is_read = words[0].value, words is not each.words
        place = _place(stage, each, written, is_read)
        if place is not None:
            is_direct = instruction.is_exec_form and not each.wrappers and each.span.start <= _first(instruction)
            yield Start(instruction, written, place, is_direct, is_read)


def _commands(stage: Stage) -> Iterator[tuple[Instruction, Executed]]:
    process, state = stage.process, stage.end
    step = (process.entrypoint or process.command) if process is not None else None
    if process is not None and step is not None:
        behind = process.command if process.entrypoint is not None and process.command is not None else None
        opening = python_of_base(stage)
        if step.instruction.is_exec_form and (opening or (behind is not None and behind.instruction.is_exec_form)):
            words = (*opening, *argv(step.instruction), *(argv(behind.instruction) if behind is not None else ()))
            yield from ((step.instruction, each) for each in from_argv(words, Scope(None, state.directory)))
        else:
            yield from ((step.instruction, each) for each in executed(step.instruction, state) if each.is_sure)
    probe = stage.last("HEALTHCHECK")
    if probe is not None and stage.healthcheck is not None:
        yield from ((probe.instruction, each) for each in executed(probe.instruction, state) if each.is_certain)


def _first(instruction: Instruction) -> int:
    words = argv(instruction)
    return words[0].span.start if words else -1


def _place(stage: Stage, each: Executed, written: str, is_read: bool) -> str | None:
    """Where a script lies: a path as it is seen, a name by PATH. None for programs that are no scripts of the
    project."""
    if "/" in written or is_read:
        place = joined(each.directory, written)
        return place if isinstance(place, str) else None
    path = each.environment.get("PATH", stage.end.env.get("PATH"))
    found = programs.program(stage.view, written, path)
    if isinstance(found, Program):
        return found.path
    # No operating system brings a script of such a name.
    is_known = found is None or (stage.view.base.is_plain and stage.view.doubt("programs") is None)
    return "" if is_known and written.endswith(_SCRIPTS) else None


def is_missing(stage: Stage, start: Start) -> bool:
    """Whether there surely is no such file."""
    if not start.place:
        return True
    if lookalikes.may_be_brought(stage, start.place):
        return False
    return stage.view.find(start.place) is None and programs.program(stage.view, start.place, None) is None


def text(stage: Stage, start: Start) -> tuple[Node, Source] | None:
    """The file of the build context that a script is."""
    node = stage.view.find(start.place) if start.place else None
    if not isinstance(node, Node) or node.origin is None:
        return None
    source = stage.build.context.text(node.origin)
    return None if source is None else (node, source)


def has_carriage_returns(stage: Stage, source: Source) -> bool:
    """Whether a script comes into the image with the line ends of Windows."""
    if not source.text.partition("\n")[0].endswith("\r"):
        return False
    runs = (step.instruction.rest.text for each in stage.build.stages for step in each.steps)
    return not any(_MENDS_LINE_ENDS.search(text) for text in runs)


def absent_interpreter(stage: Stage, source: Source) -> str | None:
    """The program of the `#!` line, where the image surely lacks it."""
    match = _SHEBANG.match(source.text)
    if match is None:
        return None
    name = match["path"].rpartition("/")[2]
    if name == "env":
        words = [word for word in (match["rest"] or "").split() if not word.startswith("-") and "=" not in word]
        name = words[0] if words else ""
    path: Value | None = stage.end.env.get("PATH")
    return name if name and programs.program(stage.view, name, path) is None else None


def is_not_executable(stage: Stage, node: Node) -> bool:
    """Whether nobody may run a file: by --chmod, or by the mode it has in the build context where that can be
    believed."""
    if node.mode is None or node.mode & 0o111 or _may_be_changed(stage, node) or node.origin is None:
        return False
    copy = node.cause.step.copy if node.cause.step is not None else None
    return (copy is not None and copy.mode is not None) or _is_plain_in_context(stage.build.context, node.origin)


def _may_be_changed(stage: Stage, node: Node) -> bool:
    """Whether something nobody can follow happens behind the copy."""
    for event in stage.view.behind():
        if event.cause is node.cause:
            return False
        if isinstance(event, Unsure) and "files" in event.about:
            return True
    return True


def _is_plain_in_context(context: Context, path: str) -> bool:
    """Whether a file may not be run: as git has it, or as it is in a folder whose files do not all look alike."""
    for folder in (context.root, *context.root.parents):
        index = folder / ".git" / "index"
        if index.is_file():
            modes = git_index.modes(index.read_bytes())
            inside = Path(context.root, path).relative_to(folder).as_posix()
            if modes is not None and inside in modes:
                return not modes[inside] & 0o111
            break
    return any((context.mode(each.path) or 0) & 0o111 for each in context.files())
