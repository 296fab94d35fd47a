"""TOML text as nodes with spans: tomllib says what the text means, a scan of the same text says where."""

from __future__ import annotations

import re

from mllint.patterns import regex
from mllint.sources.nodes import Kind, Node
from mllint.sources.text import Logical, Problem, Source, Span

MAX_DEPTH = 100
"""A dotted key with more parts is refused: no real file comes near, and its nodes would fill the memory."""

_BLANK = regex(r"(?:\s|#[^\n]*)*")
_KEY = regex(r"""[ \t]*(?P<name>"(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*(?P<dot>\.?)""")
_SCALAR = regex(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+"
    r"|[^\s,\]}#]+",
    re.DOTALL,
)
_ESCAPE = regex(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_POSITION = regex(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_Path = tuple[str | int, ...]


def read_toml(text: str) -> tuple[Node | None, list[Problem]]:
    """The root of a TOML text (None where its syntax is broken), and what is wrong with the text. Never raises.

    The span of a table that has a header is the header.
    """
    import tomllib

    try:
        content = tomllib.loads(text)
        scan = _Scan(text)
        scan.read()
        return scan.node(content, ()), []
    except RecursionError:
        return None, [Problem(Span(0, 0), "nested too deeply")]
    except ValueError as error:
        return None, [_problem(str(error), text)]


def logical_string(text: str, node: Node) -> Logical:
    """What a string node of this TOML text says, each of its characters with its place.

    An escape counts as its last character; all of a string over several lines is at its start.
    """
    start, end = node.span
    if text.startswith(('"""', "'''"), start):
        return Logical(node.text, tuple(range(len(node.text) or 1)), (start,) * (len(node.text) or 1))
    starts, origins = [0], [start + 1]
    at, removed = start + 1, 0
    while text[start] == '"' and (escape := _ESCAPE.search(text, at, end - 1)):
        at = escape.end()
        said = escape.start() - start - 1 - removed
        starts += [said, said + 1]
        origins += [at - 1, at]
        removed += len(escape[0]) - 1
    return Logical(node.text, tuple(starts), tuple(origins))


def _problem(message: str, text: str) -> Problem:
    position = _POSITION.search(message)
    if position is None:
        # A number of more digits than Python reads: the one complaint that comes without a place.
        return Problem(Span(0, 0), message)
    at = len(text)
    if position[1]:
        at = min(at, Source("", text).line_starts[int(position[1]) - 1] + int(position[2]) - 1)
    return Problem(Span(at, min(at + 1, len(text))), message[: position.start()])


class _Scan:
    """Finds the places of keys and values in a text that is known to be valid."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[_Path, tuple[Span, Span]] = {(): (Span(0, 0), Span(0, len(text)))}
        self.lengths: dict[_Path, int] = {}

    def read(self) -> None:
        table: _Path = ()
        while self.next():
            if self.next() == "[":
                table = self.header()
            else:
                self.entry(table)

    def next(self) -> str:
        """The next character that is neither blank nor comment; empty at the end."""
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at
        return self.text[self.at : self.at + 1]

    def header(self) -> _Path:
        """Read `[table]` or `[[table]]`; the path of what follows it."""
        start = self.at
        brackets = 2 if self.text.startswith("[[", start) else 1
        self.at += brackets
        keys = self.keys()
        self.at += brackets
        path: _Path = ()
        for name, span in keys:
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
            path = (*path, name)
            self.places.setdefault(path, (span, Span(start, self.at)))
        if brackets == 2:
            self.lengths[path] = self.lengths.get(path, 0) + 1
            path = (*path, self.lengths[path] - 1)
            self.places[path] = (keys[-1][1], Span(start, self.at))
        return path

    def keys(self) -> list[tuple[str, Span]]:
        """Read a dotted key."""
        import tomllib

        keys = []
        dot = "."
        while dot and (match := _KEY.match(self.text, self.at)):
            name, dot, self.at = match["name"], match["dot"], match.end()
            text = tomllib.loads(f"key = {name}")["key"] if name[0] in "\"'" else name
            keys.append((text, Span(*match.span("name"))))
            if len(keys) > MAX_DEPTH:
                raise RecursionError
        return keys

    def entry(self, table: _Path) -> None:
        """Read `key = value`."""
        start = self.at
        keys = self.keys()
        path = table
        for name, span in keys:
            path = (*path, name)
            self.places.setdefault(path, (span, Span(start, self.at)))
        self.at += 1
        self.value(path, keys[-1][1])

    def value(self, path: _Path, key: Span) -> None:
        opening, start = self.next(), self.at
        if opening in "[{":
            self.at += 1
            index = 0
            while self.next() not in "]}":
                if self.next() == ",":
                    self.at += 1
                elif opening == "[":
                    self.value((*path, index), key)
                    index += 1
                else:
                    self.entry(path)
            self.at += 1
        elif scalar := _SCALAR.match(self.text, start):
            self.at = scalar.end()
        self.places[path] = (key, Span(start, self.at))

    def node(self, value: object, path: _Path) -> Node:
        span = self.places[path][1]
        if isinstance(value, dict):
            entries = {}
            for name, child in value.items():
                key = Node("string", self.places[*path, name][0], name)
                entries[name] = (key, self.node(child, (*path, name)))
            return Node("table", span, entries=entries)
        if isinstance(value, list):
            return Node("list", span, items=tuple([self.node(item, (*path, i)) for i, item in enumerate(value)]))
        if isinstance(value, str):
            return Node("string", span, value)
        kind: Kind = "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "date"
        return Node(kind, span, self.text[span.start : span.end])
