"""YAML text as nodes with spans.

Read event by event and not with `yaml.compose`, whose C version recurses and kills the process on a deeply nested
file, and which forgets where an alias stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from mllint.patterns import regex
from mllint.sources.nodes import Kind, Node
from mllint.sources.text import Problem, Span

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
"""Deeper nesting is refused: libyaml needs quadratic time for it, and no real file comes near."""

_PROPERTIES = regex(r"(?:[&!]\S*\s+)+")

_KINDS: dict[str, Kind] = {
    "tag:yaml.org,2002:str": "string",
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:timestamp": "date",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:merge": "merge",
    # Compose's tag for an option that counts as not given, whatever value follows.
    "!reset": "null",
}


def read_yaml(text: str) -> tuple[Node | None, list[Problem]]:
    """The root of a YAML text, of several documents that of the first, and what is wrong with the text.

    There is no root where the text is empty or its syntax broken. Never raises.
    """
    tree = _Tree(text)
    try:
        tree.read()
    except yaml.reader.ReaderError:
        unprintable = yaml.reader.Reader.NON_PRINTABLE.search(text)
        at = unprintable.start() if unprintable else 0
        return None, [Problem(Span(at, at + 1), f"unacceptable character U+{ord(text[at]):04X}")]
    except yaml.MarkedYAMLError as error:
        return None, [_problem(error, text)]
    except (ValueError, OverflowError):
        # What the loaders make of escapes and surrogates that are no characters.
        return None, [Problem(Span(0, 0), "a character that is not Unicode")]
    return tree.root, tree.problems


def _problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """What a YAML reader complains about; where something is never closed, the place at which it opens."""
    at, message = error.problem_mark.index if error.problem_mark else len(text), str(error.problem)
    if error.context_mark and at >= len(text.rstrip()):
        at, message = error.context_mark.index, f"{error.context}: {message}"
    return Problem(Span(at, min(at + 1, len(text))), message)


class _Open:
    """A list or table whose end has not come yet."""

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        self.event = event
        self.children: list[Node] = []
        self.end = _span(event).end


class _Tree:
    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}

    def read(self) -> None:
        """Carry out all events of the first document."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self.text)
        documents = 0
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.ScalarEvent):
                node = self.scalar(event, loader.resolve)
                end = _span(event).end if _span(event).start < _span(event).end else node.span.end
                self.add(node, end, event.anchor)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.open.append(_Open(event))
                if len(self.open) > MAX_DEPTH:
                    self.fault(_span(event), f"nested more than {MAX_DEPTH} levels deep")
                    return
            elif isinstance(event, yaml.CollectionEndEvent):
                self.close(event)
            elif isinstance(event, yaml.AliasEvent):
                self.add(self.aliased(event), _span(event).end)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.fault(_span(event), "a second document in one file: only the first is read")
                    return

    def fault(self, span: Span, message: str) -> None:
        self.problems.append(Problem(span, message))

    def add(self, node: Node, end: int, anchor: str | None = None) -> None:
        """Put a finished node into the collection it belongs to."""
        if anchor is not None:
            self.anchors[anchor] = node
        if self.open:
            self.open[-1].children.append(node)
            self.open[-1].end = end
        else:
            self.root = node

    def span(self, event: yaml.Event, end: int) -> Span:
        """From behind anchor and tag to the end."""
        start = _span(event).start
        properties = _PROPERTIES.match(self.text, start, end)
        return Span(properties.end() if properties else start, end)

    def scalar(self, event: yaml.ScalarEvent, resolve: Callable[[type, str, tuple[bool, bool]], str]) -> Node:
        tag = event.tag
        if tag is None or tag == "!":
            tag = resolve(yaml.ScalarNode, event.value, event.implicit)
        span = self.span(event, _span(event).end)
        if span.start == span.end:
            # libyaml puts a value that is not there in front of what comes next, Python behind what came before.
            at = len(self.text[: span.start].rstrip())
            span = Span(at, at)
        if event.style in ("|", ">"):
            span = Span(span.start, span.start + len(self.text[span.start : span.end].rstrip()))
        return Node(_KINDS.get(tag, "tagged"), span, event.value)

    def aliased(self, event: yaml.AliasEvent) -> Node:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            self.fault(_span(event), f"no anchor {event.anchor!r} before this alias")
            return Node("null", _span(event))
        return node

    def close(self, event: yaml.CollectionEndEvent) -> None:
        """Finish the innermost collection. In block style YAML puts its end behind what blanks and comments follow."""
        collection = self.open.pop()
        end = _span(event).end if collection.event.flow_style else collection.end
        span = self.span(collection.event, end)
        if collection.event.tag == "!reset":
            node = Node("null", span)
        elif isinstance(event, yaml.SequenceEndEvent):
            node = Node("list", span, items=tuple(collection.children))
        else:
            node = Node("table", span, entries=self.entries(collection.children))
        self.add(node, end, collection.event.anchor)

    def entries(self, children: list[Node]) -> dict[str, tuple[Node, Node]]:
        """The entries of a table, given as keys and values by turns, with those that `<<` merges in behind its own."""
        entries: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key, value in zip(children[::2], children[1::2], strict=True):
            if key.kind == "merge":
                merged.extend(value.items if value.kind == "list" else (value,))
            elif key.kind in ("list", "table"):
                self.fault(key.span, f"a key must be a string, not a {key.kind}")
            elif key.text in entries:
                self.fault(key.span, f'"{key.text}" is given twice')
            else:
                entries[key.text] = (key, value)
        for table in merged:
            if table.kind != "table":
                self.fault(table.span, '"<<" takes a table or a list of tables')
            for name, entry in table.entries.items():
                entries.setdefault(name, entry)
        return entries


def _span(event: yaml.Event) -> Span:
    assert event.start_mark
    assert event.end_mark
    return Span(event.start_mark.index, event.end_mark.index)
