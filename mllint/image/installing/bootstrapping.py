"""Scripts that install pip, run by a Python that they refuse."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import python
from mllint.image.events import Interpreter
from mllint.image.releases import version_of
from mllint.image.service import PYTHON
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.content.fetching import Fetch
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step

_ADDRESS = regex(r"https?://bootstrap\.pypa\.io/(?P<path>[^?#]+)")


class Refused(NamedTuple):
    """A run of the script that its Python is too old for."""

    executed: Executed
    """The command that runs it."""
    minor: str
    least: str
    """The oldest Python that it runs with."""
    path: str | None
    """The script that is kept for this Python, on the same host; None where there is none."""


def refused(stage: Stage, fetch: Fetch) -> Refused | None:
    """The first run of a fetched script that surely ends with an error; None for any other address."""
    match = _ADDRESS.fullmatch(fetch.address)
    scripts = facts.by("get_pip", "path")
    row = next(iter(scripts.get(match["path"], ())), None) if match is not None else None
    if row is None or "/" in row["path"]:
        return None
    for step, each in _runs(stage, fetch):
        # What the same RUN installs in front of it is there for it.
        path = each.environment.get("PATH", step.before.env.get("PATH"))
        found = python.interpreter(stage.view_after(step), each.words[0].value, path, each.directory)
        minor = found.minor if isinstance(found, Interpreter) else None
        if isinstance(minor, str) and version_of(minor) < version_of(row["python"]):
            kept = f"pip/{minor}/{row['path']}"
            return Refused(each, minor, row["python"], kept if kept in scripts else None)
    return None


def _runs(stage: Stage, fetch: Fetch) -> Iterator[tuple[Step, Executed]]:
    """The commands by which a Python surely carries it out."""
    name = posixpath.basename(fetch.file or fetch.name)
    for step in stage.steps[stage.steps.index(fetch.step) :]:
        for each in step.commands:
            is_run = PYTHON.fullmatch(each.name) is not None and each.is_sure
            if fetch.reader is not None and not fetch.is_word:
                is_run = is_run and each.span == fetch.reader.span
            else:
                is_run = is_run and [posixpath.basename(word) for word in each.arguments[:1]] == [name]
            if is_run:
                yield step, each
