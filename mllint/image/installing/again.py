"""What a call asks for that an earlier one has installed already."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.installing import indexed
from mllint.image.installing.over_base import before
from mllint.sources.requirements import Invalid, Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

    _Places = Mapping[str, tuple[Source, Span]]
    _Begun = Mapping[str, tuple[Source, Span, int]]

# With these a call does something else than to look whether it is there.
_ANEW = (
    *("-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall", "--reinstall", "-P", "--upgrade-package"),
    *("-t", "--target", "--prefix", "--root", "--no-deps", "--no-binary", "--only-binary", "--no-build-isolation"),
    *("-i", "--index-url", "--default-index", "--extra-index-url", "--index", "--pre", "-c", "--constraint"),
)


class Again(NamedTuple):
    """A requirement on the command line, and what asked for its distribution before."""

    line: Requirement
    source: Source
    span: Span


def again(stage: Stage, install: Install) -> tuple[Again, ...]:
    """All that a call names, where earlier calls of the stage surely installed that, and it does not ask for more."""
    if install.manager.name not in ("pip", "uv pip") or install.has(*_ANEW) or install.files:
        return ()
    found = indexed.interpreter_of(stage, install)
    begun = _alike_before(stage, install) if found is None else _installed_before(stage, install, found.site)
    last = _last_before(stage, install, found.site if found is not None else None)
    there = {name: (source, span) for name, (source, span, start) in begun.items() if start >= last}
    pairs = [_again(line, there) for line in install.requirements]
    # What a call names beside others may be there to hold it.
    return tuple(pair for pair in pairs if pair is not None) if all(pairs) else ()


def _again(line: Requirement | Invalid, there: _Places) -> Again | None:
    """A pin, or one with an extra, may be there to have the last word."""
    place = there.get(line.key) if isinstance(line, Requirement) and line.key and line.text == line.name else None
    return Again(line, *place) if isinstance(line, Requirement) and place is not None else None


def _last_before(stage: Stage, install: Install, site: str | None) -> int:
    """Where the last call in front of this one begins that may have broken what was there, which pip then mends."""
    starts = [0]
    for call in (call for step in stage.steps_before(None) for call in step.installs):
        if call.manager.name in ("pip", "uv pip", "uv") and call.span.start < install.span.start:
            found = indexed.interpreter_of(stage, call)
            if site is None or found is None or found.site == site:
                starts.append(call.span.start)
    return max(starts)


def _installed_before(stage: Stage, install: Install, site: str) -> _Begun:
    """What earlier calls surely installed by name, since anything was taken out, and where they begin."""
    there: dict[str, tuple[Source, Span, int]] = {}
    for event in before(stage, install):
        if event.site == site and event.is_removed:
            there.clear()
        elif event.site == site and event.cause.step is not None and event.cause.is_sure and event.brings_more:
            place = event.place or (stage.build.source, event.cause.span)
            there[event.name] = (*place, event.cause.span.start)
    return there


def _alike_before(stage: Stage, install: Install) -> _Begun:
    """For an interpreter of which nothing is known, what the same program installed by name in front of it."""
    there: dict[str, tuple[Source, Span, int]] = {}
    here = install.step.before
    for step in stage.steps:
        if (step.before.env.get("PATH"), step.before.user) != (here.env.get("PATH"), here.user):
            continue
        for call in step.installs:
            if call is install:
                return there
            is_same = call.executed.words[0].value == install.executed.words[0].value and call.verb == install.verb
            if is_same and call.executed.is_sure and not call.has(*_ANEW):
                names = (line for line in call.requirements if isinstance(line, Requirement) and line.key)
                place = stage.build.source, call.span, call.span.start
                there.update({line.key: place for line in names if line.key})
    return there
