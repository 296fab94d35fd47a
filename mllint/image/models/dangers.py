"""Pickles that name what runs commands or code when they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.models.held import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.stage import Stage

# The functions of the system are pickled by the name of the module that implements them.
_SYSTEM = frozenset({"os", "posix", "nt"})
_OF_SYSTEM = frozenset(
    "system popen execl execle execlp execv execve execvp execvpe spawnl spawnv spawnve posix_spawn".split()
)
_OF_PYTHON = frozenset({"eval", "exec", "execfile", "compile", "__import__"})
_WHOLE = frozenset({"subprocess", "commands", "pty", "runpy", "webbrowser", "socket", "_posixsubprocess"})


class Danger(NamedTuple):
    """A pickle of the image, and the function in it that no model has."""

    model: Held
    name: str


def dangers(stage: Stage) -> Iterator[Danger]:
    """The pickles in an image that name such a function."""
    for model in models(stage) if stage.is_final else ():
        name = next(filter(_is_dangerous, model.globals), None)
        if name is not None:
            yield Danger(model, name)


def _is_dangerous(name: str) -> bool:
    module, _, function = name.rpartition(".")
    if module in ("builtins", "__builtin__"):
        return function in _OF_PYTHON
    return (module in _SYSTEM and function in _OF_SYSTEM) or module.partition(".")[0] in _WHOLE
