"""Whether an image is meant to compute on a GPU, by what the files say."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Literal

from mllint.patterns import regex
from mllint.sources.requirements import Options, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.stage import Stage
    from mllint.sources.compose import Service

Intent = Literal["gpu", "cpu", "open"]

# In a Dockerfile, its name, a requirements file or the name of an image.
_NAMED = regex(
    r"cuda|nvidia|(?<![a-z])gpus?(?![a-z])|rocm|tensorrt|(?<![a-z0-9])cu1[0-9]{2}(?![0-9])|habana|gaudi|neuron|(?<![a-z])xpu",
    re.IGNORECASE,
)
FOR_CPU = regex(r"(?<![a-z])cpu(?![a-z])", re.IGNORECASE)
"""A name that says that something is for the CPU."""
_DISTRIBUTIONS = regex(
    r"nvidia-.*|.*-gpu|cupy.*|jax-cuda.*|.*-cu1\d|.*cuda.*|tensorrt.*|intel-extension-for-pytorch"
    r"|auto-gptq|autoawq|bitsandbytes|deepspeed|exllamav2|flash-attn|liger-kernel|sglang|triton|vllm|xformers"
)
_IN_CODE = regex(r"cuda|(?<![a-z])gpus?(?![a-z])|device_map|nvidia|(?<![a-z])mps(?![a-z])", re.IGNORECASE)
_FORCED = regex(
    r"""(?:device\s*=|\.to\(|\.device\(|device_map\s*=)\s*["']cuda(?::\d+)?["']\s*[,)\n](?!.*(?:if|else)\b)|\.cuda\(\)"""
)
_ASKED_OF_CLUSTER = regex(r"(?:nvidia|amd|intel|habana)\.(?:com|ai)/gpu|accelerator-type|nvidia-tesla|gpus:\s*[1-9a]")
_MAX_FILES, _MAX_BYTES = 400, 300_000


def intent(stage: Stage) -> Intent:
    """What an image that ends with a stage is meant for: `gpu` where anything says so, `cpu` where the configuration or
    the Dockerfile's name does, its platform has no GPU, or its source is there and never speaks of one."""
    settings = stage.build.settings
    if settings.accelerator == "auto" and not _is_lambda(stage.build):
        return _of_files(stage)
    return "cpu" if is_for_cpu(stage) else "gpu"


def is_given(stage: Stage) -> bool:
    """Whether the configuration, a compose file or the variable of NVIDIA's container runtime gives an image a GPU."""
    settings = stage.build.settings
    if settings.accelerator != "auto" or _is_lambda(stage.build):
        return settings.accelerator == "cuda"
    visible = stage.end.env.get("NVIDIA_VISIBLE_DEVICES")
    is_visible = isinstance(visible, str) and visible not in ("", "none", "void")
    return is_visible or any(is_given_by(each) for each in stage.build.services)


def is_for_cpu(stage: Stage) -> bool:
    """Whether the configuration, the platform or the Dockerfile's name says that an image has no GPU."""
    settings = stage.build.settings
    if settings.accelerator != "auto":
        return settings.accelerator == "cpu"
    return _is_lambda(stage.build) or FOR_CPU.search(_path(stage)) is not None


def _is_lambda(build: Build) -> bool:
    """Whether it will run on AWS Lambda, which has no GPUs."""
    return build.platform is not None and build.platform.name == "lambda"


def _of_files(stage: Stage) -> Intent:
    if is_named(stage) or _is_installed_for(stage) or any(_wants_gpu(each) for each in stage.build.services):
        return "gpu"
    if any(_ASKED_OF_CLUSTER.search(text) for text in _deployments(stage)):
        return "gpu"
    if is_for_cpu(stage):
        return "cpu"
    # A compose file often has the part for GPUs in comments, or for another service.
    return "open" if any(_NAMED.search(each.source.text) for each in stage.build.services) else _of_code(stage)


def _path(stage: Stage) -> str:
    """The name of the Dockerfile and of its folder."""
    return "/".join(stage.build.source.path.split("/")[-2:])


def is_named(stage: Stage) -> bool:
    """Whether the configuration leaves it to the files, and the Dockerfile, its name or that of a base speaks of a GPU:
    the sign that is found soonest."""
    build = stage.build
    if build.settings.accelerator != "auto" or _is_lambda(build):
        return False
    bases = " ".join(each.base.text for each in build.needed)
    return any(_NAMED.search(text) for text in (_path(stage), bases, build.source.text))


def _is_installed_for(stage: Stage) -> bool:
    """Whether something is installed that is of no use without a GPU."""
    for each in stage.build.needed:
        for step in each.steps:
            for call in step.installs:
                read = each.closure(call)
                lines = [line for file in read.files.values() for line in file.lines]
                texts = [option.value or "" for line in lines if isinstance(line, Options) for option in line.options]
                asked = [line for line in (*lines, *call.requirements) if isinstance(line, Requirement)]
                texts += [line.specifier for line in asked]
                if any(_NAMED.search(text) or "+cu" in text for text in texts):
                    return True
                if any(line.key and _DISTRIBUTIONS.fullmatch(line.key) for line in asked):
                    return True
    return False


def is_given_by(service: Service) -> bool:
    """Whether a service of compose asks for a GPU."""
    runtime = service.runtime.text if service.runtime is not None else ""
    return "nvidia" in runtime or any(request.is_gpu for request in service.device_requests)


def _wants_gpu(service: Service) -> bool:
    names = (setting.name for setting in service.environment)
    return is_given_by(service) or any(name.startswith(("NVIDIA_", "CUDA_")) for name in names)


def _deployments(stage: Stage) -> Iterator[str]:
    """The YAML files of the context, where a cluster is asked for devices."""
    context = stage.build.context
    files = (each for each in context.files() if each.name.endswith((".yaml", ".yml")) and each.size < _MAX_BYTES)
    for each in islice(files, _MAX_FILES):
        source = context.text(each.path)
        if source is not None:
            yield source.text


def _of_code(stage: Stage) -> Intent:
    """By the Python that the build brings from its context. Code that asks whether there is a GPU runs with and
    without one."""
    is_seen = False
    for text in _code(stage):
        if _FORCED.search(text):
            return "gpu"
        if _IN_CODE.search(text):
            return "open"
        is_seen = is_seen or bool(text.strip())
    return "cpu" if is_seen else "open"


def _code(stage: Stage) -> Iterator[str]:
    context = stage.build.context
    copies = [step.copy for each in stage.build.needed for step in each.steps if step.copy is not None]
    entries = (
        entry
        for copy in copies
        if copy.origin == "context"
        for source in copy.sources
        for entry in source.entries(context)
        if entry.name.endswith(".py") and entry.size < _MAX_BYTES
    )
    for entry in islice(entries, _MAX_FILES):
        source = context.text(entry.path)
        if source is not None:
            yield source.text
