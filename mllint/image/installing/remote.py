"""Lists of what to install that a build reads from an address, which another day may say something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.content.fetching import fetches
from mllint.image.installing import refs
from mllint.image.paths import joined
from mllint.patterns import regex
from mllint.sources.requirements import Constraint, Include

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.content.fetching import Fetch
    from mllint.image.installing.refs import Moving
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.requirements import RequirementsFile
    from mllint.sources.shell_tree import Word

_WEB = regex(r"https?://\S+")


class Remote(NamedTuple):
    """A list at an address."""

    url: str
    place: Location
    reader: str
    """The program that reads it."""
    limits: bool
    """Whether it is one of constraints."""

    @property
    def moving(self) -> Moving | None:
        """The repository that it is read from, where what is there moves."""
        return refs.file(self.url)

    @property
    def is_unversioned(self) -> bool:
        """Whether the address tells of no release at all: a place of its own, which may be written again."""
        return not refs.is_on_forge(self.url) and not any(each.isdigit() for each in self.url.partition("//")[2])


def read_by(stage: Stage, install: Install) -> Iterator[Remote]:
    """The lists that a call reads from an address, itself or by a download in front of it."""
    reader = "conda" if install.manager.name in ("conda", "micromamba") else install.manager.name
    for word, limits in _words(install):
        if word.value.startswith(("http://", "https://")):
            if "$" not in word.value:
                yield Remote(word.value, Location(stage.build.source, word.span), reader, limits)
        elif (found := _fetched(stage, install, word)) is not None:
            yield Remote(found.address, Location(stage.build.source, found.span), reader, limits)


def named_in(file: RequirementsFile, reader: str) -> Iterator[Remote]:
    """The lists at an address that the lines of a requirements file name."""
    for line in file.lines:
        if isinstance(line, Include | Constraint) and not line.variables and _WEB.fullmatch(line.path):
            yield Remote(line.path, Location(file.source, line.path_span), reader, isinstance(line, Constraint))


def _words(install: Install) -> Iterator[tuple[Word, bool]]:
    yield from ((word, False) for word in install.files)
    yield from ((word, True) for word in install.constraints)
    if install.manager.name in ("conda", "micromamba"):
        yield from ((word, False) for word in install.values("-f", "--file"))


def _fetched(stage: Stage, install: Install, word: Word) -> Fetch | None:
    """The download that wrote the file which a call reads."""
    path = joined(install.directory, word.value)
    if not isinstance(path, str) or not word.is_literal:
        return None
    found = None
    for step in (*stage.steps_before(install.step), install.step):
        for each in fetches(step):
            is_before = each.executed is None or step is not install.step or each.span.start < install.span.start
            if is_before and path in _written(each) and "$" not in each.address:
                found = each
    return found


def _written(fetch: Fetch) -> tuple[str, ...]:
    """Where a download comes to lie."""
    if fetch.executed is None:
        copy = fetch.step.copy
        assert copy is not None, "an ADD that fetches has sources"
        if copy.checksum is not None:
            return ()
        source = next(each for each in copy.sources if each.word.span == fetch.span)
        return copy.places(source, fetch.name, False)
    path = joined(fetch.executed.directory, fetch.file) if fetch.file is not None else None
    return (path,) if isinstance(path, str) else ()
