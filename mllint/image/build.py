"""The build on paper: an interpreter starts each stage from what is known of its base and carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mllint.image import base as bases
from mllint.image.expansion import Variables, expand
from mllint.image.paths import joined
from mllint.image.stage import UNKNOWN_FOLDER, Stage, State, Step
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from mllint.config import Settings
    from mllint.image.context import Context
    from mllint.sources.compose import Service
    from mllint.sources.dockerfile import Dockerfile, Instruction
    from mllint.sources.text import Source

_DEFAULT_SHELL = ("/bin/sh", "-c")
# Set by BuildKit itself, but only what the build is for decides their values.
_PLATFORM_ARGS = tuple(
    f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)


@dataclass(frozen=True, eq=False)
class Build:
    """A Dockerfile carried out on paper, with the build arguments and the target of the settings."""

    dockerfile: Dockerfile
    context: Context
    settings: Settings
    services: tuple[Service, ...] = ()
    """The services that compose files build from it."""

    @property
    def source(self) -> Source:
        """The Dockerfile's text."""
        return self.dockerfile.source

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in the order of the file."""
        return _Interpreter(self).run()

    @cached_property
    def final(self) -> Stage | None:
        """The stage the image is made of: the target, else the last one; None where there is no such stage."""
        target = self.settings.target
        if target is None:
            return self.stages[-1] if self.stages else None
        return next((stage for stage in self.stages if target.lower() in (stage.name, str(stage.index))), None)

    @cached_property
    def needed(self) -> tuple[Stage, ...]:
        """The stages that the final one is made from, by FROM, COPY --from or a mount, in the order of the file."""
        found: set[int] = set()
        waiting = [self.final] if self.final else []
        while waiting:
            stage = waiting.pop()
            if stage.index not in found:
                found.add(stage.index)
                waiting += [self.stages[index] for index in stage.takes_from]
        return tuple(stage for stage in self.stages if stage.index in found)


class _Interpreter:
    def __init__(self, build: Build) -> None:
        self.build = build
        self.stages: list[Stage] = []
        self.build_args = build.settings.build_args
        self.escape = build.dockerfile.escape
        self.globals: dict[str, Value] = {
            name: Unknown(f"{name} depends on the platform the image is built for") for name in _PLATFORM_ARGS
        }
        self.open: tuple[Instruction, str | None, bases.Base, State] | None = None
        self.steps: list[Step] = []
        self.state: State | None = None

    def run(self) -> tuple[Stage, ...]:
        """Carry every instruction out."""
        for instruction in self.build.dockerfile.instructions:
            self._carry_out(instruction)
        self._close()
        return tuple(self.stages)

    def _carry_out(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM":
            self._begin(instruction)
        elif self.state is None:
            if instruction.keyword == "ARG":
                for name, value in self._declared(instruction, self.globals):
                    self.globals[name] = self._global(name, value)
        else:
            before = self.state
            self.state = self._after(instruction, before)
            self.steps.append(Step(instruction, before, self.state, tuple(self.stages)))

    def _close(self) -> None:
        if self.open is not None and self.state is not None:
            instruction, name, base, start = self.open
            self.stages.append(Stage(len(self.stages), name, instruction, base, start, tuple(self.steps), self.build))
            self.open, self.steps = None, []

    def _begin(self, instruction: Instruction) -> None:
        self._close()
        words = [word.text for word in instruction.words]
        name = words[2].lower() if len(words) > 2 else None
        base = bases.resolve(instruction, self.globals, self.stages, self.escape, self.build.settings)
        start = self._start(base)
        self.open = (instruction, name, base, start)
        self.state = start

    def _start(self, base: bases.Base) -> State:
        if base.stage is not None:
            return replace(self.stages[base.stage].end, args={})
        empty = base.kind == "scratch"
        directory = "/" if empty else f"{UNKNOWN_FOLDER}{base.text}"
        shell = _DEFAULT_SHELL
        return State(dict(base.env), {}, base.user, directory, shell, empty)

    def _declared(self, instruction: Instruction, scope: Variables) -> list[tuple[str, Value | None]]:
        found: list[tuple[str, Value | None]] = []
        for word in instruction.words:
            name, equals, text = word.text.partition("=")
            found.append((name, expand(text, scope, self.escape) if equals else None))
        return found

    def _global(self, name: str, value: Value | None) -> Value:
        if name in self.build_args:
            return self.build_args[name]
        if value is not None:
            return value
        if name in self.globals:
            return self.globals[name]
        return Unknown(f"ARG {name} has no default")

    def _after(self, instruction: Instruction, state: State) -> State:
        keyword = instruction.keyword
        if keyword == "ENV":
            # Every pair of one ENV sees the variables from before it.
            new = {pair.key.text: expand(pair.value.text, state, self.escape) for pair in instruction.pairs}
            return replace(state, env={**state.env, **new})
        if keyword == "ARG":
            return replace(state, args={**state.args, **self._stage_args(instruction, state)})
        if keyword == "USER" and instruction.words:
            return replace(state, user=expand(instruction.words[0].text, state, self.escape))
        if keyword == "WORKDIR" and instruction.words:
            path = expand(instruction.words[0].text, state, self.escape)
            directory = joined(state.directory, path)
            if isinstance(directory, Unknown):
                directory = UNKNOWN_FOLDER + instruction.words[0].text
            return replace(state, directory=directory)
        if keyword == "SHELL" and instruction.is_exec_form:
            return replace(state, shell=tuple(word.text for word in instruction.words))
        return state

    def _stage_args(self, instruction: Instruction, state: State) -> dict[str, Value]:
        new: dict[str, Value] = {}
        for name, value in self._declared(instruction, state):
            if name in self.build_args:
                new[name] = self.build_args[name]
            elif value is not None:
                new[name] = value
            else:
                new[name] = self.globals.get(name, Unknown(f"ARG {name} has no default"))
        return new
