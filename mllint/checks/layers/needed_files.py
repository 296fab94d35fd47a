"""What an install that needs no source reads of the build context."""

import posixpath
from typing import NamedTuple

from mllint.edits import insert
from mllint.findings import Edit
from mllint.image.installing.metadata import metadata_file
from mllint.image.installing.order import syncs_project
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import Options
from mllint.sources.text import Source

_BESIDE = {
    "uv": ("uv.lock", "uv.toml", ".python-version"),
    "poetry": ("poetry.lock", "poetry.toml"),
    "pipenv": ("Pipfile.lock",),
}
_WITHOUT = {"uv": "--no-install-project", "poetry": "--no-root"}
# Projects of several parts, whose other parts are read as well.
_HAS_PARTS = regex(r"\bworkspace\b|\bpath\s*=|\bfile\s*=|file:|\beditable\s*=")
_NO_PACKAGE = regex(r"\s*package-mode\s*=\s*false")
_READS_MORE = regex(r"-\s*['\"]?-[rce]\b|file:")


class Needed(NamedTuple):
    """What an install reads, and how it is told to leave out the project itself."""

    files: tuple[str, ...]
    """Paths in the context."""
    edits: tuple[Edit, ...] = ()
    again: tuple[str, ...] = ()
    """The lines of the install to be run again behind the source."""


def needed(stage: Stage, install: Install) -> Needed | None:
    """What an install needs; None where nobody can tell or it takes more than a copy of files."""
    match install.manager.name:
        case "pip" | "uv pip":
            return _of_pip(stage, install)
        case "conda" | "micromamba":
            return _of_conda(stage, install)
        case "pipx":
            return Needed(())
        case "pipenv":
            return _of_project(stage, install, "Pipfile")
        case "uv" | "poetry" if install.verb in ("sync", "install"):
            return _of_project(stage, install, "pyproject.toml")
        case "uv" if install.verb == "tool install":
            return Needed(())
    return None


def _of_pip(stage: Stage, install: Install) -> Needed | None:
    read = stage.closure(install)
    if not read.is_complete or read.has_unread_constraints:
        return None
    named = [
        word.value for word in install.values("-r", "--requirement", "--requirements") if word not in install.files
    ]
    others = [metadata_file(stage, install, name) for name in named]
    lines = [line for file in (*read.files.values(), *read.constraints.values()) for line in file.lines]
    options = [option for line in lines if isinstance(line, Options) for option in line.options]
    if None in others or any(
        each.name in ("-f", "--find-links") and "://" not in (each.value or "") for each in options
    ):
        return None
    return Needed((*read.files, *read.constraints, *(each for each in others if each is not None)))


def _of_conda(stage: Stage, install: Install) -> Needed | None:
    files = [metadata_file(stage, install, word.value) for word in install.values("-f", "--file")]
    texts = [stage.build.context.text(path) for path in files if path is not None]
    if None in files or any(text is None or _READS_MORE.search(text.text) for text in texts):
        return None
    return Needed(tuple(path for path in files if path is not None))


def _of_project(stage: Stage, install: Install, name: str) -> Needed | None:
    program = install.manager.name
    path = metadata_file(stage, install, name)
    text = stage.build.context.text(path) if path is not None else None
    if (
        path is None
        or text is None
        or _HAS_PARTS.search(text.text)
        or install.has("--project", "--directory", "-C", "-P")
    ):
        return None
    context, folder = stage.build.context, posixpath.dirname(path)
    beside = [posixpath.join(folder, each) for each in _BESIDE[program]]
    files = (path, *(each for each in beside if context.find(each) is not None and not context.excludes(each)))
    is_environment_there = context.find(posixpath.join(folder, ".venv")) is not None
    if is_environment_there and not context.excludes(posixpath.join(folder, ".venv")):
        return None
    if not syncs_project(install) or _is_virtual(stage, program, text):
        return Needed(files)
    again = _again(install)
    word = next(each for each in install.executed.words if each.value == install.verb)
    if again is None or install.step.instruction.source.slice(word.span) != install.verb:
        return None
    option = insert(install.step.instruction.source, word.span.end, f" {_WITHOUT[program]}")
    return Needed(files, (option,), again)


def _is_virtual(stage: Stage, program: str, text: Source) -> bool:
    """Whether there is no project to install, only its dependencies."""
    if program == "poetry":
        return any(_NO_PACKAGE.match(line) for line in text.text.split("\n"))
    from mllint.sources import pyproject

    found = stage.build.context.inputs.parsed(text, pyproject.parse)
    return found.build_system is None or (found.uv is not None and found.uv.is_package is False)


def _again(install: Install) -> tuple[str, ...] | None:
    """The same install as a RUN of its own; None where it does not start in the working directory."""
    instruction, executed = install.step.instruction, install.executed
    if instruction.is_exec_form or instruction.heredocs or executed.directory != install.step.before.directory:
        return None
    source = instruction.source
    if len(install.step.commands) == 1:
        text = source.slice(instruction.span)
    else:
        text = f"{source.slice(instruction.keyword_span)} {source.slice(executed.command.span)}"
        if "\n" in text:
            return None
    return tuple(line.rstrip("\r") for line in text.split("\n"))
