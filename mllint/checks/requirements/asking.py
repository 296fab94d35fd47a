"""What requirements files and commands ask the public package index for, each with the call that asks."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.engine import Requirements, Use
from mllint.findings import Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source


class Wish(NamedTuple):
    """A distribution that the public index is asked for."""

    asked: Asked
    use: Use | None
    """None in a requirements file that nobody is seen to install."""

    @property
    def minor(self) -> str | None:
        """The minor release of the Python that it is installed for, where that is known."""
        found = indexed.interpreter_of(self.use.stage, self.use.install) if self.use is not None else None
        return found.minor if found is not None and isinstance(found.minor, str) else None

    @property
    def tool(self) -> str:
        """The program that resolves: pip or uv."""
        return indexed.tool(self.use.install) if self.use is not None else "pip"

    @property
    def place(self) -> tuple[Location, Related | None]:
        """Where to report it."""
        return place_of(self.use, self.asked) if self.use else (Location(self.asked.source, self.asked.span), None)


def wishes(subject: Stage | Requirements) -> Iterator[Wish]:
    """What the public index is surely asked for, by a file in each of its uses."""
    for use in uses_of(subject):
        if indexed.is_public(use.stage, use.install):
            for each in asked_in(subject, use):
                yield Wish(each, use)
    if isinstance(subject, Requirements) and not subject.uses and indexed.is_public_alone(subject.file):
        for source, line in _lines(subject):
            if line.key and line.url is None and line.marker is None:
                yield Wish(Asked(line.key, line.exact_version, line.specifier, source, line.span), None)


def _lines(subject: Requirements) -> Iterator[tuple[Source, Requirement]]:
    lines = () if subject.is_constraints else subject.file.lines
    return ((subject.file.source, line) for line in lines if isinstance(line, Requirement))
