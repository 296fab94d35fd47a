"""The options of a line in a requirements file: words as shlex splits them, read as optparse does, with their places.

The options are those that any pip from 23 to 26 takes there (`SUPPORTED_OPTIONS` and `SUPPORTED_OPTIONS_REQ` in
`pip/_internal/req/req_file.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.sources.text import Logical, Span


class Text(NamedTuple):
    """A text and where it stands."""

    text: str
    span: Span


class Option(NamedTuple):
    """An option under its full name (`--index-url` also for `-i`), the value without quotes; a flag has none."""

    name: str
    value: str | None
    span: Span
    value_span: Span | None


class Complaint(Exception):
    """What pip would refuse a line for, and the range of the line's text it is about."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


PER_REQUIREMENT = frozenset({"--hash", "--config-settings", "--global-option"})
"""Options that hold for the requirement of their line; all others hold for the whole call of pip."""

_FLAGS = frozenset({"--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre"})
_SHORT = {
    "-i": "--index-url",
    "-c": "--constraint",
    "-r": "--requirement",
    "-e": "--editable",
    "-f": "--find-links",
    "-C": "--config-settings",
}
_WITH_VALUE = (
    *_SHORT.values(),
    *("--extra-index-url", "--no-binary", "--only-binary", "--all-releases", "--only-final"),
    *("--trusted-host", "--use-feature", "--global-option", "--hash"),
)
_LONG = {"--pypi-url": "--index-url", **{name: name for name in (*_FLAGS, *_WITH_VALUE)}}
_STRONG_HASHES = ("sha256", "sha384", "sha512")

_PIECE = regex(r"""([ \t]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^ \t'"\\]+)""", re.DOTALL)
_IN_DOUBLE_QUOTES = regex(r'\\(["\\])|(.)', re.DOTALL)


class _Word(NamedTuple):
    """A word without its quotes; `places` are the offsets of its characters."""

    text: str
    places: list[int]
    start: int
    end: int


def split_options(line: Logical, start: int) -> tuple[list[Option], list[Text]]:
    """The options of a line from an offset in its text on, and the words between them that are no options.

    Raises Complaint where pip stops at the line.
    """
    words = _words(line.text, start)
    options: list[Option] = []
    stray: list[_Word] = []
    for word in words:
        if word.text == "--":
            stray.extend(words)
        elif word.text.startswith("-") and word.text != "-":
            options.append(_option(line, word, words))
        else:
            stray.append(word)
    return options, [Text(word.text, line.span(word.start, word.end)) for word in stray]


def _words(text: str, start: int) -> Iterator[_Word]:
    words: list[_Word] = []
    characters, places, begin = "", list[int](), -1
    at = start
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise Complaint(f"Could not split options: {text[start:]}", at, len(text))
        if piece.lastindex == 1:
            if begin >= 0:
                words.append(_Word(characters, places, begin, at))
            characters, places, begin = "", [], -1
        else:
            begin = at if begin < 0 else begin
            for inner in _contents(piece):
                characters += text[slice(*inner)]
                places.extend(range(*inner))
        at = piece.end()
    if begin >= 0:
        words.append(_Word(characters, places, begin, at))
    return iter(words)


def _contents(piece: re.Match[str]) -> list[tuple[int, int]]:
    group = piece.lastindex or 0
    if group != 3:
        return [piece.span(group)]
    characters = _IN_DOUBLE_QUOTES.finditer(piece.string, *piece.span(group))
    return [character.span(character.lastindex or 0) for character in characters]


def _option(line: Logical, word: _Word, following: Iterator[_Word]) -> Option:
    """The option a word spells, with its value in the same word or the next."""
    if word.text.startswith("--"):
        spelled, equals, _ = word.text.partition("=")
        name = _full_name(spelled, word)
        value_at = len(spelled) + 1 if equals else None
    else:
        spelled = word.text[:2]
        name = _SHORT.get(spelled, "")
        value_at = 2 if len(word.text) > 2 else None
    if not name:
        raise Complaint(f"no such option: {spelled}", word.start, word.end)
    if name in _FLAGS:
        if value_at is not None:
            raise Complaint(f"{name} option does not take a value", word.start, word.end)
        return Option(name, None, line.span(word.start, word.end), None)
    holder = word if value_at is not None else next(following, None)
    if holder is None:
        raise Complaint(f"{spelled} option requires 1 argument", word.start, word.end)
    value, places = holder.text[value_at or 0 :], holder.places[value_at or 0 :]
    if fault := _fault(name, spelled, value):
        raise Complaint(fault, word.start, holder.end)
    value_span = line.span(places[0], places[-1] + 1) if places else line.span(holder.end, holder.end)
    return Option(name, value, line.span(word.start, holder.end), value_span)


def _full_name(spelled: str, word: _Word) -> str:
    """The option a long spelling means; optparse takes any beginning that fits one option only."""
    if spelled in _LONG:
        return _LONG[spelled]
    fitting = sorted(name for name in _LONG if name.startswith(spelled))
    if len(fitting) > 1:
        raise Complaint(f"ambiguous option: {spelled} ({', '.join(fitting)}?)", word.start, word.end)
    return _LONG[fitting[0]] if fitting else ""


def _fault(name: str, spelled: str, value: str) -> str:
    """What pip says against the value of an option; values with a variable are not judged."""
    if "${" in value:
        return ""
    if name == "--hash":
        algorithm, colon, _ = value.partition(":")
        if not colon:
            return f"Arguments to {spelled} must be a hash name followed by a value, like --hash=sha256:abcde..."
        if algorithm not in _STRONG_HASHES:
            return f"Allowed hash algorithms for {spelled} are {', '.join(_STRONG_HASHES)}."
    if name == "--config-settings" and "=" not in value:
        return f"Arguments to {spelled} must be of the form KEY=VAL"
    if name in ("--no-binary", "--only-binary") and value.startswith("-"):
        return "--no-binary / --only-binary option requires 1 argument."
    return ""
