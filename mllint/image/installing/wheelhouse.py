"""Folders of wheels that a build has made whole, and the calls that install from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.copies import relative
from mllint.image.paths import joined
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.shell_tree import Word

_PIP = regex(r"pip[\d.]*")
_ELSEWHERE = frozenset(
    "-i --index-url --pypi-url --extra-index-url --index --default-index --no-index --config-file --offline".split()
)
_VARIABLES = (
    *("PIP_NO_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "UV_NO_INDEX", "UV_INDEX_URL"),
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE", "UV_OFFLINE"),
)


def folder(stage: Stage, install: Install) -> Word | None:
    """The folder with all wheels of a builder that a call names beside the index, which nothing shuts out."""
    read = stage.closure(install)
    if install.manager.name not in ("pip", "uv pip") or install.has(*_ELSEWHERE) or _ELSEWHERE & read.options:
        return None
    named = (line for line in install.requirements if isinstance(line, Requirement) and line.key and line.url is None)
    if any(install.variable(name) for name in _VARIABLES) or not (install.files or any(named)):
        return None
    for word in install.values("-f", "--find-links"):
        path = joined(install.directory, word.value) if word.is_literal and "://" not in word.value else None
        if isinstance(path, str) and any(_makes_whole(origin) for origin in _origins(stage, install, path)):
            return word
    return None


def _origins(stage: Stage, install: Install, path: str) -> Iterator[Stage]:
    """The stages that a folder, or what is in it, comes from."""
    for mount in install.step.mounts:
        if mount.stage is not None and isinstance(mount.target, str) and relative(path, mount.target) is not None:
            yield stage.build.stages[mount.stage]
    for copy in (step.copy for step in stage.steps_before(install.step)):
        place = copy.destination if copy is not None else None
        if copy is None or copy.stage is None or not isinstance(place, str):
            continue
        if relative(path.rstrip("/"), place.rstrip("/")) is not None:
            yield stage.build.stages[copy.stage]


def _makes_whole(stage: Stage) -> bool:
    """Whether a stage builds or fetches wheels, and surely with all that they require."""
    calls = [each for owner in stage.lineage for step in owner.steps for each in step.commands if _is_wheel(each)]
    return bool(calls) and all(each.is_sure and "--no-deps" not in each.arguments for each in calls)


def _is_wheel(each: Executed) -> bool:
    words = each.arguments[2:] if each.arguments[:2] == ("-m", "pip") else each.arguments
    is_pip = _PIP.fullmatch(each.name) is not None or words is not each.arguments
    return is_pip and words[:1] in (("wheel",), ("download",))
