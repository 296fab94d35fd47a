"""Permission bits, as chmod changes them."""

from __future__ import annotations

from mllint.patterns import regex

_MODE = regex(r"([ugoa]*)([-+=])([rwxXst]*|[ugo])")
_BITS = {"r": 4, "w": 2, "x": 1}
_SHIFTS = {"u": (6,), "g": (3,), "o": (0,), "a": (6, 3, 0)}


def changed_mode(mode: int | None, written: str, is_folder: bool = True) -> int | None:
    """The permission bits after `chmod WRITTEN`; None where they are not known."""
    if written.isdecimal():
        return int(written, 8) & 0o777 if all(digit < "8" for digit in written) else None
    for clause in written.split(","):
        match = _MODE.fullmatch(clause)
        if match is None or mode is None:
            return None
        who, operator, what = match.groups()
        if what in _SHIFTS:
            bits = mode >> _SHIFTS[what][0] & 7
        else:
            runs = is_folder or mode & 0o111
            bits = sum(_BITS[letter] for letter in set(what.replace("X", "x" if runs else "")) if letter in _BITS)
        # Without a `who` the mask of the process holds, which keeps others from writing.
        kept = 0o777 if who else 0o755
        for shift in dict.fromkeys(shift for letter in who or "a" for shift in _SHIFTS[letter]):
            mask = bits << shift & kept
            mode = mode | mask if operator == "+" else mode & ~mask if operator == "-" else mode & ~(7 << shift) | mask
    return mode
