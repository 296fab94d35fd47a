"""What of a report may be shown: credentials masked, nothing invisible passed on, the rule of each finding settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.masking import mask
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.catalogue import Rule
    from mllint.findings import Finding, Severity

# Fillers, joiners and variation selectors that str.isprintable() lets through although a terminal shows nothing.
# U+FE0E and U+FE0F are left out: they only choose between the text and the picture form of an emoji.
_INVISIBLE = regex("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]")


def is_visible(character: str) -> bool:
    """Whether a terminal shows the character as itself: no control or format character (escape, bidirectional override,
    zero-width space), no line end, and of the blanks only U+0020."""
    return character.isprintable() and not _INVISIBLE.match(character)


def escape(character: str) -> str:
    r"""How a character that is not visible is written: `\t`, `\x1b`, `\u202e`, `\U000e0001`."""
    return character.encode("unicode_escape").decode("ascii")


def visible(text: str) -> str:
    """The text on one line, with every character that is not visible written as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if is_visible(character) else escape(character) for character in text)


def shown(text: str) -> str:
    """The text as a report shows it: credentials masked, on one line, nothing invisible in it."""
    return visible(mask(text))


def settled(finding: Finding) -> tuple[Rule, Severity]:
    """The rule and the severity of a finding that the engine has passed."""
    rule = finding.rule
    assert rule is not None, "a finding in a report has its rule"
    return rule, finding.severity or rule.severity
