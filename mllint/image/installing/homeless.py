"""Calls of `uv pip` that find no environment to install into."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.copies import context_path
from mllint.image.events import Interpreter
from mllint.image.paths import upward
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.view import View

_CHOOSES = ("--system", "-t", "--target", "--prefix", "-p", "--python", "--dry-run", "--config-file", "--project")
_VARIABLES = (
    *("VIRTUAL_ENV", "CONDA_PREFIX", "UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_TARGET", "UV_PREFIX", "UV_CONFIG_FILE"),
    *("UV_WORKING_DIRECTORY", "UV_PROJECT", "BASH_ENV"),
)
_CONFIGURES = regex(r"\[(?:tool\.uv\.)?pip\]|\bsystem\b")
# They may set variables in the shell that a later command of the RUN sees.
_SETS = frozenset({".", "source", "eval", "conda", "mamba", "micromamba", "pyenv"})


def has_no_environment(stage: Stage, call: Install) -> bool:
    """Whether `uv pip install` surely stops with `No virtual environment found`."""
    each, step = call.executed, call.step
    if call.manager.name != "uv pip" or each.name != "uv" or each.wrappers or call.has(*_CHOOSES):
        return False
    if any(_is_perhaps_set(call, name) for name in _VARIABLES) or not _is_plain_shell(step, each):
        return False
    folder, view = each.directory, stage.view_after(step)
    return (
        isinstance(folder, str)
        and not _is_on_path(view, call)
        and all(
            view.find(posixpath.join(above, ".venv")) is None and not _configures(stage, step, above)
            for above in upward(folder)
        )
    )


def _is_on_path(view: View, call: Install) -> bool:
    """Whether a Python that PATH leads to may be that of a virtual environment, or of conda, which uv takes."""
    path = call.executed.environment.get("PATH", call.step.before.env.get("PATH"))
    for folder in view.search(path):
        found = python.interpreter(view, posixpath.join(folder, "python3"), None)
        if isinstance(found, Unknown) and isinstance(view.base.python, Unknown):
            return True
        if isinstance(found, Interpreter) and found.kind not in ("image", "system"):
            return True
    return isinstance(path, Unknown)


def _is_perhaps_set(call: Install, name: str) -> bool:
    return name in call.executed.environment or call.step.before.get(name) is not None


def _is_plain_shell(step: Step, each: Executed) -> bool:
    """Whether nothing in front of a command may have activated an environment."""
    words = step.before.shell
    is_posix = not words or (words[0].rpartition("/")[2] in POSIX_SHELLS and not {"-l", "-i", "-lc", "-ic"} & {*words})
    before = (other for other in step.commands if other.span.start < each.span.start)
    return is_posix and not any(other.words[0].value in _SETS for other in before)


def _configures(stage: Stage, step: Step, folder: str) -> bool:
    """Whether a configuration file may name another environment."""
    for name in ("uv.toml", "pyproject.toml"):
        found = context_path(stage, step, posixpath.join(folder, name))
        source = stage.build.context.text(found) if found else None
        if found and (source is None or _CONFIGURES.search(source.text)):
            return True
    return False
