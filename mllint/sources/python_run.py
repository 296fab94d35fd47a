"""What Python source does as soon as it is imported or started, as against what it does when something calls it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mllint.sources.python import bindings, dotted, is_main_guard, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.sources.text import Source

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_MAX_CALLS = 50
_SERVED = frozenset({"FastAPI", "Starlette"})
_ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_BRANCHES = (ast.If, ast.Try, ast.TryStar, ast.For, ast.AsyncFor, ast.While, ast.Match)


@dataclass(frozen=True, eq=False)
class Code:
    """A module as a tree, with the dotted names that its imports bind."""

    tree: ast.Module
    names: dict[str, str]
    functions: dict[str, FunctionNode]
    """Those at its top."""
    constructors: dict[str, ast.FunctionDef]
    """The `__init__` of classes at its top, by the name of the class."""

    def name(self, node: ast.expr | None) -> str:
        """The dotted name that an expression spells, imports resolved; empty where it spells none."""
        found = dotted(node)
        head, dot, tail = (found or "").partition(".")
        return self.names.get(head, head) + dot + tail

    def started(self, *, is_main: bool) -> Iterator[ast.AST]:
        """The statements and expressions that surely run when the module is imported, or with `is_main` when it is
        started as a program: outside of branches, and in the functions that those call."""
        yield from _Run(self, is_main).statements(self.tree.body)


def parse(source: Source) -> Code | None:
    """Read a module; None where it is no Python that the running interpreter knows."""
    tree = tree_of(source)
    if tree is None:
        return None
    functions = {node.name: node for node in tree.body if isinstance(node, FunctionNode)}
    constructors = {
        node.name: each
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.decorator_list and not node.keywords
        for each in node.body
        if isinstance(each, ast.FunctionDef) and each.name == "__init__" and not each.decorator_list
    }
    return Code(tree, bindings(tree), functions, constructors)


class _Run:
    """One walk along what surely runs."""

    def __init__(self, code: Code, is_main: bool) -> None:
        self.code = code
        self.is_main = is_main
        self.called: set[str] = set()
        self.has_lazy_annotations = code.names.get("annotations") == "__future__.annotations"

    def statements(self, body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
        """What a block runs up to the first statement behind which nobody knows."""
        for node in body:
            yield from self._statement(node)
            if isinstance(node, _ENDS) or (isinstance(node, _BRANCHES) and _may_return(node)):
                return

    def _statement(self, node: ast.stmt) -> Iterator[ast.AST]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node
                yield from self._expressions([*node.decorator_list, *_signature(node, self.has_lazy_annotations)])
                if any(map(_is_for_start, node.decorator_list)):
                    yield from self.statements(node.body)
            case ast.ClassDef():
                yield node
                yield from self._expressions(
                    [*node.decorator_list, *node.bases, *(each.value for each in node.keywords)]
                )
                yield from self.statements(node.body)
            case ast.If():
                yield from self._expressions([node.test])
                if self.is_main and is_main_guard(node.test):
                    yield from self.statements(node.body)
            case ast.With():
                yield from self._expressions([item.context_expr for item in node.items])
                if not any("suppress" in (dotted(item.context_expr) or "") for item in node.items):
                    yield from self.statements(node.body)
            case ast.Try() if not node.handlers:
                yield from self.statements([*node.body, *node.finalbody])
            case ast.For():
                yield from self._expressions([node.iter])
            case ast.While():
                yield from self._expressions([node.test])
            case ast.Match():
                yield from self._expressions([node.subject])
            case ast.Try() | ast.TryStar() | ast.AsyncFor() | ast.AsyncWith():
                return
            case _:
                yield node
                yield from self._expressions(
                    [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
                )

    def _expressions(self, nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
        waiting = [*nodes]
        while waiting:
            node = waiting.pop(0)
            yield node
            match node:
                case ast.Lambda() | ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                    continue
                case ast.IfExp():
                    waiting.append(node.test)
                case ast.BoolOp():
                    waiting.append(node.values[0])
                case _:
                    waiting += ast.iter_child_nodes(node)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield from self._call(node.func.id)
            if isinstance(node, ast.Call) and self.code.name(node.func).rpartition(".")[2] in _SERVED:
                yield from self._lifespan(node)

    def _lifespan(self, made: ast.Call) -> Iterator[ast.AST]:
        """What an application does before it takes requests: the function that it is given for that, up to `yield`."""
        given = next((each.value for each in made.keywords if each.arg == "lifespan"), None)
        called = self.code.functions.get(given.id) if isinstance(given, ast.Name) else None
        body = called.body if called is not None and called.name not in self.called else []
        if called is not None:
            self.called.add(called.name)
        at = next((index for index, node in enumerate(body) if _holds_yield(node)), 0)
        yield from self.statements(body[:at])

    def _call(self, name: str) -> Iterator[ast.AST]:
        called = self.code.functions.get(name) or self.code.constructors.get(name)
        is_new = name not in self.called and len(self.called) < _MAX_CALLS
        if is_new and isinstance(called, ast.FunctionDef) and not _holds_yield(called):
            self.called.add(name)
            yield from self.statements(called.body)


def _signature(node: FunctionNode, is_lazy: bool) -> Iterator[ast.expr]:
    """What is worked out when a function is defined."""
    given = node.args
    yield from (each for each in (*given.defaults, *given.kw_defaults) if each is not None)
    arguments = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    annotations = [node.returns, *(each.annotation for each in arguments)]
    yield from (each for each in annotations if each is not None and not is_lazy)


def _is_for_start(decorator: ast.expr) -> bool:
    """Whether it is `@app.on_event("startup")`."""
    func = decorator.func if isinstance(decorator, ast.Call) and decorator.args else None
    first = decorator.args[0] if isinstance(decorator, ast.Call) and func is not None else None
    is_event = isinstance(func, ast.Attribute) and func.attr == "on_event"
    return is_event and isinstance(first, ast.Constant) and first.value == "startup"


def _may_return(node: ast.stmt) -> bool:
    return any(isinstance(each, ast.Return) for each in ast.walk(node))


def _holds_yield(node: ast.stmt) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
