"""What a build does that needs a GPU, which no build has unless its RUN asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.service import PYTHON
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.text import Span

_ASSERTED = regex(
    r"assert\s*\(?\s*(?P<asked>(?:torch\.cuda\.(?:is_available|device_count)|(?:tf|tensorflow)\.(?:config\.(?:experimental\.)?"
    r"list_physical_devices|test\.is_gpu_available)|jax\.devices)\([^)]*\))"
)
_COMPUTED = regex(
    r"(?P<call>torch\.cuda\.(?:get_device_(?:name|capability|properties)|current_device|synchronize|init)\(|\.cuda\(\)"
    r"|\.to\(\s*['\"]cuda(?::\d+)?['\"]|\bdevice\s*=\s*['\"]cuda(?::\d+)?['\"])"
)
_CONDITION = regex(r"\bif\b|\belse\b|\btry\b|os\.environ|get_device_type|\bmock\b")
_ENGINE = ("--saveEngine", "--onnx", "--loadEngine", "--deploy", "--uff")


class AtBuild(NamedTuple):
    """A command of a RUN that fails without a GPU."""

    what: str
    """As the subject of a message."""
    why: str
    """What happens, as a message goes on behind the colon."""
    span: Span


def at_build(stage: Stage) -> Iterator[AtBuild]:
    """The commands of a stage that surely run and surely need a GPU."""
    for step in stage.steps:
        if step.trigger is not None or step.instruction.flag("device") is not None:
            continue
        for each in step.commands:
            found = _needs_gpu(each) if each.is_sure else None
            if found is not None:
                yield found


def _needs_gpu(each: Executed) -> AtBuild | None:
    if each.name == "nvidia-smi":
        return AtBuild("nvidia-smi", "it comes with the driver when a container starts", each.words[0].span)
    if each.name == "trtexec" and any(word.startswith(_ENGINE) for word in each.arguments):
        return AtBuild("trtexec", "TensorRT builds an engine on the GPU that will run it", each.words[0].span)
    if not PYTHON.fullmatch(each.name) or "-c" not in each.arguments[:-1]:
        return None
    code = each.words[each.arguments.index("-c") + 2]
    asserted = _ASSERTED.search(code.value)
    if asserted is not None:
        return AtBuild(f"assert {asserted['asked']}", "there is no GPU, so that it is false", code.span)
    computed = _COMPUTED.search(code.value) if not _CONDITION.search(code.value) else None
    if computed is not None:
        return AtBuild(f"Python code with {computed['call'].strip()}", "there is no GPU to compute on", code.span)
    return None
