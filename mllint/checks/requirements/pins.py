"""Repairs that pin: lines of files, words of a command, and what is pinned to a release that does not exist."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mllint.checks.requirements.calls import asked_in
from mllint.edits import insert, newline, replace
from mllint.engine import Requirements, Use
from mllint.findings import Edit, Fix, Location
from mllint.image.installing import lists, offered, pinning
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import Asked
from mllint.image.packages import Install
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.generated import is_generated
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source, Span

_EXTRAS = regex(r"\s*\[[^\]\n]*\]")
_REDIRECTION = regex(r"[ \t]*[<>]")


def pinned_file(uses: Sequence[Use]) -> Fix | None:
    """The releases that all installs of a file would take today, in that file and in what they read with it."""
    edits: dict[Location, Edit] = {}
    names: dict[str, str] = {}
    for use in uses:
        found = _pinned(use.stage, use.install)
        if not found or any(edits.get(location, edit) != edit for location, edit in found.edits.items()):
            return None
        edits |= found.edits
        names |= found.names
    return _fix(names, edits)


def pinned_call(stage: Stage, install: Install) -> Fix | None:
    """The releases that a call would take today: of all that it leaves open, or the list would be half done."""
    found = _pinned(stage, install)
    return _fix(found.names, found.edits) if found else None


class _Pinned(NamedTuple):
    names: Mapping[str, str]
    """The release of each, by its name as written."""
    edits: Mapping[Location, Edit]


def _fix(names: Mapping[str, str], edits: Mapping[Location, Edit]) -> Fix | None:
    if not edits:
        return None
    title = f"pin the {len(names)} unpinned requirements to exact releases"
    if len(names) == 1:
        title = f"pin {' to '.join(*names.items())}"
    return Fix("unsafe", title, tuple(edits[location] for location in sorted(edits, key=_place)))


def _place(location: Location) -> tuple[str, Span]:
    return location.path, location.span


def _pinned(stage: Stage, install: Install) -> _Pinned | None:
    """The pins of a call; None where a place for one of them cannot be told, or a program wrote it."""
    versions, wanted = pinning.releases(stage, install), lists.pinnable(stage, install)
    names, edits = {}, {}
    for name, version in versions.items():
        assert wanted is not None, "releases are chosen for a list"
        line = wanted.open[name]
        edit = _pin(line.source, line.requirement, version)
        if edit is None or is_generated(line.source):
            return None
        names[line.requirement.name or name] = version
        edits[edit.location] = edit
    return _Pinned(names, edits)


def _pin(source: Source, line: Requirement, version: str) -> Edit | None:
    """Write an exact version behind the name and its extras, or over the specifier."""
    span = line.name_span
    if span is None or source.slice(span) != line.name:
        return None
    if line.specifier_span is None:
        extras = _EXTRAS.match(source.text, span.end) if line.extras else None
        end = extras.end() if extras else span.end
        # Of an unquoted `name>=1.0` the shell makes a redirection, which would stay behind.
        return insert(source, end, f"=={version}") if not _REDIRECTION.match(source.text, end) else None
    written = source.slice(line.specifier_span)
    if written != line.specifier:
        return None
    blank = re.match(r"[=!<>~]+(\s*)", written)
    return replace(source, line.specifier_span, f"=={blank[1] if blank else ''}{version}")


def pinned_below(use: Use, each: Asked, name: str, version: str) -> Fix | None:
    """A distribution that nothing asks for yet, on a line of its own below the one that brings it along."""
    source = each.source
    is_file = source is not use.stage.build.source and not source.path.endswith(".toml")
    first, last = (source.position(at)[0] for at in each.span)
    if not is_file or first != last or any(line.key == name for _, line in use.read.lines()):
        return None
    pin, end = f"{name}=={version}", newline(source)
    if last < len(source.line_starts):
        return Fix("unsafe", f"pin {pin}", (insert(source, source.line_starts[last], f"{pin}{end}"),))
    return Fix("unsafe", f"pin {pin}", (insert(source, len(source.text), f"\n{pin}"),))


def repinned(each: Asked, version: str) -> Fix | None:
    """Another release in the place of the one that is pinned."""
    found = _exact(each.source, each.span, each.version) if each.version is not None else None
    if found is None:
        return None
    return Fix("unsafe", f"pin {each.name} to {version}", (replace(each.source, found, version),))


def pinned_to(stage: Stage, install: Install, each: Asked, version: str) -> Fix | None:
    """A release for a distribution that a call asks for, whether or not another one is pinned."""
    if each.version is not None:
        return repinned(each, version)
    lines = [(stage.build.source, line) for line in install.requirements]
    lines += [(file.source, line) for file, line in stage.closure(install).lines()]
    for source, line in lines:
        if isinstance(line, Requirement) and source is each.source and line.span == each.span:
            edit = _pin(source, line, version)
            return Fix("unsafe", f"pin {each.name} to {version}", (edit,)) if edit is not None else None
    return None


def released(subject: Stage | Requirements, uses: Sequence[Use], each: Asked) -> Fix | None:
    """The release whose number goes on behind the one that is missing, else the nearest one of the same line."""
    assert each.version is not None, "only pins can miss their release"
    near = _near(each.name, each.version)
    found = _exact(each.source, each.span, each.version)
    if near is None or found is None:
        return None
    if not all(_fits(use, each, near) for use in uses if each in asked_in(subject, use)):
        return None
    edits = (replace(each.source, found, near),)
    # The build fails as it is, and whoever left the end of the number out meant no other release.
    return Fix("safe" if near.startswith(each.version) else "unsafe", f"pin {each.name} to {near}", edits)


def _near(name: str, version: str) -> str | None:
    """The next release of the same line, or else the one in front."""
    line = version_of(version)[:2]
    near = [found for found in reversed(offered.nearest(name, version)) if version_of(found)[:2] == line]
    return next((found for found in near if not offered.is_yanked(name, found)), None)


def _exact(source: Source, span: Span, version: str) -> Span | None:
    """The version in the one clause of a requirement that names it."""
    found = [*re.finditer(rf"==\s*({re.escape(version)})(?![\w.*+!-])", source.slice(span))]
    return Span(span.start + found[0].start(1), span.start + found[0].end(1)) if len(found) == 1 else None


def _fits(use: Use, each: Asked, version: str) -> bool:
    """Whether a release has a wheel where it is installed, or nobody knows."""
    where = place(use.stage, use.install)
    offer = offered.offer(each.name, version)
    return where is None or offer is None or offer.has_wheel(where.minor, where.platform)
