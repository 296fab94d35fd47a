"""Repairs the scripts that a container starts, and the right to run them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint import edits
from mllint.checks import placing
from mllint.findings import Edit, Fix, Location
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from mllint.image.copies import Copy
    from mllint.image.serving.entry_scripts import Start
    from mllint.image.stage import Stage, Step
    from mllint.image.view import Node
    from mllint.sources.text import Source

_PLAIN_PATH = regex(r"/[\w./+-]+")


def unix_line_ends(source: Source) -> Fix:
    """Give a script the line ends of Unix."""
    text = source.text.replace("\r\n", "\n")
    name = posixpath.basename(source.path)
    return Fix("safe", f"give {name} the line ends of Unix", (Edit(Location(source, Span(0, len(source.text))), text),))


def executable(stage: Stage, start: Start, node: Node) -> Fix | None:
    """Let everybody run a script: by the copy that brings it alone, else by a RUN below the copy."""
    step = node.cause.step
    copy = step.copy if step is not None else None
    if step is None or copy is None or step not in _own_steps(stage):
        return None
    if _brings_alone(stage, copy):
        return Fix("safe", "copy it with --chmod=755", (_with_mode(step),))
    is_able = step.after.account.is_root and step.has_posix_shell
    if copy.mode is not None or not is_able or not _PLAIN_PATH.fullmatch(start.place):
        return None
    edit = edits.line_below(step.instruction, f"RUN chmod +x {start.place}")
    return Fix("safe", f"let {start.place} be run", (edit,))


def _own_steps(stage: Stage) -> list[Step]:
    return [step for each in stage.lineage for step in placing.own_steps(each)]


def _brings_alone(stage: Stage, copy: Copy) -> bool:
    """Whether a copy brings one file."""
    if len(copy.sources) != 1:
        return False
    matches = copy.sources[0].matches(stage.build.context)
    return len(matches) == 1 and not matches[0].is_folder


def _with_mode(step: Step) -> Edit:
    instruction = step.instruction
    given = instruction.flag("chmod")
    if given is None:
        return edits.insert(instruction.source, instruction.keyword_span.end, " --chmod=755")
    word = next(word for word in reversed(instruction.flag_words) if word.text.startswith("--chmod="))
    return edits.replace(instruction.source, word.span, "--chmod=755")
