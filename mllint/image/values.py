"""Three-valued knowledge: what is known of an image, and what is not, with the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something the files do not decide, and why."""

    reason: str


Value = str | Unknown
