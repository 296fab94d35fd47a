"""ML701: torch with CUDA in an image that never sees a GPU."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.cpu_builds import cpu_build
from mllint.findings import Finding, Location, Related
from mllint.image.installing.torch import WithCuda, download, with_cuda
from mllint.image.serving import gpu
from mllint.image.stage import Stage

_REPAIR = (
    "take torch from PyTorch's index of CPU builds (pip: --extra-index-url, uv: --torch-backend cpu), or set"
    " accelerator: cuda in the configuration where the image runs on GPUs"
)

_RELOCK = (
    "take torch from PyTorch's index of CPU builds (uv: [[tool.uv.index]] and [tool.uv.sources], Poetry: a source with"
    " priority explicit) and lock again, or set accelerator: cuda in the configuration where the image runs on GPUs"
)


@check("ML701")
def torch_cuda_wheels_on_cpu_image(stage: Stage) -> Iterator[Finding]:
    """torch with CUDA in an image that has nothing to do with a GPU."""
    is_candidate = stage.is_final and _installs_python(stage) and not gpu.is_named(stage)
    found = with_cuda(stage) if is_candidate else None
    meant = gpu.intent(stage) if found is not None else "gpu"
    if found is None or meant == "gpu":
        return
    event = found.event
    version = event.version if isinstance(event.version, str) else None
    name = f"{event.name} {version}" if version else event.name
    what = "brings CUDA libraries" if event.name == "torch" else "brings torch with CUDA libraries"
    size = _locked_size(found) or _size(version if event.name == "torch" else None)
    message = f"{name} {what}, and nothing here uses a GPU: {size}"
    place = event.place
    related = (Related(Location(*place), "asked for here"),) if place is not None else ()
    # Training gains most by a GPU, and its code need not name one.
    is_sure = gpu.is_for_cpu(stage) or (meant == "cpu" and stage.server is not None)
    fix = cpu_build(found) if is_sure else None
    repair = _REPAIR if event.locked is None else _RELOCK
    yield Finding(_where(found), message, repair, related, fix, is_strict=meant == "open")


def _locked_size(found: WithCuda) -> str | None:
    """What is downloaded by the sizes in a lock file."""
    size = found.locked_size
    if size is None or found.event.place is None:
        return None
    file = found.event.place[0].path.rpartition("/")[2]
    return f"{size / 10**9:.2f} GB to download by {file}, {round(download(None).for_cpu, -1)} MB for the CPU build"


def _size(version: str | None) -> str:
    """What is downloaded. Without a version the resolver decides by the Python of the image, so that only the order of
    magnitude is known."""
    sizes = download(version)
    cpu = f"{round(sizes.for_cpu, -1)} MB"
    if not sizes.with_cuda:
        return f"the CPU build is {cpu} to download"
    with_cuda = f"about {sizes.with_cuda / 1000:.1f} GB" if version else "gigabytes"
    return f"{with_cuda} to download, {cpu} for the CPU build"


def _installs_python(stage: Stage) -> bool:
    return any(
        call.manager.language == "python"
        for each in stage.build.needed
        for step in each.steps
        for call in step.installs
    )


def _where(found: WithCuda) -> Location:
    """The word of the command that asks for it, else the command."""
    words = [line.span for line in found.install.requirements if getattr(line, "key", None) == found.event.name]
    return Location(found.stage.build.source, words[0] if words else found.install.span)
