"""The changes of repairs as a unified diff, as `git apply` and `patch -p1` read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.masking import mask
from mllint.report.shown import visible
from mllint.sources.pip_encoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.fixing import Change

_COLORS = {"---": "1", "+++": "1", "@@ ": "36", "-": "31", "+": "32"}


def render(changes: Iterable[Change], *, color: bool) -> str:
    """The diff, with ANSI colours if `color`; empty where nothing changes. Credentials are masked in it."""
    return "".join(f"{_painted(line) if color else line}\n" for change in changes for line in _lines(change))


def _lines(change: Change) -> Iterator[str]:
    import difflib

    before, after = (_masked(data) for data in (change.before or b"", change.after))
    name = visible(change.name)
    old = f"a/{name}" if change.before is not None else "/dev/null"
    for line in difflib.unified_diff(before, after, old, f"b/{name}"):
        text = line.removesuffix("\n")
        # A carriage return is part of the line; whatever else moves a cursor is shown as its escape.
        yield visible(text.removesuffix("\r")) + "\r" * text.endswith("\r")
        if text == line:
            yield "\\ No newline at end of file"


def _masked(data: bytes) -> list[str]:
    """The lines with their ends."""
    *whole, rest = mask(decode(data).text, keep_width=True).split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def _painted(line: str) -> str:
    code = next((code for start, code in _COLORS.items() if line.startswith(start)), None)
    return f"\x1b[{code}m{line}\x1b[0m" if code else line
