"""Folders of Python packages that a stage writes out, with the version of their Python in the name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import python
from mllint.image.events import Interpreter
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage, Step

_PATH = regex(r"(?P<path>[\w./${}~+-]*/lib(?:64)?/python(?P<minor>3\.\d+)/(?:site|dist)-packages)[\w./*-]*")

_OF_IMAGE = "/usr/local/lib/"


class PythonPath(NamedTuple):
    """Such a folder in an instruction."""

    step: Step
    path: str
    minor: str
    span: Span


def python_paths(stage: Stage) -> Iterator[PythonPath]:
    """The folders that COPY, ENV, RUN and their like name, those of comments left out."""
    text = stage.build.source.text
    for step in stage.steps:
        if step.trigger is not None:
            continue
        for match in _PATH.finditer(text, *step.instruction.span):
            line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            if not line.lstrip().startswith("#"):
                yield PythonPath(step, match["path"], match["minor"], Span(*match.span()))


def is_nowhere(stage: Stage, each: PythonPath) -> bool:
    """Whether an image surely has no such folder: it is plain, has no Python of that version, and nothing makes one."""
    view = stage.view
    if not stage.root.base.is_plain or not each.path.startswith(_OF_IMAGE) or not each.path.endswith("site-packages"):
        return False
    if python.interpreter(view, f"python{each.minor}", None) is not None or view.doubt("files") is not None:
        return False
    if isinstance(view.find(each.path), Node):
        return False
    others = (step for other in stage.lineage for step in other.steps if step is not each.step)
    text = f"python{each.minor}"
    return not any(step.instruction.keyword != "ENV" and text in step.instruction.text for step in others)


def is_chosen(stage: Stage, minor: str) -> bool:
    """Whether a stage itself says which Python it wants, elsewhere than in such folders."""
    name = re.compile(rf"(?:python|py|cp)[-=_ ]*{minor.replace('.', '[.]?')}(?![\d])")
    text = stage.build.source.text
    spans = [each.span for each in python_paths(stage)]
    return any(
        not any(span.start <= match.start() < span.end for span in spans)
        for step in stage.steps
        for match in name.finditer(text, *step.instruction.span)
    )


def real_minor(stage: Stage) -> str | None:
    """The version of what `python3` starts at the end of a stage."""
    found = python.interpreter(stage.view, "python3", stage.end.env.get("PATH"))
    minor = found.minor if isinstance(found, Interpreter) and found.cause.is_sure else None
    return minor if isinstance(minor, str) else None
