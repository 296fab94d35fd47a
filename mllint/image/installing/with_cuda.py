"""What calls of pip and uv build for CUDA, and whether its compiler is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image import programs
from mllint.image.installing.indexed import interpreter_of, named, view_at
from mllint.image.installing.with_torch import built, without_torch
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

_HOMES = ("CUDA_HOME", "CUDA_PATH", "CUDACXX", "CUDA_TOOLKIT_ROOT_DIR")
_CMAKE_CUDA = regex(r"-D(GGML_CUDA|LLAMA_CUBLAS|LLAMA_CUDA)=(?:on|ON|1|true|TRUE)\b")


class WithoutNvcc(NamedTuple):
    """Something that a call builds for CUDA, without the compiler for it."""

    name: str
    reason: str
    """Why it needs CUDA, as a message goes on behind the name."""
    effect: str
    is_sure: bool
    source: Source
    span: Span


def without_nvcc(stage: Stage, install: Install) -> Iterator[WithoutNvcc]:
    """What a call surely builds for CUDA where there surely is no nvcc."""
    asked = [*_with_torch(stage, install), *_with_cmake(stage, install)]
    if asked and not any(install.variable(name) is not None for name in _HOMES) and lacks_nvcc(stage, install):
        yield from asked


def lacks_nvcc(stage: Stage, install: Install) -> bool:
    """Whether a call surely finds no compiler of CUDA."""
    path = install.executed.environment.get("PATH", install.step.before.env.get("PATH"))
    if interpreter_of(stage, install) is None:
        return False
    return programs.program(view_at(stage, install), "nvcc", path, install.directory) is None


def _with_torch(stage: Stage, install: Install) -> Iterator[WithoutNvcc]:
    is_verified = stage.root.base.is_verified("nvcc")
    for each in built(stage, install):
        if without_torch(stage, install, each) is not None:
            continue
        if each.is_for_cuda:
            reason = "has no wheel and builds its kernels for CUDA"
            if "forced" in each.row:
                reason = f"is built for CUDA, as {each.row['forced']} asks"
            yield WithoutNvcc(
                each.name,
                reason,
                "the build fails as it finds no CUDA toolkit",
                is_verified and each.row["status"] == "verified",
                each.source,
                each.span,
            )


def _with_cmake(stage: Stage, install: Install) -> Iterator[WithoutNvcc]:
    given = install.variable("CMAKE_ARGS")
    match = _CMAKE_CUDA.search(given) if isinstance(given, str) else None
    if match is None:
        return
    for each in named(stage, install):
        if each.name == "llama-cpp-python":
            effect = "the build fails, or older releases leave CUDA out without an error"
            name = f"{each.name} {each.version}" if each.version else each.name
            yield WithoutNvcc(name, f"is built with {match[1]}", effect, False, each.source, each.span)
