"""What builds the image: BuildKit in whatever way it can be had, else the classic builder."""

from __future__ import annotations

import os
import re
import shutil
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.patterns import regex
from mllint.verification.building import api, command, failures
from mllint.verification.building.progress import Failure, Progress, Step
from mllint.verification.engines import answering, said
from mllint.verification.records import Built, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mllint.sources.dockerfile import Dockerfile, Instruction
    from mllint.verification.engines import Engine
    from mllint.verification.records import Variant
    from mllint.verification.staging import Staged

__all__ = ["Builder", "Step", "build", "choose"]

_BUILDX = regex(r"\S*/buildx v?([\w.]+)")
_CLIENT = regex(r"Docker version ((\d+)\.[\w.]+)")
_LAST_WITH_BUILDKIT = 22
"""From Docker 23 on the docker command leaves BuildKit to its plugin buildx."""
_OFF = frozenset({"0", "f", "F", "false", "False", "FALSE"})
"""What Go takes for false."""
_BUILDKIT_FLAGS = regex(r"--(?:mount|network|security|chmod|link|parents|exclude|checksum|keep-git-dir|unpack)\b")
_PLATFORM_ARGUMENT = regex(r"(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE")


class Builder(NamedTuple):
    """A way to build."""

    kind: Literal["buildx", "docker", "api", "classic"]
    description: str
    """With the reason: `BuildKit by docker buildx 0.13.1`."""


def choose(engine: Engine, staged: Staged) -> Builder:
    """The best way to build a Dockerfile. Raises VerifyError where none is good enough for what it asks for."""
    if engine.is_podman:
        return Builder("classic", f"Buildah through the API of {engine.name}")
    if os.environ.get("DOCKER_BUILDKIT") in _OFF:
        return _classic(staged, "the variable DOCKER_BUILDKIT switches BuildKit off", "unset DOCKER_BUILDKIT")
    if not engine.has_buildkit:
        return _classic(staged, f"{engine.name} has no BuildKit", "take Docker 19.03 or newer")
    if found := _BUILDX.match(engine.buildx.result()):
        return Builder("buildx", f"BuildKit by docker buildx {found[1]}")
    if shutil.which("docker") is None:
        return _by_api(staged, "no docker command")
    client = _CLIENT.match(said("docker", "--version"))
    if client and int(client[2]) <= _LAST_WITH_BUILDKIT:
        return Builder("docker", f"BuildKit by the docker command {client[1]}")
    return _by_api(staged, "no docker command with buildx")


def _by_api(staged: Staged, why: str) -> Builder:
    for instruction in _instructions(staged.dockerfile):
        for flag in instruction.flags:
            if found := re.match(r"--mount=(?:.*,)?type=(secret|ssh)\b", flag):
                place = f"{staged.dockerfile.source.path}:{instruction.start_line}"
                raise VerifyError(
                    f"{place}: RUN --mount=type={found[1]} needs docker buildx, and there is {why}: install Docker's"
                    " command with the plugin buildx"
                )
    return Builder("api", f"BuildKit through the engine's API ({why})")


def _classic(staged: Staged, why: str, remedy: str) -> Builder:
    """The classic builder, for a Dockerfile that it understands."""
    for instruction in _instructions(staged.dockerfile):
        if needs := _needs_buildkit(instruction):
            place = f"{staged.dockerfile.source.path}:{instruction.start_line}"
            raise VerifyError(f"{place}: {needs} needs BuildKit, and {why}: {remedy}")
    return Builder("classic", f"classic builder ({why})")


def _instructions(dockerfile: Dockerfile) -> Iterator[Instruction]:
    for instruction in dockerfile.instructions:
        yield instruction
        if instruction.inner is not None:
            yield instruction.inner


def _needs_buildkit(instruction: Instruction) -> str | None:
    """What the classic builder does not know."""
    for flag in instruction.flags:
        if found := _BUILDKIT_FLAGS.match(flag):
            return f"{instruction.keyword} {found[0]}"
    if instruction.heredocs:
        return f"the here-document of {instruction.keyword}"
    if instruction.keyword == "ARG":
        return next((f"ARG {word.text}" for word in instruction.words if _PLATFORM_ARGUMENT.fullmatch(word.text)), None)
    return None


def build(
    builder: Builder,
    engine: Engine,
    variant: Variant,
    staged: Staged,
    labels: Mapping[str, str],
    on_step: Callable[[Step], object] = lambda step: None,
    no_cache: bool = False,
) -> Built:
    """Build the image of a variant, with these labels and without a name. `on_step` is told how the steps go.

    Raises BuildFailed where the files are to blame, and VerifyError, which tells what to do, where they are not.
    """
    progress = Progress(on_step)
    started = time.monotonic()
    if builder.kind in ("buildx", "docker"):
        made = command.build(_command(builder, engine, variant, staged, labels, no_cache), progress)
    else:
        is_buildkit = builder.kind == "api"
        made = api.build(engine.client.api, variant, staged, labels, progress, is_buildkit, no_cache)
    seconds = time.monotonic() - started
    if isinstance(made, Failure):
        raise failures.judge(made, variant, staged, seconds)
    with answering():
        image = engine.client.images.get(made).attrs
    layers = len((image.get("RootFS") or {}).get("Layers") or ())
    return Built(image["Id"], seconds, image["Size"], layers, progress.cached, progress.steps)


def _command(
    builder: Builder, engine: Engine, variant: Variant, staged: Staged, labels: Mapping[str, str], no_cache: bool
) -> list[str]:
    settings = variant.build.settings
    # The builder of the engine itself: another one, as `docker buildx use` chooses it, does not see its images.
    start = ["buildx", "build", f"--builder={engine.context}"] if builder.kind == "buildx" else ["build"]
    options = [f"--file={staged.path}", *(f"--label={name}={value}" for name, value in labels.items())]
    options += [f"--build-arg={name}={value}" for name, value in settings.build_args.items()]
    options += [f"--target={settings.target}"] if settings.target else []
    options += ["--no-cache"] if no_cache else []
    return ["docker", *start, *options, str(variant.build.context.root)]
