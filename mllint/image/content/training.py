"""What training needs or leaves behind and that inference does not read, in what copies bring along."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from fnmatch import fnmatchcase, translate
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image.content.ballast import find_ballast, instructions
from mllint.image.copies import relative
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.context import Entry
    from mllint.image.copies import Copy
    from mllint.image.stage import Stage

_SAFETENSORS = regex(r".*\.safetensors")
_TORCH = regex(r"pytorch_model.*\.bin|consolidated.*\.pth")
_OTHER_FORMATS = regex(r"tf_model\.h5|flax_model\.msgpack|rust_model\.ot")
# Source that is about training may name data all the same.
_FOR_TRAINING = regex(
    r"(?:^|[/_-])(?:train|prepare|preprocess|eval|test|explor|notebook|benchmark|setup)", re.IGNORECASE
)
_MAX_SOURCES = 300


class Unread(NamedTuple):
    """A file that inference does not read."""

    entry: Entry
    what: str


def unread(stage: Stage, copy: Copy) -> list[Unread]:
    """What a copy brings along of such files, the largest first. What is copied by its own name is meant."""
    files = _brought_along(stage, copy)
    named = list(_named(files))
    wanted = {id(row): _is_wanted(stage, row) for row in {id(row): row for _, row in named}.values()}
    found = {each.path: Unread(each, row["what"]) for each, row in named if not wanted[id(row)]}
    for entry in _second_formats(files):
        found.setdefault(entry.path, Unread(entry, "second format of the same weights"))
    if not found:
        return []
    ballast = [each.entry.path for each in find_ballast(stage.build)]
    known = [
        each for each in found.values() if not any(relative(each.entry.path, path) is not None for path in ballast)
    ]
    said = _said(stage)
    code = {posixpath.dirname(each.path) for each in files if each.name.endswith(".py")}
    kept = [each for each in known if not _is_named(each, said, code)]
    return sorted(kept, key=lambda each: (-each.entry.size, each.entry.path))


def _brought_along(stage: Stage, copy: Copy) -> list[Entry]:
    """The files of the folders with source that a copy names."""
    context = stage.build.context
    found: dict[str, Entry] = {}
    for source in copy.sources:
        for match in source.matches(context):
            files = context.files(match.path) if match.is_folder else ()
            if any(each.name.endswith(".py") for each in files):
                found |= {each.path: each for each in files if not source.leaves_out(match, each.path)}
    return list(found.values())


def _named(files: Sequence[Entry]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """The files that the table names, by their names or by that of a folder above."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for entry in files:
        folder = entry.path[: -len(entry.name) - 1]
        above = folders.get(folder)
        if above is None:
            above = folders[folder] = [row for part in folder.split("/") if (row := _of_folder(part)) is not None]
        own = _of_file(entry.name)
        for row in above if own is None else (own, *above):
            if entry.size >= int(row.get("least", "0")):
                yield entry, row
                break


@cache
def _any_file() -> re.Pattern[str]:
    return re.compile("|".join(translate(row["name"]) for row in facts.rows("training_files") if row["kind"] == "file"))


def _of_file(name: str) -> dict[str, Any] | None:
    # Contexts hold a hundred thousand files: one pattern for all of them tells most apart.
    return _row("file", name) if _any_file().match(name) else None


@cache
def _of_folder(name: str) -> dict[str, Any] | None:
    return _row("folder", name)


def _row(kind: str, name: str) -> dict[str, Any] | None:
    rows = (row for row in facts.rows("training_files") if row["kind"] == kind)
    return next((row for row in rows if fnmatchcase(name, row["name"])), None)


def _is_wanted(stage: Stage, row: dict[str, Any]) -> bool:
    return "wanted" in row and re.search(row["wanted"], instructions(stage.build)) is not None


def _second_formats(files: Sequence[Entry]) -> Iterator[Entry]:
    """Weights that lie beside the same in another format."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    for each in files:
        folders[posixpath.dirname(each.path)].append(each)
    for entries in folders.values():
        names = [each.name for each in entries]
        has_safe, has_torch = any(map(_SAFETENSORS.fullmatch, names)), any(map(_TORCH.fullmatch, names))
        for each in entries:
            if (has_safe and _TORCH.fullmatch(each.name)) or (
                (has_safe or has_torch) and _OTHER_FORMATS.fullmatch(each.name)
            ):
                yield each


def _said(stage: Stage) -> str:
    """The Dockerfile, and the source in the context that is not about training."""
    context = stage.build.context
    sources = [
        each for each in context.files() if each.name.endswith((".py", ".sh", ".yaml", ".yml", ".toml", ".json"))
    ]
    texts = (context.text(each.path) for each in sources[:_MAX_SOURCES] if not _FOR_TRAINING.search(each.path))
    return "\n".join([stage.build.source.text, *(text.text for text in texts if text is not None)])


def _is_named(each: Unread, said: str, code: set[str]) -> bool:
    """Whether something speaks of a file by its name or path, or of a folder above a data set or archive, where that
    holds no source itself."""
    path, name = each.entry.path, each.entry.name
    for match in re.finditer(rf"([\w./-]*){re.escape(name)}", said):
        if f"/{path}".endswith("/" + match[1].lstrip("./") + name):
            return True
    if each.what not in ("data set", "archive"):
        return False
    parts = posixpath.dirname(path).split("/")
    folders = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return any(
        re.search(rf"(?<![\w-]){re.escape(folder)}/?(?:[\"'\s*]|$)", said)
        for folder in folders
        if folder not in {"", *code}
    )
