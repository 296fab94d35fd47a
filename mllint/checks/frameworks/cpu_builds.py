"""Repairs of an install that takes torch with CUDA: the CPU build from PyTorch's own index."""

from mllint.checks.commands import indent_of
from mllint.edits import insert
from mllint.findings import Edit, Fix
from mllint.image.installing import indexed, pinning
from mllint.image.installing.builds import FAMILY
from mllint.image.installing.torch import WithCuda
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement

_INDEX = "https://download.pytorch.org/whl/cpu"


def cpu_build(found: WithCuda) -> Fix | None:
    """An option for the call: of a release that both indexes have, the one with a local version is the newer to pip, so
    that `torch==2.3.1` takes `2.3.1+cpu`. The release itself is written nowhere a second time."""
    stage, install = found.stage, found.install
    executed = install.executed
    is_plain = executed.is_sure and not executed.wrappers and not executed.assignments
    if not is_plain or install.step.trigger is not None or install.verb not in ("install", "pip install"):
        return None
    if install.manager.name == "uv pip":
        return Fix("unsafe", "take the CPU build of torch", (_behind(stage, install, "--torch-backend cpu"),))
    if _has_hashes(stage, install) or not _companions(stage, install) <= FAMILY:
        return None
    option = "--index-url" if _is_for_torch_alone(install) else "--extra-index-url"
    return Fix("unsafe", "take torch from the index of CPU builds", (_behind(stage, install, f"{option} {_INDEX}"),))


def _has_hashes(stage: Stage, install: Install) -> bool:
    """Whether a call takes the very files that were tested, with CUDA."""
    return install.has("--require-hashes") or any(line.hashes for _, line in stage.closure(install).lines())


def _companions(stage: Stage, install: Install) -> set[str]:
    """What a call names that is built for one release of torch."""
    return {each.name for each in indexed.asked(stage, install) if pinning.leads().get(each.name) == "torch"}


def _behind(stage: Stage, install: Install, option: str) -> Edit:
    """Put an option behind the words of a call, on a line of its own where the last of them has one."""
    source, last = stage.build.source, install.executed.words[-1].span
    indent = indent_of(source, last.start)
    between = " " if indent is None else f" {stage.build.dockerfile.escape}\n{indent}"
    return insert(source, last.end, f"{between}{option}")


def _is_for_torch_alone(install: Install) -> bool:
    names = {each.key for each in install.requirements if isinstance(each, Requirement)}
    return not install.files and len(install.requirements) == len(install.operands) and names <= FAMILY
