"""Three-valued knowledge: what is known of an image, and what is not, with the reason."""

from __future__ import annotations

from typing import NamedTuple


class Unknown(NamedTuple):
    """Something the files do not decide, and why."""

    reason: str


Value = str | Unknown
