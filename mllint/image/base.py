"""What a stage starts from: an image, an earlier stage, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Literal

from mllint import facts
from mllint.image.expansion import Variables, expand
from mllint.image.values import Unknown, Value
from mllint.sources import reference as references
from mllint.sources.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.config import Base as Described
    from mllint.config import Settings
    from mllint.image.stage import Stage
    from mllint.sources.dockerfile import Instruction

# Where Docker Hub's official images stand under another name.
_COPIES = (
    "public.ecr.aws/docker/library/",
    "mirror.gcr.io/library/",
    *(f"{architecture}/" for architecture in ("amd64", "arm64v8", "arm32v7", "arm32v6", "i386", "ppc64le", "s390x")),
)


@dataclass(frozen=True, slots=True)
class Base:
    """The base of a stage; `text` is the image's name with its variables replaced where they are known."""

    kind: Literal["image", "stage", "scratch", "unknown"]
    text: str
    stage: int | None
    reference: Reference | None
    user: Value
    family: str | None
    """The operating system: debian, ubuntu, alpine, rhel … where the tables know the image."""
    why_unknown: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """The base's own ENTRYPOINT and CMD, where they are known and start a server."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the base is known to set; it may set others."""


def resolve(
    instruction: Instruction, variables: Variables, stages: Sequence[Stage], escape: str, settings: Settings
) -> Base:
    """The base of a FROM, by the global arguments and the stages above it."""
    if not instruction.words:
        return _unknown("", "FROM names no image")
    written = instruction.words[0].text
    name = expand(written, variables, escape)
    if isinstance(name, Unknown):
        return _unknown(written, name.reason)
    if name == "scratch":
        return Base("scratch", name, None, None, "root", None)
    for stage in reversed(stages):
        if stage.name == name.lower():
            return Base("stage", name, stage.index, None, stage.end.user, stage.base.family)
    reference = references.parse(name)
    if not isinstance(reference, Reference):
        return _unknown(name, f"{name or written} is no image reference")
    return _image(name, reference, settings)


def _unknown(text: str, reason: str) -> Base:
    return Base("unknown", text, None, None, Unknown(reason), None, reason)


def _image(name: str, reference: Reference, settings: Settings) -> Base:
    described = next((base for glob, base in settings.bases.items() if fnmatchcase(name, glob)), None)
    if described is not None:
        return _described(name, reference, described, settings)
    row = known_image(reference)
    if row is None:
        reason = f"the user of {name} is not known: describe the image under `bases` in the configuration"
        return Base("image", name, None, reference, Unknown(reason), None, reason)
    entrypoint, command = (tuple(row.get(column, "").split()) for column in ("entrypoint", "command"))
    env = tuple(pair.partition("=")[::2] for pair in row.get("env", "").split())
    return Base("image", name, None, reference, row["user"], row["family"] or None, "", entrypoint, command, env)


def _described(name: str, reference: Reference, described: Described, settings: Settings) -> Base:
    """What the configuration says, and what it leaves open as in the image it names as alike, else as in the tables."""
    like = references.parse(described.like) if described.like is not None else reference
    rest = replace(settings, bases={})
    known = _image(described.like or name, like, rest) if isinstance(like, Reference) else _unknown(name, "")
    user = described.user or known.user
    if isinstance(user, Unknown):
        user = Unknown(f"the user of {name} is not described")
    entrypoint = known.entrypoint if described.entrypoint is None else described.entrypoint
    command = known.command if described.command is None else described.command
    env = (*known.env, *(described.env or {}).items())
    return Base("image", name, None, reference, user, known.family, "", entrypoint, command, env)


def known_image(reference: Reference) -> dict[str, str] | None:
    """The row of the table `base_images` for an image: the first whose patterns match its name and tag."""
    name, tag = common_name(reference), reference.tag or "latest"
    for row in _rows():
        if fits(name, row["image"]) and fits(tag, row.get("tag", "*")):
            return row
    return None


def fits(name: str, pattern: str) -> bool:
    """Whether the name or tag of an image matches a pattern of the tables."""
    # Most patterns are plain or begin so: to compile them all would take longer than the rest of a run.
    if not name.startswith(pattern.partition("*")[0]):
        return False
    return fnmatchcase(name, pattern) if "*" in pattern else name == pattern


def common_name(reference: Reference) -> str:
    """The name the tables know an image by: as people write it, a copy of an official image as the original."""
    name = reference.familiar
    for prefix in _COPIES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def is_built_here(reference: Reference) -> bool:
    """Whether no registry has the image: a single name that is none of Docker Hub's official images is one that an
    earlier build on the same machine gave to its result."""
    if reference.registry == "localhost":
        return True
    return reference.registry == DOCKER_HUB and "/" not in reference.familiar and known_image(reference) is None


@cache
def _rows() -> tuple[dict[str, str], ...]:
    return facts.rows("base_images")
