"""What the options of several commands mean."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO


def one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a value that is none of those allowed."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(allowed)}", param_hint=option)


def build_args(values: Sequence[str]) -> dict[str, str]:
    """The build arguments; one without a value is taken from the environment, as docker does."""
    pairs = [value.partition("=") for value in values]
    return {name: value if equals else os.environ.get(name, "") for name, equals, value in pairs}


def wants_color(choice: str, stream: TextIO = sys.stdout) -> bool:
    """Whether to colour what goes to a stream: auto, always or never."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
