"""How a build goes: its steps as a builder reports them, and what the failing one printed."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_KEPT = 40
"""Lines of the log of a step that are kept."""
_ESCAPES = regex(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_INSTRUCTION = regex(r"\[(?:[^\]]* )?\d+/\d+\] (?!FROM\b)")


class Step(NamedTuple):
    """How a step of a build stands."""

    number: int
    """Tells the steps of one build apart."""
    name: str
    """As the builder names it: `[builder 2/4] RUN pip install …`, `[internal] load build context`."""
    state: Literal["started", "cached", "done", "failed"]
    seconds: float | None = None
    """What it took, when it is done."""

    @property
    def is_instruction(self) -> bool:
        """Whether it carries an instruction of the Dockerfile out, a FROM aside."""
        return _INSTRUCTION.match(self.name) is not None


class Failure(NamedTuple):
    """What made a build fail."""

    step: str
    """The name of the failing step; empty where the build failed outside of its steps."""
    message: str
    log: tuple[str, ...]
    """The last lines that the step printed."""


class Progress:
    """Follows one build, and passes on what changes."""

    def __init__(self, on_step: Callable[[Step], object]) -> None:
        self.failure: Failure | None = None
        """That of the step that failed first."""
        self._on_step = on_step
        self._steps: dict[Hashable, Step] = {}
        self._logs: dict[Hashable, deque[str]] = {}

    @property
    def steps(self) -> int:
        """How many instructions there were to carry out."""
        return sum(step.is_instruction for step in self._steps.values())

    @property
    def cached(self) -> int:
        """How many of them the builder did not have to carry out."""
        return sum(step.is_instruction and step.state == "cached" for step in self._steps.values())

    def start(self, key: Hashable, name: str) -> None:
        """A step began; said of one that is known, it says nothing."""
        if key not in self._steps:
            self._report(key, Step(len(self._steps) + 1, name, "started"))

    def end(self, key: Hashable, state: Literal["cached", "done"], seconds: float | None = None) -> None:
        """A step came to its end."""
        step = self._steps.get(key)
        if step is not None and step.state == "started":
            self._report(key, step._replace(state=state, seconds=seconds))

    def fail(self, key: Hashable, message: str) -> None:
        """A step failed."""
        step = self._steps.get(key)
        if step is not None and step.state == "started":
            self.failure = self.failure or Failure(step.name, message, tuple(self._logs.get(key, ())))
            self._report(key, step._replace(state="failed"))

    def log(self, key: Hashable, text: str) -> None:
        """A step printed lines."""
        kept = self._logs.setdefault(key, deque(maxlen=_KEPT))
        kept.extend(plain(line) for line in text.rstrip("\n").split("\n"))

    def _report(self, key: Hashable, step: Step) -> None:
        self._steps[key] = step
        self._on_step(step)


def plain(line: str) -> str:
    """A line as it looks on a terminal in the end: without colours, and without what was written over."""
    shown = line.rstrip("\r\n").rpartition("\r")[2]
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", _ESCAPES.sub("", shown)).rstrip()
