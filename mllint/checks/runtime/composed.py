"""ML365 and ML367: what a service of compose lacks for the image that it starts."""

import re
from collections.abc import Iterator
from itertools import pairwise

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.models import served
from mllint.image.serving import gpu
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.compose import Service

_FOR_CUDA = regex(r"cuda|nvidia|vllm/vllm-openai|-gpu\b")
_CUDA_DEVICE = regex(r"cuda(?::\d+)?|gpu", re.IGNORECASE)
_SPEAKS_OF_GPU = regex(r"gpus?\b|nvidia|/dev/(?:kfd|dri)", re.IGNORECASE)
_ASIDE = regex(r"(?m)^[ \t]*#[ \t]*(deploy):(?=[^\n]*\n(?:[ \t]*#[^\n]*\n){1,6}[ \t]*#[^\n]*capabilities)")
_ONNX = "onnxruntime.InferenceSession"
_SHARED_MEMORY = "/dev/shm"
_LOADERS = ("torch.utils.data.DataLoader", "torch_geometric.loader.DataLoader")
_PARALLEL = frozenset("--tensor-parallel-size -tp --tp --tp-size --nproc_per_node --nproc-per-node --num-shard".split())


@check("ML365")
def compose_gpu_missing(stage: Stage) -> Iterator[Finding]:
    """A service of compose that gives an image for CUDA no GPU."""
    services = stage.build.services if stage.is_final else ()
    base = stage.root.base.text
    if not services or gpu.is_for_cpu(stage) or not _FOR_CUDA.search(base) or any(map(gpu.is_given_by, services)):
        return
    for service in services:
        if service.is_extension or _is_for_cpu(service) or _is_replaced(service):
            continue
        device = _device(service)
        if device is not None:
            yield _without_gpu(service, f"sets {device}", False)
        elif not _SPEAKS_OF_GPU.search(service.source.text) and not _computes_on_cpu(stage):
            yield _without_gpu(service, f"its image is made from {base}", True)


def _without_gpu(service: Service, wants: str, is_strict: bool) -> Finding:
    message = (
        f"the compose service {service.name} asks for no GPU, and {wants}: with the default runtime of Docker there is"
        " none in the container"
    )
    aside = _ASIDE.search(service.source.text)
    repair = _REPAIR
    if aside is not None:
        line = service.source.position(aside.start(1))[0]
        repair = f"take the comment marks away from line {line} on, where devices are reserved"
    return Finding(Location(service.source, service.name_span), message, repair, is_strict=is_strict)


def _computes_on_cpu(stage: Stage) -> bool:
    """Whether the service computes with what is installed for the CPU alone."""
    service = served.served(stage)
    if service is None or any(_CUDA_DEVICE.search(source.text) for source, _ in service.sources):
        return False
    torch = service.packages.get("torch")
    if torch is not None and isinstance(torch.version, str) and torch.version.endswith("+cpu"):
        return True
    calls = {call.name for _, module in service.sources for call in module.calls}
    return _ONNX in calls and "onnxruntime" in service.packages and "onnxruntime-gpu" not in service.packages


_REPAIR = (
    "write deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}"
    " in the service"
)


def _device(service: Service) -> str | None:
    """The variable that names a GPU for what to compute on."""
    given = ((each.name, each.value.text) for each in service.environment if each.value is not None)
    named = ((name, value) for name, value in given if name.upper().endswith("DEVICE"))
    return next((f"{name}={value}" for name, value in named if _CUDA_DEVICE.fullmatch(value)), None)


def _is_for_cpu(service: Service) -> bool:
    """Whether its name or a variable says so."""
    values = (each.value.text for each in service.environment if each.value is not None)
    return any(gpu.FOR_CPU.search(text) for text in (service.name, *values))


def _is_replaced(service: Service) -> bool:
    return service.command is not None or service.entrypoint is not None


@check("ML367")
def compose_shm_missing(stage: Stage) -> Iterator[Finding]:
    """A service of compose whose processes share more memory than it has."""
    services = stage.build.services if stage.is_final else ()
    needy = [each for each in services if not each.is_extension and not _has_memory(each)]
    loader = _loader(stage) if needy else None
    for service in needy:
        parallel = _parallel(stage, service)
        what = parallel or (loader if not _is_replaced(service) else None)
        if what is not None:
            message = f"the compose service {service.name} has 64 MB of shared memory, and {what}"
            where, repair = (
                Location(service.source, service.name_span),
                "write shm_size: 8gb or ipc: host in the service",
            )
            yield Finding(where, message, repair, is_strict=parallel is None)


def _has_memory(service: Service) -> bool:
    mounts = [volume.target for volume in service.volumes] + [each.text.partition(":")[0] for each in service.tmpfs]
    return service.shm_size is not None or service.ipc is not None or _SHARED_MEMORY in mounts


def _parallel(stage: Stage, service: Service) -> str | None:
    """What its command says of several processes with a GPU each."""
    process = stage.process
    words = [word.value for each in process.commands for word in each.words] if process is not None else []
    if service.command is not None:
        words = list(service.command.words() or ())
    for word, behind in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        number = value if equals else behind
        if name in _PARALLEL and number.isdecimal() and int(number) > 1:
            return f"{name} {number} has {number} processes exchange tensors there: it ends as it starts"
    return None


def _loader(stage: Stage) -> str | None:
    """What the source says of workers that hand tensors over."""
    for source, module in served.sources(stage):
        for call in module.calls:
            workers = call.keywords.get("num_workers")
            if call.name in _LOADERS and isinstance(workers, int) and workers > 0:
                place = f"{source.path}:{call.line}"
                return f"{place} has {workers} workers hand batches over there: full, it ends them with Bus error"
    return None
