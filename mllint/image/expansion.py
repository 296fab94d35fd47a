"""Variables in instructions, replaced the way BuildKit's word processor does it, where their values are known."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Protocol

from mllint.image.values import Unknown, Value


class Variables(Protocol):
    """Anything that knows the values of variables; None is one that is surely not set."""

    def get(self, name: str, /) -> Value | None:
        """The value of a variable."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-]")
_OPERATORS = (":-", ":+", ":?", "-", "+", "?", "##", "#", "%%", "%", "//", "/")


def expand(text: str, variables: Variables, escape: str = "\\") -> Value:
    """Remove quotes and escapes and replace variables. A variable nobody set is empty, as for BuildKit; one whose
    value is unknown makes the whole unknown. A modifier that fails (`${X:?}`) or does not parse is unknown too."""
    if not any(mark in text for mark in ("$", "'", '"', escape)):
        return text
    try:
        return _Expander(text, variables, escape).word("")
    except _Unknowable as error:
        return Unknown(str(error))


class _Unknowable(Exception):
    pass


class _Expander:
    def __init__(self, text: str, variables: Variables, escape: str) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.at = 0

    def word(self, stop: str) -> str:
        """Read up to an unquoted `stop` (or the end) and give the text with everything replaced."""
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if stop and char == stop:
                break
            if char == "'":
                end = self.text.find("'", self.at + 1)
                end = len(self.text) if end < 0 else end
                out.append(self.text[self.at + 1 : end])
                self.at = end + 1
            elif char == '"':
                self.at += 1
                out.append(self._quoted())
            elif char == self.escape:
                out.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            elif char == "$":
                out.append(self._variable())
            else:
                out.append(char)
                self.at += 1
        return "".join(out)

    def _quoted(self) -> str:
        out: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            following = self.text[self.at + 1 : self.at + 2]
            if char == self.escape and following in ('"', "$", self.escape):
                out.append(following)
                self.at += 2
            elif char == "$":
                out.append(self._variable())
            else:
                out.append(char)
                self.at += 1
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
        operator = next((mark for mark in _OPERATORS if self.text.startswith(mark, self.at)), None)
        if operator is None:
            raise _Unknowable(f"${{{name}…}} has a modifier BuildKit does not know")
        self.at += len(operator)
        if operator in ("/", "//"):
            return self._replaced(name, operator)
        word = self._closed_word(name)
        value = self._value(name)
        if operator[0] == ":":
            value = value or None
        if operator.endswith("-"):
            return word if value is None else value
        if operator.endswith("+"):
            return "" if value is None else word
        if operator.endswith("?"):
            if value is None:
                raise _Unknowable(f"{name} must be given a value with --build-arg")
            return value
        return _trimmed(value or "", word, operator)

    def _closed_word(self, name: str, stop: str = "}") -> str:
        word = self.word(stop)
        if not self.text.startswith(stop, self.at):
            raise _Unknowable(f"${{{name} is never closed")
        self.at += 1
        return word

    def _replaced(self, name: str, operator: str) -> str:
        pattern = self._closed_word(name, "/")
        replacement = self._closed_word(name)
        regex = translate(pattern).removesuffix("\\Z")
        return re.sub(regex, lambda _: replacement, self._value(name) or "", count=1 if operator == "/" else 0)

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        if isinstance(value, Unknown):
            raise _Unknowable(value.reason)
        return value


def _trimmed(value: str, pattern: str, operator: str) -> str:
    """`#` and `%`: the value without the shortest (doubled: longest) matching start or end."""
    regex = re.compile(translate(pattern))
    lengths = range(len(value) + 1) if len(operator) == 1 else range(len(value), -1, -1)
    for length in lengths:
        if operator[0] == "#" and regex.match(value[:length]):
            return value[length:]
        if operator[0] == "%" and regex.match(value[len(value) - length :]):
            return value[: len(value) - length]
    return value
