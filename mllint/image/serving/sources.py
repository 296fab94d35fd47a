"""The Python of the build context that a container runs: what it starts, and what that imports in turn."""

from __future__ import annotations

import ast
import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.serving import modules
from mllint.image.serving.surroundings import Surroundings
from mllint.image.view import Node
from mllint.sources import python_run
from mllint.sources.python_scopes import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.python import Import as Statement
    from mllint.sources.python import Module
    from mllint.sources.python_run import Code
    from mllint.sources.python_scopes import Import
    from mllint.sources.text import Source

_MAX_SOURCES = 100


class Loaded(NamedTuple):
    """A file of Python that is imported or started."""

    source: Source
    module: Module
    """With what it reads of its own path and of the environment."""
    code: Code
    path: str
    """In the image."""
    folders: tuple[str, ...]
    """Where it looks for modules first."""
    is_main: bool
    """Whether it is started as a program."""
    is_sure: bool
    """Whether it surely runs when the container starts, and not only when something calls for it."""
    around: Surroundings
    """What it and the others of its process see."""

    @property
    def name(self) -> str:
        """Of the file."""
        return posixpath.basename(self.path)

    @property
    def started(self) -> frozenset[ast.AST]:
        """The nodes of its tree that surely run when the container starts."""
        return frozenset(self.code.started(is_main=self.is_main)) if self.is_sure else frozenset()

    @property
    def lines(self) -> frozenset[int]:
        """The lines of the imports and calls among those."""
        kinds = (ast.Call, ast.Import, ast.ImportFrom)
        return frozenset(node.lineno for node in self.started if isinstance(node, kinds))


class _Waiting(NamedTuple):
    source: Source
    path: str
    folders: tuple[str, ...]
    is_main: bool
    around: Surroundings


@lru_cache(maxsize=16)
def loaded(stage: Stage) -> tuple[Loaded, ...]:
    """The Python that the process of a stage starts, and all that this imports from the build context, each file once:
    those that surely run first."""
    found: dict[str, Loaded] = {}
    sure, open_ = list(_started(stage)), list[_Waiting]()
    while (sure or open_) and len(found) < _MAX_SOURCES:
        is_sure = bool(sure)
        each = sure.pop(0) if sure else open_.pop(0)
        inputs = stage.build.context.inputs
        code = inputs.parsed(each.source, python_run.parse) if each.source.path not in found else None
        module = each.around.module(each.source, each.path, each.folders) if code is not None else None
        if code is None or module is None:
            continue
        file = Loaded(each.source, module, code, each.path, each.folders, each.is_main, is_sure, each.around)
        found[each.source.path] = file
        at_start = {node.lineno for node in file.started if isinstance(node, ast.Import | ast.ImportFrom)}
        for statement in module.statements:
            into = sure if statement.line in at_start else open_
            into += _imported(stage, statement, each)
    return tuple(found.values())


def origin(files: tuple[Loaded, ...], file: Loaded, imported: Import) -> tuple[Loaded, str] | None:
    """The other of these files that a name which a file imports belongs to, and its name there, empty for the module
    itself; None where it belongs to none."""
    # What a module has not yet can be asked of it all the same.
    module = ".".join(each for each in (imported.name, "_") if each)
    for name in filter(None, (imported.name, module)):
        try:
            path, member = file.around.resolved(file.path, file.folders, imported.module, imported.level, name)
        except Undecided:
            continue
        there = next((each for each in files if each.path == path and each is not file), None)
        if there is not None and (member in there.module.names or member == "_"):
            return there, member if name is not module else ""
    return None


def _started(stage: Stage) -> Iterator[_Waiting]:
    for target in modules.targets(stage, stage.process) if stage.process is not None else ():
        source = modules.source_of(stage, target)
        path = _path(stage, target, source)
        if source is not None and path is not None:
            folders = [folder for folder in target.folders if isinstance(folder, str)]
            is_main = target.is_run or target.is_script
            around = Surroundings(stage, target.executed)
            yield _Waiting(source, path, (*folders, posixpath.dirname(path)), is_main, around)


def _path(stage: Stage, target: modules.Target, source: Source | None) -> str | None:
    """Where the source of a target lies in the image."""
    if source is None:
        return None
    if target.path:
        return target.file if isinstance(target.file, str) else None
    for folder in target.folders:
        place = posixpath.join(folder, target.module.replace(".", "/")) if isinstance(folder, str) else ""
        for path in (f"{place}/__main__.py", f"{place}/__init__.py", f"{place}.py"):
            if place and _text(stage, path) is source:
                return path
    return None


def _imported(stage: Stage, each: Statement, by: _Waiting) -> Iterator[_Waiting]:
    """The modules of the image that an import in a file brings."""
    folders = by.folders
    if each.level:
        folders = (posixpath.normpath(posixpath.join(posixpath.dirname(by.path), *[".."] * (each.level - 1))),)
    stem = each.name.replace(".", "/")
    for folder in folders:
        place = posixpath.join(folder, stem) if stem else folder
        paths = [f"{place}.py", f"{place}/__init__.py", *(f"{place}/{name}.py" for name in each.names)]
        for path in paths:
            source = _text(stage, path)
            if source is not None:
                yield _Waiting(source, path, by.folders, False, by.around)


def _text(stage: Stage, path: str) -> Source | None:
    node = stage.view.find(path)
    return stage.build.context.text(node.origin) if isinstance(node, Node) and node.origin else None
