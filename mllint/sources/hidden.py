"""Characters in requirements files that nobody sees, and that pip does not take for blanks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.requirements import Invalid, parse_line
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from mllint.sources.requirements import Line
    from mllint.sources.text import Source

_NAMES = {
    "\ufeff": "a byte order mark",
    "\u200b": "a zero-width space",
    "\u200c": "a zero-width non-joiner",
    "\u200d": "a zero-width joiner",
    "\u200e": "a left-to-right mark",
    "\u2060": "a word joiner",
    "\u00ad": "a soft hyphen",
    "\u00a0": "a no-break space",
    "\u202f": "a narrow no-break space",
    "\u2009": "a thin space",
    "\u3000": "an ideographic space",
}
_BLANKS = "\u00a0\u202f\u2009\u3000"
_HIDDEN = regex(f"[{''.join(_NAMES)}]")


class Hidden(NamedTuple):
    """The first of the characters for which pip refuses a line."""

    name: str
    spans: tuple[Span, ...]
    """All of them."""
    blanks: tuple[bool, ...]
    """Which of them look like a blank."""


def hidden(source: Source, line: Line) -> Hidden | None:
    """What nobody sees in a line that pip would read without it; None for any other line."""
    if not isinstance(line, Invalid):
        return None
    text = source.slice(line.span)
    found = [*_HIDDEN.finditer(text)]
    if not found or "\n" in text:
        return None
    plain = _HIDDEN.sub(lambda match: " " if match[0] in _BLANKS else "", text)
    if isinstance(parse_line(Logical(plain, (0,), (0,)), Span(0, len(plain))), Invalid):
        return None
    spans = tuple(Span(line.span.start + each.start(), line.span.start + each.end()) for each in found)
    return Hidden(_NAMES[found[0][0]], spans, tuple(each[0] in _BLANKS for each in found))
