"""Stages of steps, each with the state before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.image.accounts import Account, account
from mllint.image.expansion import expand
from mllint.image.shell.commands import Executed, executed
from mllint.image.values import Unknown, Value
from mllint.sources.text import Span
from mllint.sources.words import Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.image.base import Base
    from mllint.image.build import Build
    from mllint.image.configuration import Healthcheck, Port, Setting
    from mllint.image.copies import Copy
    from mllint.image.effects import Log
    from mllint.image.events import Event
    from mllint.image.mounts import Mount
    from mllint.image.packages import Closure, Install
    from mllint.image.service import Process, Server
    from mllint.image.view import View
    from mllint.sources.dockerfile import Instruction


_NO_LABELS: Mapping[str, Setting[Value]] = {}


class State(NamedTuple):
    """What is known at one point of a stage: the variables, and the configuration of the image that a build up to here
    would give. A variable that is in neither mapping comes, if at all, from the base."""

    env: Mapping[str, Value]
    """Variables that the image keeps."""
    args: Mapping[str, Value]
    """Build arguments; one hides an ENV of its name in front of it, and an ENV behind it ends it."""
    user: Value
    directory: str
    """The working directory. One that is not known has a name of its own that begins with UNKNOWN_FOLDER: what is
    copied to it and read from it by relative paths still meets."""
    shell: tuple[str, ...]
    other_env: tuple[str, ...]
    """Patterns of the names of variables that the base may set besides; what fits none and is not set here is not set
    at all."""
    escape: str = "\\"
    """The escape character of the file."""
    is_windows: bool = False
    entrypoint: Setting[tuple[str, ...]] | None = None
    """Config.Entrypoint; None where neither the file nor what is known of the base sets one."""
    command: Setting[tuple[str, ...]] | None = None
    """Config.Cmd, in the same way."""
    has_own_command: bool = False
    """Whether this stage itself has a CMD so far."""
    healthcheck: Setting[Healthcheck] | None = None
    exposed: tuple[Setting[Port | Unknown], ...] = ()
    volumes: tuple[Setting[Value], ...] = ()
    labels: Mapping[str, Setting[Value]] = _NO_LABELS
    stop_signal: Setting[Value] | None = None
    maintainer: Setting[str] | None = None
    triggers: tuple[Instruction, ...] = ()
    """The ONBUILD instructions of this stage so far, which a stage that starts from it carries out first."""

    def get(self, name: str) -> Value | None:
        """The value of a variable as BuildKit would put it in; None where it is surely not set. What BuildKit adds for
        RUN alone, HOME and the proxies, is not among them."""
        if name in self.args:
            return self.args[name]
        if name in self.env:
            return self.env[name]
        return Unknown(f"{name} is not set in this file") if self.may_hold(name) else None

    def may_hold(self, name: str) -> bool:
        """Whether the base may set a variable that nobody knows of."""
        return any(fnmatchcase(name, each) for each in self.other_env)

    @property
    def is_env_known(self) -> bool:
        """Whether all variables of the base are known."""
        return not self.other_env

    def expand(self, text: str) -> Value:
        """A word of an instruction without quotes and escapes and with its variables replaced."""
        return expand(text, self, self.escape)

    @property
    def account(self) -> Account:
        """The user that USER names, with the group."""
        return account(self.user)


@dataclass(frozen=True, eq=False)
class Step:
    """One instruction of a stage, carried out."""

    instruction: Instruction
    before: State
    after: State
    earlier: tuple[Stage, ...]
    """The stages above this one, which COPY --from can name."""
    trigger: Instruction | None = None
    """The ONBUILD of the parent stage that this step comes from; the instruction is then the one inside it."""

    @cached_property
    def commands(self) -> tuple[Executed, ...]:
        """The programs a RUN runs; none on Windows and where its shell is no POSIX shell."""
        if self.instruction.keyword != "RUN" or not self.has_posix_shell:
            return ()
        return executed(self.instruction, self.before)

    @property
    def has_posix_shell(self) -> bool:
        """Whether a RUN here is read by a POSIX shell, unless a heredoc names another program."""
        shell = self.before.shell[0].rpartition("/")[2] if self.before.shell else ""
        return not self.before.is_windows and shell not in (
            "powershell",
            "pwsh",
            "cmd",
            "cmd.exe",
            "powershell.exe",
        )

    @cached_property
    def installs(self) -> tuple[Install, ...]:
        """What package managers are asked to install in a RUN."""
        from mllint.image.packages import installs

        return installs(self)

    @cached_property
    def copy(self) -> Copy | None:
        """What a COPY or ADD brings."""
        from mllint.image.copies import read

        return read(self)

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """The mounts of a RUN."""
        from mllint.image.mounts import read

        return read(self)

    @property
    def network(self) -> str:
        """The network of a RUN: default, none or host."""
        return self._flag("network", "default")

    @property
    def security(self) -> str:
        """What a RUN may do: sandbox, or insecure for the rights of the host."""
        return self._flag("security", "sandbox")

    def _flag(self, name: str, default: str) -> str:
        word = self.instruction.flag(name)
        return word.text.lower() if word is not None else default


@dataclass(frozen=True, eq=False)
class Stage:
    """One FROM and what follows it."""

    index: int
    name: str | None
    instruction: Instruction
    base: Base
    start: State
    steps: tuple[Step, ...]
    build: Build
    platform: Value | None = None
    """What `--platform` names, here or in the stage it starts from; None for the platform that the build is for."""

    @property
    def from_word(self) -> Word:
        """The image or stage as FROM names it; an empty word behind a FROM that names none."""
        words, end = self.instruction.words, self.instruction.span.end
        return words[0] if words else Word("", Span(end, end))

    @property
    def end(self) -> State:
        """The state behind the last step."""
        return self.steps[-1].after if self.steps else self.start

    @property
    def parent(self) -> Stage | None:
        """The stage of this file that it starts from."""
        return None if self.base.stage is None else self.build.stages[self.base.stage]

    @property
    def root(self) -> Stage:
        """The first stage of its line, the one that starts from an image."""
        stage = self
        while stage.parent is not None:
            stage = stage.parent
        return stage

    @property
    def on_top(self) -> list[Stage]:
        """The stages whose root is this one, itself among them, as far as the image is made from them."""
        return [stage for stage in self.build.needed if stage.root is self]

    @property
    def is_windows(self) -> bool:
        """Whether its base is a Windows image."""
        return self.start.is_windows

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """Config.Entrypoint of its image as `docker inspect` shows it; empty also where nobody knows what the base
        sets."""
        return self.end.entrypoint.value if self.end.entrypoint else ()

    @property
    def command(self) -> tuple[str, ...]:
        """Config.Cmd, in the same way."""
        return self.end.command.value if self.end.command else ()

    @property
    def healthcheck(self) -> Healthcheck | None:
        """The health check that counts; None also for one that `HEALTHCHECK NONE` removed."""
        setting = self.end.healthcheck
        return None if setting is None or setting.value.is_none else setting.value

    @cached_property
    def process(self) -> Process | None:
        """What `docker run` starts; None where neither this file nor what is known of the base tells."""
        from mllint.image.service import process

        return process(self)

    @cached_property
    def server(self) -> Server | None:
        """The network server that the process is, None where it is none or nobody can tell."""
        from mllint.image.service import server

        return server(self, self.process) if self.process else None

    @cached_property
    def lineage(self) -> tuple[Stage, ...]:
        """The stages whose layers end up in this one, the oldest first, itself last."""
        return (*(self.parent.lineage if self.parent else ()), self)

    @cached_property
    def log(self) -> Log:
        """What happens to the inside of the image up to the end of this stage."""
        from mllint.image.effects import log

        return log(self)

    @cached_property
    def view(self) -> View:
        """The inside of the image at the end."""
        return self._view(len(self.log.events))

    def view_before(self, step: Step) -> View:
        """The inside of the image in front of one of the steps of this stage."""
        index = next(at for at, each in enumerate(self.steps) if each is step)
        return self._view(self.log.ends[id(self.steps[index - 1])] if index else self.log.start)

    def view_after(self, step: Step) -> View:
        """The inside of the image behind one of the steps of this stage."""
        return self._view(self.log.ends[id(step)])

    def _view(self, end: int) -> View:
        from mllint.image.view import View

        return View(self.root.base, self.build.context, self.log.events, end)

    @cached_property
    def _closures(self) -> dict[int, tuple[Install, Closure]]:
        return {}

    def closure(self, install: Install) -> Closure:
        """All that a resolver call of this stage, or of one it starts from, reads."""
        from mllint.image.packages import closure

        if id(install) not in self._closures:
            self._closures[id(install)] = install, closure(self, install)
        return self._closures[id(install)][1]

    @cached_property
    def _written(self) -> dict[int, tuple[Install, tuple[Event, ...]]]:
        return {}

    def events_of(self, install: Install) -> tuple[Event, ...]:
        """What a call of this stage, or of one it starts from, writes into the log."""
        if id(install) not in self._written:
            self._written[id(install)] = install, self._events_of(install.step, install.executed.span)
        return self._written[id(install)][1]

    def _events_of(self, step: Step, span: Span) -> tuple[Event, ...]:
        end = self.log.ends.get(id(step))
        # Behind its own steps, a stage has the events of those it starts from.
        begin, end = (0, self.log.start) if end is None else (self.view_before(step).end, end)
        events = self.log.events[begin:end]
        return tuple(each for each in events if each.cause.span == span and each.cause.step is step)

    def steps_before(self, step: Step | None) -> tuple[Step, ...]:
        """The steps of the lineage in front of one of them; all for None."""
        steps = tuple(each for stage in self.lineage for each in stage.steps)
        return steps if step is None else steps[: next(at for at, each in enumerate(steps) if each is step)]

    @property
    def is_final(self) -> bool:
        """Whether this is the stage that the build makes an image of."""
        return self is self.build.final

    @property
    def is_in_image(self) -> bool:
        """Whether its layers are layers of the image."""
        return self.build.final is not None and self in self.build.final.lineage

    def last(self, *keywords: str) -> Step | None:
        """The last step of this stage or those it starts from with one of these keywords."""
        for stage in reversed(self.lineage):
            for step in reversed(stage.steps):
                if step.instruction.keyword in keywords:
                    return step
        return None

    def step_of(self, setting: Setting[Any] | None) -> Step | None:
        """The step of the lineage that sets something; None where the base or nothing does."""
        if setting is None or setting.instruction is None:
            return None
        steps = (step for step in self.steps_before(None) if step.instruction is setting.instruction)
        return next(steps, None)

    @cached_property
    def takes_from(self) -> tuple[int, ...]:
        """The indexes of the earlier stages that this one takes something from."""
        found = [] if self.base.stage is None else [self.base.stage]
        for step in self.steps:
            for name in _from_names(step.instruction):
                found += [
                    other.index for other in self.build.stages[: self.index] if name in (other.name, str(other.index))
                ]
        return tuple(found)


def _from_names(instruction: Instruction) -> list[str]:
    names = []
    for word in instruction.flag_words:
        key, _, value = word.text[2:].partition("=")
        if key == "from":
            names.append(value.lower())
        elif key == "mount":
            names += [part[5:].lower() for part in value.split(",") if part.startswith("from=")]
    return names
