"""The names of a Python module: what binds each of them, and in which scope."""

from __future__ import annotations

import ast
from collections import deque
from functools import cached_property
from typing import NamedTuple

_CHANGING = frozenset({"update", "setdefault", "pop", "clear", "popitem"})


class Undecided(Exception):
    """The text does not say what an expression stands for."""


class Import(NamedTuple):
    """A name that an import binds; without `name` it is the module itself."""

    module: str
    level: int
    name: str


class Argument(NamedTuple):
    """A name that a function is given."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    position: int | None
    name: str
    default: ast.expr | None
    scope: Scope
    """The one around the function."""


Binding = ast.expr | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | Import | Argument | None


class Scope:
    """What binds the names of a module, a class or a function; a binding is None where it cannot be followed."""

    def __init__(self, around: Scope | None, of: ast.AST) -> None:
        self.around = around
        self.of = of
        self.bound: dict[str, list[Binding]] = {}
        self.elsewhere: set[str] = set()
        """Names that `global` and `nonlocal` give away."""

    def bind(self, name: str, binding: Binding) -> None:
        """Note one more binding of a name."""
        self.bound.setdefault(name, []).append(binding)

    @property
    def seen_from_inside(self) -> Scope:
        """The scope that functions in it look into: a class shows them none of its names."""
        is_class = isinstance(self.of, ast.ClassDef) and self.around is not None
        return self.around.seen_from_inside if is_class and self.around is not None else self

    def find(self, name: str) -> tuple[Binding, Scope] | None:
        """The one binding of a name, and the scope that it stands in; None for a name that nothing binds. Raises
        Undecided where there are several."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.bound.get(name)
            if found is not None:
                if len(found) > 1:
                    raise Undecided(name)
                return found[0], scope
            scope = scope.around.seen_from_inside if scope.around is not None else None
        return None


class Scopes:
    """The scopes of a module, with its calls in the order of `ast.walk`."""

    def __init__(self, tree: ast.Module) -> None:
        self.top = Scope(None, tree)
        self.calls: list[tuple[ast.Call, Scope]] = []
        self.attributes: dict[str, list[tuple[str, ast.expr | None, Scope]]] = {}
        """What `owner.name = …` stores, by the name."""
        self.classes: dict[int, Scope] = {}
        self.changed: set[str] = set()
        """Names of dictionaries that something changes."""
        self.set_variables: set[str] = set()
        """Variables of the environment that the module sets itself; "" where it computes one's name."""
        self._stored: dict[int, ast.expr] = {}
        self._declared: set[int] = set()
        inner: list[Scope] = []
        waiting: deque[tuple[ast.AST, Scope]] = deque([(tree, self.top)])
        while waiting:
            node, scope = waiting.popleft()
            inside = self._entered(node, scope)
            if inside is not scope:
                inner.append(inside)
            self._note(node, scope)
            waiting.extend((child, inside) for child in ast.iter_child_nodes(node))
        for each in inner:
            for name in each.elsewhere & each.bound.keys():
                self.top.bound.setdefault(name, []).extend([None] * len(each.bound.pop(name)))

    def _entered(self, node: ast.AST, scope: Scope) -> Scope:
        """The scope of what stands in a node."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inside = Scope(scope, node)
                _bind_arguments(node, inside)
                return inside
            case ast.Lambda():
                inside = Scope(scope, node)
                for each in ast.walk(node.args):
                    if isinstance(each, ast.arg):
                        inside.bind(each.arg, None)
                return inside
            case ast.ClassDef():
                inside = self.classes[id(node)] = Scope(scope, node)
                return inside
        return scope

    def _note(self, node: ast.AST, scope: Scope) -> None:
        """Note what a node binds, calls and changes."""
        match node:
            case ast.Assign() if len(node.targets) == 1:
                self._store(node.targets[0], node.value)
            case ast.AnnAssign() | ast.NamedExpr() if node.value is not None:
                self._store(node.target, node.value)
            case ast.AnnAssign():
                self._declared.add(id(node.target))
            case ast.Name(ctx=ast.Store() | ast.Del()) if id(node) not in self._declared:
                scope.bind(node.id, self._stored.get(id(node)))
            case ast.Attribute(value=ast.Name(id=owner), ctx=ast.Store()):
                self.attributes.setdefault(node.attr, []).append((owner, self._stored.get(id(node)), scope))
            case ast.Attribute(ctx=ast.Store()):
                self.attributes.setdefault(node.attr, []).append(("", None, scope))
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                self._change(node.value, node.slice)
            case ast.Call():
                self.calls.append((node, scope))
                if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
                    self._change(node.func.value, node.args[0] if node.args else None)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                scope.bind(node.name, node)
            case ast.Import() | ast.ImportFrom():
                _bind_imports(node, scope)
            case ast.Global() | ast.Nonlocal():
                scope.elsewhere.update(node.names)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name, None)

    def _store(self, target: ast.expr, value: ast.expr) -> None:
        """Note which expression a name is bound to."""
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            is_plain = not any(isinstance(each, ast.Starred) for each in (*target.elts, *value.elts))
            if is_plain and len(target.elts) == len(value.elts):
                for each, part in zip(target.elts, value.elts, strict=True):
                    self._store(each, part)
        else:
            self._stored[id(target)] = value

    def _change(self, owner: ast.expr, key: ast.expr | None) -> None:
        if isinstance(owner, ast.Attribute) and owner.attr == "environ":
            is_plain = isinstance(key, ast.Constant) and isinstance(key.value, str)
            self.set_variables.add(str(key.value) if isinstance(key, ast.Constant) and is_plain else "")
        elif isinstance(owner, ast.Name):
            self.changed.add(owner.id)

    @cached_property
    def by_name(self) -> dict[str, list[tuple[ast.Call, Scope]]]:
        """The calls of plain names."""
        found: dict[str, list[tuple[ast.Call, Scope]]] = {}
        for call, scope in self.calls:
            if isinstance(call.func, ast.Name):
                found.setdefault(call.func.id, []).append((call, scope))
        return found


def _bind_arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, inside: Scope) -> None:
    given = node.args
    around = inside.around
    assert around is not None
    plain = [*given.posonlyargs, *given.args]
    defaults = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    for at, (each, default) in enumerate(zip(plain, defaults, strict=True)):
        inside.bind(each.arg, Argument(node, at, each.arg, default, around))
    for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        inside.bind(each.arg, Argument(node, None, each.arg, default, around))
    for rest in (given.vararg, given.kwarg):
        if rest is not None:
            inside.bind(rest.arg, None)


def _bind_imports(node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            scope.bind(alias.asname or alias.name, Import(node.module or "", node.level, alias.name))
        else:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            scope.bind(alias.asname or name, Import(name, 0, ""))
