"""Repairs of an install that takes torch with CUDA: the CPU build from PyTorch's own index."""

from mllint.checks.commands import in_front, is_first
from mllint.edits import insert, line_above
from mllint.findings import Edit, Fix
from mllint.image.installing import indexed, pinning
from mllint.image.installing.torch import WithCuda
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement
from mllint.sources.text import Span

_INDEX = "https://download.pytorch.org/whl/cpu"
_FAMILY = frozenset({"torch", "torchvision", "torchaudio"})
# What holds for another call of pip as well.
_SHARED = frozenset(
    "--no-cache-dir --user --break-system-packages -q --quiet --disable-pip-version-check --no-warn-script-location"
    " --prefer-binary".split()
)
# With these the second call would not keep what the first one brought.
_ANEW = (
    *("-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall", "--no-deps", "--require-hashes", "--pre"),
    *("-t", "--target", "--prefix", "--root", "-c", "--constraint", "--python", "--platform"),
)


def cpu_build(found: WithCuda) -> Fix | None:
    """An option for a call that installs nothing else, or for uv, which knows it; for pip else a call of its own in
    front, whose torch the other one keeps."""
    stage, install = found.stage, found.install
    executed = install.executed
    is_plain = executed.is_sure and not executed.wrappers and not executed.assignments
    if not is_plain or install.step.trigger is not None or install.verb not in ("install", "pip install"):
        return None
    if install.manager.name == "uv pip":
        return Fix("unsafe", "take the CPU build of torch", (_behind(stage, install, "--torch-backend cpu"),))
    if _is_for_torch_alone(install):
        return Fix(
            "unsafe", "take torch from the index of CPU builds", (_behind(stage, install, f"--index-url {_INDEX}"),)
        )
    edit = _call_of_its_own(stage, install)
    return Fix("unsafe", "install the CPU build of torch before the rest", (edit,)) if edit is not None else None


def _behind(stage: Stage, install: Install, option: str) -> Edit:
    return insert(stage.build.source, install.executed.words[-1].span.end, f" {option}")


def _is_for_torch_alone(install: Install) -> bool:
    names = {each.key for each in install.requirements if isinstance(each, Requirement)}
    return not install.files and len(install.requirements) == len(install.operands) and names <= _FAMILY


def _call_of_its_own(stage: Stage, install: Install) -> Edit | None:
    command = _command(stage, install)
    if command is None or install.has(*_ANEW):
        return None
    if not is_first(install):
        return in_front(stage, install, command)
    mounts = [word.text for word in install.step.instruction.flag_words if "type=cache" in word.text]
    return line_above(stage.build.dockerfile, install.step.instruction, " ".join(["RUN", *mounts, command]))


def _command(stage: Stage, install: Install) -> str | None:
    """The call that installs torch and its companions alone, as the rest names them; None where the release is open."""
    asked = {each.name: each for each in indexed.asked(stage, install)}
    companions = {name for name in asked if pinning.leads().get(name) == "torch"}
    if "torch" not in asked or asked["torch"].version is None or not companions <= _FAMILY:
        return None
    words = install.executed.words
    verb = next(word for word in install.executed.command.words if word.value == "install")
    head = stage.build.source.slice(Span(words[0].span.start, verb.span.end))
    options = [word.value for word in words if word.value in _SHARED]
    wanted = [
        f"{name}=={asked[name].version}" if asked[name].version else name for name in sorted({"torch", *companions})
    ]
    return None if "\n" in head else " ".join([head, *dict.fromkeys(options), *wanted, "--index-url", _INDEX])
