"""What a stage starts from: an image, an earlier stage, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Literal

from mllint import facts
from mllint.image.expansion import expand
from mllint.image.values import Unknown, Value
from mllint.sources import reference as references

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllint.config import Settings
    from mllint.image.stage import Stage
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.reference import Reference


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


def resolve(
    instruction: Instruction, variables: Mapping[str, Value], stages: Sequence[Stage], escape: str, settings: Settings
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
    if not isinstance(reference, references.Reference):
        return _unknown(name, f"{name or written} is no image reference")
    return _image(name, reference, settings)


def _unknown(text: str, reason: str) -> Base:
    return Base("unknown", text, None, None, Unknown(reason), None, reason)


def _image(name: str, reference: Reference, settings: Settings) -> Base:
    described = next((base for glob, base in settings.bases.items() if fnmatchcase(name, glob)), None)
    if described is not None and described.like is not None:
        like = references.parse(described.like)
        known = _image(described.like, like, settings) if isinstance(like, references.Reference) else None
        user = described.user or (known.user if known else Unknown(f"the user of {name} is not described"))
        return Base("image", name, None, reference, user, known.family if known else None)
    row = known_image(reference)
    if described is not None and described.user is not None:
        return Base("image", name, None, reference, described.user, row.get("family") if row else None)
    if row is None:
        reason = f"the user of {name} is not known: describe the image under `bases` in the configuration"
        return Base("image", name, None, reference, Unknown(reason), None, reason)
    return Base("image", name, None, reference, row["user"], row["family"] or None)


def known_image(reference: Reference) -> dict[str, str] | None:
    """The row of the table `base_images` for an image: the first whose patterns match its name and tag."""
    name, tag = reference.familiar, reference.tag or "latest"
    for row in _rows():
        if fnmatchcase(name, row["image"]) and fnmatchcase(tag, row.get("tag", "*")):
            return row
    return None


@cache
def _rows() -> tuple[dict[str, str], ...]:
    return facts.rows("base_images")
