"""Values of YAML and TOML files with their places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mllint.sources.text import Span

Kind = Literal["string", "number", "boolean", "date", "null", "merge", "tagged", "list", "table"]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value of a YAML or TOML file. A YAML alias gives the very node that its anchor names, with that node's span."""

    kind: Kind
    span: Span
    """With the quotes of a quoted scalar, without YAML's anchors and tags."""
    text: str = ""
    """The text of a scalar: of a string what it says, of anything else what is written, so `3.10` stays `3.10`."""
    items: tuple[Node, ...] = ()
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    """Key and value of a table by the key's text, in order; behind them what YAML's `<<` merges in."""

    def at(self, *keys: str) -> Node | None:
        """The value that these keys lead to, from table to table; None where there is none."""
        node: Node | None = self
        for key in keys:
            _, node = node.entries.get(key, (None, None)) if node else (None, None)
        return node
