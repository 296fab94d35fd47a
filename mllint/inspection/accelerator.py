"""What the image has to do with a GPU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.inspection.origins import not_known, of_base
from mllint.inspection.records import Accelerator, Answer, Environment, Known, Package, Variable
from mllint.patterns import regex
from mllint.sources.requirements import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.stage import Stage

# With the index's own wheels these bring CUDA along, or need it.
_FOR_CUDA = frozenset(
    "torch vllm sglang flash-attn xformers bitsandbytes triton deepspeed auto-gptq cuda-python pycuda tensorrt"
    " tensorrt-llm numba-cuda".split()
)
_FAMILIES = regex(r"nvidia-.*|.*-gpu|cupy(?:-.*)?|jax-cuda.*|.*-cu1\d")
_IN_TAG = regex(r"(?:^|[-_])(?:cuda-?|cu)(\d+(?:\.\d+)*)")
_INDEXES = ("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "-f", "--find-links")
_VARIABLES = regex(r"NVIDIA_.*|CUDA_.*|CUDNN_.*|TORCH_CUDA_ARCH_LIST|LD_LIBRARY_PATH")


def accelerator(stage: Stage, variables: Iterable[Variable], environments: Iterable[Environment]) -> Accelerator:
    """The version of CUDA, and what of the variables and the packages is about it."""
    listed = tuple(variables)
    about = tuple(each for each in listed if _VARIABLES.fullmatch(each.name) and _speaks_of_cuda(each))
    is_cpu = any("/cpu" in address for address in _indexes(stage))
    packages = [each for one in environments for each in one.packages if _is_for_cuda(each, is_cpu)]
    return Accelerator(_cuda(stage, listed), about, tuple(dict.fromkeys(packages)))


def _speaks_of_cuda(variable: Variable) -> bool:
    if variable.name != "LD_LIBRARY_PATH":
        return True
    return isinstance(variable.value, Known) and bool(re.search("cuda|nvidia", variable.value.value))


def _cuda(stage: Stage, variables: tuple[Variable, ...]) -> Answer[str | None]:
    """By the variable CUDA_VERSION, else by the tag of the base."""
    for each in variables:
        if each.name == "CUDA_VERSION" and isinstance(each.value, Known):
            return Known(each.value.value, each.value.origin)
    base = stage.root.base
    tag = (base.reference and base.reference.tag) or ""
    in_name = re.match(r"\d+(?:\.\d+)+", tag) if base.reference and base.reference.familiar.endswith("/cuda") else None
    if in_name is not None:
        return Known(in_name[0], of_base(stage))
    if (match := _IN_TAG.search(tag)) is not None:
        # Tags write 12.1 as 121 too.
        number = match[1]
        dotted = f"{number[:-1]}.{number[-1]}" if number.isdigit() and len(number) > 2 else number
        return Known(dotted, of_base(stage))
    if base.kind == "scratch" or base.is_plain:
        return Known(None, of_base(stage))
    return not_known(stage, "whether {} brings CUDA")


def _is_for_cuda(package: Package, is_cpu: bool) -> bool:
    version = package.version.value if isinstance(package.version, Known) else ""
    local = version.partition("+")[2]
    if local:
        return local.startswith("cu")
    if any("cuda" in extra for extra in package.extras) or _FAMILIES.fullmatch(package.name):
        return True
    return package.name in _FOR_CUDA and not is_cpu


def _indexes(stage: Stage) -> Iterator[str]:
    """The addresses that installs take packages from."""
    for each in stage.build.needed:
        for step in each.steps:
            for call in step.installs:
                yield from (word.value for word in call.values(*_INDEXES))
                for file in each.closure(call).files.values():
                    for line in file.lines:
                        if isinstance(line, Options):
                            yield from (option.value or "" for option in line.options if option.name in _INDEXES)
