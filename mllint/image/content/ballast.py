"""What of a build context no service reads: version control data, environments, notebooks, caches."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase, translate
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.context import Context, Entry

# From so many folders below the root of a context on, a notebook counts as deep.
_NEAR = 2
# What makes a folder of any name an environment.
_ENVIRONMENTS = {"pyvenv.cfg": "virtual environment", "conda-meta": "conda environment"}


class Ballast(NamedTuple):
    """A file or folder that no service reads; of nested ones the outermost."""

    entry: Entry
    what: str
    pattern: str
    """The line of .dockerignore that keeps it and its like out."""
    size: int
    """The bytes of it that the build would be sent."""
    is_shallow: bool
    """Whether it counts in a copy of the whole context only."""


def find_ballast(build: Build, folder: str = "") -> Iterator[Ballast]:
    """The ballast below a folder of the context that the ignore file lets in, in order of the paths."""
    context = build.context
    wanted: dict[str, bool] = {}
    found = list(_candidates(context, folder))
    # Deep in a package they may be read; beside others that are not, one line keeps all out.
    near = {row["name"] for entry, row in found if entry.path.count("/") < _NEAR}
    for entry, row in found:
        name = row["name"]
        if "shallow" in row and name not in near:
            continue
        if name not in wanted:
            wanted[name] = _is_wanted(build, row)
        files = [entry] if not entry.is_folder else list(context.files(entry.path))
        if files and not wanted[name]:
            is_plain = "/" not in entry.path and "*" not in name
            pattern = name if is_plain else f"**/{name}"
            yield Ballast(entry, row["what"], pattern, sum(file.size for file in files), "shallow" in row)


def is_wanted(build: Build, name: str) -> bool:
    """Whether the image or its build needs something of this name, which others leave out."""
    row = _named(name)
    return row is not None and _is_wanted(build, row)


def _candidates(context: Context, folder: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
    for entry in context.tree.children(folder):
        row = _row(context, entry)
        if not entry.is_folder:
            if row is not None and not context.excludes(entry.path):
                yield entry, row
        elif context.ignore is None or not context.ignore.prunes(entry.path):
            if row is not None:
                yield entry, row
            else:
                yield from _candidates(context, entry.path)


def _row(context: Context, entry: Entry) -> dict[str, Any] | None:
    row = _named(entry.name)
    if row is not None and (row["kind"] == "folder") is entry.is_folder:
        return row
    if entry.is_folder:
        for name, what in _ENVIRONMENTS.items():
            if context.find(f"{entry.path}/{name}") is not None:
                return {"name": entry.name, "what": what}
    return None


def _named(name: str) -> dict[str, Any] | None:
    """The row of the table for a name."""
    exact, patterns, any_pattern = _rows()
    if name in exact:
        return exact[name]
    # Contexts hold a hundred thousand files: one pattern for all of them tells most apart.
    return next((row for row in patterns if fnmatchcase(name, row["name"])), None) if any_pattern.match(name) else None


@cache
def _rows() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]], re.Pattern[str]]:
    """The table by name, its rows whose name is a pattern, and a pattern for all of these."""
    rows = facts.rows("useless_files")
    patterns = [row for row in rows if "*" in row["name"]]
    exact = {row["name"]: row for row in rows if "*" not in row["name"]}
    return exact, patterns, re.compile("|".join(translate(row["name"]) for row in patterns))


def _is_wanted(build: Build, row: dict[str, Any]) -> bool:
    if "wanted" in row and re.search(row["wanted"], instructions(build)):
        return True
    if "project" not in row:
        return False
    texts = (build.context.text(name) for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    return any(text is not None and re.search(row["project"], text.text) for text in texts)


def instructions(build: Build) -> str:
    """The Dockerfile, its bases, and the names of what it installs from files."""
    bases = [stage.base.text for stage in build.stages]
    names = [
        line.key or ""
        for stage in build.stages
        for step in stage.steps
        for install in step.installs
        for _, line in stage.closure(install).lines()
    ]
    return "\n".join([build.source.text, *bases, *names])
