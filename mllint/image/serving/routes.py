"""The paths at which the application that a container serves answers everybody, as far as its source says so."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mllint.image.serving import modules
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.service import Server
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_APPLICATIONS = frozenset({"FastAPI", "Flask", "Quart", "Sanic"})
_DECORATORS = frozenset({"get", "route", "api_route"})
_PATH = regex(r"/[\w./-]*")
_GIVEN = ("Request", "Response")
# What runs in front of every route may turn away those without a key.
_IN_FRONT = frozenset({"middleware", "before_request", "before_app_request", "on_request"})
_KEYS = regex(r"(?i)key|auth|token|secret|\b40[13]\b|Unauthorized|Forbidden")
# What the last part of the path of a health check is called, the likeliest first.
_NAMES = (
    "health healthz health_check health-check healthcheck live livez liveness ready readyz readiness ping heartbeat"
    " alive status"
).split()


def health(stage: Stage, server: Server) -> str | None:
    """The path that answers a health check: that of the server, else one of the application's source; None where none
    is known."""
    if server.health:
        return server.health
    return likeliest(answered(stage))


def likeliest(paths: Sequence[str]) -> str | None:
    """The path that is there for health checks, by its name."""
    found = {path.rstrip("/").rpartition("/")[2]: path for path in reversed(paths)}
    return next((found[name] for name in _NAMES if name in found), None)


def answered(stage: Stage) -> tuple[str, ...]:
    """The paths where the application that is served answers a GET request without parameters."""
    found: list[str] = []
    for target in modules.targets(stage, stage.process) if stage.process is not None else ():
        source = modules.source_of(stage, target)
        applications = _applications(source) if source is not None else {}
        if not target.attribute and len(applications) > 1:
            continue
        for name, paths in applications.items():
            found += paths if target.attribute in ("", name) else []
    return tuple(found)


def _applications(source: Source) -> dict[str, list[str]]:
    """The applications that a module makes at its top, each with the paths that it answers."""
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    if any(_asks_for_keys(node) for node in ast.walk(tree)):
        return {}
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            # What is depended on for all of an application may ask for a key.
            is_open = all(each.arg != "dependencies" for each in node.value.keywords)
            if is_open and last_name(node.value.func) in _APPLICATIONS:
                found |= {target.id: [] for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _needs_nothing(node):
            for name, path in _routes(node):
                if name in found:
                    found[name].append(path)
    return found


def _asks_for_keys(node: ast.AST) -> bool:
    """Whether something that runs in front of every route speaks of keys."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        names = {last_name(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list}
        return bool(names & _IN_FRONT) and _KEYS.search(ast.unparse(node)) is not None
    if not isinstance(node, ast.Call) or last_name(node.func) != "add_middleware" or not node.args:
        return False
    return _KEYS.search(ast.unparse(node.args[0])) is not None


def last_name(node: ast.expr | None) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _needs_nothing(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return all(last_name(each.annotation) in _GIVEN or each.arg == "request" for each in every)


def _routes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    """The application and path of each route, where nothing else decorates the function."""
    found = []
    for each in node.decorator_list:
        if not isinstance(each, ast.Call) or not isinstance(each.func, ast.Attribute) or len(each.args) != 1:
            return
        owner, path = each.func.value, each.args[0]
        keywords = {keyword.arg: keyword.value for keyword in each.keywords}
        methods = ast.unparse(keywords["methods"]) if "methods" in keywords else "GET"
        if not isinstance(owner, ast.Name) or each.func.attr not in _DECORATORS or "dependencies" in keywords:
            return
        text = path.value if isinstance(path, ast.Constant) else None
        if isinstance(text, str) and _PATH.fullmatch(text) and "GET" in methods:
            found.append((owner.id, text))
    yield from found
