"""Paths inside an image, some parts of which may not be known."""

from __future__ import annotations

import posixpath

from mllint.image.values import Unknown, Value


def joined(directory: Value, path: Value) -> Value:
    """A path as seen from a directory, cleaned; unknown where either is and it matters."""
    if isinstance(path, Unknown):
        return path
    if path.startswith("/"):
        return posixpath.normpath(path)
    if isinstance(directory, Unknown):
        return directory
    return posixpath.normpath(posixpath.join(directory, path))
