"""Where a fix puts a new instruction into a stage, and how it is set apart from what stands there."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from mllint import edits

if TYPE_CHECKING:
    from mllint.findings import Edit
    from mllint.image.stage import Stage, Step
    from mllint.sources.dockerfile import Dockerfile, Instruction

_DECLARATIONS = frozenset({"ARG", "ENV", "LABEL", "MAINTAINER", "SHELL", "STOPSIGNAL"})
_CLOSING = frozenset({"CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL"})


def own_steps(stage: Stage) -> tuple[Step, ...]:
    """The steps of a stage that are written in it, and not in the ONBUILD of another."""
    return tuple(step for step in stage.steps if step.trigger is None)


def first_work(stage: Stage) -> Step | None:
    """The first step of a stage that does more than declare something: a RUN, WORKDIR, COPY …"""
    return next((step for step in own_steps(stage) if step.instruction.keyword not in _DECLARATIONS), None)


def closing(stage: Stage) -> Step | None:
    """The first of the steps at the end of a stage that tell how the container starts: EXPOSE, HEALTHCHECK, CMD …"""
    group = list(takewhile(lambda step: step.instruction.keyword in _CLOSING, reversed(own_steps(stage))))
    return group[-1] if group else None


def above(dockerfile: Dockerfile, instruction: Instruction, *lines: str) -> Edit:
    """Put lines in above an instruction and its comments, set apart by an empty line where these are."""
    source = dockerfile.source
    comments = {each.line for each in dockerfile.comments}
    first = instruction.start_line
    while first - 1 in comments:
        first -= 1
    is_apart = first > 1 and not source.slice(source.line_span(first - 1)).strip()
    return edits.line_above(dockerfile, instruction, *lines, *([""] if is_apart else []))


def at_end(stage: Stage, *lines: str) -> Edit:
    """Put lines in where a stage has done its work: above its closing group, else below its last step."""
    group = closing(stage)
    if group is not None:
        return above(stage.build.dockerfile, group.instruction, *lines)
    own = own_steps(stage)
    return edits.line_below(own[-1].instruction if own else stage.instruction, *lines)
