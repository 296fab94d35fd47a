"""What calls of pip and uv have to build with torch, and whether torch is there for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mllint import facts
from mllint.image import python
from mllint.image.installing import offered
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import interpreter_of, is_configured_for_uv, tool, view_at
from mllint.image.installing.indexed import named as asked_by_name
from mllint.image.installing.indexes import is_of_index_or_pytorch
from mllint.image.releases import version_of
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.distributions import Brought
    from mllint.image.events import Interpreter
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.python import Environment
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

_REPOSITORY = regex(r"(?i)^git\+(?:https?|ssh)://(?:\w+@)?(github\.com/[\w.-]+/[\w-]+)(?:\.git)?(?:[@#].*)?$")
_NOT_ISOLATED = ("--no-build-isolation", "--no-build-isolation-package")
_SETTINGS = ("PIP_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION_PACKAGE")
_ISOLATES_ALWAYS = (25, 3)
_WITHOUT_WHEEL = (3, 12)
"""Images and virtual environments have had no wheel and no setuptools since this Python."""


class Built(NamedTuple):
    """Something that a call has to build, and whose build imports torch."""

    name: str
    """With the release, where it is pinned."""
    row: Mapping[str, Any]
    """Of the table `torch_to_build`."""
    source: Source
    span: Span
    asked: Asked | None
    """None for one that is asked for by the address of its repository."""
    is_for_cuda: bool
    """Whether its build asks for the CUDA toolkit."""


class WithoutTorch(NamedTuple):
    """Why a build does not find torch."""

    why: Literal["isolated", "absent"]
    is_sure: bool
    """Whether nothing but verified facts tells."""
    missing: tuple[str, ...]
    """What of that which a build in the environment itself imports is not seen to be there."""


def built(stage: Stage, install: Install) -> Iterator[Built]:
    """What a call builds with torch, as there is no wheel of it on the indexes that it asks."""
    where = place(stage, install)
    if where is not None and is_of_index_or_pytorch(stage, install):
        for each in asked_by_name(stage, install):
            row = _row(each)
            version = each.version or (row["last"] if row is not None else "")
            offer = offered.offer(each.name, version) if row is not None else None
            if row is not None and offer is not None and not offer.python and offer.admits(where.minor):
                name = f"{each.name} {each.version}" if each.version else each.name
                yield Built(name, row, each.source, each.span, each, _is_for_cuda(install, row))
    yield from _from_repositories(stage, install)


def without_torch(stage: Stage, install: Install, each: Built) -> WithoutTorch | None:
    """Why a build finds no torch; None where it finds it, or nobody knows."""
    found = interpreter_of(stage, install)
    if found is None:
        return None
    there = python.environment(view_at(stage, install), found, install.step.before)
    brought = there.brought()
    needed = ["torch", "setuptools", *each.row.get("also", "").split()]
    missing = tuple(name for name in needed if not _is_there(found, brought, name))
    if _is_isolated(stage, install, each, found, there):
        is_sure = each.row["status"] == "verified" and (each.row["project"] == "yes" or tool(install) == "uv")
        return WithoutTorch("isolated", is_sure or _is_wheel_absent(there), missing)
    if there.unknown is None and brought.brings("torch") == "absent":
        return WithoutTorch("absent", each.row["status"] == "verified" and not brought.from_memory, missing)
    return None


def _row(each: Asked) -> Mapping[str, Any] | None:
    """The row that has the pinned release, or the newest of all where the release is open."""
    for row in facts.by("torch_to_build", "name").get(each.name, ()):
        if each.version is None:
            if row["last"] == offered.releases(each.name)[-1] and _admits(each.specifier, row["last"]):
                return row
        elif version_of(row["first"]) <= version_of(each.version) <= version_of(row["last"]):
            return row
    return None


def _is_for_cuda(install: Install, row: Mapping[str, Any]) -> bool:
    if "cuda" in row:
        return install.variable(row["cuda"]) is None
    return "forced" in row and install.variable(row["forced"]) == "1"


def _admits(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return version in SpecifierSet(specifier)
    except InvalidSpecifier:
        return False


def _from_repositories(stage: Stage, install: Install) -> Iterator[Built]:
    lines = [(stage.build.source, line) for line in install.requirements if isinstance(line, Requirement)]
    lines += [(file.source, line) for file, line in stage.closure(install).lines()]
    for source, line in lines:
        match = _REPOSITORY.match(line.url or "")
        rows = facts.by("torch_to_build", "repository").get(match[1], ()) if match else ()
        for row in rows:
            name = row["repository"].rpartition("/")[2]
            yield Built(name, row, source, line.span, None, _is_for_cuda(install, row))


def _is_isolated(stage: Stage, install: Install, each: Built, found: Interpreter, there: Environment) -> bool:
    """Whether it is surely built in an environment of its own."""
    if install.has(*_NOT_ISOLATED) or any(install.variable(name) is not None for name in _SETTINGS):
        return False
    if tool(install) == "uv":
        return not is_configured_for_uv(stage, install)
    if each.row["project"] == "yes" or install.has("--use-pep517") or _is_pip_new(stage, install, found):
        return True
    minor = version_of(found.minor) if isinstance(found.minor, str) else (0,)
    return found.kind in ("image", "venv") and minor >= _WITHOUT_WHEEL and "wheel" not in there.distributions


def _is_there(found: Interpreter, brought: Brought, name: str) -> bool:
    minor = version_of(found.minor) if isinstance(found.minor, str) else _WITHOUT_WHEEL
    of_image = name in ("setuptools", "wheel") and found.kind == "image" and minor < _WITHOUT_WHEEL
    return of_image or brought.brings(name) == "present"


def _is_wheel_absent(there: Environment) -> bool:
    brought = there.brought()
    return there.unknown is None and brought.brings("wheel") == "absent" and not brought.from_memory


def _is_pip_new(stage: Stage, install: Install, found: Interpreter) -> bool:
    """Whether a call in front of it takes the newest pip."""
    if isinstance(found.minor, Unknown) or version_of(found.minor) < (3, 9):
        return False
    calls = [call for step in (*stage.steps_before(install.step), install.step) for call in step.installs]
    for call in calls:
        if call is install or call.manager.name != "pip" or not call.executed.is_sure:
            continue
        for line in call.requirements:
            if isinstance(line, Requirement) and line.key == "pip":
                version = line.exact_version
                is_newest = not line.specifier and call.has("-U", "--upgrade")
                if is_newest or (version is not None and version_of(version) >= _ISOLATES_ALWAYS):
                    return interpreter_of(stage, call) == found
    return False
