"""`Pipfile.lock`: the packages that Pipenv has settled on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.sources.requirements import normalised
from mllint.sources.text import Span

if TYPE_CHECKING:
    from mllint.sources.text import Source


class Package(NamedTuple):
    """A package with the line of its name."""

    name: str
    """Normalised by PEP 503."""
    version: str | None
    extras: frozenset[str]
    marker: str | None
    source: Source
    span: Span


def packages(source: Source, *, with_dev: bool) -> tuple[Package, ...] | None:
    """The packages of the project, and those for its development where asked; None where the text is no such file."""
    import json

    try:
        content = json.loads(source.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("default"), dict):
        return None
    found: dict[str, Package] = {}
    for section in ("default", "develop") if with_dev else ("default",):
        listed = content.get(section)
        for name, entry in listed.items() if isinstance(listed, dict) else ():
            found.setdefault(normalised(name), _package(source, name, entry if isinstance(entry, dict) else {}))
    return tuple(found.values())


def _package(source: Source, name: str, entry: dict[str, Any]) -> Package:
    version, extras, marker = (entry.get(key) for key in ("version", "extras", "markers"))
    place = re.search(re.escape(f'"{name}"') + r"\s*:", source.text)
    return Package(
        normalised(name),
        version.removeprefix("==") if isinstance(version, str) and version.startswith("==") else None,
        frozenset(map(str, extras)) if isinstance(extras, list) else frozenset(),
        marker if isinstance(marker, str) else None,
        source,
        Span(place.start(), place.end()) if place else Span(0, 0),
    )
