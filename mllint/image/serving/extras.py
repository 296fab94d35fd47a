"""What the Python that a container runs needs beside the distributions that it imports, by the table
`implied_extras`, and what it needs to take forms and files."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.models import served
from mllint.image.serving import absence, composed, sources
from mllint.sources.python import catches_import_errors, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.models.served import Served
    from mllint.image.serving.absence import Absence
    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage
    from mllint.sources.python_run import Code, FunctionNode

MULTIPART = "python-multipart"
_ROUTES = frozenset({"get", "post", "put", "patch", "delete", "api_route"})
_FORMS = frozenset({"File", "Form", "UploadFile", "OAuth2PasswordRequestForm", "OAuth2PasswordRequestFormStrict"})


class Need(NamedTuple):
    """A distribution that is not there, and the place in the source that asks for it."""

    file: Loaded
    line: int
    named: str
    """What needs it, as in messages."""
    distribution: str
    fails: str
    """How it ends."""
    is_at_start: bool
    """Whether it surely does so when the container starts."""
    is_verified: bool
    asks: str = ""
    """The extra that brings it; empty for what is asked for by its own name."""


def runs(stage: Stage) -> Served | None:
    """What the container starts with Python, where nothing else in the repository says that it starts otherwise."""
    if _installs_at_start(stage) or composed.replaces_process(stage):
        return None
    return served.served(stage)


def _installs_at_start(stage: Stage) -> bool:
    """Whether the container installs packages before it serves."""
    process = stage.process
    commands = (*process.commands, *(each for one in process.scripts for each in one.commands)) if process else ()
    return any({"install", "sync"} & set(each.arguments) for each in commands)


def missing(service: Served, names: tuple[str, ...]) -> Absence | None:
    """Whether none of these distributions is in the image, nor comes when the container starts; None where one does or
    nobody can tell."""
    use = service.use
    if not absence.has_installs(use.view) or any(absence.is_elsewhere(use, name) for name in names):
        return None
    return absence.of_distributions(use, service.interpreter, names)


def forms(stage: Stage) -> Need | None:
    """The first route of FastAPI that takes a form or a file, where nothing brings what that needs."""
    service = runs(stage)
    for file in sources.loaded(stage) if service is not None else ():
        if service is None or "fastapi" not in file.module.packages:
            continue
        started = file.started
        for node in ast.walk(file.code.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_route(node):
                declared = _form(file.code, node)
                named = declared or _asked_form(node)
                found = missing(service, (MULTIPART,)) if named else None
                if named and found is not None:
                    fails = "importing it ends in RuntimeError" if declared else "the call ends in AssertionError"
                    is_at_start = bool(declared) and node in started
                    return Need(file, node.lineno, named, MULTIPART, fails, is_at_start, found.is_verified)
    return None


def _is_route(node: FunctionNode) -> bool:
    calls = [each.func for each in node.decorator_list if isinstance(each, ast.Call)]
    return any(isinstance(each, ast.Attribute) and each.attr in _ROUTES for each in calls)


def _asked_form(node: FunctionNode) -> str:
    """The call by which a route reads the form of a request itself; empty where it does not."""
    requests = {each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    for each in ast.walk(node):
        call = each.value if isinstance(each, ast.Await) else None
        name = dotted(call.func) if isinstance(call, ast.Call) else None
        if name is not None and name.endswith(".form") and name.removesuffix(".form") in requests:
            return f"{name}()"
    return ""


def _form(code: Code, node: FunctionNode) -> str:
    """The parameter of a route that a form fills, by the name of its type or default; empty where there is none."""
    given = node.args
    arguments = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    parts = [*(each.annotation for each in arguments), *given.defaults, *given.kw_defaults]
    for part in filter(None, parts):
        for each in ast.walk(part):
            name = code.name(each) if isinstance(each, ast.Name | ast.Attribute) else ""
            if name.startswith("fastapi.") and name.rpartition(".")[2] in _FORMS:
                return name.rpartition(".")[2]
    return ""


def needs(stage: Stage) -> Iterator[Need]:
    """What is not there of the table, each distribution once: the places that surely fail at start first."""
    service = runs(stage)
    seen: set[str] = set()
    for file in sources.loaded(stage) if service is not None else ():
        packages, started = file.module.imports, file.started
        rows = [row for row in facts.rows("implied_extras") if _is_imported(row["of"].split(), packages)]
        if not rows or service is None:
            continue
        found = [(node, row) for node in _unguarded(file.code.tree) for row in rows if _uses(file, node, row)]
        for node, row in sorted(found, key=lambda each: (each[0] not in started, getattr(each[0], "lineno", 0))):
            names = tuple(row["needs"].split())
            absent = None if names[0] in seen or not _is_below(service, row) else missing(service, names)
            seen.add(names[0])
            if absent is not None and not _is_missing_itself(service, row):
                is_sure = absent.is_verified and row["status"] == "verified"
                is_at_start = node in started and "later" not in row
                named = row.get("named", row["use"])
                yield Need(
                    file,
                    getattr(node, "lineno", 1),
                    named,
                    names[0],
                    row["fails"],
                    is_at_start,
                    is_sure,
                    row.get("asks", ""),
                )


def _is_imported(packages: list[str], imported: frozenset[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in packages for name in imported)


def _is_missing_itself(service: Served, row: Mapping[str, str]) -> bool:
    """Whether what needs it is not there either, which is worse."""
    owners = {each for package in row["of"].split() for each in distributions.providers_of_import(package)}
    return bool(owners) and missing(service, tuple(sorted(owners))) is not None


def _is_below(service: Served, row: Mapping[str, str]) -> bool:
    """Whether the release that is installed is one that needs it."""
    if "below" not in row:
        return True
    package = service.packages.get(row["of"].split()[0])
    version = package.version if package is not None else None
    return isinstance(version, str) and version.partition(".")[0] < row["below"].partition(".")[0]


def _unguarded(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that stand in no `try` that catches their failure."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Try) and any(map(catches_import_errors, node.handlers)):
            continue
        is_typing = isinstance(node, ast.If) and (dotted(node.test) or "").endswith("TYPE_CHECKING")
        waiting += () if is_typing else ast.iter_child_nodes(node)


def _uses(file: Loaded, node: ast.AST, row: Mapping[str, str]) -> bool:
    code = file.code
    match node, row["how"]:
        case ast.ImportFrom(), "import":
            return _is_of(node.module or "", row) and any(alias.name == row["use"] for alias in node.names)
        case ast.Import() | ast.ImportFrom(), "module":
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{name}" for name in names)] if not node.level else []
            wanted = f"{row['of']}.{row['use']}"
            return any(f"{name}.".startswith(f"{wanted}.") for name in names)
        case ast.AnnAssign(), "field":
            types = (each for each in ast.walk(node.annotation) if isinstance(each, ast.Name | ast.Attribute))
            names = [code.name(each) for each in types]
            return any(_is_of(name, row) and name.endswith(f".{row['use']}") for name in names)
        case ast.Call(), "call":
            name = code.name(node.func)
            return _is_of(name, row) and name.endswith(f".{row['use']}") and _has_arguments(file, node, row)
        case ast.Call(), "method":
            return (
                isinstance(node.func, ast.Attribute)
                and node.func.attr == row["use"]
                and _has_arguments(file, node, row)
            )
    return False


def _is_of(name: str, row: Mapping[str, str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in row["of"].split())


def _has_arguments(file: Loaded, call: ast.Call, row: Mapping[str, str]) -> bool:
    given = next((each.value for each in call.keywords if each.arg == row.get("keyword")), None)
    if "prefixes" in row:
        first = given if "keyword" in row else next(iter(call.args), None)
        values = file.module.values
        known = values.known(first, values.scopes.top) if first is not None else None
        return known is not None and str(known.value).startswith(tuple(row["prefixes"].split()))
    if "keyword" not in row:
        return True
    if not isinstance(given, ast.Constant) or given.value is None:
        return False
    return "values" not in row or str(given.value) in row["values"].split()
