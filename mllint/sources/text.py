"""Text and places in it: what every parsed tree refers back to."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Span(NamedTuple):
    """A half-open range of code points in one source."""

    start: int
    end: int


class Problem(NamedTuple):
    """Text that whatever reads it would refuse, and why."""

    span: Span
    message: str


@dataclass(frozen=True, eq=False)
class Source:
    """One input file as decoded text; `path` is how reports name it (relative, forward slashes)."""

    path: str
    text: str
    has_bom: bool = False

    def comment_above(self, offset: int) -> str:
        """The lines of the comment that ends directly above the line of a place; empty where there is none."""
        start = end = self.text.rfind("\n", 0, offset) + 1
        while start > 0:
            line = self.text.rfind("\n", 0, start - 1) + 1
            if not self.text[line:start].lstrip().startswith("#"):
                break
            start = line
        return self.text[start:end]

    def comments_above(self, offset: int) -> list[str]:
        """The comments, each a line that begins with `#`, among the three lines in front of a place."""
        return [line for line in self.text[:offset].splitlines()[-3:] if line.lstrip().startswith("#")]

    @cached_property
    def line_starts(self) -> list[int]:
        """Offset of the first code point of each line; lines end at a line feed, as for BuildKit and pip."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1, columns in code points."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line_span(self, line: int) -> Span:
        """The span of a line (from 1) without its line end."""
        start = self.line_starts[line - 1]
        end = self.line_starts[line] - 1 if line < len(self.line_starts) else len(self.text)
        if end > start and self.text[end - 1] == "\r":
            end -= 1
        return Span(start, end)

    def slice(self, span: Span) -> str:
        """The text of a span."""
        return self.text[span.start : span.end]


class Logical(NamedTuple):
    """A text put together from pieces of a source (a continued instruction as one line), which still knows where
    each of its characters came from."""

    text: str
    starts: tuple[int, ...]
    """Offsets in `text` at which a piece begins, the first of them 0."""
    origins: tuple[int, ...]
    """For each piece, the offset in the source of its first character."""

    @classmethod
    def of(cls, source: Source, span: Span) -> Logical:
        """The text of a span, in one piece."""
        return cls(source.slice(span), (0,), (span.start,))

    def offset(self, at: int) -> int:
        """The source offset of the character at `at`; for the end of the text, the offset behind the last character."""
        if at == len(self.text) and at > 0:
            return self.offset(at - 1) + 1
        piece = bisect_right(self.starts, at) - 1
        return self.origins[piece] + at - self.starts[piece]

    def span(self, start: int, end: int) -> Span:
        """The source span from the first to the last character of a range of the text."""
        if len(self.origins) == 1:
            return Span(self.origins[0] + start, self.origins[0] + end)
        first = self.offset(start)
        return Span(first, self.offset(end - 1) + 1 if end > start else first)

    def part(self, start: int, end: int) -> Logical:
        """A range of the text with its origins."""
        if len(self.origins) == 1:
            return Logical(self.text[start:end], (0,), (self.origins[0] + start,))
        first = bisect_right(self.starts, start) - 1
        last = max(first, bisect_right(self.starts, end - 1) - 1) if end > start else first
        starts = (0, *(at - start for at in self.starts[first + 1 : last + 1]))
        origins = (self.origins[first] + start - self.starts[first], *self.origins[first + 1 : last + 1])
        return Logical(self.text[start:end], starts, origins)
