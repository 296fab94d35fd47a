"""The CUDA that an image brings, and what in it may use that of the base."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.events import Distribution, Installed, Unsure
from mllint.image.installing.indexed import asked, is_public
from mllint.image.installing.indexes import indexes
from mllint.image.installing.torch import locked_build
from mllint.image.names import common_name
from mllint.image.published import CUDA_IMAGES, CUDA_TAG
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_OF_PYTORCH = regex(r"https?://download\.pytorch\.org/\S*")
_SYSTEM_CUDA = regex(
    r"(?i)/cuda\b|\bcuda-[a-z]|CUDA_(?:HOME|PATH|ROOT|ARCH|BIN|INC|LIB)|CUDACXX|nvcc|cudnn|cublas|libcu(?:da|fft|rand|sol|spa)"
    r"|libnv|nccl|tensorrt|LD_LIBRARY_PATH|nvidia-(?:cu|l)"
)
_UV = regex(r"(?:^|/)(?:astral-sh|astral)/uv(?:[:@]|$)")


class CudaBase(NamedTuple):
    """An image nvidia/cuda by its tag."""

    version: str
    flavour: str
    """base, runtime, cudnn8-devel …"""
    distro: str

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    @property
    def has_libraries(self) -> bool:
        """Whether it has the libraries of CUDA, of which base has the runtime library alone."""
        return not self.flavour.endswith("base")

    @property
    def has_cudnn(self) -> bool:
        return "cudnn" in self.flavour

    @property
    def cudnn(self) -> str | None:
        """The major version of cuDNN, where the flavour or the version of CUDA tells it."""
        if not self.has_cudnn:
            return None
        number = self.flavour.partition("cudnn")[2].partition("-")[0]
        # The flavours without a number begin with CUDA 12.4.1, and with cuDNN 9.
        return number or "9"

    @property
    def slim_tag(self) -> str | None:
        """The tag of the same version without the libraries; None where the table has none."""
        for row in facts.by("cuda_images", "version").get(self.version, ()):
            if row["distro"] == self.distro and "base" in row["flavours"].split():
                return f"{self.version}-base-{self.distro}"
        return None


def cuda_base(stage: Stage) -> CudaBase | None:
    """The image of CUDA that a stage starts from; None for another one, or one whose tag is not known."""
    reference = stage.root.base.reference
    if reference is None or common_name(reference) not in CUDA_IMAGES or not reference.tag:
        return None
    match = CUDA_TAG.fullmatch(reference.tag)
    return CudaBase(match["version"], match["flavour"], match["distro"]) if match else None


def packages(stage: Stage) -> Mapping[str, Distribution] | None:
    """The Python distributions that the build asks for in an image that ends with a stage, by name; None where it may
    ask for others, or something else than a stage of the file is copied in."""
    found: dict[str, Distribution] = {}
    for event in stage.log.events:
        if event.cause.step is None:
            continue
        if isinstance(event, Unsure) and "distributions" in event.about:
            named = _named(stage, event)
            if named is None:
                return None
            found |= named
        if isinstance(event, Installed) and not (event.is_complete or event.is_all_asked_known):
            return None
        if isinstance(event, Distribution):
            if event.is_removed:
                found.pop(event.name, None)
            else:
                found[event.name] = event
    copies = (step.copy for each in stage.build.needed for step in each.steps)
    foreign = (copy.image or "" for copy in copies if copy is not None and copy.origin == "elsewhere")
    return found if all(_UV.search(image) for image in foreign) else None


def _named(stage: Stage, event: Unsure) -> Mapping[str, Distribution] | None:
    """What a call of pip asks for that finds no Python in the image yet; None for all else that nobody can follow."""
    step = event.cause.step
    calls = [call for call in step.installs if call.executed.span == event.cause.span] if step is not None else []
    if len(calls) != 1 or calls[0].manager.name not in ("pip", "uv pip") or stage.root.base.python is not None:
        return None
    call = calls[0]
    if step is None or not any(each is step for each in stage.steps) or not stage.closure(call).is_complete:
        return None
    return {
        each.name: Distribution(
            event.cause,
            each.name,
            each.version or Unknown(f"{each.name} is not pinned"),
            frozenset(),
            "",
            "",
            call.manager.name,
            None if each.source is stage.build.source else (each.source, each.span),
        )
        for each in asked(stage, call)
    }


def call_of(stage: Stage, event: Distribution) -> tuple[Stage, Install] | None:
    """The call of pip or uv that brings a distribution, with its stage."""
    for other in stage.build.needed:
        for step in other.steps:
            if step is event.cause.step:
                for call in step.installs:
                    is_followed = call.manager.name in ("pip", "uv pip") or event.locked is not None
                    if call.executed.span == event.cause.span and is_followed:
                        return other, call
    return None


def torch_build(stage: Stage, event: Distribution) -> str | None:
    """The build of torch that an event brings: `cpu`, `cu121`, `public` for that of the package index; None where it is
    not known."""
    if event.locked is not None:
        return locked_build(stage, event)
    found = call_of(stage, event)
    local = event.version.partition("+")[2] if isinstance(event.version, str) else ""
    if local or found is None:
        return local or None
    if is_public(*found):
        return "public" if not isinstance(event.version, Unknown) or _is_asked(found, event) else None
    named = {each.build for each in indexes(*found) or ()}
    return named.pop() if len(named) == 1 else None


def _is_asked(found: tuple[Stage, Install], event: Distribution) -> bool:
    """Whether a call names a distribution without a version."""
    return any(each.name == event.name and each.version is None for each in asked(*found))


def speaks_of_cuda(stage: Stage) -> bool:
    """Whether a command, a variable or a copy in the making of an image names a part of CUDA: a library, a folder, the
    compiler."""
    return any(_SYSTEM_CUDA.search(_OF_PYTORCH.sub("", text)) for text in _texts(stage))


def _texts(stage: Stage) -> Iterator[str]:
    for each in stage.build.needed:
        for step in each.steps:
            if step.instruction.keyword in ("RUN", "ENV", "COPY", "ADD", "SHELL"):
                yield step.instruction.text
