"""Regular expressions that are compiled when they are first asked: most of a run's start would go into those of rules
that have nothing to look at."""

from __future__ import annotations

import re
from typing import cast


class _Pattern:
    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        found: object = getattr(re.compile(self._text, self._flags), name)
        # The next access finds it without coming here.
        setattr(self, name, found)
        return found


def regex(text: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression, as re.compile gives it. What is wrong with it shows at its first use."""
    return cast("re.Pattern[str]", _Pattern(text, flags))
