"""What BuildKit refuses of an instruction that it could parse: flags, and the number and form of arguments.

Follows the package `frontend/dockerfile/instructions` of BuildKit. `RUN`, `CMD` and `ENTRYPOINT` may be empty there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.patterns import regex
from mllint.sources.text import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllint.sources.dockerfile import Instruction

_ONE, _MANY, _SWITCH = "one", "many", "switch"
_FLAGS = {
    "ADD": {
        "checksum": _ONE,
        "chmod": _ONE,
        "chown": _ONE,
        "exclude": _MANY,
        "keep-git-dir": _SWITCH,
        "link": _SWITCH,
        "unpack": _SWITCH,
    },
    "COPY": {"chmod": _ONE, "chown": _ONE, "exclude": _MANY, "from": _ONE, "link": _SWITCH, "parents": _SWITCH},
    "FROM": {"platform": _ONE},
    "HEALTHCHECK": dict.fromkeys(("interval", "retries", "start-interval", "start-period", "timeout"), _ONE),
    "RUN": {"device": _MANY, "mount": _MANY, "network": _ONE, "security": _ONE},
}
_DURATION = regex(r"0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_STAGE_NAME = regex(r"[a-z][a-z0-9_.-]*")
_HEREDOC = regex(r"\d*<<-?[^<]")


def faults(made: Instruction) -> Iterator[Problem]:
    """What is wrong with an instruction, in the order of the text."""
    yield from _flag_faults(made)
    shape = _SHAPES.get(made.keyword)
    message = shape(made) if shape else None
    if message is not None:
        yield Problem(made.keyword_span, message)


def _flag_faults(made: Instruction) -> Iterator[Problem]:
    known = _FLAGS.get(made.keyword, {})
    seen = set()
    for word in made.flag_words:
        name, equals, value = word.text[2:].partition("=")
        kind = known.get(name)
        if kind is None:
            yield Problem(word.span, f"{made.keyword} has no flag --{name}")
        elif name in seen and kind != _MANY:
            yield Problem(word.span, f"--{name} stands twice")
        elif kind == _SWITCH and equals and value.lower() not in ("true", "false"):
            yield Problem(word.span, f"--{name} is true or false")
        elif kind != _SWITCH and not equals:
            yield Problem(word.span, f"--{name} needs a value: --{name}=…")
        elif made.keyword == "HEALTHCHECK" and (message := _timing_fault(name, value)):
            yield Problem(word.span, message)
        seen.add(name)


def _timing_fault(name: str, value: str) -> str | None:
    if name == "retries":
        return None if value.isdecimal() else f"--retries is a number, not {value}"
    return None if not value or _DURATION.fullmatch(value) else f"--{name} is a duration such as 30s, not {value}"


def _needs(count: int, what: str) -> Callable[[Instruction], str | None]:
    def shape(made: Instruction) -> str | None:
        return None if len(made.arguments) >= count else f"{made.keyword} needs {what}"

    return shape


def _needs_one(made: Instruction) -> str | None:
    return None if made.rest.text else f"{made.keyword} needs an argument"


def _needs_names(made: Instruction) -> str | None:
    names = [pair.key.text for pair in made.pairs] or [word.text.partition("=")[0] for word in made.words]
    if not made.rest.text or "" in names:
        return f"{made.keyword} needs a name"
    return None


def _from_shape(made: Instruction) -> str | None:
    texts = [word.text for word in made.words]
    if len(texts) == 3 and texts[1].upper() == "AS":
        is_name = _STAGE_NAME.fullmatch(texts[2].lower())
        return None if is_name else f"{texts[2]} is no name for a stage: letters, digits and _.- behind a letter are"
    return None if len(texts) == 1 else "FROM takes an image, or an image, AS and a name"


def _copy_shape(made: Instruction) -> str | None:
    if len(made.words) < 2:
        return f"{made.keyword} needs a source and a destination"
    is_heredoc = not made.is_exec_form and _HEREDOC.match(made.words[-1].text)
    return f"the destination of {made.keyword} cannot be a heredoc" if is_heredoc else None


def _health_shape(made: Instruction) -> str | None:
    kind = made.words[0].text.upper() if made.words else ""
    if kind not in ("CMD", "NONE"):
        return "HEALTHCHECK needs CMD and a command, or NONE"
    if kind == "NONE":
        return "HEALTHCHECK NONE takes nothing more" if len(made.words) > 1 else None
    return None if len(made.words) > 1 else "HEALTHCHECK CMD needs a command"


def _shell_shape(made: Instruction) -> str | None:
    return None if made.is_exec_form and made.words else "SHELL needs a JSON array of strings"


def _onbuild_shape(made: Instruction) -> str | None:
    if made.inner is None:
        return "ONBUILD needs an instruction"
    if made.inner.keyword in ("ONBUILD", "FROM", "MAINTAINER"):
        return f"{made.inner.keyword} cannot stand in ONBUILD"
    return None


_SHAPES: dict[str, Callable[[Instruction], str | None]] = {
    "ADD": _copy_shape,
    "ARG": _needs_names,
    "COPY": _copy_shape,
    "ENV": _needs_names,
    "EXPOSE": _needs(1, "a port"),
    "FROM": _from_shape,
    "HEALTHCHECK": _health_shape,
    "LABEL": _needs_names,
    "MAINTAINER": _needs_one,
    "ONBUILD": _onbuild_shape,
    "SHELL": _shell_shape,
    "STOPSIGNAL": _needs_one,
    "USER": _needs_one,
    "VOLUME": _needs(1, "a path"),
    "WORKDIR": _needs_one,
}
