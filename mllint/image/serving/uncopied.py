"""Modules of the build context that a service imports at its start and that no COPY brings along."""

from __future__ import annotations

import ast
import posixpath
import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.serving import lookalikes, modules, sources
from mllint.image.view import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage

# What may lead to modules elsewhere.
_ELSEWHERE = ("sys.path", "chdir", "sys.modules", "addsitedir", "meta_path")


class Uncopied(NamedTuple):
    """An import that fails when the container starts."""

    file: Loaded
    line: int
    module: str
    path: str
    """The module in the build context."""
    place: str
    """Where the image has none."""


def uncopied(stage: Stage) -> Uncopied | None:
    """The first import that surely runs at start, of a module that lies in the build context where that import would
    find it, and in no folder of the image that is looked into."""
    files = sources.loaded(stage)
    if any(mark in file.source.text for file in files for mark in _ELSEWHERE):
        return None
    for file in files:
        for node in file.code.started(is_main=file.is_main) if file.is_sure else ():
            for module in _modules(node):
                found = _beside(stage, file, module)
                if found is not None and _is_absent(stage, file, module.partition(".")[0]):
                    return Uncopied(file, getattr(node, "lineno", 1), module, *found)
    return None


def _modules(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports, without those of Python itself."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        names = [node.module]
    for name in names:
        if name.partition(".")[0] not in sys.stdlib_module_names:
            yield name


def _beside(stage: Stage, file: Loaded, module: str) -> tuple[str, str] | None:
    """The module in the folder of the build context that stands for one of those which the file looks into, and where
    it belongs in the image."""
    node = stage.view.find(file.path)
    origin = node.origin if isinstance(node, Node) else None
    for folder in file.folders if origin is not None else ():
        inside = relative(file.path, folder)
        if origin is None or not inside or not f"/{origin}".endswith(f"/{inside}"):
            continue
        root, stem = origin[: len(origin) - len(inside)], module.replace(".", "/")
        wanted = (f"{root}{stem}.py", f"{root}{stem}/__init__.py")
        found = next((entry.path for entry in stage.build.context.files() if entry.path in wanted), None)
        if found is not None:
            path = found.removesuffix("/__init__.py")
            return path, posixpath.join(folder, path[len(root) :])
    return None


def _is_absent(stage: Stage, file: Loaded, module: str) -> bool:
    """Whether no folder has the module, and nothing that is installed or mounted may bring it."""
    if modules.may_be_installed(stage, module) or "PYTHONPATH" in stage.end.env:
        return False
    places = [posixpath.join(folder, module) for folder in file.folders]
    is_there = any(stage.view.find(f"{place}{ending}") is not None for place in places for ending in ("", ".py"))
    return not is_there and not any(lookalikes.may_be_brought(stage, folder) for folder in file.folders)
