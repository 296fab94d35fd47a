"""What a call of pip or uv asks for, as one list that can be pinned as a whole or not at all."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import python
from mllint.image.installing import indexed
from mllint.image.installing.fitting import place
from mllint.image.packages import BUILD_TOOLS
from mllint.patterns import regex
from mllint.sources.requirements import Constraint, Empty, Include, Options, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllint.image.installing.fitting import Place
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

ALONE = BUILD_TOOLS | {"uv"}
"""What needs nothing and limits nothing."""
_FAMILIES = frozenset({"debian", "ubuntu", "alpine"})
_KINDS = frozenset({"image", "system", "venv", "uv"})
# What packages of the operating system bring of Python itself, and a package that brings other modules.
_OF_PYTHON = "pip|venv|dev|devel|is-python3|full|minimal|distutils|setuptools|wheel|virtualenv"
_PACKAGED = regex(rf"(?:python3?[\d.]*|py3)-(?!(?:{_OF_PYTHON})\b)")
# With these a call takes something else than the list says.
_OTHERWISE = ("--pre", "--prerelease", "--resolution", "-P", "--upgrade-package", "--no-deps", "--group")


class Line(NamedTuple):
    """A requirement by name, and the file that it stands in."""

    source: Source
    requirement: Requirement


class Pinnable(NamedTuple):
    """A list of which nothing is unknown but the releases of `open`."""

    open: Mapping[str, Line]
    """What is not pinned, by normalised name."""
    pins: Mapping[str, str]
    """The exact versions of the rest, and of what other calls install."""
    extras: Mapping[str, frozenset[str]]
    """Of all of them, where they have any."""
    where: Place


@lru_cache(maxsize=64)
def pinnable(stage: Stage, install: Install) -> Pinnable | None:
    """The list of a call; None where something else than its pins decides what is installed: lines that name no
    release, constraints, another index, a base or packages of the operating system with modules of their own, or other
    calls that leave releases open."""
    where = place(stage, install)
    if where is None or install.has(*_OTHERWISE) or not _is_bare(stage, install):
        return None
    # What ONBUILD of the base asks for stands in another file.
    if install.step.trigger is not None or not indexed.is_public(stage, install):
        return None
    lines = _whole(stage, install, BUILD_TOOLS)
    others = [_whole(stage, each, ALONE) for each in _calls(stage) if each is not install]
    if lines is None or None in others:
        return None
    asked = {line.requirement.key or "": line for line in lines}
    beside = [line for found in others for line in found or ()]
    pins = _pins([*beside, *lines])
    open_ones = {name: line for name, line in asked.items() if name not in pins}
    if any(line.requirement.key not in pins for line in beside) or _places(stage, install) - {*asked, *pins}:
        return None
    extras = {line.requirement.key or "": frozenset(line.requirement.extras) for line in (*beside, *lines)}
    return Pinnable(open_ones, pins, extras, where)


def _calls(stage: Stage) -> Iterator[Install]:
    """Every call that may install Python packages into the image of a stage."""
    for one in stage.lineage:
        for step in one.steps:
            yield from (each for each in step.installs if each.manager.language == "python")


def _pins(lines: Iterable[Line]) -> dict[str, str]:
    found = ((line.requirement.key or "", line.requirement.exact_version) for line in lines)
    return {name: version for name, version in found if version is not None}


def _whole(stage: Stage, install: Install, left_out: frozenset[str]) -> list[Line] | None:
    """The named requirements of a call, without some tools that the Dockerfile names; None where there is anything
    else, or a name stands there twice or under a condition on the version of Python."""
    read = stage.closure(install)
    if install.manager.name not in ("pip", "uv pip") or not read.is_complete or read.constraints:
        return None
    in_files = [(file.source, line) for file in read.files.values() for line in file.lines]
    lines = [*((stage.build.source, line) for line in install.requirements), *in_files]
    found: dict[str | None, Line] = {}
    for source, line in lines:
        if isinstance(line, Empty | Options | Include | Constraint):
            continue
        if not isinstance(line, Requirement) or not _is_plain(line):
            return None
        if line.key in left_out and source is stage.build.source:
            continue
        if line.key in found:
            return None
        found[line.key] = Line(source, line)
    return list(found.values())


def _is_plain(line: Requirement) -> bool:
    """Whether a requirement says by name what is installed with every Python."""
    marker = line.marker or ""
    is_one = "python_" not in marker and "implementation" not in marker
    return line.key is not None and line.url is None and not line.variables and is_one


def _is_bare(stage: Stage, install: Install) -> bool:
    """Whether a call finds nothing in place but what the calls of the file have installed: the base is an operating
    system or Python alone, and no package of the system brings modules."""
    base, found = stage.root.base, indexed.interpreter_of(stage, install)
    if not base.is_plain or base.family not in _FAMILIES or found is None or found.kind not in _KINDS:
        return False
    packages = [each for one in stage.lineage for step in one.steps for each in step.installs]
    words = (word for each in packages if not each.manager.language for word in each.operands)
    return not any(word.is_literal and _PACKAGED.match(word.value) for word in words)


def _places(stage: Stage, install: Install) -> set[str]:
    """What lies in the environment of a call beside the tools, by name."""
    found = indexed.interpreter_of(stage, install)
    assert found is not None, "a list is gathered only where the interpreter is known"
    environment = python.environment(indexed.view_at(stage, install), found, install.step.before)
    return {*environment.distributions} - ALONE
