"""What each step does to the inside of the image: the log of events that `view` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.effects import bases, copying, running
from mllint.image.effects.work import Work
from mllint.image.events import Cause, Put
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.view import View

if TYPE_CHECKING:
    from mllint.image.events import Event
    from mllint.image.stage import Stage, Step


class Log(NamedTuple):
    """The events of a stage and of those it starts from, and how many there are behind each of its own steps."""

    events: list[Event]
    start: int
    ends: dict[int, int]
    """By the id of the step."""


def log(stage: Stage) -> Log:
    """Carry a stage out."""
    parent = stage.parent
    events = list(parent.log.events) if parent is not None else list(bases.events(stage.base, stage.instruction.span))
    found = Log(events, len(events), {})
    for step in stage.steps:
        work = Work(stage, step, View(stage.base, stage.build.context, events))
        match step.instruction.keyword:
            case "COPY" | "ADD" if step.copy is not None:
                copying.carry_out(work, step.copy)
            case "WORKDIR":
                _make_folder(work, step)
            case "RUN":
                running.carry_out(work)
        found.ends[id(step)] = len(events)
    return found


def _make_folder(work: Work, step: Step) -> None:
    """BuildKit makes a missing working directory and gives it to the user of the stage."""
    path = step.after.directory
    if not path.startswith(UNKNOWN_FOLDER) and work.view.find(path) is None:
        owner = work.view.uid(step.before.user)
        work.events.append(Put(Cause(step, step.instruction.span), path, "folder", owner, 0o755))
