"""Names in a sentence."""

from collections.abc import Sequence


def enumerated(names: Sequence[str], most: int | None = None) -> str:
    """`a`, `a and b`, `a, b and c`; with `most` names at most the rest is counted, as in `a, b and 3 more`, unless that
    would be a single one."""
    rest = 0 if most is None else len(names) - most
    shown = [*names[:most], f"{rest} more"] if rest > 1 else names
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
