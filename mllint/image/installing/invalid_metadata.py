"""Releases that a newer pip takes for not there, as their metadata says what no version can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import indexed
from mllint.image.releases import version_of
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_STRICT = (24, 1)
"""The release of pip from which on such metadata counts as none."""
_NEEDS_PYTHON = (3, 8)
"""The oldest Python that this pip runs with."""


class Refused(NamedTuple):
    """A pinned release, and the pip that does not take it."""

    asked: Asked
    says: str
    """The requirement in its metadata that pip stops at; empty where that is not known."""
    upgrade: Requirement
    """What brings that pip."""


def refused(stage: Stage, install: Install) -> Iterator[Refused]:
    """The releases that a call of pip asks for and that it surely passes over."""
    pinned = [each for each in indexed.asked(stage, install) if each.version is not None]
    rows = [(each, row) for each in pinned for row in facts.by("invalid_metadata", "name").get(each.name, ())]
    found = [(each, row) for each, row in rows if _covers(row, each.version or "")]
    upgrade = _upgrade(stage, install) if found and indexed.tool(install) == "pip" else None
    if upgrade is not None:
        yield from (Refused(each, row.get("says", ""), upgrade) for each, row in found)


def _covers(row: dict[str, str], version: str) -> bool:
    return version_of(row["first"]) <= version_of(version) <= version_of(row["last"])


def _upgrade(stage: Stage, install: Install) -> Requirement | None:
    """What brought the pip of a call, where it is the newest or one that is strict."""
    place = indexed.interpreter_of(stage, install)
    if place is None or not isinstance(place.minor, str) or version_of(place.minor) < _NEEDS_PYTHON:
        return None
    found = None
    for step in (*stage.steps_before(install.step), install.step):
        for earlier in step.installs:
            if earlier is install:
                return found
            other = indexed.interpreter_of(stage, earlier)
            if other is not None and other.site == place.site:
                found = _pip_of(earlier, found)
    return found


def _pip_of(install: Install, before: Requirement | None) -> Requirement | None:
    asked = (each for each in install.requirements if isinstance(each, Requirement) and each.key == "pip")
    line = next(asked, None)
    if line is None:
        return before
    if line.specifier:
        is_strict = line.exact_version is not None and version_of(line.exact_version) >= _STRICT
        return line if is_strict and install.executed.is_sure else None
    return line if install.has("-U", "--upgrade") and install.executed.is_sure else before
