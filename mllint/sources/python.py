"""Python source as far as an image needs it: what it imports and what it calls with literal arguments."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.sources.text import Source


class Call(NamedTuple):
    """A call by a dotted name, imports resolved (`uvicorn.run`); literal keyword arguments with their values."""

    name: str
    line: int
    keywords: Mapping[str, object]


class Module(NamedTuple):
    """A parsed module."""

    imports: frozenset[str]
    """Full dotted names of what is imported, anywhere in the file."""
    calls: tuple[Call, ...]

    @property
    def packages(self) -> frozenset[str]:
        """The top-level packages it imports."""
        return frozenset(name.partition(".")[0] for name in self.imports)


def parse(source: Source) -> Module | None:
    """Read a module; None where it is no Python that the running interpreter knows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: dict[str, str] = {}
    imports: set[str] = set()
    calls = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports.add(alias.name)
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.add(node.module)
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _dotted(node.func)):
            head, dot, tail = name.partition(".")
            keywords = {
                each.arg: each.value.value
                for each in node.keywords
                if each.arg and isinstance(each.value, ast.Constant)
            }
            calls.append(Call(names.get(head, head) + dot + tail, node.lineno, keywords))
    return Module(frozenset(imports), tuple(calls))


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else None
    if isinstance(node, ast.Call):
        inner = _dotted(node.func)
        return f"{inner}()" if inner else None
    return None
