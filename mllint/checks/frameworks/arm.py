"""ML714: torch with CUDA in an image for 64-bit ARM."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.cpu_builds import cpu_build
from mllint.checks.frameworks.cuda_bases import where
from mllint.findings import Finding, Location, Related
from mllint.image.installing.torch import WithCuda, is_for_arm
from mllint.image.releases import version_of
from mllint.image.serving import gpu, torch_hosts
from mllint.image.serving.cuda import call_of, torch_build
from mllint.image.stage import Stage

# From here on the requirements of torch name CUDA for ARM as well.
_SINCE = (2, 11)


@check("ML714")
def arm64_torch_pulls_cuda(stage: Stage) -> Iterator[Finding]:
    """torch with CUDA in an image for 64-bit ARM that has nothing to do with a GPU."""
    build = torch_hosts.torch(stage) if stage.is_final and is_for_arm(stage) else None
    if build is None or version_of(build.release) < _SINCE or torch_build(stage, build.event) != "public":
        return
    call, meant = call_of(stage, build.event), gpu.intent(stage)
    if call is None or meant == "gpu":
        return
    message = (
        f"torch {build.release} brings CUDA on 64-bit ARM too, as all releases since 2.11, and nothing here uses a GPU:"
        " 2.8 GB to download for torch 2.11, and 156 MB for 2.10"
    )
    repair = (
        "take torch from PyTorch's index of CPU builds, which has those for ARM: --extra-index-url"
        " https://download.pytorch.org/whl/cpu"
    )
    place = build.event.place
    related = (Related(Location(*place), "asked for here"),) if place is not None else ()
    fix = cpu_build(WithCuda(*call, build.event)) if meant == "cpu" else None
    yield Finding(where(stage, build.event), message, repair, related, fix, is_strict=meant == "open")
