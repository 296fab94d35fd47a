"""Which dependencies are installed behind source that they do not need, so that each edit installs them again."""

from __future__ import annotations

import posixpath
import re
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path, relative
from mllint.image.installing.downloads import is_only_installers
from mllint.image.installing.indexed import named
from mllint.image.installing.metadata import Metadata, can_sync, metadata, metadata_file
from mllint.image.paths import joined
from mllint.patterns import regex
from mllint.sources.requirements import Editable, Requirement

if TYPE_CHECKING:
    from mllint.image.copies import Copy
    from mllint.image.packages import Install
    from mllint.image.stage import Stage, Step

_SOURCE = regex(r"\.(?:py|pyx|ipynb|js|jsx|ts|tsx|html|css|c|cc|cpp|cu|cuh|h|hpp|rs|go)$")
# What an install itself reads, or what changes with a release only.
_METADATA = regex(r"(?:^|/)(?:setup|versioneer|_?version|__version__|__about__|__init__|conftest|.*_config)\.py$")
_BUILD_FOLDER = regex(
    r"(?:^|[-_./])(?:scripts?|build|builder|docker|dockerfiles?|tools?|ci)(?:[-_./]|$)", re.IGNORECASE
)
_LOCAL = regex(r"\.|/|~|\$|file:|(?!\w+(?:\+\w+)?://).*\.(?:whl|tar\.gz|zip)$")
_LOCAL_IN_CONDA = regex(r"^\s*-\s+(?:-e\s|\.{1,2}(?:/|\s*$)|file:)", re.MULTILINE)
_TAKES_LATEST = ("-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall", "--reinstall", "-t", "--target")
_WITHOUT_PROJECT = ("--no-install-project", "--no-install-workspace", "--only-group", "--no-root", "--only-root")


class Late(NamedTuple):
    """The source that comes first, and the installs behind it that do not need it."""

    copy: Copy
    installs: tuple[Install, ...]
    is_rest: bool
    """Whether other dependencies were installed in front of the source."""


def late_installs(stage: Stage) -> Late | None:
    """What a stage installs too late, if anything: behind source that it copies itself."""
    copied: Copy | None = None
    found: list[Install] = []
    there: set[str] = set()
    needs_source = False
    is_rest = any(_is_dependency(each) for step in stage.steps_before(_first(stage)) for each in step.installs)
    for step in stage.steps:
        if copied is None and step.copy is not None and brings_source(stage, step.copy):
            copied = step.copy
        if copied is None:
            is_rest = is_rest or any(_is_dependency(each) for each in step.installs)
            there.update(name for each in step.installs if each.is_certain for name in _asked(stage, each, True))
            continue
        needs_source = needs_source or any(map(is_of_source, step.installs))
        for install in step.installs:
            if install.manager.name in ("uv", "uv pip") and _has_cache(step):
                continue
            if syncs_project(install):
                is_late = not is_rest
            else:
                is_late = stands_alone(stage, install) and (reads_file(install) or not needs_source)
            names = _asked(stage, install, False)
            is_there = bool(names) and there.issuperset(names) and not install.has(*_TAKES_LATEST)
            if is_late and install.is_certain and not is_there:
                found.append(install)
    return Late(copied, tuple(found), is_rest) if copied and found else None


def done_again(stage: Stage, late: Late) -> list[Install]:
    """The installs behind the source, those that need it as well: an edit runs all of them again."""
    steps = stage.steps[stage.steps.index(late.copy.step) :]
    return [each for step in steps for each in step.installs if _is_dependency(each)]


def movable(stage: Stage, late: Late) -> list[Install]:
    """Those of them that name packages and stand in front of the install of the source itself, if any."""
    found = list(takewhile(lambda each: not is_of_source(each), done_again(stage, late)))
    return [each for each in found if each.is_certain and not reads_file(each) and stands_alone(stage, each)]


def _first(stage: Stage) -> Step | None:
    return stage.steps[0] if stage.steps else None


def _asked(stage: Stage, install: Install, is_answered: bool) -> frozenset[str]:
    """What a call asks for, each with its extras and clauses; what it answers as well, the names alone. Nothing where
    not all of it is known by name."""
    if install.manager.name in ("conda", "micromamba"):
        return frozenset() if _files(install) else frozenset(word.value for word in install.operands)
    lines = [*install.requirements, *(line for _, line in stage.closure(install).lines())]
    named = [line for line in lines if isinstance(line, Requirement) and line.key and line.url is None]
    if (len(named) < len(lines) and not is_answered) or install.projects:
        return frozenset()
    asked = {f"{line.key}{sorted(line.extras) or ''}{line.specifier}" for line in named}
    return frozenset(asked | {line.key for line in named if line.key}) if is_answered else frozenset(asked)


class LateProject(NamedTuple):
    """The source that comes first, and the install of the project that takes all dependencies along."""

    copy: Copy
    install: Install
    names: tuple[str, ...]
    """What the project asks for."""
    project: Metadata


def late_project(stage: Stage) -> LateProject | None:
    """The install of a project by which a stage gets its dependencies, behind source that is none of their business."""
    copies: list[Copy] = []
    own = {id(step) for step in stage.steps}
    for step in stage.steps_before(None):
        if id(step) in own and step.copy is not None and brings_source(stage, step.copy):
            copies.append(step.copy)
        for install in (each for each in step.installs if _is_dependency(each)):
            if not copies or _has_cache(step) or install.has("--no-deps", "--no-index"):
                return None
            if install.manager.name in ("pip", "uv pip") and install.executed.is_sure and is_of_source(install):
                return of_project(stage, install, copies)
            if reads_file(install):
                return None
    return None


def of_project(stage: Stage, install: Install, copies: list[Copy]) -> LateProject | None:
    """Where the project itself says what it asks for, and that can be had without its source."""
    names = brought_along(stage, install)
    found = metadata(stage, install)
    if len(names) < 2 or found is None or found.is_dynamic or (found.has_parts and install.manager.name == "uv pip"):
        return None
    context, folder = stage.build.context, joined(install.directory, found.written)
    inside = [
        copy
        for copy in copies
        if isinstance(folder, str)
        and isinstance(copy.destination, str)
        and (relative(copy.destination, folder) is not None or relative(folder, copy.destination) is not None)
    ]
    folders = (
        copy for copy in inside if any(each.is_folder for source in copy.sources for each in source.matches(context))
    )
    return LateProject(next(folders, (inside or copies)[0]), install, names, found)


def brought_along(stage: Stage, install: Install) -> tuple[str, ...]:
    """The dependencies of the project that a call installs, as its `pyproject.toml` names them."""
    own = (each.name for each in named(stage, install) if each.source.path.endswith("pyproject.toml"))
    return tuple(dict.fromkeys(own))


def reads_file(install: Install) -> bool:
    """Whether it takes its dependencies from a file."""
    return bool(_files(install)) or install.manager.name in ("uv", "poetry", "pipenv")


def syncs_project(install: Install) -> bool:
    """Whether it is a `uv sync` or `poetry install` that installs the project along with its dependencies."""
    is_sync = (install.manager.name, install.verb) in (("uv", "sync"), ("poetry", "install"), ("poetry", "sync"))
    return is_sync and not install.has(*_WITHOUT_PROJECT)


def brings_source(stage: Stage, copy: Copy) -> bool:
    """Whether a copy brings source that people edit, as against what sets the image up."""
    if copy.origin != "context":
        return False
    context = stage.build.context
    if copy.takes_all() and context.ignore is None:
        return True
    if brings_history(copy):
        return True
    entries = (entry for source in copy.sources for entry in source.entries(context))
    has_source = any(_SOURCE.search(entry.path) and not _METADATA.search(entry.path) for entry in entries)
    return has_source and (copy.takes_all() or not _is_for_build(stage, copy))


def brings_history(copy: Copy) -> bool:
    """Whether it brings the folder of Git, which changes with every commit."""
    return any(isinstance(source.path, str) and posixpath.basename(source.path) == ".git" for source in copy.sources)


def _is_for_build(stage: Stage, copy: Copy) -> bool:
    """Whether it brings what sets the image up: from a folder of that name, or files that a RUN starts or reads."""
    paths = [source.path for source in copy.sources if isinstance(source.path, str)]
    if all(_BUILD_FOLDER.search(path) for path in paths):
        return True
    used = {
        joined(step.before.directory, word.value)
        for step in stage.steps_before(None)
        for command in step.commands
        for word in command.words
    }
    context = stage.build.context
    matches = [(source, match) for source in copy.sources for match in source.matches(context)]
    return all(
        not match.is_folder and not used.isdisjoint(copy.places(source, match.path, False)) for source, match in matches
    )


def _is_dependency(install: Install) -> bool:
    return install.manager.language == "python" and not is_only_installers(install)


def is_of_source(install: Install) -> bool:
    """Whether it installs the source itself."""
    if install.manager.name in ("uv", "poetry", "pipenv"):
        return syncs_project(install)
    is_python = install.manager.language == "python"
    return is_python and (install.has("-e", "--editable") or any(_LOCAL.match(word.value) for word in install.operands))


def stands_alone(stage: Stage, install: Install) -> bool:
    """Whether what is installed does not need the source that was copied."""
    if install.manager.language != "python" or is_of_source(install) or is_only_installers(install):
        return False
    match install.manager.name:
        case "uv" | "poetry":
            if install.verb in ("sync", "install"):
                return can_sync(stage, install)
            return bool(install.operands)
        case "pipenv":
            return not _mentions(stage, install, ["Pipfile"], re.compile(r"\bpath\s*=|editable\s*="))
        case "conda" | "micromamba":
            return not _mentions(stage, install, _files(install), _LOCAL_IN_CONDA)
    if install.has("--no-index") or any("://" not in word.value for word in install.values("-f", "--find-links")):
        return False
    return _reads_context(stage, install) if _files(install) else bool(install.operands)


_FILE_OPTIONS = ("-r", "--requirement", "--requirements")


def _files(install: Install) -> list[str]:
    options = ("-f", "--file") if install.manager.name in ("conda", "micromamba") else _FILE_OPTIONS
    named = [word.value for word in install.values(*options)]
    return named + [word.value for word in install.operands] if install.verb == "pip sync" else named


def _reads_context(stage: Stage, install: Install) -> bool:
    """Whether its files come from the context, not from a RUN, and name nothing that does not."""
    read = stage.closure(install)
    lines = [line for file in read.files.values() for line in file.lines]
    if any(isinstance(line, Editable | Requirement) and _LOCAL.match(line.url or "") for line in lines):
        return False
    # A list that the ignore file keeps out is meant to be there all the same.
    named = [word.value for word in (*install.files, *install.projects)]
    paths = [metadata_file(stage, install, each) or each.removeprefix("./") for each in named]
    return any(stage.build.context.find(path) is not None for path in paths)


def _mentions(stage: Stage, install: Install, files: list[str], pattern: re.Pattern[str]) -> bool:
    """Whether one of the files is found in the context and has text that matches."""
    for name in files:
        path = joined(install.directory, name)
        found = context_path(stage, install.step, path) if isinstance(path, str) else None
        source = stage.build.context.text(found) if found else None
        if source is not None and pattern.search(source.text):
            return True
    return False


def _has_cache(step: Step) -> bool:
    return any(mount.kind == "cache" for mount in step.mounts)
