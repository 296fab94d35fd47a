"""Three-valued knowledge: what is known of an image, and what is not, with the reason."""

from __future__ import annotations

from typing import NamedTuple


class Unknown(NamedTuple):
    """Something the files do not decide, and why."""

    reason: str
    is_unset: bool = False
    """Whether it is a variable that only whoever builds can set, so that a default in its place counts."""


Value = str | Unknown
