"""ML708 and ML710: what is built with torch, or with CUDA, where one of them is missing."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, uses_of
from mllint.edits import insert
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import with_cuda, with_torch
from mllint.image.installing.indexed import tool
from mllint.image.installing.pins import preinstalled
from mllint.image.installing.with_torch import Built, WithoutTorch
from mllint.image.stage import Stage
from mllint.wording import enumerated

_IN_DEVEL = "build it in a stage from an image of nvidia/cuda in the flavour devel, and copy the environment from there"


@check("ML708")
def build_isolation_needs_torch(subject: Stage | Requirements) -> Iterator[Finding]:
    """A build that imports torch and does not find it."""
    for use in uses_of(subject):
        for each in with_torch.built(use.stage, use.install):
            found = with_torch.without_torch(use.stage, use.install, each)
            if found is not None and is_own(subject, use, each.source):
                yield _without_torch(use, each, found)


@check("ML710")
def needs_nvcc_on_runtime_base(subject: Stage | Requirements) -> Iterator[Finding]:
    """A build for CUDA in an image without its compiler."""
    for use in uses_of(subject):
        for each in with_cuda.without_nvcc(use.stage, use.install):
            if is_own(subject, use, each.source):
                message = f"{each.name} {each.reason}, and {use.stage.root.base.text} has no nvcc: {each.effect}"
                where, related = _place(use, each)
                severity = None if each.is_sure else Severity.WARNING
                yield Finding(where, message, _IN_DEVEL, related, severity=severity)


def _without_torch(use: Use, each: Built, found: WithoutTorch) -> Finding:
    whence = "has no wheel" if each.asked is not None else "is built from its repository"
    lack = "before torch is there"
    if found.why == "isolated":
        lack = f"in an environment of {tool(use.install)}'s own that has none"
    fails = "the build fails with No module named 'torch'"
    message = f"{each.name} {whence}, and its setup.py imports torch {lack}: {fails}"
    repair = "build it with --no-build-isolation"
    if found.missing:
        repair = f"install {enumerated(found.missing)} in a call before this one, and {repair}"
    if each.name in preinstalled(use.stage):
        repair = f"leave it out, as {use.stage.root.base.text} has {each.name}, or {repair}"
    if each.is_for_cuda and with_cuda.lacks_nvcc(use.stage, use.install):
        repair += ", in a stage from an image of nvidia/cuda in the flavour devel, as it needs nvcc too"
    if each.name.startswith("flash-attn"):
        repair += ", or name by its URL the wheel of the project that was made for this torch and Python"
    where, related = _place(use, each)
    severity = None if found.is_sure else Severity.WARNING
    return Finding(where, message, repair, related, _in_place(use, each, found), severity, is_strict=each.asked is None)


def _place(use: Use, each: Built | with_cuda.WithoutNvcc) -> tuple[Location, tuple[Related, ...]]:
    call = Location(use.stage.build.source, use.install.span)
    place = Location(each.source, each.span)
    if each.source is use.stage.build.source:
        return place, ()
    if each.source.path.endswith("pyproject.toml"):
        return call, (Related(place, "asked for here"),)
    return place, (Related(call, "installed here"),)


def _in_place(use: Use, each: Built, found: WithoutTorch) -> Fix | None:
    """The option for a call that builds nothing else, where all that the build imports is there."""
    install, executed = use.install, use.install.executed
    is_plain = executed.is_sure and not executed.wrappers and install.step.trigger is None and not install.files
    if found.why != "isolated" or not is_plain or found.missing or len(install.operands) != 1:
        return None
    word = install.operands[0]
    edit = insert(use.stage.build.source, word.span.start, "--no-build-isolation ")
    return Fix("safe", f"build {each.name} in the environment that has torch", (edit,))
