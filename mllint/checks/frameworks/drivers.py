"""ML716: a container of torch that gets no driver."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import line_below, replace
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.serving import torch_hosts
from mllint.image.serving.cuda import cuda_base
from mllint.image.stage import Stage, Step
from mllint.sources.compose import Service
from mllint.sources.text import Span

_VISIBLE, _CAPABILITIES = "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"
_COMPUTES = frozenset({"compute", "all"})


@check("ML716")
def nvidia_driver_not_injected(stage: Stage) -> Iterator[Finding]:
    """torch for CUDA in a container that NVIDIA's runtime gives no libcuda."""
    build = torch_hosts.torch(stage) if stage.is_final else None
    if build is None or cuda_base(stage) is not None:
        return
    name = f"torch {build.release}"
    service = next((each for each in stage.build.services if _asks_by_runtime(each)), None)
    if service is not None and service.runtime is not None and stage.end.get(_VISIBLE) is None:
        message = (
            f"{stage.root.base.text} does not set {_VISIBLE}, without which the runtime nvidia of {service.source.path}"
            f" gives the container no GPU: {name} computes on the CPU"
        )
        repair = f"write ENV {_VISIBLE}=all {_CAPABILITIES}=compute,utility"
        where = Location(stage.build.source, stage.from_word.span)
        related = (Related(Location(service.source, service.runtime.span), "the runtime"),)
        edit = line_below(stage.instruction, f"ENV {_VISIBLE}=all {_CAPABILITIES}=compute,utility")
        yield Finding(where, message, repair, related, Fix("safe", f"set {_VISIBLE}", (edit,)))
    yield from _without_compute(stage, name)


def _without_compute(stage: Stage, name: str) -> Iterator[Finding]:
    value = stage.end.env.get(_CAPABILITIES)
    step = next((each for each in reversed(stage.steps) if _sets(each)), None)
    if not isinstance(value, str) or not value or step is None or _COMPUTES.intersection(value.split(",")):
        return
    instruction = step.instruction
    found = re.search(rf"{_CAPABILITIES}[= ]\"?({re.escape(value)})\"?(?![\w,])", instruction.text)
    if found is None:
        return
    span = Span(instruction.span.start + found.start(1), instruction.span.start + found.end(1))
    message = f"{_CAPABILITIES}={value} leaves compute out: the container gets no libcuda.so, and {name} finds no GPU"
    fix = Fix("safe", "add compute", (replace(instruction.source, span, f"compute,{value}"),))
    yield Finding(Location(instruction.source, span), message, f"write {_CAPABILITIES}=compute,{value}", fix=fix)


def _sets(step: Step) -> bool:
    return step.instruction.keyword == "ENV" and _CAPABILITIES in step.instruction.rest.text


def _asks_by_runtime(service: Service) -> bool:
    """Whether a service is given GPUs by the runtime alone, which looks at the variable."""
    is_set = any(setting.name == _VISIBLE for setting in service.environment) or bool(service.env_file)
    return (
        service.runtime is not None and service.runtime.text == "nvidia" and not service.device_requests and not is_set
    )
