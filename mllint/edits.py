"""What fixes are made of: edits of instructions and lines that keep the line ends, comments and layout of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.findings import Edit, Location
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.sources.dockerfile import Dockerfile, Instruction
    from mllint.sources.text import Source


def newline(source: Source) -> str:
    """The line end of a file: that of its first line, a line feed where it has only one."""
    end = source.text.find("\n")
    return "\r\n" if end > 0 and source.text[end - 1] == "\r" else "\n"


def replace(source: Source, span: Span, text: str) -> Edit:
    """Put a text in the place of a span; line feeds in it become the line ends of the file."""
    return Edit(Location(source, span), text.replace("\n", newline(source)))


def insert(source: Source, at: int, text: str) -> Edit:
    """Put a text in at an offset."""
    return replace(source, Span(at, at), text)


def delete(source: Source, span: Span) -> Edit:
    """Take a span out."""
    return replace(source, span, "")


def delete_lines(source: Source, first: int, last: int) -> Edit:
    """Take whole lines out, with their ends; lines count from 1."""
    end = source.line_starts[last] if last < len(source.line_starts) else len(source.text)
    return delete(source, Span(source.line_starts[first - 1], end))


def line_above(dockerfile: Dockerfile, instruction: Instruction, *lines: str) -> Edit:
    """Put lines in above an instruction and the comments that stand directly over it: they speak of it, and a
    suppression among them would else hold for the new line."""
    source = dockerfile.source
    comments = {each.line for each in dockerfile.comments}
    first = instruction.start_line
    while first - 1 in comments:
        first -= 1
    return insert(source, source.line_starts[first - 1], "".join(f"{line}\n" for line in lines))


def line_below(instruction: Instruction, *lines: str) -> Edit:
    """Put lines in directly below an instruction and its heredocs."""
    return insert(instruction.source, *_below(instruction.source, instruction.end_line, lines))


def lines_at_end(source: Source, lines: Sequence[str]) -> Edit:
    """Put lines in at the end of a file, behind a line end that it may lack."""
    text = source.text
    lacks_end = bool(text) and not text.endswith("\n")
    return insert(source, len(text), "\n" * lacks_end + "".join(f"{line}\n" for line in lines))


def _below(source: Source, line: int, lines: Sequence[str]) -> tuple[int, str]:
    if line < len(source.line_starts):
        return source.line_starts[line], "".join(f"{each}\n" for each in lines)
    # The last line has no end of its own.
    return len(source.text), "".join(f"\n{each}" for each in lines)
