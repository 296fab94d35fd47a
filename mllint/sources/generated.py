"""Files that a program writes: a repair of one is lost the next time it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.sources.text import Source, Span

_SAYS_SO = regex(r"auto-?generated (?:by|with|from|using)|generated (?:by|with|from|using) |do not edit", re.IGNORECASE)
_INPUT = regex(r"(?<![\w./-])(?:[\w./-]+\.in|(?:[\w./-]+/)?(?:pyproject\.toml|setup\.(?:py|cfg)))(?![\w.-])")
_LINES = 12
_VIA = regex(r"^[ \t]*#[ \t]*(?:via\b[ \t]*)?")


def is_generated(source: Source) -> bool:
    """Whether a comment at the head of a file says that a program wrote it, as those of pip-compile and uv do."""
    return _SAYS_SO.search(_head(source)) is not None


def made_from(source: Source) -> tuple[str, ...]:
    """The files that the command in the head of a generated file names as what it reads."""
    return tuple(dict.fromkeys(_INPUT.findall(_head(source)))) if is_generated(source) else ()


def compiled_for(source: Source, span: Span) -> tuple[str, ...]:
    """The distributions that pip-compile or uv names below a requirement as those that ask for it."""
    found: list[str] = []
    first = source.position(span.end)[0] + 1
    for line in range(first, len(source.line_starts) + 1):
        text = source.slice(source.line_span(line))
        mark = _VIA.match(text)
        if mark is None or (line == first and "via" not in mark[0]):
            break
        found += text[mark.end() :].split(",")
    names = (each.strip() for each in found)
    return tuple(name for name in names if name and " " not in name)


def _head(source: Source) -> str:
    """The comments in front of the first line that is none."""
    lines = []
    for line in source.text[:4000].split("\n", _LINES)[:_LINES]:
        if line.strip() and not line.lstrip().startswith("#"):
            break
        lines.append(line)
    return "\n".join(lines)
