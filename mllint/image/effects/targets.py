"""Where an install goes, and the notes of what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution, Installed
from mllint.image.values import Unknown, Value
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.events import Interpreter
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.sources.lockfiles import Locked
    from mllint.sources.text import Source, Span

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


class Target(NamedTuple):
    """Where an install goes."""

    site: str
    scripts: str
    minor: Value
    interpreter: Interpreter | None = None
    """The one that the install is for, where that is known."""


class Gap(NamedTuple):
    """Why something that an install brings is not in the log."""

    reason: str
    is_asked: bool = True
    """Whether the call may ask for it itself; otherwise what it asks for brings it along."""


def finish(work: Work, each: Executed, target: Target, gaps: list[Gap]) -> None:
    """Note that a resolver ran to the end."""
    gaps = sorted(gaps, key=lambda gap: not gap.is_asked)
    reason = gaps[0].reason if gaps else ""
    is_asked_known = not any(gap.is_asked for gap in gaps)
    event = Installed(work.cause(each), target.site, not gaps, reason, is_asked_known, target.interpreter)
    work.events.append(event)


def target_of(found: Interpreter) -> Target:
    """Where pip puts packages and scripts when no option says so."""
    scripts = "/usr/local/bin" if "/usr/local/lib" in found.site else found.bin
    return Target(found.site, scripts, found.minor, found)


def is_set(value: Value | None) -> bool:
    """Whether a variable that switches something on does."""
    return isinstance(value, str) and value.lower() in _TRUE


def applies(marker: str, minor: Value) -> bool:
    """Whether a marker holds on Linux for a version of Python, 3.11 where it is not known."""
    return holds(marker, Environment(minor if isinstance(minor, str) else "3.11"))


def note(
    work: Work,
    call: Install,
    target: Target,
    name: str,
    version: Value,
    extras: frozenset[str] = frozenset(),
    place: tuple[Source, Span] | None = None,
    brings_more: bool = True,
    locked: Locked | None = None,
) -> None:
    """Write a distribution into the log."""
    cause, manager, key = work.cause(call.executed), call.manager.name, normalised(name)
    event = Distribution(cause, key, version, extras, target.site, target.scripts, manager, place)
    work.events.append(event._replace(locked=locked, brings_more=brings_more))


def pinned(line: Requirement) -> Value:
    """The version that a requirement settles."""
    return line.exact_version or Unknown(f"{line.key} is not pinned")
