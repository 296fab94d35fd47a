"""Files that a program writes: a repair of one is lost the next time it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.sources.text import Source

_SAYS_SO = regex(r"auto-?generated (?:by|with|from|using)|generated (?:by|with|from|using) |do not edit", re.IGNORECASE)
_INPUT = regex(r"(?<![\w./-])(?:[\w./-]+\.in|(?:[\w./-]+/)?(?:pyproject\.toml|setup\.(?:py|cfg)))(?![\w.-])")
_LINES = 12


def is_generated(source: Source) -> bool:
    """Whether a comment at the head of a file says that a program wrote it, as those of pip-compile and uv do."""
    return _SAYS_SO.search(_head(source)) is not None


def made_from(source: Source) -> tuple[str, ...]:
    """The files that the command in the head of a generated file names as what it reads."""
    return tuple(dict.fromkeys(_INPUT.findall(_head(source)))) if is_generated(source) else ()


def _head(source: Source) -> str:
    """The comments in front of the first line that is none."""
    lines = []
    for line in source.text[:4000].split("\n", _LINES)[:_LINES]:
        if line.strip() and not line.lstrip().startswith("#"):
            break
        lines.append(line)
    return "\n".join(lines)
