"""All paths that an application answers, where its source leaves no doubt that there are no others."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions
from mllint.image.serving import modules, sources
from mllint.image.serving.route import Route, attribute, everything, made_by, text
from mllint.image.serving.routes import last_name
from mllint.sources.python_scopes import Import, Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_FRAMEWORKS = frozenset({"FastAPI", "Flask"})
# What makes an application answer at paths that its module does not name.
_OPENING = frozenset({"routes", "root_path", "static_url_path", "url_map_class", None})
# The parts that routes are collected in, with the option for what stands in front of their paths.
_PARTS = {"APIRouter": "prefix", "Blueprint": "url_prefix"}
_TAKING = {"include_router": "prefix", "register_blueprint": "url_prefix"}
_NO_ROUTES = frozenset(
    "websocket on_event exception_handler errorhandler after_request teardown_request teardown_appcontext"
    " context_processor template_filter".split()
)
_PLAIN = frozenset("state config logger run json title secret_key dependency_overrides add_exception_handler".split())
_MIDDLEWARE = frozenset({"CORSMiddleware", "GZipMiddleware", "SessionMiddleware"})
_TAKERS = frozenset({"uvicorn.run", "CORS", "serve", "waitress.serve", "Mangum", "FastAPIInstrumentor.instrument_app"})
_OWN_OF_FASTAPI = ("/docs", "/redoc", "/openapi.json")


class Application(NamedTuple):
    """An application with all its routes."""

    source: Source
    line: int
    """Where it is made."""
    routes: tuple[Route, ...]
    named: frozenset[str]
    """The texts in its source that are no paths of these routes."""


class _Open(Exception):
    """There may be more routes than one reads."""


def application(stage: Stage) -> Application | None:
    """The one application that the container serves; None where there may be more, or more of it than one reads."""
    targets = list(modules.targets(stage, stage.process)) if stage.process is not None else []
    found = {source.path for each in targets if (source := modules.source_of(stage, each)) is not None}
    names = {each.attribute for each in targets if each.attribute}
    file = next((each for each in sources.loaded(stage) if each.source.path in found), None)
    if len(found) != 1 or len(names) > 1 or "SCRIPT_NAME" in stage.end.env or file is None:
        return None
    tree = file.code.tree
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and last_name(node.func) in _FRAMEWORKS]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and node.value in made]
    if len(made) != 1 or len(assigned) != 1 or any(each.arg in _OPENING for each in made[0].keywords):
        return None
    target = assigned[0].targets[0]
    if not isinstance(target, ast.Name) or names - {target.id}:
        return None
    reader = _Reader(sources.loaded(stage))
    try:
        routes = reader.routes(file, target.id, made[0])
    except _Open:
        return None
    own = _OWN_OF_FASTAPI if last_name(made[0].func) == "FastAPI" else ("/static/<path:filename>",)
    more = tuple(Route(path, frozenset({"GET"})) for path in own)
    return Application(file.source, assigned[0].lineno, (*routes, *more), reader.named()) if routes else None


class _Reader:
    """Follows an application to the routers and blueprints that it takes in."""

    def __init__(self, files: tuple[Loaded, ...]) -> None:
        self.files = {each.path: each for each in files}
        self.read: list[Loaded] = []
        self.paths: set[int] = set()
        """The nodes that are paths of routes."""
        self.followed: set[tuple[str, str]] = set()

    def named(self) -> frozenset[str]:
        """The texts of the modules that were read, without the paths of routes."""
        nodes = (node for file in self.read for node in ast.walk(file.code.tree) if id(node) not in self.paths)
        return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))

    def routes(self, file: Loaded, name: str, made: ast.Call) -> list[Route]:
        """The routes of an application or a part of one. Raises _Open where it is used in a way that may add others."""
        if (file.path, name) in self.followed or self._is_added_to(file, made) or self._is_touched(file, name):
            raise _Open
        self.followed.add((file.path, name))
        self.read.append(file)
        understood, found = set[int](), list[Route]()
        for node in ast.walk(file.code.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for each in node.decorator_list:
                    owner = _owner(each, name)
                    if owner is None or not (self._decorates(file, each, found) or _passes_on(node, each)):
                        continue
                    understood.add(id(owner))
            elif isinstance(node, ast.Attribute) and node.attr in _PLAIN:
                understood.add(id(node.value))
            elif isinstance(node, ast.Call):
                understood |= {id(each) for each in _harmless(node)}
                if (owner := _owner(node, name)) is not None and self._adds(file, node, found):
                    understood.add(id(owner))
        used = (each for each in ast.walk(file.code.tree) if isinstance(each, ast.Name) and each.id == name)
        if any(id(each) not in understood for each in used if isinstance(each.ctx, ast.Load)):
            raise _Open
        return found

    def _decorates(self, file: Loaded, node: ast.expr, found: list[Route]) -> bool:
        """Whether a decorator is understood; notes the route that it makes."""
        route = made_by(file, node)
        if route is None:
            return attribute(node) in _NO_ROUTES
        found.append(route)
        self.paths |= {id(each) for each in ast.walk(node)}
        return True

    def _adds(self, file: Loaded, call: ast.Call, found: list[Route]) -> bool:
        """Whether a call of a method is understood; notes the routes that it adds."""
        name = attribute(call)
        if name in ("add_api_route", "add_url_rule"):
            return self._decorates(file, call, found)
        if name == "mount":
            path = text(file, call.args[0]) if call.args else None
            found += [everything(path)] if path is not None else []
            return path is not None
        part = self._part(file, call.args[0]) if name in _TAKING and len(call.args) == 1 else None
        if part is None or any(each.arg is None for each in call.keywords):
            return False
        into = next((each.value for each in call.keywords if each.arg == _TAKING[name]), None)
        there, inside, made = part
        own = next((each.value for each in made.keywords if each.arg == _PARTS[last_name(made.func)]), None)
        before = _prefix(file, into)
        # The option of register_blueprint stands in the place of the blueprint's own.
        if name == "include_router" or into is None:
            before += _prefix(there, own)
        found += [each.under(before) for each in self.routes(there, inside, made)]
        return True

    def _part(self, file: Loaded, node: ast.expr) -> tuple[Loaded, str, ast.Call] | None:
        """The router or blueprint that an expression stands for: its module, its name there and what makes it."""
        scope = file.module.values.scopes.top
        head, _, rest = ast.unparse(node).partition(".")
        try:
            found = scope.find(head)
            binding = found[0] if found is not None else None
            if isinstance(binding, Import):
                member = ".".join(each for each in (binding.name, rest) if each)
                path, name = file.around.resolved(file.path, file.folders, binding.module, binding.level, member)
                there = self.files.get(path)
                return self._part(there, ast.parse(name, mode="eval").body) if there not in (None, file) else None
        except (Undecided, SyntaxError):
            return None
        is_part = isinstance(binding, ast.Call) and last_name(binding.func) in _PARTS and not rest
        is_plain = isinstance(binding, ast.Call) and all(each.arg not in _OPENING for each in binding.keywords)
        return (file, head, binding) if is_part and is_plain and isinstance(binding, ast.Call) else None

    def _is_added_to(self, file: Loaded, made: ast.Call) -> bool:
        """Whether a module of the project that is imported behind an application may add routes to it."""
        for node in ast.walk(file.code.tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno > made.lineno:
                own = isinstance(node, ast.ImportFrom) and node.level
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                tops = {each.partition(".")[0] for each in names}
                if own or any(not (top in sys.stdlib_module_names or _is_distributed(top)) for top in tops):
                    return True
        return False

    def _is_touched(self, file: Loaded, name: str) -> bool:
        """Whether another module does more with a router than to hand it on."""
        for other in self.files.values():
            if other is file or name not in other.source.text:
                continue
            taken = {id(each) for call in ast.walk(other.code.tree) for each in _handed_on(call)}
            bound = other.module.values.scopes.top.bound
            names = {
                key for key, found in bound.items() if any(isinstance(e, Import) and e.name == name for e in found)
            }
            for node in ast.walk(other.code.tree):
                is_name = isinstance(node, ast.Name) and node.id in names
                if id(node) not in taken and (is_name or (isinstance(node, ast.Attribute) and node.attr == name)):
                    part = self._part(other, node) if isinstance(node, ast.Attribute | ast.Name) else None
                    if part is not None and part[:2] == (file, name):
                        return True
        return False


def _handed_on(node: ast.AST) -> Iterator[ast.expr]:
    """What a call takes in as a router."""
    if isinstance(node, ast.Call) and attribute(node) in _TAKING:
        yield from node.args


def _is_distributed(top: str) -> bool:
    return bool(distributions.providers_of_import(top))


def _prefix(file: Loaded, node: ast.expr | None) -> str:
    found = text(file, node) if node is not None else ""
    if found is None:
        raise _Open
    return found.rstrip("/")


def _harmless(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is given, or called on, that adds no routes."""
    if ast.unparse(call.func) in _TAKERS or attribute(call) in _TAKING:
        yield from call.args
    func, first = call.func, call.args[:1]
    if not isinstance(func, ast.Attribute) or func.attr != "add_middleware" or not first:
        return
    if last_name(first[0]) in _MIDDLEWARE:
        yield func.value


def _passes_on(node: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr) -> bool:
    """Whether a function in front of every request gives back what `await call_next(request)` does, and nothing
    else."""
    if attribute(decorator) != "middleware":
        return False
    answers = {
        target.id
        for each in ast.walk(node)
        if isinstance(each, ast.Assign) and _is_next(each.value)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    given = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    return all(_is_next(each) or (isinstance(each, ast.Name) and each.id in answers) for each in given)


def _is_next(node: ast.expr | None) -> bool:
    is_call = isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    return is_call and isinstance(node, ast.Await) and ast.unparse(node.value).startswith("call_next(")


def _owner(node: ast.expr, name: str) -> ast.expr | None:
    """The application whose method decorates a function, or is called."""
    func = node.func if isinstance(node, ast.Call) else node
    is_its = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == name
    return func.value if isinstance(func, ast.Attribute) and is_its else None
