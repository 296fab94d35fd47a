"""Which dependencies are installed behind source that they do not need, so that each edit installs them again."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path
from mllint.image.installing.downloads import is_only_installers
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
_FETCHERS = frozenset({"curl", "git", "tar", "unzip", "wget"})
_LOCAL = regex(r"\.|/|~|\$|file:|(?!\w+(?:\+\w+)?://).*\.(?:whl|tar\.gz|zip)$")
_LOCAL_IN_CONDA = regex(r"^\s*-\s+(?:-e\s|\.{1,2}(?:/|\s*$)|file:)", re.MULTILINE)
_WITHOUT_PROJECT = ("--no-install-project", "--no-install-workspace", "--only-group", "--no-root", "--only-root")


class Late(NamedTuple):
    """The source that comes first, and the installs behind it that do not need it."""

    copy: Copy
    installs: tuple[Install, ...]
    is_rest: bool
    """Whether other dependencies were installed in front of the source."""


def late_installs(stage: Stage) -> Late | None:
    """What a stage (or those it starts from) installs too late, if anything."""
    copied: Copy | None = None
    found: list[Install] = []
    is_rest = needs_source = False
    for step in stage.steps_before(None):
        if copied is None and step.copy is not None and brings_source(stage, step.copy):
            copied = step.copy
        if copied is None:
            is_rest = is_rest or any(_is_dependency(each) for each in step.installs)
            continue
        needs_source = needs_source or any(map(_is_of_source, step.installs))
        for install in step.installs:
            if install.manager.name in ("uv", "uv pip") and _has_cache(step):
                continue
            if syncs_project(install):
                is_late = not is_rest
            else:
                is_late = stands_alone(stage, install) and (reads_file(install) or not needs_source)
            if is_late and install.is_certain:
                found.append(install)
    return Late(copied, tuple(found), is_rest) if copied and found else None


def reads_file(install: Install) -> bool:
    """Whether it takes its dependencies from a file."""
    return bool(_files(install)) or install.manager.name in ("uv", "poetry", "pipenv")


def syncs_project(install: Install) -> bool:
    """Whether it is a `uv sync` or `poetry install` that installs the project along with its dependencies."""
    is_sync = (install.manager.name, install.verb) in (("uv", "sync"), ("poetry", "install"))
    return is_sync and not install.has(*_WITHOUT_PROJECT)


def brings_source(stage: Stage, copy: Copy) -> bool:
    """Whether a copy brings source that people edit, as against what sets the image up."""
    if copy.origin != "context":
        return False
    context = stage.build.context
    if copy.takes_all() and context.ignore is None:
        return True
    entries = (entry for source in copy.sources for entry in source.entries(context))
    has_source = any(_SOURCE.search(entry.path) and not _METADATA.search(entry.path) for entry in entries)
    return has_source and (copy.takes_all() or not _is_for_build(stage, copy))


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


def _is_of_source(install: Install) -> bool:
    """Whether it installs the source itself."""
    if install.manager.name in ("uv", "poetry", "pipenv"):
        return syncs_project(install)
    is_python = install.manager.language == "python"
    return is_python and (install.has("-e", "--editable") or any(_LOCAL.match(word.value) for word in install.operands))


def stands_alone(stage: Stage, install: Install) -> bool:
    """Whether what is installed does not need the source that was copied."""
    if install.manager.language != "python" or _is_of_source(install) or is_only_installers(install):
        return False
    match install.manager.name:
        case "uv" | "poetry":
            return install.verb in ("sync", "install") or bool(install.operands)
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
    return bool(read.files) or not _is_made_before(stage, install)


def _is_made_before(stage: Stage, install: Install) -> bool:
    """Whether a RUN may have made its files: one that fetches something, or that mentions them."""
    names = {posixpath.basename(path) for path in _files(install)}
    others = [
        each
        for step in (*stage.steps_before(install.step), install.step)
        for each in step.commands
        if each not in [own.executed for own in step.installs]
    ]
    texts = [
        text
        for each in others
        for text in (*each.arguments, *(one.target.value for one in each.command.redirects if one.target))
    ]
    return any(each.name in _FETCHERS for each in others) or any(posixpath.basename(text) in names for text in texts)


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
