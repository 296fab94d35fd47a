"""Installs whose failure shows by what the same RUN or a later one does."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.service import PYTHON
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.shell.masked import Masked
    from mllint.image.stage import Stage

_ASKS = frozenset({"dpkg", "dpkg-query", "rpm", "command", "which", "hash", "type"})
_IMPORTED = regex(r"\bimport (\w+)")
_IMPORTS = regex(r"\bimport\b")


def is_noticed(stage: Stage, install: Install, found: Masked) -> bool:
    """Whether the build fails all the same, where it lacks what an install was to bring: a command that decides on the
    outcome of the RUN uses or asks for it, or a later install brings what a loop of `--no-deps` was to fetch first."""
    if found.way == "repeated" and install.has("--no-deps"):
        later = stage.steps[stage.steps.index(install.step) + 1 :]
        return any(each.manager.language == install.manager.language for step in later for each in step.installs)
    if _is_imported(stage, install):
        return True
    if found.way != "followed" or not found.chain:
        return False
    begin = max(found.chain[-1].span.start, install.span.end)
    brought = _brought(install)
    return any(each.span.start >= begin and _needs(each, install, brought) for each in install.step.commands)


def _is_imported(stage: Stage, install: Install) -> bool:
    """Whether a later RUN imports what it asks for."""
    names = {each.key for each in install.requirements if isinstance(each, Requirement) and each.key}
    later = stage.steps[stage.steps.index(install.step) + 1 :] if names else ()
    texts = (word for step in later for each in step.commands if PYTHON.fullmatch(each.name) for word in each.arguments)
    return any(names.intersection(_IMPORTED.findall(text)) for text in texts)


def _needs(each: Executed, install: Install, brought: frozenset[str]) -> bool:
    if each.name in brought or any(name.startswith(f"{each.name}-") for name in brought):
        return True
    if each.name in _ASKS or "command" in each.wrappers:
        return True
    is_python = install.manager.language == "python" and each.name.startswith("python")
    return is_python and any(_IMPORTS.search(word) for word in each.arguments)


def _brought(install: Install) -> frozenset[str]:
    """The names of the packages, and of the programs that they bring."""
    names = {word.value.partition("=")[0] for word in install.operands}
    return frozenset(names.union(*(_programs().get(name, ()) for name in names)))


@cache
def _programs() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for row in facts.rows("system_packages"):
        listed = frozenset(f"{row.get('programs', '')} {row.get('perhaps', '')}".split())
        found[row["package"]] = found.get(row["package"], frozenset()) | listed
    return found
