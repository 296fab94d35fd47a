"""What a run says: findings with their places and repairs, inputs that could not be read, questions left open."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mllint.catalogue import Rule
    from mllint.sources.text import Source, Span


class Severity(Enum):
    """How bad a finding is, worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    STYLE = "style"

    @property
    def rank(self) -> int:
        """0 for error, rising as it gets less bad."""
        return _RANKS[self.value]

    def at_least(self, other: Severity) -> bool:
        """Whether this is as bad as `other` or worse."""
        return self.rank <= other.rank


_RANKS = {"error": 0, "warning": 1, "info": 2, "style": 3}


class Location(NamedTuple):
    """A span of a source; lines and columns count from 1, columns in code points, the end is exclusive."""

    source: Source
    span: Span

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def start(self) -> tuple[int, int]:
        """Line and column of the first character."""
        return self.source.position(self.span.start)

    @property
    def end(self) -> tuple[int, int]:
        """Line and column behind the last character."""
        return self.source.position(self.span.end)


class Related(NamedTuple):
    """Another place that tells part of the story."""

    location: Location
    message: str


class Edit(NamedTuple):
    """Put another text in the place of what stands at a location; an empty location is where text is put in."""

    location: Location
    text: str

    @property
    def path(self) -> str:
        return self.location.path


class NewFile(NamedTuple):
    """Make a file that is not there yet, with `path` as reports name it."""

    path: str
    text: str


class Fix(NamedTuple):
    """Edits applied all or none. *Safe* cannot break a working image nor change what it is meant to do; *unsafe* wants
    a look."""

    applicability: Literal["safe", "unsafe"]
    title: str
    """What it does, in the imperative: `pin to python:3.11.15-slim-bookworm`."""
    edits: tuple[Edit | NewFile, ...]


class Series(NamedTuple):
    """What makes one finding of several in a file: those of the same rule and severity that say the same."""

    subject: str
    """What this one is about, as the sentence about all of them begins."""
    message: str
    """How that sentence goes on."""
    repair: str
    """What to do about all, where this is the first."""
    outcome: str = ""
    """What is to be added about this one."""


class Finding(NamedTuple):
    """One fault. A check gives place, message (the thing and the consequence, standing alone in a log) and `repair`
    (what to write instead); the engine adds the rule and settles the severity."""

    location: Location
    message: str
    repair: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    severity: Severity | None = None
    """Set by a check only where the case is less or more bad than the rule's own severity."""
    rule: Rule | None = None
    is_strict: bool = False
    """Whether the case is one for the presets from `strict` on, though the rule belongs to the default one."""
    series: Series | None = None
    """Given where a file may have the fault line by line: what no comment hides of it is then told once."""


class InputError(NamedTuple):
    """An input that could not be read, so that it was not (wholly) checked."""

    path: str
    line: int | None
    message: str


class Undecided(NamedTuple):
    """A question the files leave open, so that some checks kept silent."""

    path: str
    line: int
    message: str


class Refused(NamedTuple):
    """A finding whose fix was undone, as it would have done harm; `reason` tells which."""

    finding: Finding
    reason: str


class Report(NamedTuple):
    """The outcome of one run, in its final order."""

    findings: tuple[Finding, ...]
    errors: tuple[InputError, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    files: tuple[str, ...] = ()
    """The paths that were checked: Dockerfiles and requirements files."""
    suppressed: int = 0
    """Findings hidden by comments in the files."""
    ignored: tuple[tuple[str, str], ...] = ()
    """What the configuration ignores and the reason it gives, where it gives one."""
    repaired: tuple[Finding, ...] = ()
    """What was found before and is repaired now, with the places of then, in the order of the repairs."""
    refused: tuple[Refused, ...] = ()
