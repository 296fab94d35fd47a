"""The build context: the tree of files that COPY can bring, with what the ignore file keeps out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mllint.inputs import Inputs
    from mllint.sources.dockerignore import IgnoreFile
    from mllint.sources.text import Source


class Entry(NamedTuple):
    """A file or folder of the context; `path` is relative to its root with forward slashes, `size` in bytes."""

    path: str
    name: str
    is_folder: bool
    size: int


class Tree:
    """A folder on disk, looked at once and only where somebody asks; `given` are files that a run takes as if they lay
    in it, with their sizes."""

    def __init__(self, root: Path, given: Mapping[Path, int] = MappingProxyType({})) -> None:
        self.root = root
        self._given = {
            path.relative_to(root).as_posix(): size for path, size in given.items() if path.is_relative_to(root)
        }
        self._folders: dict[str, dict[str, Entry]] = {}

    def children(self, folder: str) -> Collection[Entry]:
        """The entries of a folder (empty string: the root) by name; nothing where it cannot be read."""
        return self._children(folder).values()

    def find(self, path: str) -> Entry | None:
        """The entry at a path, or None; links count as they stand."""
        folder, _, name = path.rpartition("/")
        if folder and folder not in self._folders and self.find(folder) is None:
            return None
        return self._children(folder).get(name)

    def _children(self, folder: str) -> dict[str, Entry]:
        if folder not in self._folders:
            self._folders[folder] = self._scan(folder)
        return self._folders[folder]

    def _scan(self, folder: str) -> dict[str, Entry]:
        prefix = f"{folder}/" if folder else ""
        found = {}
        try:
            with os.scandir(f"{self.root}/{folder}") as entries:
                for each in entries:
                    is_folder = each.is_dir(follow_symlinks=False)
                    size = 0 if is_folder else each.stat(follow_symlinks=False).st_size
                    found[each.name] = Entry(prefix + each.name, each.name, is_folder, size)
        except OSError:
            return {}
        for path, size in self._given.items():
            if path.startswith(prefix) and "/" not in path[len(prefix) :]:
                name = path[len(prefix) :]
                found[name] = Entry(path, name, False, size)
        return dict(sorted(found.items()))


@dataclass(frozen=True, eq=False)
class Context:
    """The folder a build is given. `is_certain` is false where it was guessed from the Dockerfile's place."""

    tree: Tree
    inputs: Inputs
    ignore: IgnoreFile | None
    ignore_names: tuple[str, ...]
    """The ignore files that would count, the first that exists wins: `Dockerfile.gpu.dockerignore`, `.dockerignore`."""
    is_certain: bool
    sent: dict[str, tuple[Entry, ...]] = field(default_factory=dict, repr=False)
    """The files below each folder that somebody asked for; shared by contexts with the same root and ignore file."""

    @property
    def root(self) -> Path:
        """The folder itself."""
        return self.tree.root

    @property
    def holds_dockerfile(self) -> bool:
        """Whether the Dockerfile lies right in it, not in a folder of it."""
        return "/" not in self.ignore_names[0]

    def excludes(self, path: str) -> bool:
        """Whether the ignore file keeps a path out."""
        return self.ignore is not None and self.ignore.excludes(path)

    def find(self, path: str) -> Entry | None:
        """The entry at a path, whether ignored or not; the root itself for the empty path."""
        return Entry("", "", True, 0) if path == "" else self.tree.find(path)

    def mode(self, path: str) -> int | None:
        """The permission bits of a file or folder; None where they cannot be read."""
        try:
            return (self.root / path).lstat().st_mode & 0o777
        except OSError:
            return None

    def files(self, folder: str = "") -> tuple[Entry, ...]:
        """Every file below a folder that the build would be sent, in order of the paths."""
        if folder not in self.sent:
            found: list[Entry] = []
            for entry in self.tree.children(folder):
                if entry.is_folder:
                    if self.ignore is None or not self.ignore.prunes(entry.path):
                        found.extend(self.files(entry.path))
                elif not self.excludes(entry.path):
                    found.append(entry)
            self.sent[folder] = tuple(found)
        return self.sent[folder]

    def text(self, path: str) -> Source | None:
        """The text of a file that would be sent; None where it is not there, ignored or no text."""
        if self.excludes(path) or self.find(path) is None:
            return None
        return self.inputs.text(self.root / path)
