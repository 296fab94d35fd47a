"""Virtual environments that a COPY puts to another path than they were made at, while the `#!` lines of their programs
keep the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.events import Interpreter
from mllint.image.programs import Program
from mllint.image.service import PYTHON
from mllint.image.serving import uses
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.copies import Copy
    from mllint.image.serving.uses import Use
    from mllint.image.stage import Stage, Step
    from mllint.sources.shell_tree import Word

# What makes scripts that find their Python by themselves, or writes the lines anew.
_MENDED = regex(r"relocat|\bsed\b|venv-pack|virtualenv-clone|--upgrade\b.*\bvenv|#!")


class Relocated(NamedTuple):
    """A program of such an environment that is surely started."""

    copy: Step
    old: str
    """The prefix that the environment was made with."""
    new: str
    use: Use
    word: Word
    """The program as written."""

    @property
    def name(self) -> str:
        """The program by its base name."""
        return self.word.value.rpartition("/")[2]


def relocated(stage: Stage) -> Iterator[Relocated]:
    """The programs that look for their Python where it is not: the first of each environment."""
    for step in stage.steps:
        for other, old, new in _moves(stage, step.copy) if step.copy is not None else ():
            if not _is_mended(other) and not _is_mended(stage):
                found = next(_broken(stage, old, new), None)
                if found is not None:
                    yield Relocated(step, old, new, *found)


def _moves(stage: Stage, copy: Copy) -> Iterator[tuple[Stage, str, str]]:
    """The environments that a COPY takes from another stage, with their prefixes there and here."""
    if copy.stage is None or not isinstance(copy.destination, str):
        return
    other = stage.build.stages[copy.stage]
    for source in copy.sources:
        if not isinstance(source.path, str) or source.has_wildcard:
            continue
        for event in other.view.behind():
            if isinstance(event, Interpreter) and event.kind == "venv" and event.cause.is_sure:
                inside = relative(event.prefix, f"/{source.path}".rstrip("/"))
                new = f"{copy.destination.rstrip('/')}/{inside or ''}".rstrip("/")
                if inside is not None and new != event.prefix:
                    yield other, event.prefix, new


def _broken(stage: Stage, old: str, new: str) -> Iterator[tuple[Use, Word]]:
    for use in _uses(stage):
        for name, word in use.names:
            found = use.look_up(name)
            if not isinstance(found, Program) or not found.brought_by or found.path is None:
                continue
            is_script = found.path.startswith(f"{new}/bin/") and not PYTHON.fullmatch(name.rpartition("/")[2])
            if is_script and use.view.find(f"{old}/bin/python") is None and use.view.find(old) is None:
                yield use, word


def _uses(stage: Stage) -> Iterator[Use]:
    for step in stage.steps:
        yield from uses.of_step(stage, step)
    if stage.is_final:
        yield from uses.of_process(stage)
        yield from uses.of_healthcheck(stage)


def _is_mended(stage: Stage) -> bool:
    text = stage.build.source.text
    return any(_MENDED.search(text, *step.instruction.span) for step in stage.steps)
