"""All paths that an application answers, where its source leaves no doubt that there are no others."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.serving import modules
from mllint.image.serving.routes import last_name
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_FRAMEWORKS = frozenset({"FastAPI", "Flask"})
# What makes an application answer at paths that its module does not name.
_OPENING = frozenset({"routes", "root_path", "static_url_path", "url_map_class", None})
_METHODS = {"get": "GET", "post": "POST", "put": "PUT", "delete": "DELETE", "patch": "PATCH", "head": "HEAD"}
_ROUTES = frozenset({"route", "api_route"})
_NO_ROUTES = frozenset(
    "websocket on_event exception_handler errorhandler after_request teardown_request teardown_appcontext"
    " context_processor template_filter".split()
)
_PLAIN = frozenset("state config logger run json title secret_key dependency_overrides add_exception_handler".split())
_MIDDLEWARE = frozenset({"CORSMiddleware", "GZipMiddleware", "SessionMiddleware"})
_TAKERS = frozenset({"uvicorn.run", "CORS", "serve", "waitress.serve"})
_OWN_OF_FASTAPI = ("/docs", "/redoc", "/openapi.json")
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


class Application(NamedTuple):
    """An application with all its routes."""

    source: Source
    line: int
    """Where it is made."""
    routes: tuple[Route, ...]


def _escaped(text: str) -> str:
    return "".join(each if each.isalnum() or each in "_/-" else f"\\{each}" for each in text)


def application(stage: Stage) -> Application | None:
    """The one application that the container serves; None where there may be more, or more of it than one reads."""
    targets = list(modules.targets(stage, stage.process)) if stage.process is not None else []
    sources = {source.path: source for each in targets if (source := modules.source_of(stage, each)) is not None}
    names = {each.attribute for each in targets if each.attribute}
    if len(sources) != 1 or len(names) > 1 or "SCRIPT_NAME" in stage.end.env:
        return None
    source = next(iter(sources.values()))
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and last_name(node.func) in _FRAMEWORKS]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and node.value in made]
    if len(made) != 1 or len(assigned) != 1 or any(each.arg in _OPENING for each in made[0].keywords):
        return None
    target = assigned[0].targets[0]
    if not isinstance(target, ast.Name) or names - {target.id} or _is_open(tree, assigned[0]):
        return None
    routes = _all_routes(tree, target.id, assigned[0])
    if not routes:
        return None
    own = _OWN_OF_FASTAPI if last_name(made[0].func) == "FastAPI" else ("/static/<path:filename>",)
    more = tuple(Route(path, frozenset({"GET"})) for path in own)
    return Application(source, assigned[0].lineno, (*routes, *more))


def _is_open(tree: ast.Module, made: ast.Assign) -> bool:
    """Whether a module that is imported behind the application may add routes to it."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return any(node.lineno > made.lineno for node in imports)


def _all_routes(tree: ast.Module, name: str, made: ast.Assign) -> tuple[Route, ...]:
    """The routes of an application; none where it is used in a way that may add others."""
    understood, routes = {id(made.targets[0])}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.decorator_list:
                owner = _owner(each, name)
                route = _route(each) if owner is not None else None
                if owner is None or (route is None and _attribute(each) not in _NO_ROUTES):
                    continue
                understood.add(id(owner))
                routes += [route] if route is not None else []
        elif isinstance(node, ast.Attribute) and node.attr in _PLAIN:
            understood.add(id(node.value))
        elif isinstance(node, ast.Call):
            understood |= {id(each) for each in _harmless(node)}
    used = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name)
    return tuple(routes) if all(id(node) in understood for node in used) else ()


def _harmless(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is given, or called on, that adds no routes."""
    if ast.unparse(call.func) in _TAKERS:
        yield from call.args
    func, first = call.func, call.args[:1]
    if not isinstance(func, ast.Attribute) or func.attr != "add_middleware" or not first:
        return
    if last_name(first[0]) in _MIDDLEWARE:
        yield func.value


def _attribute(node: ast.expr) -> str:
    func = node.func if isinstance(node, ast.Call) else node
    return func.attr if isinstance(func, ast.Attribute) else ""


def _owner(node: ast.expr, name: str) -> ast.expr | None:
    """The application whose method decorates a function."""
    func = node.func if isinstance(node, ast.Call) else node
    is_its = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == name
    return func.value if isinstance(func, ast.Attribute) and is_its else None


def _route(node: ast.expr) -> Route | None:
    """The route that a decorator makes, where its path is literal."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    path, attribute = node.args[0], _attribute(node)
    if (
        not isinstance(path, ast.Constant)
        or not isinstance(path.value, str)
        or any(each.arg is None for each in node.keywords)
    ):
        return None
    if attribute in _METHODS:
        return Route(path.value, frozenset({_METHODS[attribute]}))
    if attribute not in _ROUTES:
        return None
    given = next((each.value for each in node.keywords if each.arg == "methods"), None)
    if given is None:
        return Route(path.value, frozenset({"GET"}))
    members = given.elts if isinstance(given, ast.List | ast.Tuple | ast.Set) else [given]
    values = [each.value for each in members if isinstance(each, ast.Constant)]
    return Route(path.value, frozenset(str(each).upper() for each in values)) if len(values) == len(members) else None
