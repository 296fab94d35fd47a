"""Variables in instructions, replaced the way BuildKit's word processor does it, where their values are known."""

from __future__ import annotations

import re
from typing import Protocol

from mllint.image.values import Unknown, Value
from mllint.patterns import regex


class Variables(Protocol):
    """Anything that knows the values of variables; None is one that is surely not set."""

    def get(self, name: str, /) -> Value | None:
        """The value of a variable."""


# A name that begins with a digit is all the digits; `$` and other special parameters are names of one character.
_NAME = regex(r"[^\W\d]\w*|\d+|[@*#?!$-]")
_PATTERN_PIECES = regex(r"\\.|.|\\\Z", re.DOTALL)


def expand(text: str, variables: Variables, escape: str = "\\") -> Value:
    """Remove quotes and escapes and replace variables. A variable nobody set is empty, as for BuildKit; one whose
    value is unknown makes the whole unknown. A modifier that fails (`${X:?}`) or does not parse is unknown too."""
    if not any(mark in text for mark in ("$", "'", '"', escape)):
        return text
    try:
        return _Expander(text, variables, escape).word("")
    except _Unknowable as error:
        return Unknown(str(error))


_NOTHING: dict[str, Value] = {}


class _Unknowable(Exception):
    pass


class _Expander:
    def __init__(self, text: str, variables: Variables, escape: str) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.at = 0

    def word(self, stop: str, keeps_escapes: bool = False) -> str:
        """Read up to an unquoted `stop` (or the end) and give the text with everything replaced; in patterns the
        escapes stay for whoever reads the pattern."""
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if stop and char == stop:
                break
            if char == "'":
                end = self._end_of_quote(self.text.find("'", self.at + 1))
                out.append(self.text[self.at + 1 : end])
                self.at = end + 1
            elif char == '"':
                self.at += 1
                out.append(self._quoted(keeps_escapes))
            elif char == self.escape:
                out.append(self.text[self.at + (not keeps_escapes) : self.at + 2])
                self.at += 2
            elif char == "$":
                out.append(self._variable())
            else:
                out.append(char)
                self.at += 1
        return "".join(out)

    def _end_of_quote(self, end: int) -> int:
        if end < 0:
            raise _Unknowable(f"a quote in {self.text} is never closed")
        return end

    def _quoted(self, keeps_escapes: bool) -> str:
        out: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            if char == self.escape and following in ('"', "$", self.escape):
                out.append(char + following if keeps_escapes else following)
                self.at += 2
            elif char == "$":
                out.append(self._variable())
            else:
                out.append(char)
                self.at += 1
        self._end_of_quote(-1 if self.at >= len(self.text) else self.at)
        self.at += 1
        return "".join(out)

    def _variable(self) -> str:
        self.at += 1
        if not self.text.startswith("{", self.at):
            name = _NAME.match(self.text, self.at)
            if name is None:
                return "$"
            self.at = name.end()
            return self._value(name.group()) or ""
        name = _NAME.match(self.text, self.at + 1)
        if name is None:
            raise _Unknowable(f"{self.text} is no variable BuildKit can read")
        self.at = name.end()
        if self.text.startswith("}", self.at):
            self.at += 1
            return self._value(name.group()) or ""
        return self._modified(name.group())

    def _modified(self, name: str) -> str:
        if self.text.startswith("/", self.at):
            return self._replaced(name)
        is_empty_unset = self.text.startswith(":", self.at)
        self.at += is_empty_unset
        operator = self.text[self.at : self.at + 1]
        if not operator or operator not in "-+?#%":
            raise _Unknowable(f"${{{name}…}} has a modifier BuildKit does not know")
        self.at += 1
        if operator in "#%":
            word = self._closed_word(name, "}", True)
            return _trimmed(self._value(name) or "", word, operator)
        value = self._value_or_default(name)
        if is_empty_unset:
            value = value or None
        is_used = (value is None) != (operator == "+")
        word = self._closed_word(name, "}", False) if is_used else self._passed_over(name)
        if operator == "?" and value is None:
            raise _Unknowable(f"{name} must be given a value with --build-arg")
        if is_used:
            return word
        return "" if value is None else value

    def _passed_over(self, name: str) -> str:
        """The word of a modifier that nobody will see, so that it does not matter what is known of it."""
        variables, self.variables = self.variables, _NOTHING
        word = self._closed_word(name, "}", False)
        self.variables = variables
        return word

    def _closed_word(self, name: str, stop: str, keeps_escapes: bool) -> str:
        word = self.word(stop, keeps_escapes)
        if not self.text.startswith(stop, self.at):
            raise _Unknowable(f"${{{name} is never closed")
        self.at += 1
        return word

    def _replaced(self, name: str) -> str:
        is_everywhere = self.text.startswith("//", self.at)
        self.at += 2 if is_everywhere else 1
        regex = _regex(self._closed_word(name, "/", True))
        replacement = self._closed_word(name, "}", True)
        return re.sub(regex, lambda _: replacement, self._value(name) or "", count=0 if is_everywhere else 1)

    def _value_or_default(self, name: str) -> str | None:
        """The value where a modifier says what stands for one that is not set."""
        value = self.variables.get(name)
        return None if isinstance(value, Unknown) and value.is_unset else self._value(name)

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        if isinstance(value, Unknown):
            raise _Unknowable(value.reason)
        return value


def _regex(pattern: str) -> str:
    """The pattern of a modifier as a regular expression: it has `*`, `?` and escapes, but no brackets."""
    out = []
    for piece in _PATTERN_PIECES.findall(pattern):
        if piece in ("*", "?"):
            out.append(".*" if piece == "*" else ".")
        elif len(piece) == 2 and piece[1] not in "*?\\}/":
            raise _Unknowable(f"BuildKit does not know the escape {piece} in a pattern")
        else:
            out.append(re.escape(piece[-1]))
    return "".join(out)


def _trimmed(value: str, pattern: str, operator: str) -> str:
    """`#` and `%`: the value without the shortest (doubled: longest) matching start or end."""
    is_longest = pattern.startswith(operator)
    regex = re.compile(_regex(pattern[is_longest:]))
    lengths = range(len(value), -1, -1) if is_longest else range(len(value) + 1)
    for length in lengths:
        if operator == "#" and regex.fullmatch(value[:length]):
            return value[length:]
        if operator == "%" and regex.fullmatch(value[len(value) - length :]):
            return value[: len(value) - length]
    return value
