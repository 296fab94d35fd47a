"""ML332 to ML334: what the routes of a server do in each request."""

import re
from collections.abc import Iterator

from mllint import edits
from mllint.checks import check
from mllint.findings import Finding, Fix, Location
from mllint.image.serving import blocking, handlers, sources
from mllint.image.serving.handlers import Doing, Handler
from mllint.image.stage import Stage
from mllint.sources.text import Span

# What belongs to the thread of the event loop, or is changed without a lock.
_BOUND = re.compile(r"\b(?:asyncio|anyio|global|nonlocal|contextvars)\b")


@check("ML332")
def blocking_predict_in_async_route(stage: Stage) -> Iterator[Finding]:
    """A coroutine that calculates, so that nothing else is answered meanwhile."""
    for doing in blocking.blocking(stage) if stage.is_final else ():
        name = doing.handler.node.name
        message = (
            f"async def {name} calls {doing.call}() in the event loop: until it returns the server answers nobody,"
            " health checks included"
        )
        repair = f"write def {name}, which FastAPI runs in a thread"
        if doing.handler.awaits:
            repair = f"write await run_in_threadpool({doing.call}, ...), from fastapi.concurrency"
        yield Finding(_place(doing), message, repair, fix=_in_a_thread(stage, doing.handler))


def _place(doing: Doing) -> Location:
    source = doing.handler.file.source
    return Location(source, source.line_span(doing.line))


def _in_a_thread(stage: Stage, handler: Handler) -> Fix | None:
    """Drops `async` where the body does nothing that wants it and nobody awaits the function."""
    source, node = handler.file.source, handler.node
    texts = [each.source.text for each in sources.loaded(stage)]
    start = source.line_starts[node.lineno - 1] + node.col_offset
    body = source.text[start : source.line_starts[(node.end_lineno or node.lineno) - 1]]
    word = re.compile(r"async[ \t]+(?=def\b)").match(source.text, start)
    is_fastapi = "fastapi" in handler.file.module.packages
    if word is None or handler.awaits or not is_fastapi or _BOUND.search(body):
        return None
    if any(re.search(rf"\bawait\s+(?:\w+\.)*{re.escape(node.name)}\b", text) for text in texts):
        return None
    return Fix("unsafe", f"run {node.name} in a thread", (edits.delete(source, Span(*word.span())),))


@check("ML333")
def model_loaded_per_request(stage: Stage) -> Iterator[Finding]:
    """A route that loads a model each time."""
    for doing in handlers.loading(stage) if stage.is_final else ():
        message = f"{doing.handler.node.name}() calls {doing.call}(): every request loads the model again"
        yield Finding(_place(doing), message, "load it once, at the top of the module or in a lifespan handler")
    found = handlers.reloaded(stage) if stage.is_final else None
    if found is not None:
        file, call = found
        name = handlers.written(call.func)
        message = (
            f"{file.name} calls {name}() in no function with a cache: Streamlit loads the model at every interaction"
        )
        place = Location(file.source, file.source.line_span(call.lineno))
        yield Finding(place, message, "load it in a function of its own with @st.cache_resource")


@check("ML334")
def missing_no_grad(stage: Stage) -> Iterator[Finding]:
    """A model of PyTorch that is called as if it were to be trained."""
    for doing in handlers.with_gradients(stage) if stage.is_final else ():
        message = (
            f"{doing.handler.node.name}() calls {doing.call}() with gradients on: PyTorch keeps in each call what a"
            " training step would need"
        )
        yield Finding(_place(doing), message, "write with torch.inference_mode(): around it")
