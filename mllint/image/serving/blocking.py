"""The coroutines of a server that hold up its event loop, with a model of their own module or with what another part of
the project has it calculate."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.serving import sources
from mllint.image.serving.handlers import ASYNC, Doing, Handler, handlers, models_of, written
from mllint.patterns import regex
from mllint.sources.python_scopes import Import

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage

# Methods of a model that calculate.
_CALCULATING = frozenset(
    "predict predict_proba transcribe generate encode run decision_function infer embed __call__".split()
)
_BLOCKING = frozenset(
    "time.sleep requests.get requests.post requests.put requests.request subprocess.run subprocess.check_output".split()
)
# What prepares texts and pictures for a model, and calculates little.
_AROUND = regex(r"(?i).*(?:tokeni[sz]er|processor|extractor|config)")
# Decorators that leave a function what it is.
_PLAIN = frozenset({"no_grad", "inference_mode", "staticmethod", "classmethod"})


class _Known(NamedTuple):
    """What calculates when a file calls it, dotted as written there."""

    models: frozenset[str]
    functions: frozenset[str]
    methods: frozenset[str]
    """Those of classes: `Predictor.predict`."""
    objects: frozenset[str]
    """The same of the objects that are made of them: `predictor.predict`."""


_NOTHING = _Known(frozenset(), frozenset(), frozenset(), frozenset())


def blocking(stage: Stage) -> Iterator[Doing]:
    """The first call of each coroutine that holds up the event loop while a model calculates, or something waits."""
    files = sources.loaded(stage)
    known: dict[str, _Known] = {}
    for handler in handlers(stage):
        if not handler.is_async or handler.file.module.packages.isdisjoint(ASYNC):
            continue
        here = _known(files, handler.file, known)
        handed_on = _awaited(handler)
        for node in handler.own:
            if not isinstance(node, ast.Call) or node in handed_on:
                continue
            if _calculates(node, here) or handler.file.code.name(node.func) in _BLOCKING:
                yield Doing(handler, node.lineno, written(node.func))
                break


def _known(files: tuple[Loaded, ...], file: Loaded, found: dict[str, _Known]) -> _Known:
    """What calculates in a file, with what it imports of others."""
    if file.path in found:
        return found[file.path]
    # A module that imports this one in turn has nothing of it yet.
    found[file.path] = _NOTHING
    taken: dict[str, set[str]] = {
        "models": {*models_of(file.code)},
        "functions": set(),
        "methods": set(),
        "objects": set(),
    }
    for name, bindings in file.module.values.scopes.top.bound.items():
        for binding in bindings:
            origin = sources.origin(files, file, binding) if isinstance(binding, Import) else None
            if origin is not None:
                there, member = origin
                for kind, names in _known(files, there, found)._asdict().items():
                    taken[kind] |= {f"{name}.{each}" for each in names if not member}
                    taken[kind] |= {name + each[len(member) :] for each in names if f"{each}.".startswith(f"{member}.")}
    here = _Known(*(frozenset(taken[kind]) for kind in _Known._fields))
    found[file.path] = _with_own(file, here) if any(here) else here
    return found[file.path]


def _with_own(file: Loaded, here: _Known) -> _Known:
    """With the functions, methods and objects of the file itself."""
    functions = [("", each) for each in file.code.tree.body if isinstance(each, ast.FunctionDef)]
    for made in file.code.tree.body:
        if isinstance(made, ast.ClassDef):
            functions += [(f"{made.name}.", each) for each in made.body if isinstance(each, ast.FunctionDef)]
    own = {f"{owner}{each.name}": Handler(file, each) for owner, each in functions if _is_plain(each)}
    size = -1
    # What calls one that calculates calculates itself.
    while size != len(here.functions) + len(here.methods):
        size = len(here.functions) + len(here.methods)
        working = {name for name, each in own.items() if _works(each, here, name.rpartition(".")[0])}
        methods = frozenset(each for each in working if "." in each)
        here = here._replace(functions=here.functions | (working - methods), methods=here.methods | methods)
    return here._replace(objects=here.objects | frozenset(_objects(file, here)))


def _is_plain(node: ast.FunctionDef) -> bool:
    """Whether to call a function is to run its body."""
    names = [
        written(each.func if isinstance(each, ast.Call) else each).rpartition(".")[2] for each in node.decorator_list
    ]
    yields = any(isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
    return not yields and _PLAIN.issuperset(names) and node.name != "__init__"


def _works(function: Handler, here: _Known, owner: str) -> bool:
    """Whether a function, or a method of a class, calculates."""
    for node in function.own:
        if isinstance(node, ast.Call):
            text = written(node.func)
            is_own = owner and text.startswith("self.") and f"{owner}.{text[5:]}" in here.methods
            if is_own or _calculates(node, here):
                return True
    return False


def _objects(file: Loaded, here: _Known) -> Iterator[str]:
    """The methods that calculate of what a file makes of classes."""
    for node in ast.walk(file.code.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            name = written(node.value.func)
            methods = [each.rpartition(".")[2] for each in here.methods if each.rpartition(".")[0] == name]
            yield from (f"{written(target)}.{method}" for target in node.targets for method in methods)


def _calculates(node: ast.Call, here: _Known) -> bool:
    text = written(node.func)
    if text in here.models:
        return not _AROUND.fullmatch(text)
    if text in here.functions or _of_application(text) in here.objects:
        return True
    return isinstance(node.func, ast.Attribute) and (
        node.func.attr in _CALCULATING and _of_application(written(node.func.value)) in here.models
    )


def _of_application(text: str) -> str:
    """`app.state.model`, as a module calls what a route calls `request.app.state.model`."""
    return text.removeprefix("request.") if ".app.state." in text else text


def _awaited(handler: Handler) -> frozenset[ast.AST]:
    """The calls that are awaited themselves."""
    return frozenset(node.value for node in ast.walk(handler.node) if isinstance(node, ast.Await))
