"""What the routes of a server do in each request: whether they hold up the event loop, load a model, or calculate with
gradients."""

from __future__ import annotations

import ast
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
_ASYNC = frozenset({"fastapi", "starlette", "litestar", "sanic", "quart", "aiohttp"})
_SERVERS = _ASYNC | {"flask", "bottle", "falcon"}
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
# Methods of a model that calculate.
_CALCULATING = frozenset(
    "predict predict_proba transcribe generate encode run decision_function infer embed __call__".split()
)
_BLOCKING = frozenset(
    "time.sleep requests.get requests.post requests.put requests.request subprocess.run subprocess.check_output".split()
)


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


def blocking(stage: Stage) -> Iterator[Doing]:
    """The first call of each coroutine that holds up the event loop while a model calculates, or something waits."""
    for handler in handlers(stage):
        if not handler.is_async or handler.file.module.packages.isdisjoint(_ASYNC):
            continue
        models = models_of(handler.file.code)
        handed_on = _awaited(handler)
        for node in handler.own:
            if not isinstance(node, ast.Call) or node in handed_on:
                continue
            if _calculates(node, models) or handler.file.code.name(node.func) in _BLOCKING:
                yield Doing(handler, node.lineno, _written(node.func))
                break


def loading(stage: Stage) -> Iterator[Doing]:
    """The first call of each handler that loads a model in every request."""
    for handler in handlers(stage):
        for node in _unconditional(handler.node.body):
            if isinstance(node, ast.Call) and is_loading(handler.file.code, node):
                yield Doing(handler, node.lineno, _written(node.func))
                break


def is_loading(code: Code, node: ast.Call) -> bool:
    """Whether a call makes a model."""
    name = code.name(node.func)
    return name in _LOADING or _FROM_HUB.fullmatch(name) is not None


def models_of(code: Code, pattern: re.Pattern[str] | None = None) -> frozenset[str]:
    """The names, dotted as written, that a module gives to models, or to those whose makers have a name like that."""
    found = set()
    for node in ast.walk(code.tree):
        value = node.value if isinstance(node, ast.Assign) else None
        # `.to(device)` and `.eval()` give the model back.
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in _SAME:
            value = value.func.value
        if isinstance(node, ast.Assign) and isinstance(value, ast.Call):
            name = code.name(value.func)
            if pattern.fullmatch(name) if pattern is not None else is_loading(code, value):
                found |= {_written(target) for target in node.targets}
    return frozenset(found - {""})


def with_gradients(stage: Stage) -> Iterator[Doing]:
    """The first call of a model of PyTorch in each file of a server that nowhere switches gradients off."""
    files = sources.loaded(stage)
    if not any(file.module.packages & _SERVERS for file in files) or any(_NO_GRAD.search(f.source.text) for f in files):
        return
    for file in files:
        models = models_of(file.code, _OF_TORCH)
        if not models:
            continue
        for handler in (Handler(file, each) for each in ast.walk(file.code.tree) if isinstance(each, FunctionNode)):
            calls = (node for node in handler.own if isinstance(node, ast.Call) and _written(node.func) in models)
            call = next(calls, None)
            if call is not None:
                yield Doing(handler, call.lineno, _written(call.func))
                break


def _calculates(node: ast.Call, models: frozenset[str]) -> bool:
    if not models:
        return False
    if _written(node.func) in models:
        return True
    return isinstance(node.func, ast.Attribute) and (
        node.func.attr in _CALCULATING and _written(node.func.value) in models
    )


def _written(node: ast.expr) -> str:
    """An expression as text; empty for one that is nested too deeply to be written."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""


def _awaited(handler: Handler) -> frozenset[ast.AST]:
    """The calls that are awaited themselves."""
    return frozenset(node.value for node in ast.walk(handler.node) if isinstance(node, ast.Await))


def _unconditional(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What a body runs outside of branches and loops; a `try` and a `with` are none."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.Try):
            waiting = [*node.body, *waiting]
        elif not isinstance(
            node, ast.If | ast.For | ast.While | ast.Match | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ) and not isinstance(node, ast.IfExp | ast.BoolOp | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
