"""Wheels built for NumPy 1 that are installed beside NumPy 2, by the table `numpy_abi`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import indexed, offered
from mllint.image.installing.fitting import place
from mllint.image.installing.pins import preinstalled
from mllint.image.python import environment
from mllint.image.releases import version_of
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.fitting import Place
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_FIRST = (3, 9)
"""The first Python that NumPy 2 has wheels for."""


class Broken(NamedTuple):
    """A wheel that cannot be imported beside NumPy 2."""

    asked: Asked
    numpy: str
    """The release of NumPy that comes."""
    is_pinned: bool
    """Whether the files ask for that release."""
    is_verified: bool
    older: str | None
    """The newest release of NumPy 1 with a wheel for the interpreter."""
    is_certain: bool
    """Whether nothing else that is asked for may shut NumPy 2 out."""


def broken(stage: Stage, install: Install) -> Iterator[Broken]:
    """What a call installs for NumPy 1, where NumPy 2 comes with it."""
    rows = facts.by("numpy_abi", "name")
    asked = indexed.asked(stage, install)
    bad = [each for each in asked if each.version and _is_in(each.name, "bad", each.version)]
    where = place(stage, install) if bad else None
    if where is None or version_of(where.minor) < _FIRST or not indexed.is_public(stage, install):
        return
    everything = _asked_of_interpreter(stage, install)
    specifiers = _of_numpy(stage, install, everything)
    newest = _newest(",".join(specifiers), where) if _brings_none(stage, install) else None
    if newest is None or version_of(newest) < (2,):
        return
    caps = [_caps(each) for each in everything if each not in bad and each.name != "numpy"]
    if True in caps:
        return
    for each in bad:
        assert each.version is not None
        offer = offered.offer(each.name, each.version)
        if offer is not None and offer.has_wheel(where.minor, where.platform):
            is_verified = rows[each.name][0]["status"] == "verified" and where.is_verified
            is_pinned = any(specifier.startswith("==") for specifier in specifiers)
            yield Broken(each, newest, is_pinned, is_verified, _newest("<2", where), None not in caps)


def _is_in(name: str, column: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    row = next(iter(facts.by("numpy_abi", "name").get(name, ())), {})
    return column in row and SpecifierSet(row[column]).contains(version)


def _asked_of_interpreter(stage: Stage, install: Install) -> list[Asked]:
    """What all calls of a stage and of those that it starts from ask for."""
    return [
        each
        for one in dict.fromkeys((*stage.lineage, stage))
        for step in one.steps
        for call in step.installs
        for each in indexed.asked(one, call)
    ]


def _of_numpy(stage: Stage, install: Install, everything: list[Asked]) -> list[str]:
    """What is asked of NumPy, by calls and constraints."""
    limits = [line for file in stage.closure(install).constraints.values() for line in file.lines]
    found = [line.specifier for line in limits if isinstance(line, Requirement) and line.key == "numpy"]
    return list(filter(None, [*found, *(each.specifier for each in everything if each.name == "numpy")]))


def _brings_none(stage: Stage, install: Install) -> bool:
    """Whether no NumPy is there before a call, for sure, but what pip put there."""
    interpreter = indexed.interpreter_of(stage, install)
    if interpreter is None or "numpy" in preinstalled(stage) or stage.closure(install).has_unread_constraints:
        return False
    before = environment(indexed.view_at(stage, install), interpreter, install.step.before)
    there = before.distributions.get("numpy")
    return before.unknown is None and (there is None or there.manager in ("pip", "uv pip"))


def _newest(specifier: str, where: Place) -> str | None:
    """The newest release of NumPy within limits that has a wheel for a place."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    for version in filter(limits.contains, reversed(offered.releases("numpy"))):
        offer = offered.offer("numpy", version)
        if offer is not None and offer.has_wheel(where.minor, where.platform):
            return version
    return None


def _caps(each: Asked) -> bool | None:
    """Whether a requirement shuts NumPy 2 out; None where nobody knows. The newest release of one that is open lets it
    in by now."""
    if each.version is None:
        return False
    rows = facts.by("numpy_abi", "name")
    if _is_in(each.name, "caps", each.version):
        return True
    known = [row for row in distributions.releases(each.name) if row.requires is not None]
    if not known or any(normalised(_name(text)) == "numpy" for row in known for text in row.requires or ()):
        return False if each.name in rows else None
    return False


def _name(requirement: str) -> str:
    from packaging.requirements import Requirement as Required

    return Required(requirement).name
