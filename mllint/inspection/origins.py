"""The places that values come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.values import Unknown, Value
from mllint.inspection.records import Answer, Known, Origin

if TYPE_CHECKING:
    from mllint.image.events import Cause
    from mllint.image.stage import Stage
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.text import Source, Span


def of_span(source: Source, span: Span) -> Origin:
    """The line that a span of a file begins in."""
    return Origin(source.path, source.position(span.start)[0])


def of_instruction(instruction: Instruction, span: Span | None = None) -> Origin:
    """The line of an instruction, or of some words of it."""
    return of_span(instruction.source, span or instruction.span)


def of_base(stage: Stage) -> Origin:
    """The FROM that names the image the stage goes back to."""
    place = of_instruction(stage.root.instruction)
    return place._replace(is_base=True)


def of_cause(stage: Stage, cause: Cause | None) -> Origin:
    """Where an event of the build happens; without one, or a step in it, the base brings what it is about."""
    if cause is None or cause.step is None:
        return of_base(stage)
    return of_span(cause.step.instruction.source, cause.span)


def not_known(stage: Stage, what: str) -> Unknown:
    """That a fact about the base, named in place of `{}`, is not known."""
    base = stage.root.base
    return Unknown(base.why_unknown if base.kind == "unknown" else f"{what.format(base.text)} is not known")


def about(stage: Stage, unknown: Unknown, what: str) -> Unknown:
    """An unknown; of one that only says that the base is not known, what that means for a fact about it."""
    return not_known(stage, what) if unknown.reason == stage.root.base.why_unknown else unknown


def answer(value: Value, origin: Origin) -> Answer[str]:
    """A value of the build with its origin; what is unknown stays so."""
    return value if isinstance(value, Unknown) else Known(value, origin)
