"""ML707: what is for the CPU alone, on an image of CUDA."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.cuda_bases import asked_at, where
from mllint.checks.requirements.calls import place_of, uses_of
from mllint.engine import Use
from mllint.findings import Finding, Location, Related
from mllint.image.events import Distribution
from mllint.image.installing.indexed import Asked, asked
from mllint.image.names import common_name
from mllint.image.serving import cuda
from mllint.image.serving.cuda_users import is_needed
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.file_names import is_dockerfile_name
from mllint.sources.generated import is_generated

_WITH_CUDA = regex(r"nvcr\.io/nvidia/(?:pytorch|tensorflow|tritonserver|cuda)|nvidia/cuda")
_TAG = regex(r"(?i)(?:^|[-_.])cu(?:da)?\d|-gpu(?:-|$)")
_FOR_CPU = regex(r"(?i)cpu(?![a-z])")
_FOR_GPU = regex(r"(?i)gpu|cuda|nvidia")
_INDEX = "those of torch are at https://download.pytorch.org/whl/cpu"
_RUNTIME = "onnxruntime"
_IMPORT = regex(r"\b(?:import|from)\s+onnxruntime\b")


@check("ML707")
def cpu_wheels_on_gpu_image(stage: Stage) -> Iterator[Finding]:
    """The CPU build of a framework on an image of CUDA."""
    base = cuda.cuda_base(stage) if stage.is_final else None
    event = _for_cpu(stage) if base is not None else None
    if base is None or event is None or is_needed(stage, base):
        yield from _hints(stage)
        return
    version = f" {event.version}" if isinstance(event.version, str) else ""
    what = f"{event.name}{version}" if event.name != "torch" else f"the build of torch{version} here"
    message = f"{what} is for the CPU alone, on {stage.root.base.text}: no model runs on a GPU"
    repair = "install the build for CUDA, or start from an image without CUDA, as python:3.12-slim-bookworm"
    yield Finding(where(stage, event), message, repair, asked_at(stage, event))


def _for_cpu(stage: Stage) -> Distribution | None:
    """The only framework of an image, in its build for the CPU."""
    found = cuda.packages(stage) or {}
    torch, tensorflow = found.get("torch"), found.get("tensorflow-cpu")
    if torch is not None and not {"tensorflow", "jax", "vllm"}.intersection(found):
        return torch if cuda.torch_build(stage, torch) == "cpu" else None
    return tensorflow if tensorflow is not None and not {"torch", "jax", "tensorflow"}.intersection(found) else None


def _hints(stage: Stage) -> Iterator[Finding]:
    """What may be meant: a runtime for the CPU beside a framework that has the GPU, and CUDA for what says CPU."""
    if not stage.is_final or not _has_cuda(stage):
        return
    base = Related(Location(stage.build.source, stage.root.from_word.span), "the base")
    text, named = stage.root.base.text, _named_for_cpu(stage)
    if named is not None:
        message = f"{named} is for the CPU by its name, and starts from {text}: CUDA is in the image for nothing"
        repair = f"start from an image of Python, as python:3.12-slim-bookworm, with wheels for the CPU: {_INDEX}"
        yield Finding(base.location, message, repair, is_strict=True)
        return
    for use, each in _runtimes(stage):
        at, call = place_of(use, each)
        message = f"onnxruntime is the build for the CPU, and {text} brings CUDA: sessions of onnxruntime use no GPU"
        repair = (
            "take onnxruntime-gpu in a release for that CUDA; where the CPU is meant, ask for CPUExecutionProvider, and"
            " start from an image without CUDA if nothing else uses it"
        )
        yield Finding(at, message, repair, (*((call,) if call else ()), base), is_strict=True)
        return


def _has_cuda(stage: Stage) -> bool:
    reference = stage.root.base.reference
    # Images of Triton for clients have no CUDA.
    if reference is None or (reference.tag or "").endswith("sdk"):
        return False
    return _WITH_CUDA.fullmatch(common_name(reference)) is not None or _TAG.search(reference.tag or "") is not None


def _named_for_cpu(stage: Stage) -> str | None:
    """The name of the Dockerfile, where it says that the image is for the CPU."""
    name = stage.build.source.path.rpartition("/")[2]
    return name if _FOR_CPU.search(name) and not _FOR_GPU.search(name) else None


def _runtimes(stage: Stage) -> Iterator[tuple[Use, Asked]]:
    """The requirements of onnxruntime by its plain name, where no other build of it comes, and no source asks for the
    CPU."""
    calls = ((use, each) for use in uses_of(stage) for each in asked(use.stage, use.install))
    found = [(use, each) for use, each in calls if each.name == _RUNTIME and not is_generated(each.source)]
    events = (each for each in stage.log.events if isinstance(each, Distribution))
    has_other = found and any(each.name.startswith(f"{_RUNTIME}-") for each in events)
    if found and not has_other and not _wants_cpu(stage):
        yield from ((use, each) for use, each in found if _runs_onnx(stage, each))


def _runs_onnx(stage: Stage, wanted: Asked) -> bool:
    """Whether a source imports onnxruntime, or a file of the context is named for ONNX, outside of folders that have
    a Dockerfile of their own."""
    context = stage.build.context
    # What lies beside the Dockerfile or the list that asks for it is of this image.
    own = [(context.inputs.cwd / path).parent for path in (stage.build.source.path, wanted.source.path)]
    others = {
        f"{folder}/"
        for each in context.files()
        if is_dockerfile_name(each.name) and (folder := each.path.rpartition("/")[0])
        if not any(path.is_relative_to(context.root / folder) for path in own)
    }
    for each in context.files():
        if each.path.startswith(tuple(others)):
            continue
        if "onnx" in each.name.lower():
            return True
        text = stage.build.context.text(each.path) if each.name.endswith((".py", ".ipynb")) else None
        if text is not None and _IMPORT.search(text.text):
            return True
    return False


def _wants_cpu(stage: Stage) -> bool:
    context = stage.build.context
    texts = (context.text(each.path) for each in context.files() if each.path.endswith(".py"))
    found = [each.text for each in texts if each is not None and "ExecutionProvider" in each.text]
    return bool(found) and not any("CUDAExecutionProvider" in each for each in found)
