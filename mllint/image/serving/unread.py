"""The files that the source of a container names and reads, and that are not in the image."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.paths import joined
from mllint.image.serving import extras, lookalikes, sources
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.served import Served
    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage
    from mllint.sources.python import Opened

# What fails where the file is not there, and fetches nothing.
_READING = frozenset(
    "open load load_model from_file InferenceSession CDLL safe_open load_file read_csv read_parquet read_json"
    " read_pickle read_excel loadtxt read_text read_bytes".split()
)
_LOCAL = regex(r".*[/\\].*|.*\.\w{1,11}")
_URL = regex(r"\w{2,}:/.*")
_WINDOWS = regex(r"[A-Za-z]:[\\/].*")
_HOME = regex(r"(/(?:home|Users)/[^/]+)/.+")


class Unread(NamedTuple):
    """A file that is read and not there."""

    file: Loaded
    line: int
    path: str
    """As written, or as worked out."""
    variable: str
    """The variable of the environment whose default it is; empty for any other path."""
    is_at_start: bool
    """Whether it surely is read when the container starts."""
    is_of_machine: bool
    """Whether it is a path of the machine that the source was written on."""
    near: str
    """The file that is meant, in the image or in the build context; empty where there is none."""
    is_in_image: bool
    place: str = ""
    """Where it is looked for in the image."""


def files(stage: Stage) -> Iterator[Unread]:
    """What the source reads and the image lacks for sure: paths of another machine, and files that the build context
    has."""
    service = extras.runs(stage)
    files = sources.loaded(stage) if service is not None else ()
    handled = frozenset[str]().union(*(file.module.handled for file in files))
    seen: set[str] = set()
    for file in files:
        lines = {node.lineno for node in file.started if isinstance(node, ast.Call)}
        for each in sorted(file.module.opened, key=lambda each: (each.line not in lines, each.line)):
            if each.function.rpartition(".")[2] in _READING and _LOCAL.fullmatch(each.path):
                is_new = each.path not in seen | handled and not _URL.fullmatch(each.path)
                seen.add(each.path)
                if service is not None and is_new:
                    yield from _absent(stage, service, file, each, is_at_start=each.line in lines)


def _absent(stage: Stage, service: Served, file: Loaded, each: Opened, *, is_at_start: bool) -> Iterator[Unread]:
    found = Unread(file, each.line, each.path, each.variable, is_at_start, True, "", False)
    if _WINDOWS.fullmatch(each.path):
        yield found
        return
    place = joined(service.use.executed.directory, each.path)
    if not isinstance(place, str) or stage.view.find(place) is not None or lookalikes.may_be_brought(stage, place):
        return
    home = _HOME.fullmatch(each.path)
    if home is not None and stage.view.find(home[1]) is None:
        yield found
        return
    near = _beside(stage, file, place) or _meant(stage, each.path, place)
    if near is not None:
        yield found._replace(is_of_machine=False, near=near.path, is_in_image=near.is_in_image, place=place)


def _beside(stage: Stage, file: Loaded, place: str) -> lookalikes.Found | None:
    """The file of the build context that lies to the source as the path to where the image has that."""
    node = stage.view.find(file.path)
    if not isinstance(node, Node) or node.origin is None:
        return None
    way = posixpath.relpath(place, posixpath.dirname(file.path))
    return lookalikes.brought(stage, posixpath.normpath(posixpath.join(posixpath.dirname(node.origin), way)))


def _meant(stage: Stage, path: str, place: str) -> lookalikes.Found | None:
    """The file of the build context that a path means."""
    found = lookalikes.named(stage, posixpath.basename(place))
    tail = "/".join(posixpath.normpath(path).lstrip("./").split("/")[-2:])
    return found if found is not None and f"/{found.path}".endswith(f"/{tail}") else None
