"""Whom a call of pip or uv trusts: the indexes that it asks, and how it reaches them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.findings import Location
from mllint.image.installing import indexes
from mllint.image.installing.indexed import tool
from mllint.image.installing.pins import settled
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.requirements import Options, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.indexes import Index
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_ADDRESS = regex(r"(?P<scheme>https?)://(?:(?P<user>[^/@]*)@)?(?P<rest>(?P<host>\[[^\]]*\]|[^/:?#]+)\S*)")
_BEST_MATCH = ("unsafe-best-match", "unsafe_best_match")


class Host(NamedTuple):
    """A host, and where a call is told of it."""

    name: str
    place: Location


class Mixed(NamedTuple):
    """An index beside the public one, of which a call takes whatever has the higher version."""

    extra: Index
    place: Location
    names: tuple[str, ...]
    """What may come from either: open in its release, and no distribution that is known to be public."""
    is_private: bool


def host(url: str) -> str:
    """The host of an address on the web, in lower case; of another address all of it."""
    match = _ADDRESS.match(url)
    return match["host"].lower() if match else url


def shown(url: str) -> str:
    """An address without user and password."""
    match = _ADDRESS.match(url)
    return f"{match['scheme']}://{match['rest']}" if match else url


def kind(url: str) -> str:
    """Whose an index is, as in the table `package_indexes`; whoever needs a password keeps it for himself."""
    match = _ADDRESS.match(url)
    if match is None:
        return "local"
    found = next((row["kind"] for row in _patterns() if re.match(row["pattern"], match["rest"].lower())), "vendor")
    return "private" if match["user"] and found == "vendor" else found


@cache
def _patterns() -> tuple[dict[str, str], ...]:
    return facts.rows("package_indexes")


def unencrypted(stage: Stage, install: Install) -> Iterator[tuple[Index, Location]]:
    """The indexes and pages of links that a call reads without encryption, from another machine."""
    for index in indexes.named(stage, install):
        if index is not None and index.url.startswith("http://") and kind(index.url) != "local":
            yield index, _place(stage, install, index)


def is_passed_over(stage: Stage, install: Install, index: Index) -> bool:
    """Whether pip surely passes an index over as it is not encrypted and nobody vouches for its host; see
    `_validate_secure_origin` in `pip/_internal/network/session.py`."""
    if tool(install) != "pip" or indexes.indexes(stage, install) is None:
        return False
    variable = install.variable("PIP_TRUSTED_HOST")
    return not isinstance(variable, Unknown) and not variable and not install.has("--trusted-host")


def unverified(stage: Stage, install: Install) -> Iterator[Host]:
    """The hosts whose certificates a call takes unseen."""
    names = ("--trusted-host", "--allow-insecure-host")
    for word in install.values(*names):
        if word.is_literal:
            yield Host(word.value.partition(":")[0].lower(), Location(stage.build.source, word.span))
    for file in stage.closure(install).files.values():
        options = (option for line in file.lines if isinstance(line, Options) for option in line.options)
        for option in options:
            if option.name in names and option.value is not None and option.value_span is not None:
                yield Host(option.value.partition(":")[0].lower(), Location(file.source, option.value_span))
    variable = {"pip": "PIP_TRUSTED_HOST", "uv": "UV_INSECURE_HOST"}[tool(install)]
    value = install.variable(variable)
    for each in (value or "").split() if not isinstance(value, Unknown) else ():
        yield Host(each.partition(":")[0].lower(), _setter(stage, install, variable))


def mixed(stage: Stage, install: Install) -> Mixed | None:
    """The index of somebody that is searched together with the public one, for names that might be on either."""
    found = list(indexes.named(stage, install))
    if None in found or install.has("--no-index") or not _takes_highest(install):
        return None
    known = [each for each in found if each is not None and each.kind != "links"]
    public = [each for each in known if kind(each.url) == "mirror"]
    is_public_left = not any(each.kind == "only" for each in known)
    for each in known:
        whose = kind(each.url)
        if whose in ("private", "vendor") and (is_public_left or public) and (each.kind == "extra" or public):
            names = _open_names(stage, install)
            return Mixed(each, _place(stage, install, each), names, whose == "private") if names else None
    return None


def _takes_highest(install: Install) -> bool:
    if tool(install) == "pip":
        return True
    given = [word.value for word in install.values("--index-strategy")]
    return (given[-1] if given else install.variable("UV_INDEX_STRATEGY")) in _BEST_MATCH


def _open_names(stage: Stage, install: Install) -> tuple[str, ...]:
    read = stage.closure(install)
    place = settled(stage, install, read)
    lines = [*install.requirements, *(line for _, line in read.lines())]
    names = [
        line.key
        for line in lines
        if isinstance(line, Requirement) and line.key and line.url is None and not line.pinned and line.key not in place
    ]
    return tuple(name for name in dict.fromkeys(names) if not _is_public(name))


def _is_public(name: str) -> bool:
    return name in facts.by("releases", "name") or name in facts.by("distributions", "name")


def _place(stage: Stage, install: Install, index: Index) -> Location:
    return Location(*index.place) if index.place is not None else _setter(stage, install, index.variable)


def _setter(stage: Stage, install: Install, variable: str) -> Location:
    """Where the Dockerfile gives a variable the value that a call sees."""
    place = Location(stage.build.source, install.span)
    for step in stage.steps_before(install.step):
        for pair in step.instruction.pairs if step.instruction.keyword == "ENV" else ():
            if pair.key.text == variable:
                place = Location(stage.build.source, pair.value.span)
    return place
