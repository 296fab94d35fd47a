"""ML704, ML705 and ML707: what is installed on an image of CUDA, or needs one."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.retagging import retagged
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.events import Distribution
from mllint.image.serving import cuda
from mllint.image.serving.cuda_users import from_wheels, is_needed, runtime
from mllint.image.stage import Stage
from mllint.sources.reference import Reference


@check("ML704")
def onnxruntime_gpu_cuda_mismatch(stage: Stage) -> Iterator[Finding]:
    """onnxruntime-gpu without the CUDA and cuDNN that it loads."""
    found = runtime(stage) if stage.is_final else None
    if found is None:
        return
    base, name = stage.root.base.text, f"onnxruntime-gpu {found.release}"
    if found.base is None or not found.base.has_libraries:
        lack = f"{base} has neither"
    elif found.base.major != found.cuda:
        lack = f"{base} has CUDA {found.base.major}"
    elif found.base.cudnn != found.cudnn:
        lack = f"{base} has cuDNN {found.base.cudnn}" if found.base.has_cudnn else f"{base} has no cuDNN"
    else:
        return
    message = (
        f"{name} loads CUDA {found.cuda} and cuDNN {found.cudnn}, and {lack}: all runs on the CPU, without an error"
    )
    repair = f"start from nvidia/cuda with CUDA {found.cuda} in the flavour cudnn-runtime"
    if found.has_extras:
        repair += ", or install onnxruntime-gpu[cuda,cudnn]"
    yield Finding(_where(stage, found.event), message, repair, _asked(stage, found.event))


@check("ML705")
def duplicate_cuda_stack(stage: Stage) -> Iterator[Finding]:
    """An image of CUDA for what brings a CUDA of its own."""
    base = cuda.cuda_base(stage) if stage.is_final else None
    if base is None or not base.has_libraries or is_needed(stage, base):
        return
    event = from_wheels(stage)
    if event is None:
        return
    version = f" {event.version}" if isinstance(event.version, str) else ""
    message = (
        f"{event.name}{version} brings a CUDA of its own, and nothing here uses the one of {stage.root.base.text}: the"
        " image has CUDA twice"
    )
    repair = f"start from {_named(stage, base.slim_tag)}, or from an image of python: the driver comes from the host"
    root = stage.root
    where = Location(root.build.source, root.instruction.words[0].span)
    related = (Related(_where(stage, event), f"{event.name} is installed here"),)
    yield Finding(where, message, repair, related, _slimmed(root))


@check("ML707")
def cpu_wheels_on_gpu_image(stage: Stage) -> Iterator[Finding]:
    """The CPU build of a framework on an image of CUDA."""
    base = cuda.cuda_base(stage) if stage.is_final else None
    event = _for_cpu(stage) if base is not None else None
    if base is None or event is None or is_needed(stage, base):
        return
    version = f" {event.version}" if isinstance(event.version, str) else ""
    what = f"{event.name}{version}" if event.name != "torch" else f"the build of torch{version} here"
    message = f"{what} is for the CPU alone, on {stage.root.base.text}: no model runs on a GPU"
    repair = "install the build for CUDA, or start from an image without CUDA, as python:3.12-slim-bookworm"
    yield Finding(_where(stage, event), message, repair, _asked(stage, event))


def _for_cpu(stage: Stage) -> Distribution | None:
    """The only framework of an image, in its build for the CPU."""
    found = cuda.packages(stage) or {}
    torch, tensorflow = found.get("torch"), found.get("tensorflow-cpu")
    if torch is not None and not {"tensorflow", "jax", "vllm"}.intersection(found):
        return torch if cuda.torch_build(stage, torch) == "cpu" else None
    return tensorflow if tensorflow is not None and not {"torch", "jax", "tensorflow"}.intersection(found) else None


def _slimmed(root: Stage) -> Fix | None:
    """The same version of CUDA without its libraries."""

    def tag_of(_: Reference) -> str | None:
        base = cuda.cuda_base(root)
        return base.slim_tag if base is not None else None

    reference = root.base.reference
    if reference is None or reference.digest or tag_of(reference) is None:
        return None
    edits = retagged(root, tag_of)
    return Fix("unsafe", f"start from {_named(root, tag_of(reference))}", edits) if edits else None


def _named(stage: Stage, tag: str | None) -> str:
    reference = stage.root.base.reference
    assert reference is not None, "an image of CUDA has a name"
    return f"{reference.familiar}:{tag}" if tag is not None else f"the base flavour of {reference.familiar}"


def _where(stage: Stage, event: Distribution) -> Location:
    """The word of the command that asks for it, else the command."""
    call = cuda.call_of(stage, event)
    lines = call[1].requirements if call is not None else ()
    words = [line.span for line in lines if getattr(line, "key", None) == event.name]
    return Location(stage.build.source, words[0] if words else event.cause.span)


def _asked(stage: Stage, event: Distribution) -> tuple[Related, ...]:
    base = Related(Location(stage.build.source, stage.root.instruction.words[0].span), "the base")
    return (base,) if event.place is None else (Related(Location(*event.place), "asked for here"), base)
