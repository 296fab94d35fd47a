"""What needs `pkg_resources` where no setuptools has it any more, by the table `pkg_resources`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import indexed, offered
from mllint.image.python import environment
from mllint.image.releases import version_of
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.python import Environment
    from mllint.image.stage import Stage

LAST = "<82"
"""The releases of setuptools that have it."""
_BARE_SINCE = (3, 12)
"""Images and virtual environments bring no setuptools since this Python."""
_UPGRADES = ("-U", "--upgrade")
# What makes a build take another setuptools than the newest.
_BUILDS_OTHERWISE = (
    *("--no-build-isolation", "--no-build-isolation-package", "--build-constraint", "--build-constraints"),
    "--config-file",
)
_VARIABLES = (
    *("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_NO_BUILD_ISOLATION", "UV_BUILD_CONSTRAINT"),
    "UV_NO_BUILD_ISOLATION",
)


class Need(NamedTuple):
    """A requirement that needs it."""

    row: Mapping[str, str]
    minor: str
    older: str | None
    """The newest setuptools for the Python that has it."""
    is_certain: bool
    """Whether nothing unknown may bring an older setuptools."""


def needs(stage: Stage, install: Install, each: Asked) -> Need | None:
    """Whether a requirement fails for want of it where it is installed; None where it does not, or nobody knows."""
    row = next(iter(facts.by("pkg_resources", "name").get(each.name, ())), None)
    found = indexed.interpreter_of(stage, install)
    if row is None or found is None or not isinstance(found.minor, str) or not _concerns(row, each):
        return None
    minor, older = found.minor, offered.newest("setuptools", found.minor, LAST)
    newest = offered.newest("setuptools", minor)
    if newest is None or not _is_gone(newest):
        return None
    if row["when"] == "build":
        is_plain = not install.has(*_BUILDS_OTHERWISE) and not any(install.variable(name) for name in _VARIABLES)
        return Need(row, minor, older, is_certain=True) if is_plain and not _is_limited(stage, install) else None
    there = environment(stage.view, found, stage.end)
    brought = there.brought()
    names = {*there.distributions, *brought.via, *brought.possible}
    if found.kind not in ("image", "venv", "uv") or not _lacks(stage, there) or any(map(_holds_back, names)):
        return None
    is_certain = brought.is_complete and not brought.from_memory and there.unknown is None
    return Need(row, minor, older, is_certain)


def _concerns(row: Mapping[str, str], each: Asked) -> bool:
    if each.version is None:
        return "versions" not in row
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(row.get("versions", "")).contains(each.version, prereleases=True)


def _is_gone(version: str) -> bool:
    return version_of(version) >= version_of(LAST.lstrip("<"))


def _is_limited(stage: Stage, install: Install) -> bool:
    """Whether constraints speak of setuptools."""
    files = stage.closure(install).constraints.values()
    return any(isinstance(line, Requirement) and line.key == "setuptools" for file in files for line in file.lines)


def _lacks(stage: Stage, there: Environment) -> bool:
    """Whether the setuptools of an environment is surely one without it, or none."""
    minor = there.interpreter.minor
    assert isinstance(minor, str), "the interpreter is known"
    event = there.distributions.get("setuptools")
    if event is None:
        return there.interpreter.kind == "uv" or version_of(minor) >= _BARE_SINCE
    if isinstance(event.version, str):
        return _is_gone(event.version)
    step = event.cause.step
    calls = [call for call in step.installs if call.executed.span == event.cause.span] if step is not None else []
    lines = [line for call in calls for line in call.requirements if isinstance(line, Requirement)]
    asked = next((line for line in lines if line.key == "setuptools" and not line.variables), None)
    is_newest = version_of(minor) >= _BARE_SINCE or any(call.has(*_UPGRADES) for call in calls)
    if asked is None or not is_newest or asked.url is not None:
        return False
    newest = offered.newest("setuptools", minor, asked.specifier)
    return newest is not None and _is_gone(newest)


def _holds_back(name: str) -> bool:
    """Whether some release of a distribution shuts the newest setuptools out."""
    requires = (text for row in distributions.releases(name) for text in row.requires or ())
    return any(text.startswith("setuptools") and "<" in text.partition(";")[0] for text in requires)
