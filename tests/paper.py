"""Builds on paper of Dockerfiles, with an empty context or with a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mllint.config import Settings
from mllint.image import python
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.image.events import Interpreter
from mllint.image.python import Environment
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.inputs import Inputs
from mllint.sources import dockerfile
from mllint.sources.text import Source


def build(text: str, **settings: Any) -> Build:
    """The build of a Dockerfile with these settings."""
    folder = Path("/nowhere")
    context = Context(Tree(folder), Inputs(folder), None, (), True)
    return Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings(**settings))


def last(text: str, **settings: Any) -> Stage:
    """The last stage of a Dockerfile."""
    return build(text, **settings).stages[-1]


def last_in(folder: Path, text: str, files: dict[str, str] | None = None, **settings: Any) -> Stage:
    """The last stage of a Dockerfile whose context is a folder, in which these files are made first."""
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    context = Context(Tree(folder), Inputs(folder), None, (".dockerignore",), True)
    return Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings(**settings)).stages[-1]


def interpreter(stage: Stage, name: str = "python3") -> Interpreter | Unknown | None:
    """What a program name starts at the end of a stage."""
    return python.interpreter(stage.view, name, stage.end.get("PATH"))


def environment(stage: Stage, name: str = "python3") -> Environment:
    """The packages that it sees."""
    found = interpreter(stage, name)
    assert isinstance(found, Interpreter), found
    return python.environment(stage.view, found, stage.end)


def listed(stage: Stage, name: str = "python3") -> dict[str, str]:
    """The distributions beside pip, `?` for a version that is not known."""
    return {
        each.name: each.version if isinstance(each.version, str) else "?"
        for each in environment(stage, name).distributions.values()
        if each.name not in ("pip", "setuptools", "wheel")
    }


def line(step_or_setting: Any) -> int:
    """The line that a step, or what sets a value, stands in."""
    instruction = step_or_setting.instruction
    assert instruction is not None
    return int(instruction.start_line)
