"""Paths inside an image, some parts of which may not be known."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN_FOLDER = "//"
"""What the name of a folder begins with that nobody knows: no path of an image begins with two slashes, and posixpath
leaves them alone."""
PATH_OF_BASE = f"{UNKNOWN_FOLDER}PATH of the base"
"""What stands in PATH for the folders of a base whose PATH is not known."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The PATH of an image that sets none."""


def joined(directory: Value, path: Value) -> Value:
    """A path as seen from a directory, cleaned; unknown where either is and it matters."""
    if isinstance(path, Unknown):
        return path
    if path.startswith("/"):
        return posixpath.normpath(path)
    if isinstance(directory, Unknown):
        return directory
    return posixpath.normpath(posixpath.join(directory, path))


def upward(folder: str) -> Iterator[str]:
    """A folder and those that it lies in, the nearest first; below a folder that nobody knows, up to that."""
    yield folder
    while (above := posixpath.dirname(folder)) != folder:
        yield above
        folder = above


def search_path(path: Value | None) -> list[str]:
    """The folders of a PATH; the standard ones where none is set."""
    if isinstance(path, Unknown):
        return []
    return [folder for folder in (DEFAULT_PATH if path is None else path).split(":") if folder]
