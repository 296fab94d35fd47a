"""What a project says of itself: `pyproject.toml`, `setup.cfg` and `setup.py` in a folder of the image."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown, Value
from mllint.sources import project_setup, pyproject
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.effects.work import Work
    from mllint.image.packages import Install
    from mllint.sources.project_setup import Setup
    from mllint.sources.pyproject import Project
    from mllint.sources.text import Source

Line = tuple["Source", Requirement]


class Folder(NamedTuple):
    """A folder of a project as a call names it: one of the build context, or of the image at that point."""

    work: Work
    call: Install
    path: str
    in_context: bool = False

    def locate(self, name: str) -> str | None:
        """The file of the build context that lies there under this name."""
        if "://" in self.path:
            return None
        if self.in_context:
            inside = posixpath.normpath(posixpath.join(self.path, name))
            return inside if self.work.stage.build.context.find(inside) else None
        path = self.work.path(self.call.executed, posixpath.join(self.path or ".", name))
        return context_path(self.work.stage, self.work.step, path) if isinstance(path, str) else None

    @property
    def shown(self) -> str:
        """The path as reasons name it: absolute where it is known, or an address as written."""
        if self.in_context or "://" in self.path or "$" in self.path:
            return self.path
        path = self.work.path(self.call.executed, self.path or ".")
        return path if isinstance(path, str) and not path.startswith(UNKNOWN_FOLDER) else self.path

    def text(self, name: str) -> Source | None:
        """Its text."""
        found = self.locate(name)
        return self.work.stage.build.context.text(found) if found else None

    def pyproject(self) -> Project | None:
        """The `pyproject.toml`."""
        source = self.text("pyproject.toml")
        return self.work.stage.build.context.inputs.parsed(source, pyproject.parse) if source is not None else None

    def setups(self) -> Iterator[Setup]:
        """What there is of `setup.cfg` and `setup.py`, as far as it can be read."""
        for name in ("setup.cfg", "setup.py"):
            source = self.text(name)
            if source is not None:
                found = self.work.stage.build.context.inputs.parsed(source, project_setup.parse)
                if not found.problems:
                    yield found

    def requirements(self, names: Iterable[str]) -> list[Line] | None:
        """The lines of requirements files; None where one of them is not there or asks for more than names."""
        lines: list[Line] = []
        context = self.work.stage.build.context
        for name in names:
            found = self.locate(name)
            file = context.inputs.requirements(context.root / found) if found and context.find(found) else None
            if file is None:
                return None
            lines += [(file.source, line) for line in file.lines if isinstance(line, Requirement)]
        return lines


class Declared(NamedTuple):
    """The name and the dependencies of a project."""

    name: str | None
    version: Value
    lines: list[Line]
    is_complete: bool
    """Whether all dependencies are among the lines."""


_BUILT = Unknown("the build of the project decides")


def read(folder: Folder, extras: frozenset[str]) -> Declared | None:
    """What a project declares with these extras; None where nothing of it can be read."""
    found = folder.pyproject()
    if found is not None and found.problems:
        return None
    setups = list(folder.setups())
    if found is None or (found.name is None and found.poetry is None):
        return _of_setups(folder, setups, extras) if setups else None
    lines = [(found.source, line) for line in found.dependencies if isinstance(line, Requirement)]
    if found.poetry is not None and not lines:
        of_poetry = (each.requirement for each in found.poetry.dependencies if not each.is_optional)
        lines = [(found.source, line) for line in of_poetry if isinstance(line, Requirement)]
    is_complete = True
    if "dependencies" in found.dynamic:
        listed = folder.requirements(each.text for each in found.requirement_files) if found.requirement_files else None
        rest = _of_setups(folder, setups, extras) if setups and listed is None else None
        lines += listed if listed is not None else rest.lines if rest is not None else []
        is_complete = listed is not None or (rest is not None and rest.is_complete)
    for extra in extras:
        asked = found.optional_dependencies.get(normalised(extra), ())
        lines += [(found.source, line) for line in asked if isinstance(line, Requirement)]
    version = found.version.text if found.version is not None else _BUILT
    return Declared(found.name.text if found.name is not None else None, version, lines, is_complete)


def _of_setups(folder: Folder, setups: list[Setup], extras: frozenset[str]) -> Declared:
    lines: list[Line] = []
    is_complete = True
    for found in setups:
        lines += [(found.source, line) for line in found.dependencies if isinstance(line, Requirement)]
        for extra in extras:
            asked = found.optional_dependencies.get(normalised(extra), ())
            lines += [(found.source, line) for line in asked if isinstance(line, Requirement)]
        if "install_requires" in found.dynamic:
            # What a project computes from the one requirements file it opens is what stands there.
            opened = {each.text for each in found.opened if "requirement" in each.text and each.text.endswith(".txt")}
            listed = folder.requirements(opened) if len(opened) == 1 else None
            lines += listed or []
            is_complete = is_complete and listed is not None
    name = next((found.name for found in setups if found.name), None)
    version = next((found.version for found in setups if found.version), None)
    return Declared(name, version or _BUILT, lines, is_complete)
