"""What the calls of resolvers read, and what of it is not in the image when they run."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.installing import foreign
from mllint.image.installing.indexed import view_at
from mllint.image.paths import UNKNOWN_FOLDER, upward
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.sources.requirements import Constraint, Editable, Include, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.requirements import RequirementsFile
    from mllint.sources.shell_tree import Word
    from mllint.sources.text import Source, Span

_FILE_OPTIONS = ("-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints")
_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2")
# Backends that end the build where the project's description is missing; setuptools goes on with a warning.
_STRICT_BACKENDS = frozenset(
    {"hatchling.build", "flit_core.buildapi", "uv_build", "pdm.backend", "poetry.core.masonry.api"}
)
_NOT_THE_PROJECT = ("--no-install-project", "--no-install-workspace", "--no-install-local", "--no-root", "--only-group")


class Lacking(NamedTuple):
    """A file that a call reads and that is not there."""

    path: str
    """Absolute, in the image."""
    said: str
    """Who reads it, as a message begins: `pip reads requirements.txt`."""
    span: Span
    """The words in the Dockerfile that ask for it."""
    place: tuple[Source, Span] | None = None
    """The line of another file that names it."""
    is_mild: bool = False
    """Whether some releases of the tool go on without it."""


def lacking(stage: Stage, install: Install) -> Iterator[Lacking]:
    """What a call surely reads and surely does not find."""
    reader = _Reader(stage, install)
    match install.manager.name:
        case "pip" | "uv pip":
            yield from reader.pip()
        case "uv" if install.verb == "sync":
            yield from reader.uv_sync()
        case "poetry" if install.verb in ("install", "sync"):
            yield from reader.poetry()
        case "pipenv" if not install.operands and not install.files:
            yield from reader.named("Pipfile", install.span)
        case "conda" | "micromamba":
            for word in install.values("-f", "--file"):
                yield from reader.word(word)


class _Reader:
    def __init__(self, stage: Stage, install: Install) -> None:
        self.stage = stage
        self.install = install
        self.name = install.manager.name
        self.view = view_at(stage, install)
        self.seen: set[str] = set()

    # what is there

    def path(self, written: str) -> str | None:
        """A path as the call means it; None for an address and for what nobody knows."""
        if "://" in written or "$" in written or "*" in written or written in ("-", "/dev/stdin"):
            return None
        found = self.view.resolve(written.removeprefix("file:"), self.install.step.before, self.install.directory)
        return found if isinstance(found, str) and not found.startswith(UNKNOWN_FOLDER) else None

    def find(self, path: str) -> Node | Unknown | None:
        """What is at a path, also by a mount."""
        for mount in self.install.step.mounts:
            if mount.covers(path) is not False:
                return Unknown(f"{path} may be in a mount of {mount.kind}")
        return self.view.find(path)

    def is_absent(self, path: str) -> bool:
        return self.find(path) is None

    def text(self, path: str) -> Source | None:
        """The text of a file that the build context brought."""
        found = self.find(path)
        origin = found.origin if isinstance(found, Node) else None
        return self.stage.build.context.text(origin) if origin is not None else None

    # what is read

    def named(self, written: str, span: Span) -> Iterator[Lacking]:
        path = self.path(written)
        if path is not None and self.is_absent(path):
            verb = f" {self.install.verb}" if self.name in ("uv", "poetry", "pipenv") else ""
            yield Lacking(path, f"{self.name}{verb} reads {written}", span)

    def word(self, word: Word) -> Iterator[Lacking]:
        if word.is_literal:
            yield from self.named(word.value, self.install.span)

    def pip(self) -> Iterator[Lacking]:
        files = self.install.values(*_FILE_OPTIONS)
        if self.install.verb == "pip sync":
            files += self.install.operands
        for word in files:
            yield from self.word(word)
            path = self.path(word.value) if word.is_literal else None
            if path is not None:
                yield from self.lines(path)
        projects = self.install.values("-e", "--editable")
        if self.install.verb != "pip sync":
            projects += self.install.operands
        for word in projects:
            if word.is_literal:
                yield from self.local(word.value, self.install.span, None)

    def lines(self, path: str) -> Iterator[Lacking]:
        """What the lines of a requirements file ask for."""
        file = self.requirements(path)
        if file is None or path in self.seen:
            return
        self.seen.add(path)
        for line in file.lines:
            place = (file.source, line.span)
            if isinstance(line, Include | Constraint):
                yield from self.included(path, line, place)
            elif isinstance(line, Editable | Requirement) and line.url and not _may_be_left_out(line):
                named = foreign.path(line)
                if named is None or not foreign.is_foreign(named, self.view, self.install.step.mounts):
                    yield from self.local(line.url, self.install.span, place)

    def requirements(self, path: str) -> RequirementsFile | None:
        found = self.find(path)
        origin = found.origin if isinstance(found, Node) and found.kind == "file" else None
        if origin is None or origin.endswith((".toml", ".cfg", ".py")):
            return None
        context = self.stage.build.context
        return context.inputs.requirements(context.root / origin)

    def included(self, path: str, line: Include | Constraint, place: tuple[Source, Span]) -> Iterator[Lacking]:
        target = self.path(posixpath.join(posixpath.dirname(path), line.path)) if "://" not in line.path else None
        if target is not None and self.is_absent(target):
            option = "-r" if isinstance(line, Include) else "-c"
            said = f"{posixpath.basename(path)} reads {option} {line.path}"
            yield Lacking(target, said, self.install.span, place)
        elif target is not None:
            yield from self.lines(target)

    def local(self, written: str, span: Span, place: tuple[Source, Span] | None) -> Iterator[Lacking]:
        """A project or an archive by its path, relative to the working directory also in requirements files."""
        plain = written.partition("[")[0].partition("#")[0]
        if not (plain.startswith((".", "/", "file:")) or "/" in plain or plain.endswith(_ARCHIVES)) or "@" in plain:
            return
        path = self.path(plain)
        if path is None or plain.startswith(("git+", "hg+", "svn+", "bzr+")):
            return
        who = place[0].path.rpartition("/")[2] if place is not None else self.name
        if self.is_absent(path):
            if "." in plain or plain.startswith("/"):
                yield Lacking(path, f"{who} installs {written}", span, place)
        elif not plain.endswith(_ARCHIVES):
            yield from self.project(path, f"{who} installs {written}", span, place)

    def project(self, folder: str, said: str, span: Span, place: tuple[Source, Span] | None) -> Iterator[Lacking]:
        """What the build of a project reads in its folder."""
        metadata = [posixpath.join(folder, name) for name in ("pyproject.toml", "setup.py")]
        if all(map(self.is_absent, metadata)):
            yield Lacking(metadata[0], f"{said} with the help of its pyproject.toml", span, place)
            return
        for name, text in self.opened(folder):
            path = posixpath.join(folder, text)
            if self.is_absent(posixpath.normpath(path)):
                yield Lacking(posixpath.normpath(path), f"{said}, whose {name} reads {text}", span, place)

    def opened(self, folder: str) -> Iterator[tuple[str, str]]:
        """The files that the metadata of a project name, each with who names it."""
        from mllint.sources import project_setup, pyproject

        inputs = self.stage.build.context.inputs
        source = self.text(posixpath.join(folder, "pyproject.toml"))
        found = inputs.parsed(source, pyproject.parse) if source is not None else None
        if found is not None and found.build_system is not None and found.build_system.backend in _STRICT_BACKENDS:
            for text in found.readme:
                yield "pyproject.toml", text.text
        source = self.text(posixpath.join(folder, "setup.py"))
        if source is not None:
            for text in inputs.parsed(source, project_setup.parse).opened:
                yield "setup.py", text.text

    def folder(self) -> str | None:
        values = self.install.values("--project", "--directory", "-C", "-P")
        return self.path(values[-1].value if values else ".")

    def uv_sync(self) -> Iterator[Lacking]:
        folder = self.folder()
        if folder is None:
            return
        span = self.install.span
        uppers = [*upward(folder)]
        if all(self.is_absent(posixpath.join(each, "pyproject.toml")) for each in uppers):
            yield Lacking(posixpath.join(folder, "pyproject.toml"), "uv sync reads pyproject.toml", span)
            return
        if self.is_absent(posixpath.join(folder, "pyproject.toml")):
            return
        flag = next((name for name in ("--frozen", "--locked") if self.install.has(name)), None)
        if flag is not None and all(self.is_absent(posixpath.join(each, "uv.lock")) for each in uppers):
            yield Lacking(posixpath.join(folder, "uv.lock"), f"uv sync {flag} reads uv.lock", span)
        if not self.install.has(*_NOT_THE_PROJECT) and not self.is_virtual(folder):
            yield from self.project(folder, "uv sync installs the project", span, None)

    def is_virtual(self, folder: str) -> bool:
        """Whether the folder holds no package that uv would build."""
        from mllint.sources import pyproject

        source = self.text(posixpath.join(folder, "pyproject.toml"))
        found = self.stage.build.context.inputs.parsed(source, pyproject.parse) if source is not None else None
        if found is None or found.build_system is None:
            return True
        return found.uv is not None and found.uv.is_package is False

    def poetry(self) -> Iterator[Lacking]:
        folder = self.folder()
        if folder is None:
            return
        path = posixpath.join(folder, "pyproject.toml")
        if self.is_absent(path):
            yield Lacking(path, "poetry install reads pyproject.toml", self.install.span)
        elif not self.install.has(*_NOT_THE_PROJECT, "--only"):
            for each in self.project(folder, "poetry install installs the project", self.install.span, None):
                yield each._replace(is_mild=True)


def _may_be_left_out(line: Editable | Requirement) -> bool:
    return isinstance(line, Requirement) and line.marker is not None
