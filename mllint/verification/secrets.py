"""Looks for credentials in what everybody who can pull an image can read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mllint import masking
from mllint.verification.container import lines
from mllint.verification.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def secrets(config: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Row:
    """The row `secrets`: by the environment and the labels of an image, and by the instructions in its history."""
    of_history = {}
    for each in history:
        text = each.get("CreatedBy", "")
        kinds = dict.fromkeys(secret.kind for secret in masking.secrets(text))
        if kinds:
            of_history[" ".join(lines(text.encode()))] = ", ".join(kinds)
    told = "\n".join(of_history)
    pairs = (*map(_pair, config.get("Env") or ()), *(config.get("Labels") or {}).items())
    # The instruction that sets one is in the history, unless the base was made without any.
    found = {name: kind for name, kind in _credentials(pairs) if f"{name}=" not in told} | of_history
    if not found:
        return Row("secrets", "pass", "none in history, environment and labels", number=0)
    detail = tuple(f"{where} ({what})" for where, what in found.items())
    kinds = dict.fromkeys(found.values())
    return Row("secrets", "fail", f"whoever can pull the image reads: {', '.join(kinds)}", detail, len(found))


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _credentials(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in pairs:
        if (kind := masking.credential(name, value)) is not None:
            yield name, kind
