"""What each instruction does to the state of its stage, as BuildKit dispatches it (ARG is up to the interpreter)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image import configuration
from mllint.image.configuration import Setting
from mllint.image.paths import UNKNOWN_FOLDER, joined
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.stage import State
    from mllint.sources.dockerfile import Instruction


def after(instruction: Instruction, state: State) -> State:
    """The state behind an instruction. One that BuildKit refuses changes nothing."""
    apply = _APPLY.get(instruction.keyword)
    return apply(instruction, state) if apply is not None else state


def _env(instruction: Instruction, state: State) -> State:
    """Every pair of one ENV sees the variables from before it."""
    new: dict[str, Value] = {}
    for pair in instruction.pairs:
        name = state.expand(pair.key.text)
        if isinstance(name, str):
            new[name] = state.expand(pair.value.text)
    args = {name: value for name, value in state.args.items() if name not in new}
    return state._replace(env={**state.env, **new}, args=args)


def _user(instruction: Instruction, state: State) -> State:
    return state._replace(user=state.expand(instruction.words[0].text)) if instruction.words else state


def _workdir(instruction: Instruction, state: State) -> State:
    if not instruction.words:
        return state
    directory = joined(state.directory, state.expand(instruction.words[0].text))
    if isinstance(directory, Unknown):
        directory = UNKNOWN_FOLDER + instruction.words[0].text
    return state._replace(directory=directory)


def _shell(instruction: Instruction, state: State) -> State:
    if not instruction.is_exec_form or not instruction.words:
        return state
    return state._replace(shell=tuple(word.text for word in instruction.words))


def _cmd(instruction: Instruction, state: State) -> State:
    command = configuration.process_words(instruction, state.shell)
    return state._replace(command=command, has_own_command=True)


def _entrypoint(instruction: Instruction, state: State) -> State:
    """ENTRYPOINT takes away the CMD that was inherited, not the one of its own stage."""
    command = state.command if state.has_own_command else None
    return state._replace(entrypoint=configuration.process_words(instruction, state.shell), command=command)


def _healthcheck(instruction: Instruction, state: State) -> State:
    return state._replace(healthcheck=configuration.healthcheck(instruction) or state.healthcheck)


def _expose(instruction: Instruction, state: State) -> State:
    return state._replace(exposed=(*state.exposed, *configuration.exposed(instruction, state)))


def _volume(instruction: Instruction, state: State) -> State:
    return state._replace(volumes=(*state.volumes, *configuration.volumes(instruction, state)))


def _label(instruction: Instruction, state: State) -> State:
    return state._replace(labels={**state.labels, **configuration.labels(instruction, state)})


def _stopsignal(instruction: Instruction, state: State) -> State:
    if not instruction.words:
        return state
    word = instruction.words[0]
    return state._replace(stop_signal=Setting(state.expand(word.text), instruction, word.span))


def _maintainer(instruction: Instruction, state: State) -> State:
    setting = Setting(instruction.rest.text, instruction, instruction.span)
    return state._replace(maintainer=setting)


def _onbuild(instruction: Instruction, state: State) -> State:
    if instruction.inner is None or instruction.inner.keyword in ("FROM", "ONBUILD", "MAINTAINER"):
        return state
    return state._replace(triggers=(*state.triggers, instruction))


_APPLY: dict[str, Callable[[Instruction, State], State]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
