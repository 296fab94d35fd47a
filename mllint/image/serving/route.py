"""A path at which an application answers, and what the source says of it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.serving.sources import Loaded

_METHODS = {"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "head": "HEAD"}
_ROUTES = frozenset({"route", "api_route", "add_api_route", "add_url_rule"})
_EVERY = frozenset(_METHODS.values())
_VARIABLE = regex(r"\{\w+(?P<rest>:path)?\}|<(?:(?P<kind>\w+)(?:\([^)]*\))?:)?\w+>")


class Route(NamedTuple):
    """A path as written, with the methods that are answered there."""

    path: str
    methods: frozenset[str]

    def covers(self, path: str) -> bool:
        """Whether it answers at a path; a slash at the end makes no difference, as both frameworks redirect."""
        pattern, at = "", 0
        for match in _VARIABLE.finditer(self.path):
            pattern += _escaped(self.path[at : match.start()])
            pattern += ".*" if match["rest"] or match["kind"] == "path" else "[^/]+"
            at = match.end()
        return regex(pattern + _escaped(self.path[at:])).fullmatch(path.rstrip("/") or "/") is not None or (
            self.path.rstrip("/") == path.rstrip("/")
        )

    @property
    def is_plain(self) -> bool:
        """Whether it is one path, and answers GET."""
        return "GET" in self.methods and not _VARIABLE.search(self.path)

    def under(self, prefix: str) -> Route:
        """The same path below another."""
        return self._replace(path=prefix + self.path)


def _escaped(text: str) -> str:
    return "".join(each if each.isalnum() or each in "_/-" else f"\\{each}" for each in text)


def everything(prefix: str) -> Route:
    """Whatever an application answers that is mounted at a path."""
    return Route(f"{prefix.rstrip('/')}/{{rest:path}}", _EVERY)


def attribute(node: ast.expr) -> str:
    """The method that a call or a decorator names."""
    func = node.func if isinstance(node, ast.Call) else node
    return func.attr if isinstance(func, ast.Attribute) else ""


def text(file: Loaded, node: ast.expr | None) -> str | None:
    """The text that an expression at the top of a module stands for, where nothing can change it."""
    found = file.module.values.known(node, file.module.values.scopes.top) if node is not None else None
    return found.value if found is not None and isinstance(found.value, str) and not found.variables else None


def made_by(file: Loaded, node: ast.expr) -> Route | None:
    """The route that a decorator or a call makes, where its path is known."""
    if not isinstance(node, ast.Call) or any(each.arg is None for each in node.keywords):
        return None
    given = {each.arg: each.value for each in node.keywords}
    path = text(file, node.args[0] if node.args else given.get("path", given.get("rule")))
    name = attribute(node)
    if path is None:
        return None
    if name in _METHODS:
        return Route(path, frozenset({_METHODS[name]}))
    if name not in _ROUTES:
        return None
    methods = given.get("methods")
    if methods is None:
        return Route(path, frozenset({"GET"}))
    members = methods.elts if isinstance(methods, ast.List | ast.Tuple | ast.Set) else [methods]
    values = [each.value for each in members if isinstance(each, ast.Constant)]
    return Route(path, frozenset(str(each).upper() for each in values)) if len(values) == len(members) else None
