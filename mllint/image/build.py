"""The build on paper: an interpreter starts each stage from what is known of its base and carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mllint.image import base as bases
from mllint.image.configuration import Healthcheck, Setting, port_of
from mllint.image.expansion import expand
from mllint.image.instructions import after
from mllint.image.paths import PATH_OF_BASE, UNKNOWN_FOLDER
from mllint.image.stage import Stage, State, Step
from mllint.image.values import Unknown, Value
from mllint.sources import dockerfile
from mllint.sources.dockerfile import Pair
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.config import Settings
    from mllint.image.context import Context
    from mllint.image.platforms import Platform
    from mllint.sources.compose import Service
    from mllint.sources.dockerfile import Dockerfile, Instruction

_DEFAULT_SHELL = ("/bin/sh", "-c")
# What Windows images have in their names, whatever program they are for.
_WINDOWS_IMAGES = ("mcr.microsoft.com/windows", "windowsservercore", "nanoserver")
_WINDOWS_SHELL = ("cmd", "/S", "/C")
# Set by BuildKit itself, but only what the build is for decides their values.
_PLATFORM_ARGS = tuple(
    f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
)
_PROXY_ARGS = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


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

    @cached_property
    def platform(self) -> Platform | None:
        """Where the image will run; None where nobody tells it."""
        from mllint.image.platforms import platform

        return platform(self)

    @property
    def proxies(self) -> Mapping[str, str]:
        """The variables that every RUN has, undeclared and in both cases, from build arguments about proxies. Other
        instructions see them only where an ARG declares them, and the image does not keep them."""
        given = {name.upper(): value for name, value in self.settings.build_args.items()}
        return {spelling: given[name] for name in _PROXY_ARGS if name in given for spelling in (name, name.lower())}


class _Interpreter:
    def __init__(self, build: Build) -> None:
        self.build = build
        self.stages: list[Stage] = []
        self.build_args = build.settings.build_args
        self.escape = build.dockerfile.escape
        self.globals = self._predefined()
        self.open: tuple[Instruction, str | None, bases.Base, State, Value | None] | None = None
        self.steps: list[Step] = []
        self.state: State | None = None

    def run(self) -> tuple[Stage, ...]:
        """Carry every instruction out."""
        for instruction in self.build.dockerfile.instructions:
            self._carry_out(instruction)
        self._close()
        return tuple(self.stages)

    def _predefined(self) -> dict[str, Value]:
        """The global arguments that BuildKit sets; build arguments of their names win without a declaration."""
        names = [_stage_name(each) for each in self.build.dockerfile.instructions if each.keyword == "FROM"]
        target = self.build.settings.target or (names[-1] if names else None)
        found: dict[str, Value] = {
            name: Unknown(f"{name} depends on the platform the image is built for") for name in _PLATFORM_ARGS
        }
        found["TARGETSTAGE"] = target or "default"
        return {name: self.build_args.get(name, value) for name, value in found.items()}

    def _carry_out(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM":
            self._begin(instruction)
        elif self.state is not None:
            self._step(instruction, self.state)
        elif instruction.keyword == "ARG":
            for name, text in _declared(instruction):
                self.globals[name] = self._global(name, text)

    def _step(self, instruction: Instruction, before: State, trigger: Instruction | None = None) -> None:
        self.state = self._after(instruction, before)
        self.steps.append(Step(instruction, before, self.state, tuple(self.stages), trigger))

    def _after(self, instruction: Instruction, before: State) -> State:
        return self._arg(instruction, before) if instruction.keyword == "ARG" else after(instruction, before)

    def _close(self) -> None:
        if self.open is not None:
            instruction, name, base, start, platform = self.open
            index, steps = len(self.stages), tuple(self.steps)
            self.stages.append(Stage(index, name, instruction, base, start, steps, self.build, platform))
            self.open, self.steps = None, []

    def _begin(self, instruction: Instruction) -> None:
        self._close()
        base = bases.resolve(instruction, self.globals, self.stages, self.escape, self.build.settings)
        parent = self.stages[base.stage] if base.stage is not None else None
        flag = instruction.flag("platform")
        platform = expand(flag.text, self.globals, self.escape) if flag else parent.platform if parent else None
        start = self._start(base)
        if parent is None and self._is_windows(base, platform):
            start = start._replace(is_windows=True, shell=_WINDOWS_SHELL)
        for text in base.onbuild if parent is None else ():
            for trigger in _triggered(text, instruction):
                start = self._after(trigger, start)
        self.open = (instruction, _stage_name(instruction), base, start, platform)
        self.state = start
        for onbuild in parent.end.triggers if parent else ():
            if onbuild.inner is not None:
                self._step(onbuild.inner, self.state, onbuild)

    def _start(self, base: bases.Base) -> State:
        if base.stage is not None:
            end = self.stages[base.stage].end
            # What the image keeps is set anew, and so wins over build arguments; those are inherited.
            args = {name: value for name, value in end.args.items() if name not in end.env}
            return end._replace(args=args, has_own_command=False, triggers=())
        env = dict(base.env)
        if not isinstance(env.get("PATH"), str):
            # What a file puts in front of it is known all the same.
            env["PATH"] = PATH_OF_BASE
        return State(
            env=env,
            args={},
            user=base.user,
            directory=base.workdir if isinstance(base.workdir, str) else f"{UNKNOWN_FOLDER}{base.text}",
            shell=base.shell or _DEFAULT_SHELL,
            other_env=base.other_env,
            escape=self.escape,
            entrypoint=Setting(base.entrypoint) if base.entrypoint else None,
            command=Setting(base.command) if base.command else None,
            healthcheck=Setting(Healthcheck(base.healthcheck)) if base.healthcheck else None,
            exposed=tuple(Setting(port) for port in map(port_of, base.ports) if port is not None),
        )

    def _is_windows(self, base: bases.Base, platform: Value | None) -> bool:
        if isinstance(platform, str) and platform.lower().startswith("windows"):
            return True
        if base.family == "windows" or any(mark in base.text for mark in _WINDOWS_IMAGES):
            return True
        # Nobody but those who write paths with backslashes has another escape character.
        is_known = base.family is not None or base.kind == "scratch"
        return self.escape != "\\" and not is_known

    def _global(self, name: str, text: str | None) -> Value:
        if name in self.build_args:
            return self.build_args[name]
        if text is not None:
            return expand(text, self.globals, self.escape)
        return self.globals.get(name, _without_default(name))

    def _arg(self, instruction: Instruction, before: State) -> State:
        state = before
        for name, text in _declared(instruction):
            value = self._argument(name, text, before, state)
            if value is not None:
                state = state._replace(args={**state.args, name: value})
        return state

    def _argument(self, name: str, text: str | None, before: State, state: State) -> Value | None:
        """The value an ARG gives its name; None where it leaves what the name stood for."""
        if name in self.build_args:
            return self.build_args[name]
        if text is not None:
            value = state.expand(text)
            if state is not before and before.expand(text) != value:
                return Unknown(f"whether ARG {name} sees its neighbours depends on the version of BuildKit")
            return value
        inherited = self.globals.get(name)
        is_unset = inherited is None or (isinstance(inherited, Unknown) and inherited.is_unset)
        if not is_unset:
            return inherited
        return None if name in state.env or name in state.args else _without_default(name)


def _stage_name(instruction: Instruction) -> str | None:
    return instruction.words[2].text.lower() if len(instruction.words) > 2 else None


def _triggered(text: str, start: Instruction) -> Iterator[Instruction]:
    """The instruction of a trigger that the base brings. Like BuildKit, say of it that it stands in the FROM; it is no
    step of the stage, as nobody can mend it there."""
    for made in dockerfile.parse(Source(start.source.path, text)).instructions:
        words = tuple(word._replace(span=start.span) for word in made.words)
        pairs = tuple(
            Pair(pair.key._replace(span=start.span), pair.value._replace(span=start.span), pair.separator)
            for pair in made.pairs
        )
        placed = made._replace(words=words, pairs=pairs, span=start.span, source=start.source)
        yield placed._replace(start_line=start.start_line, end_line=start.end_line)


def _declared(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """The names of an ARG with their defaults as written."""
    for word in instruction.words:
        name, equals, text = word.text.partition("=")
        yield name, text if equals else None


def _without_default(name: str) -> Unknown:
    return Unknown(f"ARG {name} has no default", True)
