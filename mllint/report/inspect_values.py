"""Values of an inspection as reports may show them: credentials masked by the names they are given to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.masking import credential, mask, secret_value
from mllint.report.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "***"


def masked_value(name: str, value: str) -> str:
    """The value of a variable or label."""
    is_by_name_alone = secret_value(value) is None and credential(name, value) is not None
    return HIDDEN if is_by_name_alone else shown(value)


def masked_words(words: Iterable[str]) -> Iterator[str]:
    """The words of a command; what stands behind `--token` may be one."""
    before = ""
    for word in words:
        is_secret = before.startswith("-") and credential(before.lstrip("-"), word) is not None
        yield HIDDEN if is_secret else mask(word)
        before = word
