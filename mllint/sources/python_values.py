"""What expressions of Python stand for, as far as the text says so: literals, names that are bound once, paths that are
put together of them, and variables of the environment."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.sources.python_known import Known, combined, joined_text, part, plain, text_of, there
from mllint.sources.python_scopes import Argument, Import, Scope, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllint.sources.python_scopes import Scopes

_MAX_DEPTH = 40
_PATHS = frozenset({"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"})
_ABSOLUTE = frozenset({"os.path.abspath", "os.path.realpath", "posixpath.abspath", "posixpath.realpath"})
_OF_TEXT: Mapping[str, Callable[[str], str]] = {
    "dirname": posixpath.dirname,
    "basename": posixpath.basename,
    "normpath": posixpath.normpath,
}
_CUT: Mapping[str, Callable[..., str]] = {"strip": str.strip, "rstrip": str.rstrip}
_SETTINGS = "BaseSettings"
# What a class of settings may say of the names of its variables.
_RENAMING = ("env_prefix", "alias", "env", "env_nested_delimiter", "settings_customise_sources")


def _nowhere(name: str) -> str | None:
    raise Undecided(name)


def _unread(module: str, level: int, name: str) -> Known:
    raise Undecided(module, level, name)


class Place(NamedTuple):
    """Where a module runs, as far as its values depend on that."""

    file: str | None = None
    """Its own path; None where nobody knows."""
    directory: str | None = None
    """The working directory; None where nobody knows."""
    variable: Callable[[str], str | None] = _nowhere
    """A variable of the environment; None where it is not set. Raises Undecided where nobody knows."""
    imported: Callable[[str, int, str], Known] = _unread
    """What a name of another module stands for: the module, the dots in front of it, the name. Raises Undecided."""


NOWHERE = Place()


class Values:
    """What the expressions of a module stand for where it runs at a place."""

    def __init__(self, scopes: Scopes, names: Mapping[str, str], place: Place) -> None:
        """`names` are those that imports bind, with the dotted names that they stand for."""
        self.scopes = scopes
        self.names = names
        self.place = place
        self._depth = 0
        self._found: dict[int, Known | None] = {}
        """What was found for bindings; None for one that is being followed, and for one that leads nowhere."""

    def known(self, node: ast.expr, scope: Scope) -> Known | None:
        """What an expression stands for in a scope; None where that is not known."""
        try:
            return self.of(node, scope)
        except Undecided:
            return None

    def member(self, name: str) -> Known:
        """What a name at the top of the module stands for, dotted for one of a class or an object there. Raises
        Undecided."""
        head, *rest = name.split(".")
        node: ast.expr = ast.Name(head, ast.Load())
        for each in rest:
            node = ast.Attribute(node, each, ast.Load())
        return self.of(node, self.scopes.top)

    def of(self, node: ast.expr, scope: Scope) -> Known:
        """What an expression stands for. Raises Undecided."""
        if self._depth > _MAX_DEPTH:
            raise Undecided
        self._depth += 1
        try:
            return self._of(node, scope)
        finally:
            self._depth -= 1

    def _of(self, node: ast.expr, scope: Scope) -> Known:
        match node:
            case ast.Constant():
                return Known(node.value)
            case ast.Name(id="__file__"):
                return Known(there(self.place.file))
            case ast.Name():
                return self._name(node.id, scope)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.JoinedStr():
                return joined_text([self._formatted(each, scope) for each in node.values])
            case ast.BinOp(op=ast.Div() | ast.Add()):
                return combined(node.op, self.of(node.left, scope), self.of(node.right, scope))
            case ast.BoolOp(op=ast.Or()):
                return self._first(node.values, scope)
            case ast.Subscript():
                return self._item(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.NamedExpr():
                return self.of(node.value, scope)
        raise Undecided

    def _name(self, name: str, scope: Scope) -> Known:
        found = scope.find(name)
        if found is None:
            star = [each for each in self.scopes.top.bound.get("*", ()) if isinstance(each, Import)]
            if len(star) != 1:
                raise Undecided(name)
            return self.place.imported(star[0].module, star[0].level, name)
        binding, where = found
        if isinstance(binding, Import) and binding.name:
            return self.place.imported(binding.module, binding.level, binding.name)
        if not isinstance(binding, Argument | ast.expr):
            raise Undecided(name)
        if id(binding) not in self._found:
            self._found[id(binding)] = None
            self._found[id(binding)] = (
                self._argument(binding) if isinstance(binding, Argument) else self.of(binding, where)
            )
        known = self._found[id(binding)]
        if known is None:
            raise Undecided(name)
        return known

    def _argument(self, argument: Argument) -> Known:
        """What all calls in the module give a function, or leave to it."""
        function, position, name = argument.function, argument.position, argument.name
        called = function.name
        if isinstance(argument.scope.of, ast.ClassDef):
            if called != "__init__":
                raise Undecided(name)
            called, position = argument.scope.of.name, position - 1 if position is not None else None
        calls = self.scopes.by_name.get(called, ())
        if function.decorator_list or not calls:
            raise Undecided(name)
        found = {self._given(call, scope, argument, position) for call, scope in calls}
        if len(found) != 1:
            raise Undecided(name)
        return found.pop()

    def _given(self, call: ast.Call, scope: Scope, argument: Argument, position: int | None) -> Known:
        if any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords):
            raise Undecided(argument.name)
        keywords = {each.arg: each.value for each in call.keywords}
        if argument.name in keywords:
            return self.of(keywords[argument.name], scope)
        if position is not None and 0 <= position < len(call.args):
            return self.of(call.args[position], scope)
        if argument.default is None:
            raise Undecided(argument.name)
        return self.of(argument.default, argument.scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Known:
        name = self._dotted(node)
        if name in ("os.sep", "os.path.sep"):
            return Known("/")
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            return self._own(node.attr, scope)
        member = self._member(node, scope)
        if member is not None:
            return member
        owner = self.of(node.value, scope)
        if not owner.is_path or node.attr not in ("parent", "name", "stem", "suffix"):
            raise Undecided(node.attr)
        return part(owner, node.attr)

    def _own(self, name: str, scope: Scope) -> Known:
        """What the one statement of a module that stores an attribute gives it, else the class."""
        stored = self.scopes.attributes.get(name, [])
        if not stored:
            around: Scope | None = scope
            while around is not None and not isinstance(around.of, ast.ClassDef):
                around = around.around
            if around is not None:
                return self._of_class(around, name)
        owner, value, where = stored[0] if len(stored) == 1 else ("", None, scope)
        if owner not in ("self", "cls") or value is None:
            raise Undecided(name)
        return self.of(value, where)

    def _member(self, node: ast.Attribute, scope: Scope) -> Known | None:
        """What a module, a class or an object that a class makes is asked for; None where it is asked for nothing of
        these."""
        parts = (self._spelled(node) or "").split(".")
        found = scope.find(parts[0]) if parts[0] else None
        binding = found[0] if found is not None else None
        if isinstance(binding, Import):
            if binding.name:
                inside = ".".join((binding.name, *parts[1:]))
                return self.place.imported(binding.module, binding.level, inside)
            return self.place.imported(binding.module, 0, ".".join(parts[1:])) if len(parts) > 1 else None
        if isinstance(binding, ast.Call) and found is not None and len(parts) == 2:
            made = found[1].find(binding.func.id) if isinstance(binding.func, ast.Name) else None
            is_plain = made is not None and isinstance(made[0], ast.ClassDef) and not (binding.args or binding.keywords)
            binding = made[0] if made is not None and is_plain else None
        if not isinstance(binding, ast.ClassDef) or len(parts) != 2:
            return None
        if self.scopes.attributes.get(parts[1]):
            raise Undecided(parts[1])
        return self._of_class(self.scopes.classes[id(binding)], parts[1])

    def _of_class(self, scope: Scope, name: str) -> Known:
        """What a class gives a name; what a class of settings takes from the environment."""
        found = scope.bound.get(name, [])
        value = found[0] if len(found) == 1 else None
        node = scope.of
        if not isinstance(value, ast.expr) or not isinstance(node, ast.ClassDef):
            raise Undecided(name)
        if isinstance(value, ast.Call) and (self._dotted(value.func) or "").rpartition(".")[2] in ("Field", "field"):
            given = {each.arg: each.value for each in value.keywords}
            value = value.args[0] if value.args else given.get("default")
            if value is None or not given.keys().isdisjoint(_RENAMING) or "validation_alias" in given:
                raise Undecided(name)
        plain = self.of(value, scope)
        bases = {(self._dotted(each) or "").rpartition(".")[2] for each in node.bases}
        if _SETTINGS not in bases:
            return plain
        text = {each.arg for each in ast.walk(node) if isinstance(each, ast.keyword)}
        text |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if not text.isdisjoint(_RENAMING):
            raise Undecided(name)
        return self._variable(name.upper(), plain)

    def _variable(self, name: str, default: Known) -> Known:
        """A variable of the environment, or what stands in its place."""
        if {name, ""} & self.scopes.set_variables:
            raise Undecided(name)
        value = self.place.variable(name)
        return default._replace(variables=default.variables | {name}) if value is None else Known(value)

    def _formatted(self, node: ast.expr, scope: Scope) -> Known:
        if isinstance(node, ast.FormattedValue):
            if node.format_spec is not None or node.conversion not in (-1, ord("s")):
                raise Undecided
            node = node.value
        found = self.of(node, scope)
        return found._replace(value=str(found.value), is_path=False)

    def _first(self, nodes: list[ast.expr], scope: Scope) -> Known:
        """What `or` gives."""
        variables: frozenset[str] = frozenset()
        for node in nodes:
            found = self.of(node, scope)
            variables |= found.variables
            if found.value or node is nodes[-1]:
                return found._replace(variables=variables)
        raise Undecided

    def _item(self, node: ast.Subscript, scope: Scope) -> Known:
        key = self.of(node.slice, scope)
        if self._dotted(node.value) == "os.environ":
            return self._set_variable(key)
        if isinstance(node.value, ast.Attribute) and node.value.attr == "parents" and isinstance(key.value, int):
            path = self.of(node.value.value, scope)
            for _ in range(key.value + 1 if path.is_path and key.value >= 0 else 0):
                path = part(path, "parent")
            return path
        found = scope.find(node.value.id) if isinstance(node.value, ast.Name) else None
        if (
            found is None
            or not isinstance(found[0], ast.Dict)
            or (isinstance(node.value, ast.Name) and node.value.id in self.scopes.changed)
        ):
            raise Undecided
        keys: list[object] = [each.value if isinstance(each, ast.Constant) else None for each in found[0].keys]
        if None in keys or keys.count(key.value) != 1:
            raise Undecided
        return self.of(found[0].values[keys.index(key.value)], found[1])

    def _set_variable(self, key: Known) -> Known:
        """A variable that has to be set."""
        found = self._variable(str(key.value), Known(None))
        if found.value is None:
            raise Undecided(key.value)
        return found

    def _call(self, node: ast.Call, scope: Scope) -> Known:
        name = self._dotted(node.func) or ""
        function = name.rpartition(".")[2]
        if name in ("os.getenv", "os.environ.get"):
            return self._asked(node, scope)
        if name in ("os.getcwd", "pathlib.Path.cwd"):
            return Known(there(self.place.directory), name != "os.getcwd")
        if name in _PATHS or name == "os.path.join":
            return self._joined(node, scope, is_path=name in _PATHS)
        if name in ("str", "os.fspath", "os.fsdecode") and len(node.args) == 1:
            found = self.of(node.args[0], scope)
            return found._replace(value=str(found.value), is_path=False)
        if name in _ABSOLUTE and node.args:
            return self._absolute(self.of(node.args[0], scope))._replace(is_path=False)
        if name.startswith(("os.path.", "posixpath.")) and function in _OF_TEXT and len(node.args) == 1:
            found = self.of(node.args[0], scope)
            return found._replace(value=_OF_TEXT[function](text_of(found)), is_path=False)
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, node, scope)
        raise Undecided(name)

    def _asked(self, node: ast.Call, scope: Scope) -> Known:
        """`os.getenv("NAME", "default")`."""
        given = {each.arg: each.value for each in node.keywords}
        key = self.of(node.args[0], scope) if node.args else Known(None)
        default = node.args[1] if len(node.args) > 1 else given.get("default")
        if not isinstance(key.value, str):
            raise Undecided
        if default is None or not node.args:
            return self._variable(key.value, Known(None))
        try:
            return self._variable(key.value, self.of(default, scope))
        except Undecided:
            value = self.place.variable(key.value)
            if value is None or {key.value, ""} & self.scopes.set_variables:
                raise
            return Known(value)

    def _joined(self, node: ast.Call, scope: Scope, *, is_path: bool) -> Known:
        if node.keywords or not node.args or any(isinstance(each, ast.Starred) for each in node.args):
            raise Undecided
        found = [self.of(each, scope) for each in node.args]
        parts = [text_of(each) for each in found]
        variables = frozenset[str]().union(*(each.variables for each in found))
        text = posixpath.join(*parts)
        return Known(plain(text) if is_path else text, is_path, variables)

    def _absolute(self, found: Known) -> Known:
        text = text_of(found)
        if not text.startswith("/"):
            text = posixpath.join(there(self.place.directory), text)
        return found._replace(value=posixpath.normpath(text))

    def _method(self, function: ast.Attribute, node: ast.Call, scope: Scope) -> Known:
        """What a method of a path or a text gives."""
        owner = self.of(function.value, scope)
        given = [self.of(each, scope) for each in node.args]
        variables = owner.variables.union(*(each.variables for each in given))
        match function.attr:
            case "resolve" | "absolute" if owner.is_path:
                return self._absolute(owner)
            case "joinpath" if owner.is_path:
                text = posixpath.join(text_of(owner), *map(text_of, given))
                return Known(plain(text), True, variables)
            case "as_posix" if owner.is_path:
                return owner._replace(is_path=False)
            case "expanduser" if owner.is_path and not text_of(owner).startswith("~"):
                return owner
            case "with_name" if owner.is_path and len(given) == 1:
                return Known(posixpath.join(posixpath.dirname(text_of(owner)), text_of(given[0])), True, variables)
            case "with_suffix" if owner.is_path and len(given) == 1:
                return Known(posixpath.splitext(text_of(owner))[0] + text_of(given[0]), True, variables)
            case "strip" | "rstrip" if not owner.is_path and len(given) < 2:
                return Known(_CUT[function.attr](text_of(owner), *map(text_of, given)), False, variables)
            case "format" if not node.keywords and text_of(owner).count("{") == text_of(owner).count("{}") == len(
                given
            ):
                return Known(text_of(owner).format(*map(text_of, given)), False, variables)
        raise Undecided(function.attr)

    def _spelled(self, node: ast.expr) -> str | None:
        """`a.b` as it is written."""
        if isinstance(node, ast.Attribute):
            above = self._spelled(node.value)
            return f"{above}.{node.attr}" if above is not None else None
        return node.id if isinstance(node, ast.Name) else None

    def _dotted(self, node: ast.expr) -> str | None:
        """The dotted name that an expression spells, imports resolved."""
        head, dot, tail = (self._spelled(node) or "").partition(".")
        return self.names.get(head, head) + dot + tail if head else None
