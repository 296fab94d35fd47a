"""Stages of steps, each with the state before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mllint.image.commands import Executed, executed
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.image.base import Base
    from mllint.image.build import Build
    from mllint.image.copies import Copy
    from mllint.image.mounts import Mount
    from mllint.image.packages import Install
    from mllint.image.service import Process, Server
    from mllint.sources.dockerfile import Instruction


UNKNOWN_FOLDER = "//"
"""No path of an image begins with two slashes, and posixpath leaves them alone."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known at one point of a stage. A variable that is in neither mapping comes, if at all, from the base."""

    env: Mapping[str, Value]
    args: Mapping[str, Value]
    user: Value
    directory: str
    """The working directory. One that is not known has a name of its own that begins with UNKNOWN_FOLDER: what is
    copied to it and read from it by relative paths still meets."""
    shell: tuple[str, ...]
    is_empty_base: bool
    """Whether the stage starts from nothing, so that what is not set here is not set at all."""

    def get(self, name: str) -> Value | None:
        """The value of a variable as BuildKit would put it in; None where it is surely not set."""
        if name in self.env:
            return self.env[name]
        if name in self.args:
            return self.args[name]
        return None if self.is_empty_base else Unknown(f"{name} is not set in this file")


@dataclass(frozen=True, eq=False)
class Step:
    """One instruction of a stage, carried out."""

    instruction: Instruction
    before: State
    after: State
    earlier: tuple[Stage, ...]
    """The stages above this one, which COPY --from can name."""

    @cached_property
    def commands(self) -> tuple[Executed, ...]:
        """The programs a RUN runs; none where its shell is no POSIX shell."""
        shell = self.before.shell[0].rpartition("/")[2] if self.before.shell else ""
        if self.instruction.keyword != "RUN" or shell in ("powershell", "pwsh", "cmd", "cmd.exe", "powershell.exe"):
            return ()
        return executed(self.instruction, self.before)

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
