"""Requirements of one call of pip or uv that speak of the same distribution."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.installing import indexed
from mllint.image.installing.clashing import contains
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.version import Version

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.requirements import RequirementsFile
    from mllint.sources.text import Source

_OVERRIDES = ("--override", "--overrides")


class Line(NamedTuple):
    """A requirement by name with the place that it stands at."""

    source: Source
    requirement: Requirement
    is_limit: bool = False
    """Whether it is a constraint, which asks for nothing itself."""


def lines_of(stage: Stage, install: Install) -> list[Line]:
    """What a call asks for by name with its interpreter, in the order of its files, and then what limits it."""
    found = indexed.interpreter_of(stage, install)
    minor = found.minor if found is not None and isinstance(found.minor, str) else None
    read = stage.closure(install)
    asked = [(stage.build.source, each) for each in install.requirements if isinstance(each, Requirement)]
    asked += [(file.source, line) for file, line in read.lines()]
    lines = [Line(*each) for each in asked]
    overrides = install.has(*_OVERRIDES) or install.variable("UV_OVERRIDE") is not None
    if not overrides:
        lines += [Line(file.source, line, True) for file in read.constraints.values() for line in _named(file)]
    return [each for each in lines if _counts(each.requirement, minor)]


def lines_alone(file: RequirementsFile) -> list[Line]:
    """What a requirements file that nobody is seen to install asks for with every interpreter."""
    return [Line(file.source, line) for line in _named(file) if _counts(line, None)]


def _named(file: RequirementsFile) -> Iterator[Requirement]:
    return (line for line in file.lines if isinstance(line, Requirement))


def _counts(line: Requirement, minor: str | None) -> bool:
    if line.key is None or line.url is not None or line.variables:
        return False
    return line.marker is None or (minor is not None and holds(line.marker, Environment(minor)))


def pairs(lines: Iterable[Line]) -> Iterator[tuple[Line, Line]]:
    """Each line with those of the same name in front of it; a line that contradicts itself is a pair of itself."""
    seen: dict[str | None, list[Line]] = {}
    for line in lines:
        before = seen.setdefault(line.requirement.key, [])
        if are_apart(line.requirement.specifier):
            yield line, line
            continue
        for each in before:
            if not (line.is_limit and each.is_limit):
                yield (each, line) if line.is_limit else (line, each)
        before.append(line)


def is_needless(line: Requirement, beside: Requirement) -> bool:
    """Whether a line adds nothing to another one: it says the same, or admits what the other one pins."""
    if set(line.extras) != set(beside.extras) or line.options or line.marker != beside.marker:
        return False
    pin = beside.exact_version
    return line.specifier == beside.specifier or (pin is not None and contains(line.specifier, pin))


@cache
def are_apart(*specifiers: str) -> bool:
    """Whether surely no version satisfies all of several specifiers."""
    written = ",".join(dict.fromkeys(filter(None, specifiers)))
    if "," not in written:
        return False
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(written)
    except InvalidSpecifier:
        return False
    clauses = [(each.operator, each.version) for each in limits]
    if any(operator == "===" for operator, _ in clauses):
        return False
    exact = [version for operator, version in clauses if operator == "==" and not version.endswith(".*")]
    if exact:
        return not any(limits.contains(version, prereleases=True) for version in exact)
    return _crosses(clauses)


def _crosses(clauses: Sequence[tuple[str, str]]) -> bool:
    """Whether the highest lower bound lies above the lowest upper one."""
    from packaging.version import Version

    lower: list[tuple[Version, bool]] = []
    upper: list[tuple[Version, bool]] = []
    for operator, text in clauses:
        version = Version(text.removesuffix(".*"))
        if operator in (">=", ">", "~=", "=="):
            lower.append((version, operator == ">"))
        if operator in ("<=", "<"):
            upper.append((version, operator == "<"))
        if operator in ("~=", "=="):
            upper.append((_end(version, operator), True))
    if not lower or not upper:
        return False
    first, last = max(each for each, _ in lower), min(each for each, _ in upper)
    return first > last or (first == last and ((first, True) in lower or (last, True) in upper))


def _end(version: Version, operator: str) -> Version:
    """The first version above all of `~=` or of `==` with a wildcard."""
    from packaging.version import Version

    numbers = list(version.release[:-1] if operator == "~=" else version.release)
    numbers[-1] += 1
    return Version(f"{version.epoch}!{'.'.join(map(str, numbers))}")
