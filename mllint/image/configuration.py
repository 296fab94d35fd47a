"""What instructions set in the configuration of an image, as `docker inspect` shows it below Config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import State
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.text import Span

T = TypeVar("T")

_PORT = regex(r"(?:.*:)?(\d+)(?:-(\d+))?(?:/(\w*))?", re.DOTALL)
_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_HIGHEST_PORT = 65535
_DURATION_PART = regex(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Setting(NamedTuple, Generic[T]):
    """A value of the configuration with what sets it."""

    value: T
    instruction: Instruction | None = None
    """None where the base sets it."""
    span: Span | None = None
    """The words that say so."""


class Port(NamedTuple):
    """A port, or a range of them, that the image says it listens on."""

    first: int
    last: int
    protocol: str
    """tcp, udp or sctp."""


class Healthcheck(NamedTuple):
    """How Docker finds out whether the container is healthy. What is not set, or set to 0, has the engine's default;
    times are in seconds."""

    test: tuple[str, ...]
    """`CMD` and the words of the exec form, `CMD-SHELL` and the text for a shell, or `NONE`. The shell is the one that
    the image has in the end, wherever the instruction stands."""
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    start_interval: float = 5.0
    retries: int = 3

    @property
    def is_none(self) -> bool:
        """Whether it says that there is none, which also removes an inherited one."""
        return self.test[:1] == ("NONE",)


def process_words(instruction: Instruction, shell: tuple[str, ...]) -> Setting[tuple[str, ...]]:
    """What a CMD or ENTRYPOINT runs; the shell form has the shell in front that is set where it stands."""
    words = tuple(word.text for word in instruction.words)
    value = words if instruction.is_exec_form else (*shell, "".join(words))
    return Setting(value, instruction, instruction.span)


def exposed(instruction: Instruction, state: State) -> Iterator[Setting[Port | Unknown]]:
    """The ports of an EXPOSE. A variable may hold several; what is no port, which BuildKit refuses, is left out."""
    for word in instruction.words:
        text = state.expand(word.text)
        if isinstance(text, Unknown):
            yield Setting(text, instruction, word.span)
            continue
        for part in text.split():
            port = port_of(part)
            if port is not None:
                yield Setting(port, instruction, word.span)


def port_of(text: str) -> Port | None:
    """A port as EXPOSE writes it; None for what is none."""
    match = _PORT.fullmatch(text)
    if match is None:
        return None
    first = int(match[1])
    last = int(match[2] or first)
    protocol = (match[3] or "tcp").lower()
    return Port(first, last, protocol) if first <= last <= _HIGHEST_PORT and protocol in _PROTOCOLS else None


def volumes(instruction: Instruction, state: State) -> Iterator[Setting[Value]]:
    """The paths of a VOLUME as written: a relative one lies below the root, whatever the working directory."""
    for word in instruction.words:
        yield Setting(state.expand(word.text), instruction, word.span)


def labels(instruction: Instruction, state: State) -> dict[str, Setting[Value]]:
    """The labels of a LABEL whose keys are known."""
    found = {}
    for pair in instruction.pairs:
        key = state.expand(pair.key.text)
        if isinstance(key, str):
            found[key] = Setting(state.expand(pair.value.text), instruction, pair.value.span)
    return found


def healthcheck(instruction: Instruction) -> Setting[Healthcheck] | None:
    """The health check an instruction sets; None where BuildKit refuses it. Variables in it are the container's."""
    kind, *words = [word.text for word in instruction.words] or [""]
    if kind.upper() == "NONE" and not words:
        return Setting(Healthcheck(("NONE",)), instruction, instruction.span)
    if kind.upper() != "CMD" or not words:
        return None
    test = ("CMD" if instruction.is_exec_form else "CMD-SHELL", *words)
    retries = instruction.flag("retries")
    made = Healthcheck(
        test,
        _seconds(instruction, "interval", 30.0),
        _seconds(instruction, "timeout", 30.0),
        _seconds(instruction, "start-period", 0.0),
        _seconds(instruction, "start-interval", 5.0),
        (int(retries.text) if retries and retries.text.isdecimal() else 0) or 3,
    )
    return Setting(made, instruction, instruction.span)


def _seconds(instruction: Instruction, flag: str, default: float) -> float:
    word = instruction.flag(flag)
    return seconds(word.text if word else "", default)


def seconds(text: str, default: float) -> float:
    """A duration as Go writes it (`1m30s`); the default for none, and for 0."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text)) or default
