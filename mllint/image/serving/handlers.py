"""What the routes of a server do in each request: whether they load a model, or calculate with gradients."""

from __future__ import annotations

import ast
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.serving import sources
from mllint.patterns import regex
from mllint.sources.python_run import FunctionNode

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage
    from mllint.sources.python_run import Code

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "api_route", "route"})
ASYNC = frozenset({"fastapi", "starlette", "litestar", "sanic", "quart", "aiohttp"})
_SERVERS = ASYNC | {"flask", "bottle", "falcon"}
# What makes a model, by the last part of a name; methods of classes with the class.
_LOADING = frozenset(
    "joblib.load pickle.load torch.load torch.jit.load onnxruntime.InferenceSession transformers.pipeline"
    " tensorflow.keras.models.load_model keras.models.load_model tensorflow.saved_model.load"
    " ultralytics.YOLO sentence_transformers.SentenceTransformer whisper.load_model spacy.load"
    " faster_whisper.WhisperModel llama_cpp.Llama mlflow.pyfunc.load_model mlflow.sklearn.load_model"
    " fasttext.load_model gensim.models.KeyedVectors.load easyocr.Reader sentence_transformers.CrossEncoder".split()
)
_FROM_HUB = regex(
    r"(?:transformers|diffusers|sentence_transformers|peft|optimum\.\w+|open_clip)\.[\w.]+\.from_pretrained"
)
_OF_TORCH = regex(
    r"torch\.(?:load|jit\.load|hub\.load)|torchvision\.models\.\w+|timm\.create_model"
    r"|transformers\.(?:AutoModel\w*|\w+(?:Model|For[A-Z]\w+))\.from_pretrained"
)
_SAME = frozenset({"to", "eval", "cuda", "cpu", "half", "float", "bfloat16"})
_NO_GRAD = regex(r"no_grad|inference_mode|set_grad_enabled|requires_grad|\bbackward\b|\btrain\(\)")


class Handler(NamedTuple):
    """A function that answers requests."""

    file: Loaded
    node: FunctionNode

    @property
    def is_async(self) -> bool:
        """Whether it runs in the event loop."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def awaits(self) -> bool:
        """Whether it does anything that only a coroutine can."""
        nodes = [*ast.walk(self.node)]
        is_loop = any(isinstance(each, ast.comprehension) and each.is_async for each in nodes)
        return is_loop or any(isinstance(each, ast.Await | ast.AsyncFor | ast.AsyncWith) for each in nodes)

    @property
    def own(self) -> Iterator[ast.AST]:
        """What it runs itself, without the functions in it."""
        waiting: list[ast.AST] = [*self.node.body]
        while waiting:
            node = waiting.pop(0)
            yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                waiting += ast.iter_child_nodes(node)


class Doing(NamedTuple):
    """A call in a handler."""

    handler: Handler
    line: int
    call: str
    """As it is written."""


def handlers(stage: Stage) -> Iterator[Handler]:
    """The routes in the source that a container loads."""
    for file in sources.loaded(stage):
        if not file.module.packages.isdisjoint(_SERVERS):
            for node in ast.walk(file.code.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_route(node):
                    yield Handler(file, node)


def _is_route(node: FunctionNode) -> bool:
    calls = [each for each in node.decorator_list if isinstance(each, ast.Call) and each.args]
    return any(isinstance(each.func, ast.Attribute) and each.func.attr in _METHODS for each in calls)


def loading(stage: Stage) -> Iterator[Doing]:
    """The first call of each handler that loads a model in every request."""
    for handler in handlers(stage):
        code = handler.file.code
        calls = [each for each in _unconditional(handler.node.body) if isinstance(each, ast.Call)]
        loading_calls = (each.func for each in calls if is_loading(code, each) or _loads(code, each.func))
        dependencies = (each for each in _dependencies(handler) if _loads(code, each))
        found = next(chain(dependencies, loading_calls), None)
        if found is not None:
            yield Doing(handler, found.lineno, written(found))


def _dependencies(handler: Handler) -> Iterator[ast.expr]:
    """What `Depends(load)` among its defaults calls in every request."""
    code, given = handler.file.code, handler.node.args
    for default in filter(None, (*given.defaults, *given.kw_defaults)):
        if isinstance(default, ast.Call) and code.name(default.func) == "fastapi.Depends":
            yield from default.args[:1]


def _loads(code: Code, node: ast.expr) -> bool:
    """Whether this names a function of the file that loads a model each time and keeps none."""
    function = code.functions.get(node.id) if isinstance(node, ast.Name) else None
    if function is None or function.decorator_list:
        return False
    is_kept = any(isinstance(each, ast.Global | ast.Nonlocal) for each in ast.walk(function))
    calls = (each for each in _unconditional(function.body) if isinstance(each, ast.Call))
    return not is_kept and any(is_loading(code, each) for each in calls)


def is_loading(code: Code, node: ast.Call) -> bool:
    """Whether a call makes a model."""
    name = code.name(node.func)
    return name in _LOADING or _FROM_HUB.fullmatch(name) is not None


def models_of(code: Code, pattern: re.Pattern[str] | None = None, own: frozenset[str] = frozenset()) -> frozenset[str]:
    """The names, dotted as written, that a module gives to models, or to those whose makers have a name like that or
    are among its own."""
    found = set()
    for node in ast.walk(code.tree):
        value = node.value if isinstance(node, ast.Assign) else None
        # `.to(device)` and `.eval()` give the model back.
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SAME:
            value = value.func.value
        if isinstance(node, ast.Assign) and isinstance(value, ast.Call):
            name = code.name(value.func)
            is_model = pattern.fullmatch(name) is not None if pattern is not None else is_loading(code, value)
            if is_model or (name.rpartition(".")[2] in own and not name.startswith("torch.")):
                found |= {written(target) for target in node.targets}
    return frozenset(found - {""})


def reloaded(stage: Stage) -> tuple[Loaded, ast.Call] | None:
    """The first call that loads a model in a script of Streamlit, which runs from top to bottom at every click, where
    no cache keeps what it gives."""
    server = stage.server
    files = sources.loaded(stage) if server is not None and server.name == "Streamlit" else ()
    for file in files:
        functions = (each for each in ast.walk(file.code.tree) if isinstance(each, FunctionNode))
        kept = {node for each in functions if each.decorator_list for node in ast.walk(each)}
        for node in file.started if file.is_main else ():
            if isinstance(node, ast.Call) and node not in kept and is_loading(file.code, node):
                return file, node
    return None


def with_gradients(stage: Stage) -> Iterator[Doing]:
    """The first call of a model of PyTorch in each file of a server that nowhere switches gradients off."""
    files = sources.loaded(stage)
    if not any(file.module.packages & _SERVERS for file in files) or any(_NO_GRAD.search(f.source.text) for f in files):
        return
    classes = [node for file in files for node in _modules_of_torch(file)]
    own, inside = frozenset(node.name for node in classes), {each for node in classes for each in ast.walk(node)}
    for file in files:
        models = models_of(file.code, _OF_TORCH, own)
        if not models:
            continue
        functions = (each for each in ast.walk(file.code.tree) if isinstance(each, FunctionNode))
        # What a network calls of its own is not where gradients are switched off.
        for handler in (Handler(file, each) for each in functions if each not in inside):
            calls = (node for node in handler.own if isinstance(node, ast.Call) and written(node.func) in models)
            call = next(calls, None)
            if call is not None:
                yield Doing(handler, call.lineno, written(call.func))
                break


def _modules_of_torch(file: Loaded) -> Iterator[ast.ClassDef]:
    """The classes of a file that are modules of PyTorch by what they write of themselves."""
    for node in ast.walk(file.code.tree) if "torch" in file.module.packages else ():
        if isinstance(node, ast.ClassDef) and any(file.code.name(base) == "torch.nn.Module" for base in node.bases):
            yield node


def written(node: ast.expr) -> str:
    """An expression as text; empty for one that is nested too deeply to be written."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


def _unconditional(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What a body runs outside of branches and loops, up to the first that may leave it; a `try` and a `with` are
    none."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.If) and any(isinstance(each, ast.Return) for each in ast.walk(node)):
            return
        if isinstance(node, ast.Try):
            waiting = [*node.body, *waiting]
        elif not isinstance(
            node, ast.If | ast.For | ast.While | ast.Match | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ) and not isinstance(node, ast.IfExp | ast.BoolOp | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
