"""How the build on paper stands against real images, as a table at the end of a run."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """The outcome of one context or one documented image."""

    name: str
    label: str
    """real, stand-in or documented: what the values are compared with."""
    known: int
    """Values that are known on paper; each is compared."""
    unknown: int
    wrong: int


def lines(rows: list[Row]) -> list[str]:
    """The table with a sum."""
    total = Row("all", "", *(sum(row[column] for row in rows) for column in (2, 3, 4)))
    return [
        f"{name:<24} {label:<10} {known:>6} {unknown:>8} {wrong:>6}"
        for name, label, known, unknown, wrong in (("context", "compared", "known", "unknown", "wrong"), *rows, total)
    ]
