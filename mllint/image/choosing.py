"""Stages that another value of a build argument makes the image from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.stage import Stage

_VARIABLE = regex(r"\$(?:\{[^}]*\}|\w+)")


def choosable(build: Build) -> tuple[Stage, ...]:
    """The stages that the image is made from, and those that it would be made from with another value of the variable
    in a FROM that names a stage (`FROM ${DEVICE} AS final`), in the order of the file."""
    used = {index for stage in build.stages for index in stage.takes_from}
    found = {stage.index for stage in build.needed}
    waiting = [each for stage in build.needed for each in _alternatives(stage) if each.index not in used]
    while waiting:
        stage = waiting.pop()
        if stage.index not in found:
            found.add(stage.index)
            waiting += [build.stages[index] for index in stage.takes_from]
    return tuple(stage for stage in build.stages if stage.index in found)


def _alternatives(stage: Stage) -> Iterator[Stage]:
    """The earlier stages whose names a FROM with a variable may mean."""
    written = stage.from_word.text
    if stage.base.kind != "stage" or "$" not in written:
        return
    pattern = re.compile(".+".join(map(re.escape, _VARIABLE.split(written))), re.IGNORECASE)
    for other in stage.build.stages[: stage.index]:
        if other.name and pattern.fullmatch(other.name):
            yield other
