"""The images that a build takes files from without starting from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.sources import reference as references
from mllint.sources.reference import Reference
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.stage import Step
    from mllint.sources.dockerfile import Instruction


class Taken(NamedTuple):
    """An image that COPY, ADD or a mount names in its `from`."""

    step: Step
    reference: Reference
    span: Span
    """The name in the file; the whole flag where a continuation cuts it."""


def taken(build: Build) -> Iterator[Taken]:
    """Every place that names an image, in the stages that the image needs; names with variables are left out."""
    for stage in build.needed:
        for step in stage.steps if not stage.is_windows else ():
            if step.trigger is None:
                yield from _named(step)


def _named(step: Step) -> Iterator[Taken]:
    images = [step.copy.image] if step.copy else [each.image for each in step.mounts if each.kind in ("bind", "cache")]
    for image in images:
        reference = references.parse(image) if image and "$" not in image else None
        if image is not None and isinstance(reference, Reference):
            yield Taken(step, reference, _place(step.instruction, image))


def _place(instruction: Instruction, image: str) -> Span:
    written = f"from={image}"
    flag = next(word for word in reversed(instruction.flag_words) if written in word.text)
    at = instruction.source.slice(flag.span).find(written)
    start = flag.span.start + at + len("from=")
    return flag.span if at < 0 else Span(start, start + len(image))
