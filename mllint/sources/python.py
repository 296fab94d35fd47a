"""Python source as far as an image needs it: what it imports, defines, and calls with literal arguments."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.sources.text import Source


class Call(NamedTuple):
    """A call by a dotted name, imports resolved (`uvicorn.run`); literal keyword arguments with their values. What a
    name stands for that the file binds once, to a literal at its top, counts as written in its place."""

    name: str
    line: int
    keywords: Mapping[str, object]
    argument: str | None
    """The first argument, where that is a literal string."""
    computed: frozenset[str] = frozenset()
    """Keyword arguments whose values are not literal; "**" where a mapping gives any."""
    positional: int = 0
    """How many arguments stand in front of the keywords."""
    second: object = None
    """The second of them, where that is literal."""


class Import(NamedTuple):
    """A module that is imported, or from which names are."""

    name: str
    """Without the dots of a relative import: empty for `from . import x`."""
    level: int
    """How many dots stand in front."""
    names: tuple[str, ...]
    """What is imported from it, before `as`; none for `import x`."""
    line: int
    condition: Literal["optional", "typing"] | None
    """"optional" in a `try` that catches ImportError and in what follows it, "typing" under `if TYPE_CHECKING`."""
    is_deferred: bool
    """Whether it stands in a function, and so fails only when that is called."""


class Opened(NamedTuple):
    """A path that a call is given literally to read it."""

    function: str
    path: str
    line: int


class Module(NamedTuple):
    """A parsed module."""

    imports: frozenset[str]
    """Full dotted names of what is imported, anywhere in the file; without relative imports."""
    calls: tuple[Call, ...]
    statements: tuple[Import, ...]
    """All imports in the order of their lines."""
    assigned: frozenset[str]
    """Names that are assigned outside of functions and classes when it is imported."""
    functions: frozenset[str]
    classes: frozenset[str]
    imported: frozenset[str]
    """Names that imports bind outside of functions and classes; "*" where one takes all that a module has."""
    has_main_guard: bool
    """Whether something runs only `if __name__ == "__main__"`."""

    @property
    def packages(self) -> frozenset[str]:
        """The top-level packages it imports."""
        return frozenset(name.partition(".")[0] for name in self.imports)

    @property
    def names(self) -> frozenset[str]:
        """What other modules find in it (`main:app`); with "*" there may be more."""
        return self.assigned | self.functions | self.classes | self.imported

    @property
    def opened(self) -> tuple[Opened, ...]:
        """The paths, and names of models in a hub, that are read by calls known for that; without what it writes, makes
        or asks for first."""
        known = {call.argument for call in self.calls if call.name.rpartition(".")[2] in _ASKING or _writes(call)}
        return tuple(
            Opened(call.name, path, call.line)
            for call in self.calls
            if call.name.rpartition(".")[2] in _READERS and isinstance(path := _path(call), str) and path not in known
        )


_READERS = frozenset(
    (
        *(
            "open",
            "load",
            "Path",
            "from_pretrained",
            "load_model",
            "from_file",
            "read_csv",
            "read_parquet",
            "read_json",
        ),
        *(
            "read_pickle",
            "read_excel",
            "loadtxt",
            "InferenceSession",
            "StaticFiles",
            "Jinja2Templates",
            "SentenceTransformer",
        ),
        *("pipeline", "YOLO", "load_state_dict", "CDLL", "imread", "safe_open", "load_file", "Llama"),
    )
)
_PATH_KEYWORDS = (
    "directory",
    "path",
    "file",
    "filename",
    "model_path",
    "path_or_bytes",
    "pretrained_model_name_or_path",
)


_ASKING = frozenset({"exists", "isfile", "isdir", "mkdir", "makedirs", "rmtree", "remove", "listdir", "load_dotenv"})


def _writes(call: Call) -> bool:
    mode = call.keywords.get("mode", call.second)
    return call.name.rpartition(".")[2] == "open" and isinstance(mode, str) and not mode.startswith("r")


def _path(call: Call) -> object:
    return call.argument or next((call.keywords[key] for key in _PATH_KEYWORDS if key in call.keywords), None)


def tree_of(source: Source) -> ast.Module | None:
    """The syntax tree of a module; None where it is no Python that the running interpreter knows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parse(source: Source) -> Module | None:
    """Read a module; None where it is no Python that the running interpreter knows."""
    tree = tree_of(source)
    if tree is None:
        return None
    top = _Top()
    top.read(tree)
    statements = sorted(_imports(tree), key=lambda each: each.line)
    names = bindings(tree)
    return Module(
        frozenset(each.name for each in statements if not each.level),
        tuple(_calls(tree, names)),
        tuple(statements),
        frozenset(top.assigned),
        frozenset(top.functions),
        frozenset(top.classes),
        frozenset(top.imported),
        top.has_main_guard,
    )


def bindings(tree: ast.Module) -> dict[str, str]:
    """The names that imports anywhere in a module bind, with the dotted names that they stand for; without those of
    relative imports."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                names[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _calls(tree: ast.Module, names: Mapping[str, str]) -> Iterator[Call]:
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            head, dot, tail = name.partition(".")
            values = {each.arg: _literal(each.value, constants) for each in node.keywords if each.arg}
            keywords = {name: value.value for name, value in values.items() if value is not None}
            given = [_literal(each, constants) for each in node.args[:2]]
            first = given[0].value if given and given[0] is not None else None
            second = given[1].value if len(given) > 1 and given[1] is not None else None
            argument = first if isinstance(first, str) else None
            computed = frozenset(each.arg or "**" for each in node.keywords if each.arg not in keywords)
            full = names.get(head, head) + dot + tail
            yield Call(full, node.lineno, keywords, argument, computed, len(node.args), second)


def _literal(node: ast.expr, constants: Mapping[str, ast.Constant]) -> ast.Constant | None:
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    return node if isinstance(node, ast.Constant) else None


def _constants(tree: ast.Module) -> dict[str, ast.Constant]:
    """The literals that names stand for which the whole file binds but once."""
    found: dict[str, ast.Constant] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(node, ast.AnnAssign):
            target = node.target
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            found[target.id] = value
    if found:
        bound = [
            node.arg if isinstance(node, ast.arg) else node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.arg) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        ]
        found = {name: value for name, value in found.items() if bound.count(name) == 1}
    return found


def _imports(tree: ast.Module) -> Iterator[Import]:
    """All imports, each with what it stands in."""
    waiting: list[tuple[ast.AST, Literal["optional", "typing"] | None, bool]] = [(tree, None, False)]
    while waiting:
        node, condition, is_deferred = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, 0, (), node.lineno, condition, is_deferred)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.module or "", node.level, names, node.lineno, condition, is_deferred)
        elif isinstance(node, ast.Try | ast.TryStar) and any(catches_import_errors(each) for each in node.handlers):
            # What stands behind `else` and `finally` relies on the imports as well.
            condition = condition or "optional"
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_typing = isinstance(node, ast.If) and (dotted(node.test) or "").rpartition(".")[2] == "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            under = "typing" if is_typing and isinstance(node, ast.If) and child in node.body else condition
            waiting.append((child, under, is_deferred or is_function))


def catches_import_errors(handler: ast.ExceptHandler) -> bool:
    """Whether a clause of a `try` goes on where an import fails."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    wanted = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
    return any(each is None or dotted(each) in wanted for each in caught)


_OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _Top:
    """Collects the names that are bound when a module is imported."""

    def __init__(self) -> None:
        self.assigned: set[str] = set()
        self.functions: set[str] = set()
        self.classes: set[str] = set()
        self.imported: set[str] = set()
        self.has_main_guard = False

    def read(self, tree: ast.Module) -> None:
        """Visit all code outside of functions and classes."""
        waiting: list[ast.AST] = [*tree.body]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.add(node.name)
            elif isinstance(node, ast.ClassDef):
                self.classes.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imported |= {_bound(alias, node) for alias in node.names}
            elif isinstance(node, ast.If) and is_main_guard(node.test):
                self.has_main_guard = True
                waiting += node.orelse
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.assigned.add(node.id)
            elif not isinstance(node, _OWN_SCOPE) and not _is_declaration(node):
                waiting += ast.iter_child_nodes(node)


def _is_declaration(node: ast.AST) -> bool:
    """Whether it only gives a name a type, `x: int`."""
    return isinstance(node, ast.AnnAssign) and node.value is None


def _bound(alias: ast.alias, node: ast.Import | ast.ImportFrom) -> str:
    """The name that an import binds: of `import a.b` the package."""
    return alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)


def is_main_guard(test: ast.expr) -> bool:
    """Whether a condition is `__name__ == "__main__"`."""
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, *test.comparators]
    named = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return named and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def dotted(node: ast.expr | None) -> str | None:
    """The name that an expression spells: `a.b`, and `a().b` for what a call returns."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(f".{node.attr}")
            node = node.value
        elif isinstance(node, ast.Call):
            parts.append("()")
            node = node.func
        else:
            return None
    return node.id + "".join(reversed(parts))
