"""What the `pyproject.toml` of a project says about getting its dependencies without its source."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path
from mllint.image.paths import joined
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    import re

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_TABLE = regex(r"\s*\[([\w.-]+)\]\s*(?:#.*)?")
_SOURCES = regex(r"tool\.(?:uv\.sources|poetry(?:\.group\.[\w-]+)?\.(?:dev-)?dependencies)(?:\..*)?")
_WORKSPACE = regex(r"\bworkspace\s*=\s*true")
_PATH = regex(r"\bpath\s*=")
_EXTRAS = regex(r"(?P<folder>[^\[\]]*)\[(?P<extras>[\w\s,.-]+)\]")
_PLAIN = regex(r"[\w.-]+")
_LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock"}


class Metadata(NamedTuple):
    """The project that a call installs, and what it is to bring along."""

    written: str
    """The folder, as the call names it."""
    path: str
    """The file in the context."""
    extras: tuple[str, ...]
    others: tuple[str, ...]
    """What the call names besides the project, as a shell reads it."""
    is_dynamic: bool
    """Whether the dependencies are known only to the build of the project."""
    has_parts: bool
    """Whether it names dependencies by paths or as parts of a workspace."""


def metadata_file(stage: Stage, install: Install, written: str) -> str | None:
    """A file that a call names, as a path in the context."""
    path = joined(install.directory, written)
    return context_path(stage, install.step, path) if isinstance(path, str) else None


def metadata(stage: Stage, install: Install) -> Metadata | None:
    """The one project that a call of pip or uv installs; None where it is not known or there are several."""
    words = [word.value for word in (*install.operands, *install.values("-e", "--editable"))]
    named = [(word, _EXTRAS.fullmatch(word)) for word in words]
    folders = [(word, match["folder"].strip() if match else word, match) for word, match in named]
    found = [
        (word, folder, match, path)
        for word, folder, match in folders
        if (path := metadata_file(stage, install, posixpath.join(folder, "pyproject.toml"))) is not None
        and folder[:1] in (".", "/")
    ]
    source = stage.build.context.text(found[0][3]) if len(found) == 1 else None
    if source is None:
        return None
    from mllint.sources import pyproject

    word, folder, match, path = found[0]
    extras = tuple(each.strip() for each in match["extras"].split(",")) if match else ()
    others = [f"-r {each.value}" for each in install.files]
    others += [each if _PLAIN.fullmatch(each) else f"'{each}'" for each in words if each != word]
    project = stage.build.context.inputs.parsed(source, pyproject.parse)
    has_parts = _says(source, _WORKSPACE) or _says(source, _PATH)
    return Metadata(folder, path, extras, tuple(others), "dependencies" in project.dynamic, has_parts)


def can_sync(stage: Stage, install: Install) -> bool:
    """Whether a sync of uv or Poetry can go without the source: not where a dependency is a folder of it, nor where the
    members of a workspace are known to no lock file."""
    path = metadata_file(stage, install, "pyproject.toml")
    source = stage.build.context.text(path) if path is not None else None
    if path is None or source is None or _says(source, _PATH):
        return False
    return not is_workspace(stage, install) or lock(stage, install) is not None


def is_workspace(stage: Stage, install: Install) -> bool:
    """Whether a sync of uv is one of a workspace."""
    path = metadata_file(stage, install, "pyproject.toml")
    source = stage.build.context.text(path) if path is not None else None
    if source is None or install.manager.name != "uv":
        return False
    return "[tool.uv.workspace]" in source.text or _says(source, _WORKSPACE)


def in_folders(stage: Stage, install: Install) -> tuple[str, ...] | None:
    """The dependencies of a project, without those of its extras, that uv takes from folders; None where no folder is
    named, or there is no lock file."""
    path = metadata_file(stage, install, "pyproject.toml")
    source = stage.build.context.text(path) if path is not None else None
    if source is None or lock(stage, install) is None:
        return None
    from mllint.sources import pyproject

    project = stage.build.context.inputs.parsed(source, pyproject.parse)
    overrides = project.uv.overrides if project.uv is not None else ()
    folders = dict.fromkeys(each.name for each in overrides if each.kind == "path")
    asked = {each.key for each in project.dependencies if isinstance(each, Requirement)}
    return tuple(each for each in folders if each in asked) if folders else None


def read_by_sync(stage: Stage, install: Install) -> tuple[str, ...]:
    """The `pyproject.toml` and the lock file that a sync reads, as far as the context has them."""
    path, found = metadata_file(stage, install, "pyproject.toml"), lock(stage, install)
    return tuple(each for each in (path, found) if each is not None)


def lock(stage: Stage, install: Install) -> str | None:
    """The lock file beside the project that a sync reads, where the context has it."""
    path, context = metadata_file(stage, install, "pyproject.toml"), stage.build.context
    name = _LOCKS.get(install.manager.name, "")
    beside = posixpath.join(posixpath.dirname(path), name) if path is not None and name else None
    return beside if beside is not None and context.find(beside) is not None and not context.excludes(beside) else None


def _says(source: Source, pattern: re.Pattern[str]) -> bool:
    """Whether what says where dependencies come from says this of one."""
    table = ""
    for line in source.text.split("\n"):
        match = _TABLE.fullmatch(line)
        table = match[1] if match else table
        if match is None and _SOURCES.fullmatch(table) and pattern.search(line):
            return True
    return False
