"""Python source as far as an image needs it: what it imports, defines, and calls with literal arguments."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.sources.python_scopes import Scopes
from mllint.sources.python_values import NOWHERE, Place, Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.sources.python_known import Known
    from mllint.sources.python_scopes import Scope
    from mllint.sources.text import Source


_NONE: Mapping[str, str] = MappingProxyType({})


class Call(NamedTuple):
    """A call by a dotted name, imports resolved (`uvicorn.run`), with the values of its arguments as far as they are
    known. A method of a path of `pathlib` is `pathlib.Path.open`, with the path as the first argument."""

    name: str
    line: int
    keywords: Mapping[str, object]
    argument: str | None
    """The first argument, where that is a known text or path."""
    computed: frozenset[str] = frozenset()
    """Keyword arguments whose values are not known; "**" where a mapping gives any."""
    positional: int = 0
    """How many arguments stand in front of the keywords."""
    second: object = None
    """The second of them, where that is known."""
    texts: frozenset[str] = frozenset()
    """All texts and paths among its arguments."""
    variables: Mapping[str, str] = _NONE
    """The variables of the environment that nothing sets, whose defaults some of these texts are."""


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
    """A path that a call is given to read it."""

    function: str
    path: str
    line: int
    variable: str = ""
    """The variable of the environment whose default it is, and that nothing sets."""


@dataclass(frozen=True, eq=False)
class Module:
    """A parsed module."""

    tree: ast.Module
    bindings: Mapping[str, str]
    """The names that imports bind, with the dotted names that they stand for; without those of relative imports."""
    imports: frozenset[str]
    """Full dotted names of what is imported, anywhere in the file; without relative imports."""
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
    place: Place = NOWHERE
    """Where it runs; what it reads of its own path and of the environment is not known elsewhere."""

    def at(self, place: Place) -> Module:
        """The same module where it runs at a place."""
        return replace(self, place=place)

    @cached_property
    def values(self) -> Values:
        """What its expressions stand for."""
        return Values(_scopes(self.tree), self.bindings, self.place)

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Its calls by dotted names, in the order of `ast.walk`."""
        return tuple(_calls(self.values))

    @property
    def packages(self) -> frozenset[str]:
        """The top-level packages it imports."""
        return frozenset(name.partition(".")[0] for name in self.imports)

    @property
    def names(self) -> frozenset[str]:
        """What other modules find in it (`main:app`); with "*" there may be more."""
        return self.assigned | self.functions | self.classes | self.imported

    @property
    def handled(self) -> frozenset[str]:
        """The paths that it writes, makes or asks for."""
        asked = {call.argument for call in self.calls if call.name.rpartition(".")[2] in _ASKING or _writes(call)}
        written = (call.texts for call in self.calls if call.name.rpartition(".")[2] in _WRITERS)
        return frozenset(each for each in asked if each is not None).union(*written)

    @cached_property
    def opened(self) -> tuple[Opened, ...]:
        """The paths, and names of models in a hub, that are read by calls known for that; without what it writes, makes
        or asks for first."""
        known = self.handled
        return tuple(
            Opened(call.name, path, call.line, call.variables.get(path, ""))
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
        *("read_text", "read_bytes"),
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


_ASKING = frozenset(
    "exists isfile isdir is_file is_dir mkdir makedirs rmtree remove unlink listdir scandir iterdir glob touch"
    " write_text write_bytes load_dotenv".split()
)
# What brings a file to one of the paths that it is given.
_WRITERS = frozenset(
    "dump save save_model save_weights save_pretrained urlretrieve download download_file download_fileobj"
    " download_to_filename download_url_to_file fget_object hf_hub_download snapshot_download copy copy2 copyfile"
    " copytree move rename extractall unpack_archive to_csv to_json to_parquet to_pickle".split()
)
_OF_PATHS = frozenset(
    "open read_text read_bytes exists is_file is_dir mkdir unlink iterdir glob touch write_text write_bytes".split()
)


def _writes(call: Call) -> bool:
    mode = call.keywords.get("mode", call.second)
    return call.name.rpartition(".")[2] == "open" and isinstance(mode, str) and not mode.startswith("r")


def _path(call: Call) -> object:
    return call.argument or next((call.keywords[key] for key in _PATH_KEYWORDS if key in call.keywords), None)


@lru_cache(maxsize=4)
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
        tree,
        names,
        frozenset(each.name for each in statements if not each.level),
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


@lru_cache(maxsize=128)
def _scopes(tree: ast.Module) -> Scopes:
    return Scopes(tree)


def _calls(values: Values) -> Iterator[Call]:
    for node, scope in values.scopes.calls:
        name = dotted(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _OF_PATHS:
            path = values.known(node.func.value, scope)
            if path is not None and path.is_path:
                yield _call(values, node, scope, f"pathlib.Path.{node.func.attr}", [path, *_given(values, node, scope)])
                continue
        if name is not None:
            head, dot, tail = name.partition(".")
            full = values.names.get(head, head) + dot + tail
            whole = values.known(node, scope) if full == "pathlib.Path" else None
            yield _call(values, node, scope, full, [whole] if whole is not None else _given(values, node, scope))


def _given(values: Values, node: ast.Call, scope: Scope) -> list[Known | None]:
    return [_known(values, each, scope) for each in node.args]


def _call(values: Values, node: ast.Call, scope: Scope, name: str, given: list[Known | None]) -> Call:
    """A call by the name and the positional arguments that stand for what is written."""
    named = {each.arg: _known(values, each.value, scope) for each in node.keywords if each.arg}
    keywords = {key: found.value for key, found in named.items() if found is not None}
    texts = {each.value: each for each in (*given, *named.values()) if each is not None and isinstance(each.value, str)}
    one = given[0].value if given and given[0] is not None else None
    return Call(
        name,
        node.lineno,
        keywords,
        one if isinstance(one, str) else None,
        frozenset(each.arg or "**" for each in node.keywords if each.arg not in keywords),
        len(given),
        given[1].value if len(given) > 1 and given[1] is not None else None,
        frozenset(texts),
        {text: min(each.variables) for text, each in texts.items() if each.variables},
    )


def _known(values: Values, node: ast.expr, scope: Scope) -> Known | None:
    found = values.known(node, scope)
    # A variable that nothing sets yet is there to be set.
    return found if found is None or found.value is not None or not found.variables else None


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
