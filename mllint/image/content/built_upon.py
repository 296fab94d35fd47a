"""Images that are made for others to be built upon."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image.context import Tree
from mllint.image.names import known_image
from mllint.patterns import regex
from mllint.sources import reference
from mllint.sources.file_names import is_dockerfile_name
from mllint.sources.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllint.image.stage import Stage

_BASE = regex(r"base(?:[-_.].*)?|(?:.*[-_])?base[-_]images?", re.IGNORECASE)
_BASE_FILE = regex(
    r"(?:dockerfile|containerfile)[-_.](?:.*[-_.])?base(?:[-_.].*)?|(?:.*[-_.])?base[-_.]dockerfile", re.IGNORECASE
)
_FROM = regex(r"(?mi)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(?:\$\{?\w+\}?/)?([^\s$]+)")
_SHORTEST = 3
_FOLDERS = 2


def is_base(stage: Stage) -> bool:
    """Whether the file or a folder of it is called a base, or a neighbour starts from the image."""
    *folders, name = stage.build.source.path.split("/")
    is_called = _BASE_FILE.fullmatch(name) is not None or any(map(_BASE.fullmatch, folders[-_FOLDERS:]))
    return is_called or _is_started_from(stage)


def _is_started_from(stage: Stage) -> bool:
    """Whether a Dockerfile beside the folder starts from an image with the folder's name or tag."""
    inputs = stage.build.context.inputs
    folder = (inputs.cwd / stage.build.source.path).parent
    if len(folder.name) < _SHORTEST or folder == inputs.cwd or inputs.exists(folder / ".git"):
        return False
    for path in _beside(folder, stage):
        text = inputs.text(path)
        for match in _FROM.finditer(text.text) if text is not None else ():
            found = reference.parse(match[1])
            if not isinstance(found, Reference):
                continue
            is_named = folder.name == found.familiar.rpartition("/")[2] and known_image(found) is None
            if is_named or folder.name == found.tag:
                return True
    return False


def _beside(folder: Path, stage: Stage) -> Iterator[Path]:
    tree = Tree(folder.parent, stage.build.context.inputs.given)
    for entry in tree.children(""):
        if entry.is_folder and entry.name != folder.name:
            for each in tree.children(entry.path):
                if not each.is_folder and is_dockerfile_name(each.name):
                    yield folder.parent / each.path
