"""The programs that the Python distributions of an image start, and that it does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import programs, python
from mllint.image.events import Distribution, Interpreter
from mllint.image.view import View
from mllint.sources.generated import is_generated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.python import Environment
    from mllint.image.stage import Stage


class Need(NamedTuple):
    """A distribution that the build asks for by name, and the programs that it starts and does not find."""

    asked: Distribution
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    """Of the operating system, that bring them."""
    fails: str
    is_partial: bool
    """Whether the distribution is of use without them."""


def missing(stage: Stage) -> Iterator[Need]:
    """What the distributions of a stage start at its end and surely do not find."""
    interpreters = {event.prefix: event for event in stage.view.behind() if isinstance(event, Interpreter)}
    for found in interpreters.values():
        # That of conda finds what conda brings.
        if found.cause.is_sure and found.kind != "conda":
            yield from _of_environment(stage, python.environment(stage.view, found, stage.end))


def _of_environment(stage: Stage, environment: Environment) -> Iterator[Need]:
    for name, (row,) in facts.by("tool_needs", "name").items():
        asked = environment.distributions.get(name)
        if asked is None or not asked.cause.is_sure or not _is_wanted(asked):
            continue
        wanted = zip(row["programs"].split(), row["packages"].split(), strict=True)
        lacking = [(program, package) for program, package in wanted if _is_absent(stage, program)]
        if lacking and not _brings(environment, row.get("unless", "").split()):
            names, packages = zip(*lacking, strict=True)
            yield Need(asked, names, packages, row["fails"], row.get("partly") == "yes")


def _is_wanted(asked: Distribution) -> bool:
    """Whether somebody asks for it by name: a list that a program wrote has all that comes along as well."""
    if asked.cause.step is None or asked.manager == "apt":
        return False
    source = asked.place[0] if asked.place is not None else None
    return source is None or not (source.path.endswith(".lock") or is_generated(source))


def _is_absent(stage: Stage, name: str) -> bool:
    view, end = stage.view, stage.end
    # Only what the base surely lacks can be missing, and to ask it first saves most of the time.
    if view.base.program(name) != "absent":
        return False
    # Such programs are no console scripts: of those that bring one all the same the table tells.
    events = [event for event in view.behind() if not isinstance(event, Distribution)]
    others = View(view.base, view.context, events[::-1])
    return programs.program(others, name, end.env.get("PATH"), end.directory) is None


def _brings(environment: Environment, others: list[str]) -> bool:
    """Whether a distribution brings such a program, or may."""
    brought = environment.brought() if others else None
    return brought is not None and any(each in brought.via or each in brought.possible for each in others)
