"""One line of a source cut to the width of a terminal, and where under it the marks go."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.masking import mask
from mllint.report.shown import escape, is_visible

if TYPE_CHECKING:
    from mllint.sources.text import Source, Span

_TAB = 4
_MARKS_ON_ONE_LETTER = 3
_MASKED_WHOLE = 64 * 1024
_NARROWEST = 20


class Frame(NamedTuple):
    """What a terminal shows of the first line of a span. Widths are in terminal cells: a wide character takes two, a
    combining mark none."""

    line: int
    text: str
    indent: int
    """Cells before the first mark."""
    marks: int
    """Cells to mark, at least one."""
    further_lines: int
    """Lines of the span after the first."""


def frame(source: Source, span: Span, width: int) -> Frame:
    """The first line of a span, credentials masked, in at most `width` cells (20 at the least); a longer line is cut
    around the start of the span, with `…` where something is left out."""
    line, _ = source.position(span.start)
    last_line, _ = source.position(max(span.start, span.end - 1))
    whole = source.line_span(line)
    start = min(span.start, whole.end) - whole.start
    end = min(span.end, whole.end) - whole.start
    text, indent, marks = _window(_masked_line(source, whole), start, end, max(width, _NARROWEST))
    return Frame(line, text, indent, marks, last_line - line)


def _masked_line(source: Source, line: Span) -> str:
    """A private key is known only by its first line, so a text with one is masked as a whole, as is any short one."""
    if len(source.text) <= _MASKED_WHOLE or "PRIVATE KEY-----" in source.text:
        return _masked(source)[line.start : line.end]
    return mask(source.slice(line), keep_width=True)


@lru_cache(maxsize=8)
def _masked(source: Source) -> str:
    return mask(source.text, keep_width=True)


def _window(line: str, start: int, end: int, room: int) -> tuple[str, int, int]:
    """The part of a line to show, the cells before its offset `start`, and the cells from there to `end`."""
    # No cell holds more than a letter and its marks, so what is further away than this cannot be shown.
    reach = room * (1 + _MARKS_ON_ONE_LETTER)
    offset = max(0, start - reach)
    line, cut_after = line[offset : start + reach], start + reach < len(line)
    start, end = start - offset, min(end - offset, len(line))
    cells = _cells(line)
    widths = [width for _, width in cells]
    left, right = 0, len(cells)
    if offset or cut_after or sum(widths) > room:
        left, right = _limits(widths, start, end, room - 2)
    before = "…" if offset or left else ""
    after = "…" if cut_after or right < len(cells) else ""
    text = before + "".join(character for character, _ in cells[left:right]) + after
    return text, len(before) + sum(widths[left:start]), max(1, sum(widths[start : min(end, right)]))


def _limits(widths: list[int], start: int, end: int, room: int) -> tuple[int, int]:
    """Which cells to show: those from `start` on, after as much of what comes before as leaves room for the span, at
    most a third unless the line ends early."""
    lead = max(0, min(room // 3, room - sum(widths[start:end])))
    left, used = start, 0
    while left > 0 and used + widths[left - 1] <= lead:
        left -= 1
        used += widths[left]
    right = start
    while right < len(widths) and used + widths[right] <= room:
        used += widths[right]
        right += 1
    while left > 0 and used + widths[left - 1] <= room:
        left -= 1
        used += widths[left]
    return left, right


def _cells(line: str) -> list[tuple[str, int]]:
    """For each character of a line what is printed for it, and its width in cells."""
    if line.isascii() and line.isprintable():
        return [(character, 1) for character in line]
    cells: list[tuple[str, int]] = []
    column = marks = 0
    for character in line:
        width = _width(character)
        marks = marks + 1 if width == 0 else 0
        if character == "\t":
            width = _TAB - column % _TAB
            character = " " * width
        elif not is_visible(character) or marks > _MARKS_ON_ONE_LETTER:
            character = escape(character)
            width = len(character)
        cells.append((character, width))
        column += width
    return cells


def _width(character: str) -> int:
    """Cells a terminal gives to a character: none to combining marks and to the vowels and finals that complete a
    Hangul syllable, two to those of East Asian width W and F."""
    if character.isascii():
        return 1
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
