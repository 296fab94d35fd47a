"""ML105: the compilers of a base that nothing in the image uses."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.pinning import defaults
from mllint.checks.base_image.retagging import retagged
from mllint.findings import Finding, Fix, Location
from mllint.image.compiling import compiling, is_for_development, is_for_more, is_service, takes_cuda_from_base
from mllint.image.names import common_name
from mllint.image.published import missing_tag
from mllint.image.stage import Stage
from mllint.sources import reference as references
from mllint.sources.reference import DOCKER_HUB, Reference

_IMAGES = ("nvidia/cuda", "nvcr.io/nvidia/cuda", "pytorch/pytorch")


@check("ML105")
def devel_base_in_final_stage(stage: Stage) -> Iterator[Finding]:
    """The image is made from a -devel base, and nothing compiles while it runs."""
    if not stage.is_final or is_for_development(stage) or is_for_more(stage) or not is_service(stage):
        return
    root, base = stage.root, stage.root.base.reference
    if base is None or not _has_compiler(base):
        return
    found = compiling(stage.build)
    if found.at_run is not None or takes_cuda_from_base(stage.build):
        return
    is_twin = common_name(base) in _IMAGES
    smaller = f"{base.familiar}:{_runtime(base)}" if is_twin else "an image with CUDA that has no compiler"
    users = "nothing in it uses" if found.is_known and not found.at_build else "nothing here is known to use as it runs"
    repair = f"compile in a stage of its own, and copy the result into one that starts from {smaller}"
    if found.is_known and not found.at_build:
        repair = f"start from {smaller}"
    message = f"{root.base.text} brings the CUDA compiler and headers into the image: gigabytes that {users}"
    fix = _smaller(root) if is_twin and found.is_known and not found.at_build else None
    word = root.from_word
    where = Location(stage.build.source, word.span)
    related = tuple(defaults(root, word.text))
    yield Finding(where, message, repair, related, fix)


def _has_compiler(base: Reference) -> bool:
    """Whether the tag of an image says that it is for building with CUDA."""
    is_devel = "devel" in (base.tag or "").split("-")
    return is_devel and (common_name(base) in _IMAGES or (base.registry == DOCKER_HUB and "-cuda" in (base.tag or "")))


def _runtime(base: Reference) -> str:
    return "-".join("runtime" if part == "devel" else part for part in (base.tag or "").split("-"))


def _smaller(root: Stage) -> Fix | None:
    """The tag without compilers, unless the tables say that there is none."""
    base = root.base.reference
    smaller = references.parse(f"{base.familiar}:{_runtime(base)}") if base is not None and not base.digest else None
    if not isinstance(smaller, Reference) or missing_tag(smaller) is not None:
        return None
    edits = retagged(root, _runtime)
    return Fix("unsafe", f"start from {smaller.familiar}:{smaller.tag}", edits) if edits else None
