"""Repairs that pin: lines of files, words of a command, and what is pinned to a release that does not exist."""

import re
from collections.abc import Iterable, Sequence

from mllint.checks.requirements.calls import asked_in
from mllint.edits import insert, replace
from mllint.engine import Requirements, Use
from mllint.findings import Edit, Fix
from mllint.image.installing import indexed, offered, pinning
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import Asked
from mllint.image.packages import Install
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source, Span

_EXTRAS = regex(r"\s*\[[^\]\n]*\]")


def pinned_line(requirements: Requirements, uses: Sequence[Use], line: Requirement) -> Fix | None:
    """The release that all installs of a file would take today."""
    source = requirements.file.source
    versions = {_version(use, line, source) for use in uses}
    version = versions.pop() if len(versions) == 1 else None
    edit = _pin(source, line, version) if version is not None else None
    return Fix("unsafe", f"pin {line.name} to {version}", (edit,)) if edit is not None else None


def _version(use: Use, line: Requirement, source: Source) -> str | None:
    """What an install would take, if it heeds the line."""
    found = pinning.releases(use.stage, use.install).get(line.key or "")
    is_heeded = any(each.source is source and each.span == line.span for each in indexed.asked(use.stage, use.install))
    return found if is_heeded else None


def pinned_words(stage: Stage, install: Install, words: Iterable[Requirement]) -> Fix | None:
    """The releases that a command would take today: of all the words, or the command would be half done."""
    found = pinning.releases(stage, install)
    leads = pinning.leads()
    edits, titles = [], []
    for word in words:
        version = found.get(word.key or "")
        if version is None and leads.get(word.key or "") in found:
            continue
        edit = _pin(stage.build.source, word, version) if version is not None else None
        if edit is None:
            return None
        edits.append(edit)
        titles.append(f"{word.name} to {version}")
    return Fix("unsafe", f"pin {' and '.join(titles)}", tuple(edits)) if edits else None


def _pin(source: Source, line: Requirement, version: str) -> Edit | None:
    """Write an exact version behind the name and its extras, or over the specifier."""
    span = line.name_span
    if span is None or line.variables or source.slice(span) != line.name:
        return None
    if line.specifier_span is None:
        extras = _EXTRAS.match(source.text, span.end) if line.extras else None
        return insert(source, extras.end() if extras else span.end, f"=={version}")
    written = source.slice(line.specifier_span)
    if written != line.specifier:
        return None
    blank = re.match(r"[=!<>~]+(\s*)", written)
    return replace(source, line.specifier_span, f"=={blank[1] if blank else ''}{version}")


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
