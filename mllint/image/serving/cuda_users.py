"""Which packages load a CUDA of their own, and which that of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import offered
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import asked, is_from_lock, is_public
from mllint.image.installing.torch import OF_CUDA
from mllint.image.python import brought_by
from mllint.image.releases import version_of
from mllint.image.serving import gpu
from mllint.image.serving.cuda import CudaBase, call_of, cuda_base, packages, speaks_of_cuda, torch_build
from mllint.patterns import regex
from mllint.sources.requirements import Editable, Invalid, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllint.image.distributions import Brought
    from mllint.image.events import Distribution
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# What links the libraries of CUDA without bringing them, or is compiled where it is installed.
_LINKS_SYSTEM = regex(
    r".*cuda.*|.*cudnn.*|.*tensorrt.*|nvidia-cu.*|nvidia-n[cp].*|.*-gpu|apex|auto-gptq|autoawq|bitsandbytes|causal-conv1d|ctranslate2|cupy.*"
    r"|decord|deepspeed|detectron2|dgl.*|exllamav2|faiss.*|fairseq|faster-whisper|flash-attn|flashinfer.*|gsplat|horovod"
    r"|insightface|jax.*|k2|kaolin|llama-cpp-python|mamba-ssm|megatron.*|mmcv.*|mxnet.*|nvdiffrast|onnxruntime.*"
    r"|openai-whisper|paddle.*|pycuda|pynvvideocodec|pyrender|pytorch3d|rapids.*|sglang|spconv.*|stable-fast"
    r"|tensorflow(?:-text|-serving.*|-recommenders.*)?|tensorstore"
    r"|torch-(?:cluster|scatter|sparse|spline-conv|geometric)|transformer-engine.*"
    r"|tritonclient|vllm|whisperx|xgboost|lightgbm|cu(?:df|ml|graph|spatial).*|nemo.*|natten|gptqmodel|torchaudio-.*"
)
# What uses the compiler of CUDA, or its headers, at run time.
_LINKS_COMPILER = frozenset({"numba", "triton", "torch-geometric"})
# What compiles, or asks for a compiler.
_COMPILES = regex(
    r"(?i)\b(?:cmake|make|ninja|gcc|g\+\+|build-essential|clang|cargo|setup\.py|MAX_JOBS|FORCE_CUDA|git)\b|\.(?:sh|run|whl)\b"
)
_BRINGS_ITS_OWN = "torch"
_OWN = frozenset({"torch", "tensorflow", "jax", "vllm", "paddlepaddle-gpu"})


class Runtime(NamedTuple):
    """A distribution that loads libraries of CUDA, those that it loads, and the image that can have them."""

    event: Distribution
    release: str
    cuda: str
    cudnn: str
    base: CudaBase | None
    """None where the image has no CUDA at all."""
    extra: str = ""
    """The extras that bring the libraries."""

    @property
    def has_extras(self) -> bool:
        """Whether extras bring the libraries."""
        return bool(self.extra)


def from_wheels(stage: Stage) -> Distribution | None:
    """torch in a build for CUDA, which brings what it loads."""
    found = (packages(stage) or {}).get(_BRINGS_ITS_OWN)
    build = torch_build(stage, found) if found is not None else None
    return found if build is not None and (build == "public" or build.startswith("cu")) else None


def is_needed(stage: Stage, base: CudaBase) -> bool:
    """Whether something may use the CUDA of the base, or nobody knows."""
    found = packages(stage)
    if found is None or any(map(_LINKS_SYSTEM.fullmatch, _with_brought(found))) or speaks_of_cuda(stage):
        return True
    # Without a compiler of CUDA in the base, what is compiled does not use it.
    if not base.flavour.endswith("devel"):
        return False
    asked = {name for name, each in found.items() if each.locked is None or name != "triton"}
    if _LINKS_COMPILER.intersection(asked) or any(_may_compile(other, call) for other, call in _calls(stage)):
        return True
    texts = (step.instruction.rest.text for each in stage.build.needed for step in each.steps if step.commands)
    return any(_COMPILES.search(text) for text in texts)


def runtime(stage: Stage) -> Runtime | None:
    """onnxruntime-gpu, where nothing but the base can have the libraries that it loads."""
    found = _loading(stage, "onnxruntime-gpu", "onnxruntime_cuda")
    # Those of 1.27.0 cannot be installed.
    has_extras = found is not None and version_of(found.release) >= (1, 21) and found.release != "1.27.0"
    return found._replace(extra="cuda,cudnn") if found is not None and has_extras else found


def tensorflow(stage: Stage) -> Runtime | None:
    """TensorFlow in an image that is given a GPU, where nothing but the base can have the libraries that it loads."""
    found = _loading(stage, "tensorflow", "tf_cuda") or _loading(stage, "tensorflow-gpu", "tf_cuda")
    return found if found is not None and (found.base is not None or gpu.is_given(stage)) else None


def ctranslate2(stage: Stage) -> Runtime | None:
    """CTranslate2, or faster-whisper, which takes its newest, where nothing but the base can have the libraries that it
    loads; one in an image without CUDA is for the CPU unless it is given a GPU."""
    found = _loading(stage, "ctranslate2", "ctranslate2_cuda")
    if found is None and "ctranslate2" not in (packages(stage) or {}):
        found = _loading(stage, "faster-whisper", "whisper_cuda")
    return found if found is not None and (found.base is not None or gpu.is_given(stage)) else None


def _loading(stage: Stage, name: str, table: str) -> Runtime | None:
    found = packages(stage) or {}
    event, base = found.get(name), cuda_base(stage)
    if event is None or event.extras or (base is None and not _is_without_cuda(stage)) or speaks_of_cuda(stage):
        return None
    release = release_of(event, call_of(stage, event))
    rows = [row for row in facts.rows(table) if release and _covers(row, release)]
    if release is None or not rows or _brings_libraries(found, name):
        return None
    return Runtime(event, release, rows[0]["cuda"], rows[0]["cudnn"], base, rows[0].get("extra", ""))


def _with_brought(found: Mapping[str, Distribution]) -> frozenset[str]:
    """What is asked for and what surely comes along, the parts of CUDA that torch brings aside."""
    settled = {name for name, each in found.items() if each.locked is not None}
    names = (name for name in _closure(found.values()).via if not name.startswith(OF_CUDA))
    return frozenset([*(name for name in found if name not in settled), *names])


def _brings_libraries(found: Mapping[str, Distribution], name: str) -> bool:
    """Whether other distributions than one bring, or may bring, libraries of CUDA that are loaded before those of the
    system."""
    # The one itself brings them with its extras alone.
    brought = _closure(each for other, each in found.items() if other != name)
    names = {*brought.via, *brought.possible} - {name}
    is_one = any(each.startswith(("nvidia-cu", "nvidia-nc", "cuda-", "tensorrt")) for each in names)
    return is_one or bool(brought.unknown) or bool(_OWN.intersection(names))


def _closure(found: Iterable[Distribution]) -> Brought:
    return brought_by(list(found), None, newest=True)


def _covers(row: Mapping[str, str], release: str) -> bool:
    return version_of(row["first"]) <= version_of(release) <= version_of(row["last"])


def _is_without_cuda(stage: Stage) -> bool:
    """Whether the base is an image of an operating system or of Python alone."""
    base = stage.root.base
    return base.is_plain and "cuda" not in base.text and base.libc == "glibc"


def release_of(event: Distribution, call: tuple[Stage, Install] | None) -> str | None:
    """The release that is installed: the pinned one, else the newest that is admitted and has a wheel."""
    if call is None or not (event.locked is not None or is_public(*call)):
        return None
    if isinstance(event.version, str):
        return event.version
    limits = [each.specifier for each in asked(*call) if each.name == event.name]
    where = place(*call)
    if len(limits) != 1 or where is None or call[0].closure(call[1]).constraints:
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        admitted = SpecifierSet(limits[0])
    except InvalidSpecifier:
        return None
    for version in reversed(offered.releases(event.name)):
        offer = offered.offer(event.name, version)
        if version in admitted and offer is not None and offer.has_wheel(where.minor, where.platform):
            return version
    return None


def _calls(stage: Stage) -> Iterator[tuple[Stage, Install]]:
    for each in stage.build.needed:
        for step in each.steps:
            yield from ((each, call) for call in step.installs)


def _may_compile(stage: Stage, call: Install) -> bool:
    """Whether a call installs source code, of which nobody knows what it uses, or reads what is not known."""
    if call.manager.language != "python":
        return False
    read = stage.closure(call)
    lines = [*call.requirements, *(line for file in read.files.values() for line in file.lines)]
    is_source = any(
        isinstance(line, Editable | Invalid) or (isinstance(line, Requirement) and (line.url or not line.key))
        for line in lines
    )
    is_other = call.manager.name not in ("pip", "uv pip") and not is_from_lock(stage, call)
    return is_other or is_source or not read.is_complete or call.has("-e", "--editable", "--no-binary")
