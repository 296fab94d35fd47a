"""What only those need who work on a service, in the image that serves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mllint import facts
from mllint.image.events import Distribution
from mllint.image.serving.started import started
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.build import Build
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_MADE_FOR_THEM = regex(r"(?:^|[._/-])(?:dev|devel|development|tests?|testing|ci|local|debug|notebooks?)(?:$|[._/-])")
# What starts a container that somebody works in.
_WORKSHOPS = regex(r"(?:jupyter.*|ipython3?|(?:ba|da|z)?sh|sleep|tail|tox|nox|make)")
_TESTS = regex(
    r"(?:^|/)(?:tests?|testing|docs?|examples?|scripts|tools)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest|noxfile)\.py$"
)
_MAX_SOURCES = 2000


def is_for_developers(build: Build) -> bool:
    """Whether an image is named for those who develop or test, or starts what they work with."""
    final = build.final
    if final is None or any(_MADE_FOR_THEM.search(name) for name in (final.name or "", build.source.path.lower())):
        return True
    return any(_WORKSHOPS.fullmatch(each.executed.name) for each in started(final))


def unused(stage: Stage, install: Install) -> frozenset[str]:
    """The distributions for developers that a call surely brings into an image that never runs them, where that image
    has a process of its own."""
    build = stage.build
    final = build.final
    if final is None or final.process is None or final.last("CMD", "ENTRYPOINT") is None or is_for_developers(build):
        return frozenset()
    there = {
        event.name
        for event in final.view.behind()
        if isinstance(event, Distribution) and event.cause.step is install.step and not event.is_removed
    }
    rows = [rows[0] for name, rows in facts.by("development_tools", "name").items() if name in there]
    if not rows or runs_any(build, there):
        return frozenset()
    return frozenset(row["name"] for row in rows) - _imported(build, rows)


def runs_any(build: Build, names: Iterable[str]) -> bool:
    """Whether a stage or the container runs a program of one of several distributions for developers."""
    table = facts.by("development_tools", "name")
    programs = {program for name in names if name in table for program in table[name][0]["programs"].split()}
    return not programs.isdisjoint(_run(build))


def _run(build: Build) -> Iterator[str]:
    """The programs that the build, the container or its health check runs, also as modules."""
    commands = [each for stage in build.stages for step in stage.steps for each in step.commands]
    commands += [each.executed for stage in build.stages for each in started(stage)]
    for each in commands:
        yield each.name
        words = each.arguments
        if "-m" in words[:-1]:
            yield words[words.index("-m") + 1]


def _imported(build: Build, rows: list[dict[str, Any]]) -> frozenset[str]:
    """Those whose modules some source in the context imports that is not about tests."""
    names = {module: row["name"] for row in rows for module in row["imports"].split()}
    pattern = re.compile(rf"^[ \t]*(?:import|from)[ \t]+({'|'.join(map(re.escape, names))})\b", re.MULTILINE)
    context = build.context
    sources = [each.path for each in context.files() if each.name.endswith(".py") and not _TESTS.search(each.path)]
    texts = (context.text(path) for path in sources[:_MAX_SOURCES])
    return frozenset(names[name] for text in texts if text is not None for name in pattern.findall(text.text))
