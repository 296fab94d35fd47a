"""Distributions in one environment that write the same package, by the table `same_imports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.events import Distribution
from mllint.image.installing import indexed
from mllint.image.python import environment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# Who gives these knows what lies there, and puts the files over it.
_OVER = ("--force-reinstall", "--reinstall", "-I", "--ignore-installed", "--no-deps")
_KEEP = "keep one of them"


class Overlap(NamedTuple):
    """Distributions that write the same package."""

    package: str
    later: Asked
    """The last one that the call asks for."""
    earlier: tuple[Asked, ...]
    """Those beside it."""
    plain: str | None
    """The name of the one that is not needed beside another; None where people have to choose."""
    keep: str
    """Which one to keep of several, in words."""


def overlaps(stage: Stage, install: Install) -> Iterator[Overlap]:
    """What a call puts beside something that writes the same package, where both are still there at the end."""
    asked = {each.name: each for each in indexed.asked(stage, install)}
    for row in facts.rows("same_imports"):
        group = row["distributions"].split()
        if asked.keys().isdisjoint(group):
            continue
        before = {} if install.has(*_OVER) else _asked_before(stage, install)
        present = _present(stage, install, group)
        found = [(before | asked)[name] for name in group if name in present and name in before | asked]
        found.sort(key=lambda each: (each.name in asked, each.span.start))
        if len(found) > 1:
            yield Overlap(row["imports"], found[-1], tuple(found[:-1]), row.get("plain"), row.get("keep", _KEEP))


def _present(stage: Stage, install: Install, group: Collection[str]) -> frozenset[str]:
    """Those of a group that are in the environment of a call at the end of the stage; none where one of them was
    uninstalled on the way, as somebody has thought of it then."""
    interpreter = indexed.interpreter_of(stage, install)
    removed = {event.name for event in stage.log.events if isinstance(event, Distribution) and event.is_removed}
    if interpreter is None or not removed.isdisjoint(group):
        return frozenset()
    return frozenset(environment(stage.view, interpreter, stage.end).distributions).intersection(group)


def _asked_before(stage: Stage, install: Install) -> dict[str, Asked]:
    """What the calls in front of one ask for."""
    found: dict[str, Asked] = {}
    for one in stage.lineage:
        for step in one.steps:
            for call in step.installs:
                if call is install:
                    return found
                found |= {each.name: each for each in indexed.asked(one, call)}
    return found
