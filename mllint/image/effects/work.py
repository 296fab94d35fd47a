"""A step that is being carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.events import Cause, Put, Unsure
from mllint.image.packages import install_of
from mllint.image.values import Unknown, Value
from mllint.image.view import View, covers
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.events import Event, Kind, Scope
    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, State, Step
    from mllint.sources.shell_tree import Word

# Several words for bash, one for other shells.
_BRACES = regex(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")


class Work:
    """The step, and the log that it writes on."""

    def __init__(self, stage: Stage, step: Step, view: View) -> None:
        self.stage = stage
        self.step = step
        self.base = view.base
        assert isinstance(view.events, list)
        self.events: list[Event] = view.events

    @property
    def view(self) -> View:
        """What is there now."""
        return View(self.base, self.stage.build.context, self.events)

    @property
    def state(self) -> State:
        """The state in which the step runs."""
        return self.step.before

    def cause(self, each: Executed) -> Cause:
        """An event's origin in one of the commands of a RUN."""
        return Cause(self.step, each.span, each.is_sure)

    def user(self, each: Executed) -> Value:
        """As whom a command runs."""
        return self.state.user if each.user is None else each.user

    def owner(self, each: Executed) -> Value:
        """Whose the files are that a command makes."""
        return self.view.uid(self.user(each))

    def path(self, each: Executed, word: Word | Value) -> Value:
        """A path as a command means it, absolute."""
        if not isinstance(word, str | Unknown):
            is_plain = word.is_literal and _BRACES.search(word.value) is None
            word = word.value if is_plain else Unknown(f"the shell computes {word.text}")
        return self.view.resolve(word, self.state, each.directory)

    def variable(self, each: Executed, name: str) -> Value | None:
        """A variable of the environment of a command; None where it is surely not set."""
        if name in each.environment:
            return each.environment[name]
        return self.state.get(name)

    def install(self, each: Executed) -> Install | None:
        """What a command of the RUN, or of a script that it runs, installs."""
        known = next((one for one in self.step.installs if one.executed is each), None)
        return known or install_of(self.step, each)

    def put(
        self, each: Executed, path: Value, kind: Kind, mode: int | None = None, target: Value | None = None
    ) -> None:
        """Note that a command makes something at a path, unless a mount keeps it out of the layer."""
        if isinstance(path, Unknown):
            self.unsure(each, path.reason, "files")
        elif not self.is_mounted(path):
            known = None if any(other.name == "umask" for other in self.step.commands) else mode
            self.events.append(Put(self.cause(each), path, kind, self.owner(each), known, target))

    def repository(self, folder: str) -> str | None:
        """The address of the repository that a folder is a clone of, or lies in the clone of."""
        for event in self.view.behind():
            if isinstance(event, Unsure) and event.repository is not None and covers(event.below, folder):
                return event.repository if event.below != "/" else None
        return None

    def unsure(self, each: Executed, reason: str, *about: Scope, below: str = "/") -> None:
        """Note that nobody can follow what a command does."""
        self.events.append(Unsure(self.cause(each), reason, frozenset(about), below))

    def is_mounted(self, path: str) -> bool:
        """Whether a path lies in a mount of the step."""
        return any(mount.covers(path) for mount in self.step.mounts)
