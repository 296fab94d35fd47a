"""How BuildKit cuts the rest of an instruction into flags and words; spans stay exact, quotes stay in the words."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.sources.text import Logical, Span

# Go's unicode.IsSpace, which is not Python's \s (that one has the ASCII separators 1C to 1F too).
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
BLANKS = regex("[\t\v\f\r ]+")
WHITE = SPACE.replace("-", "") + "".join(map(chr, range(0x2001, 0x200A)))


class Word(NamedTuple):
    """A word of an instruction as written (`text`, quotes kept unless it comes from a JSON array) and its place."""

    text: str
    span: Span


@cache
def _word_pattern(escape: str) -> re.Pattern[str]:
    e = re.escape(escape)
    return re.compile(
        rf"(?:[^{SPACE}\"'{e}]"
        rf"|{e}(?:.|\Z)"
        rf"|\"(?:[^\"{e}]|{e}.)*(?:\"|{e}?\Z)"
        rf"|'[^']*'|(?P<open>'[^']*\Z))+",
        re.DOTALL,
    )


def strip(logical: Logical) -> Logical:
    """The text without white space around it."""
    text = logical.text
    start = len(text) - len(text.lstrip(WHITE))
    return logical.part(start, max(start, len(text.rstrip(WHITE))))


def quoted_words(logical: Logical, escape: str) -> list[Word]:
    """Words as ENV, ARG and LABEL see them: quotes and escapes keep blanks together and stay in the word."""
    words = []
    for match in _word_pattern(escape).finditer(logical.text):
        text = match.group()
        if match.end() == len(logical.text) and match["open"] is None and _ends_in_lone_escape(text, escape):
            text = text[:-1]
        if text:
            words.append(Word(text, logical.span(match.start(), match.end())))
    return words


def _ends_in_lone_escape(text: str, escape: str) -> bool:
    return text.endswith(escape) and (len(text) - len(text.rstrip(escape))) % 2 == 1


def blank_separated(logical: Logical) -> list[Word]:
    """Words as FROM, COPY, ADD and EXPOSE see them: cut at blanks, whatever the quotes."""
    return [
        Word(match.group(), logical.span(match.start(), match.end()))
        for match in re.finditer("[^\t\v\f\r ]+", logical.text)
    ]


_FLAG = regex(rf"(?:[^{SPACE}\"'\\]|\\(?:.|\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z))+", re.DOTALL)
_FLAG_PIECE = regex(r"\\(.)|\\\Z|[\"']", re.DOTALL)


def take_flags(logical: Logical) -> tuple[list[Word], Logical]:
    """The `--name=value` words in front (their quotes and escapes resolved, as BuildKit does) and what follows them."""
    text, at = logical.text, 0
    flags: list[Word] = []
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(WHITE))
        if not text.startswith("--", at):
            return flags, logical.part(at, len(text))
        match = _FLAG.match(text, at)
        if match is None:
            return flags, logical.part(at, len(text))
        at = match.end()
        flag = _unquote_flag(match.group())
        if flag == "--":
            return flags, logical.part(at, len(text))
        flags.append(Word(flag, logical.span(match.start(), at)))


def _unquote_flag(text: str) -> str:
    if "'" not in text and '"' not in text and "\\" not in text:
        return text
    out, quote, at = [], "", 0
    for match in _FLAG_PIECE.finditer(text):
        mark = match.group()
        out.append(text[at : match.start()])
        at = match.end()
        if mark[0] == "\\":
            out.append(match.group(1) or "")
        elif quote in ("", mark):
            quote = "" if quote else mark
        else:
            out.append(mark)
    out.append(text[at:])
    return "".join(out)


_JSON_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
_JSON_ARRAY = regex(
    rf"[ \t\n\r]*\[[ \t\n\r]*(?:{_JSON_STRING}[ \t\n\r]*(?:,[ \t\n\r]*{_JSON_STRING}[ \t\n\r]*)*)?\][ \t\n\r]*"
)
# Half of a pair: Go puts the replacement character there.
_LONE_SURROGATE = regex("[\ud800-\udfff]")
_JSON_ITEM = regex(_JSON_STRING)


class NotStrings(ValueError):
    """A valid JSON array whose members are not all strings, which BuildKit refuses."""


def json_words(logical: Logical) -> list[Word] | None:
    """The members of a JSON array of strings, or None where the text is none (then it is the shell form).

    Raises NotStrings for an array with other members.
    """
    text = logical.text
    if not text.lstrip(WHITE).startswith("["):
        return None
    if _JSON_ARRAY.fullmatch(text) is None:
        if _is_array_of_others(text):
            raise NotStrings("an exec form is a JSON array of strings only")
        return None
    words = []
    for match in _JSON_ITEM.finditer(text):
        value = match.group()[1:-1]
        if "\\" in value:
            import json

            value = _LONE_SURROGATE.sub("\ufffd", json.loads(match.group()))
        words.append(Word(value, logical.span(match.start(), match.end())))
    return words


def _is_array_of_others(text: str) -> bool:
    import json

    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False
    except RecursionError:
        return True
