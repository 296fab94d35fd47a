"""ML704, ML705, ML709 and ML712: what is installed on an image of CUDA, or needs one."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.retagging import retagged
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.events import Distribution
from mllint.image.serving import cuda
from mllint.image.serving.cuda_users import Runtime, ctranslate2, from_wheels, is_needed, runtime, tensorflow
from mllint.image.stage import Stage
from mllint.sources.reference import Reference


@check("ML704")
def onnxruntime_gpu_cuda_mismatch(stage: Stage) -> Iterator[Finding]:
    """onnxruntime-gpu without the CUDA and cuDNN that it loads."""
    found = runtime(stage) if stage.is_final else None
    lack = _lack(stage, found)
    if found is None or lack is None:
        return
    name = f"onnxruntime-gpu {found.release}"
    message = (
        f"{name} loads CUDA {found.cuda} and cuDNN {found.cudnn}, and {lack}: all runs on the CPU, without an error"
    )
    repair = f"start from nvidia/cuda with CUDA {found.cuda} in the flavour cudnn-runtime"
    if found.has_extras:
        repair += f", or install onnxruntime-gpu[{found.extra}]"
    yield Finding(where(stage, found.event), message, repair, asked_at(stage, found.event))


@check("ML712")
def tensorflow_gpu_without_cuda(stage: Stage) -> Iterator[Finding]:
    """TensorFlow in an image for a GPU without the CUDA and cuDNN that it loads."""
    found = tensorflow(stage) if stage.is_final else None
    lack = _lack(stage, found)
    if found is None or lack is None:
        return
    name = f"{found.event.name} {found.release}"
    message = (
        f"{name} loads CUDA {found.cuda} and cuDNN {found.cudnn}, and {lack}: TensorFlow sees no GPU, logs one warning"
        " and computes on the CPU"
    )
    repair = f"start from nvidia/cuda with CUDA {found.cuda} and cuDNN {found.cudnn} in a cudnn-runtime flavour"
    if found.has_extras:
        repair = f"install {found.event.name}[{found.extra}], which brings them, or {repair}"
    yield Finding(where(stage, found.event), message, repair, asked_at(stage, found.event), _with_extra(stage, found))


@check("ML709")
def ctranslate2_cudnn_mismatch(stage: Stage) -> Iterator[Finding]:
    """CTranslate2 without the CUDA and cuDNN that it loads."""
    found = ctranslate2(stage) if stage.is_final else None
    lack = _lack(stage, found)
    if found is None or lack is None:
        return
    name = f"{found.event.name} {found.release}"
    if found.event.name != "ctranslate2":
        name += " takes a CTranslate2 that"
    message = (
        f"{name} loads CUDA {found.cuda} and cuDNN {found.cudnn}, and {lack}: on a GPU the first request ends the"
        " process"
    )
    repair = f"start from nvidia/cuda with CUDA {found.cuda} and cuDNN {found.cudnn} in a cudnn-runtime flavour"
    if found.base is not None and (found.base.major, found.base.cudnn) == ("12", "8"):
        repair += ", or pin ctranslate2==4.4.0, which is built for the cuDNN 8 that is there"
    yield Finding(where(stage, found.event), message, repair, asked_at(stage, found.event))


def _lack(stage: Stage, found: Runtime | None) -> str | None:
    """What of the CUDA that is loaded the base does not have; None where it has all, or is not known."""
    if found is None:
        return None
    base = stage.root.base.text
    if found.base is None or not found.base.has_libraries:
        return f"{base} has neither"
    if found.base.major != found.cuda:
        return f"{base} has CUDA {found.base.major}"
    if found.base.cudnn != found.cudnn:
        return f"{base} has cuDNN {found.base.cudnn}" if found.base.has_cudnn else f"{base} has no cuDNN"
    return None


def _with_extra(stage: Stage, found: Runtime) -> Fix | None:
    """The extra behind the name, where it is asked for without one."""
    name = found.event.name
    source, span = found.event.place or (stage.build.source, where(stage, found.event).span)
    text = source.slice(span)
    is_plain = text.startswith(name) and not text[len(name) :].lstrip().startswith("[")
    if not found.has_extras or name != "tensorflow" or not is_plain or source.path.endswith(".toml"):
        return None
    edit = insert(source, span.start + len(name), f"[{found.extra}]")
    return Fix("unsafe", f"install {name}[{found.extra}]", (edit,))


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
    place = Location(root.build.source, root.from_word.span)
    related = (Related(where(stage, event), f"{event.name} is installed here"),)
    yield Finding(place, message, repair, related, _slimmed(root))


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


def where(stage: Stage, event: Distribution) -> Location:
    """The word of the command that asks for it, else the command."""
    call = cuda.call_of(stage, event)
    lines = call[1].requirements if call is not None else ()
    words = [line.span for line in lines if getattr(line, "key", None) == event.name]
    return Location(stage.build.source, words[0] if words else event.cause.span)


def asked_at(stage: Stage, event: Distribution) -> tuple[Related, ...]:
    """The line of a file that asks for it, and the base."""
    base = Related(Location(stage.build.source, stage.root.from_word.span), "the base")
    return (base,) if event.place is None else (Related(Location(*event.place), "asked for here"), base)
