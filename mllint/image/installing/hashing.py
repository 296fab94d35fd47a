"""Calls that want a hash of everything, and what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.installing import indexed
from mllint.image.packages import BUILD_TOOLS
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.requirements import Editable, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

_FILE = regex(r"\S+://|\S+\.(?:whl|zip|tar\.\w+|tgz)(?:#|$)")


class Line(NamedTuple):
    """What a call asks for, and the file that says so."""

    name: str
    source: Source
    span: Span
    is_folder: bool = False


class Partly(NamedTuple):
    """A call that stops, as some of what it asks for has no hash."""

    missing: tuple[Line, ...]
    first: Line | None
    """What has a hash, and makes pip want one of everything; None where an option does."""


def partly(stage: Stage, install: Install) -> Partly | None:
    """What a call surely wants the hash of and is not given: pip as soon as one requirement has a hash, and any tool
    with `--require-hashes`."""
    read = stage.closure(install)
    if not read.is_complete or read.has_unread_constraints or "--no-require-hashes" in read.options:
        return None
    asked = [(stage.build.source, each) for each in install.requirements if isinstance(each, Requirement)]
    asked += [(file.source, line) for file, line in read.lines()]
    limits = [line for file in read.constraints.values() for line in file.lines if isinstance(line, Requirement)]
    hashed = [(source, line) for source, line in asked if line.hashes]
    is_asked_for = _is_asked_for(install, "--require-hashes" in read.options)
    if not is_asked_for and (indexed.tool(install) != "pip" or not hashed):
        return None
    held = {line.key for line in (*(line for _, line in asked), *limits) if line.hashes or (line.url and line.pinned)}
    missing = (*_names(stage, install, held), *_folders(stage, install))
    first = Line(hashed[0][1].name or hashed[0][1].text, hashed[0][0], hashed[0][1].span) if hashed else None
    return Partly(missing, None if is_asked_for else first) if missing else None


def _is_asked_for(install: Install, is_in_file: bool) -> bool:
    if is_in_file or install.has("--require-hashes"):
        return True
    value = install.variable(f"{indexed.tool(install).upper()}_REQUIRE_HASHES")
    return not isinstance(value, Unknown) and (value or "").lower() in ("1", "true", "yes", "on")


def _names(stage: Stage, install: Install, held: set[str | None]) -> Iterator[Line]:
    for each in indexed.asked(stage, install):
        if each.name not in held and each.name not in BUILD_TOOLS and not each.source.path.endswith(".toml"):
            yield Line(each.name, each.source, each.span)


def _folders(stage: Stage, install: Install) -> Iterator[Line]:
    """Folders, of which nobody can tell a hash."""
    source = stage.build.source
    for asked in install.requirements:
        if isinstance(asked, Requirement) and asked.url and not asked.variables and not _FILE.match(asked.url):
            yield Line(asked.url, source, asked.url_span or asked.span, True)
    for word in install.values("-e", "--editable"):
        if word.is_literal and "://" not in word.value:
            yield Line(word.value, source, word.span, True)
    for file in stage.closure(install).files.values():
        for line in file.lines:
            if isinstance(line, Editable) and "://" not in line.url and not line.variables:
                yield Line(line.url, file.source, line.url_span, True)
