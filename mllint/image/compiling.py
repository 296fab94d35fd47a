"""What of a stage compiles: its build, and what it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing.downloads import requested
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step

_COMPILERS = regex(
    r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+)?|nvcc|make|cmake|ninja|meson|bazel(?:isk)?|cargo|rustc|go"
    r"|configure|autoreconf|mpicc|mim"
)
_SOURCE = regex(r"^(?:git\+|\.|/)|\.(?:tar\.gz|zip)(?:$|#)|@ *(?:git\+|https?:)")
_FROM_SOURCE = ("-e", "--editable", "--no-binary", "--no-build-isolation", "-C", "--config-settings", "--global-option")
_SCRIPT = regex(r".*\.(?:sh|bash|py)|\./.*")
_SETTINGS = regex(
    r"CC|CXX|CFLAGS|TORCH_CUDA_ARCH_LIST|FORCE_CUDA|CMAKE_ARGS|CUDAARCHS|MAX_JOBS|DS_BUILD_\w+|TCNN_\w+|NVCC_\w+"
)


# A C compiler or a CUDA toolkit that a variable of the image names is there to be used.
_COMPILER_SETTING = regex(r"CC|CXX|CUDA_HOME|CUDACXX|CUDAHOSTCXX")
_FOR_BUILDS = regex(r"(?:^|[/._-])(?:builder|build|tests?|testing|ci)(?:[/._-]|$)")
_PUT_ASIDE = regex(r"(?:^|[/._-])(?:archived?|deprecated|obsolete|attic|\.ipynb_checkpoints)(?:[/._-]|$)")
_OLD_TENSORFLOW = regex(r"tensorflow/tensorflow:(?:0|1)\.|tensorflow:\d\d\.\d\d-tf1")
_START_SCRIPT = regex(r"\.(?:sh|bash)$|entrypoint")
_DEVELOPMENT = regex(r"(?:^|[._-])(?:dev|devel|development|devcontainer)(?:$|[._-])")
# What people start an image with to work in it.
_IDLE = POSIX_SHELLS | {"tail", "sleep"}


class Compiling(NamedTuple):
    """What an image gives a compiler to do, with all stages that it is made from."""

    at_build: bool
    """Whether its build has, or may have by what it installs, a compiler work."""
    at_run: str | None
    """A distribution that compiles while the container runs."""
    may_run: bool
    """Whether one may be there that does, as not all is known that is installed, or torch is, whose `compile` does."""
    is_known: bool
    """Whether all that the build installs and runs is known."""


def compiling(build: Build) -> Compiling:
    """What compiles in the stages that the image is made from."""
    installs = [(stage, each) for stage in build.needed for step in stage.steps for each in step.installs]
    names = {name for stage, each in installs for name in requested(stage, each)}
    when = {row["name"]: row["when"] for row in facts.rows("compiling")}
    at_run = next((name for name in sorted(names) if when.get(name) == "run"), None)
    steps = [step for stage in build.needed for step in stage.steps]
    commands = [each for step in steps for each in step.commands]
    is_building = any(when.get(name) == "build" for name in names) or any(_is_from_source(*each) for each in installs)
    at_build = is_building or any(map(_compiles, commands)) or any(map(_sets_compiler, steps))
    is_read = all(_is_read(stage, each) for stage, each in installs)
    is_known = is_read and not any(map(_may_do_anything, commands))
    may_run = not is_known or "torch" in names or any(map(_may_bring_torch, build.needed))
    return Compiling(at_build, at_run, may_run, is_known)


def _is_read(stage: Stage, install: Install) -> bool:
    if install.manager.language != "python":
        return True
    return install.manager.name in ("pip", "uv pip") and stage.closure(install).is_complete


def _may_bring_torch(stage: Stage) -> bool:
    base = stage.root.base
    return not base.row or base.kind == "unknown" or "torch" in base.text or "cuda" in base.text


def is_for_development(stage: Stage) -> bool:
    """Whether the name of a stage or of its file says that people work in it."""
    file = stage.build.source.path.rpartition("/")[2]
    return any(_DEVELOPMENT.search(name) for name in (stage.name or "", file))


def is_for_tests(stage: Stage) -> bool:
    """Whether the path of its file says that it builds or tests."""
    return _FOR_BUILDS.search(stage.build.source.path.lower()) is not None


def is_put_aside(path: str) -> bool:
    """Whether the path of a file says that it is kept and no more built."""
    return _PUT_ASIDE.search(path.lower()) is not None


def is_service(stage: Stage) -> bool:
    """Whether it starts a program for others. What starts nothing, or a shell, may be a base that others build on."""
    process, server = stage.process, stage.server
    if process is None or (server is not None and server.is_notebook):
        return False
    return bool(process.commands) and process.commands[-1].name not in _IDLE


def is_for_more(stage: Stage) -> bool:
    """Whether people may compile in it: a notebook, a node of a cluster, a platform's own image, one whose variables
    name a compiler, whose file is one for builds or tests, or whose start nobody can read."""
    folders = stage.build.source.path.lower()
    if is_for_tests(stage) or any(_COMPILER_SETTING.fullmatch(name) for name in stage.end.env):
        return True
    base, platform = stage.root.base.text, stage.build.settings.platform
    if _OLD_TENSORFLOW.search(base) or "sagemaker" in f"{base} {folders} {platform}":
        return True
    process = stage.process
    words = [word.value for each in process.commands for word in each.words] if process is not None else []
    is_unread = process is not None and not process.scripts and any(_START_SCRIPT.search(word) for word in words[:3])
    return is_unread or any("jupyter" in word or "slurm" in word for word in words)


def takes_cuda_from_base(build: Build) -> bool:
    """Whether a build removes the CUDA that came in wheels, for that of its base, and so has weighed the two."""
    commands = (each for stage in build.needed for step in stage.steps for each in step.commands)
    return any(
        ("uninstall" in each.arguments and any(word.value.startswith("nvidia") for word in each.words))
        or (each.name in ("rm", "find") and any("-packages/nvidia" in word.value for word in each.words))
        for each in commands
    )


def _is_from_source(stage: Stage, install: Install) -> bool:
    if install.manager.name not in ("pip", "uv pip"):
        return False
    lines = (line for _, line in stage.closure(install).lines())
    texts = [*(word.value for word in install.operands), *(f"@ {line.url}" for line in lines if line.url)]
    return install.has(*_FROM_SOURCE) or any(
        _SOURCE.search(text) for text in texts if not text.partition("#")[0].endswith(".whl")
    )


def _compiles(each: Executed) -> bool:
    return _COMPILERS.fullmatch(each.name) is not None or "setup.py" in each.arguments or "build_ext" in each.arguments


def _sets_compiler(step: Step) -> bool:
    return any(_SETTINGS.fullmatch(name) for name in _set(step))


def _set(step: Step) -> Iterator[str]:
    if step.instruction.keyword == "ENV":
        yield from (pair.key.text for pair in step.instruction.pairs)
    for each in step.commands:
        yield from each.assignments
        yield from each.environment


def _may_do_anything(each: Executed) -> bool:
    words = each.words[:2] if each.name.startswith(("python", "bash", "sh")) else each.words[:1]
    return any(_SCRIPT.fullmatch(word.value) for word in words)
