"""Which programs a RUN, CMD or ENTRYPOINT runs, without what stands in front of them (`sudo`, `env`, `sh -c` …)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mllint.sources import shell
from mllint.sources.shell_tree import Command, Word, commands
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.sources.dockerfile import Instruction

POSIX_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Programs that run the command behind their own options; the value tells which options take a word of their own.
_WRAPPERS = {
    "catatonit": "",
    "command": "",
    "ddtrace-run": "",
    "doas": "uC",
    "dumb-init": "r",
    "eatmydata": "",
    "env": "uCS",
    "exec": "a",
    "gosu": "",
    "nice": "n",
    "nohup": "",
    "setsid": "",
    "setuidgid": "",
    "stdbuf": "ioe",
    "su-exec": "",
    "sudo": "ugpCDhrtTR",
    "time": "fo",
    "timeout": "ks",
    "tini": "pe",
    "xvfb-run": "efnps",
}
# Those whose first operand, a user or a duration, stands in front of the command.
_WITH_OPERAND = frozenset({"gosu", "setuidgid", "su-exec", "timeout"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_ENVIRONMENT_RUNNERS = {
    "conda": "run",
    "mamba": "run",
    "micromamba": "run",
    "uv": "run",
    "poetry": "run",
    "pipenv": "run",
}
_RUNNER_VALUES = frozenset(
    "-n --name -p --prefix --cwd --with --python --env-file --project --directory --extra --group"
    " --with-requirements".split()
)


class Executed(NamedTuple):
    """A program that is run; `words` begin with its name. `is_certain` is false behind `||`, in branches and loops."""

    words: tuple[Word, ...]
    assignments: dict[str, Word]
    wrappers: tuple[str, ...]
    is_certain: bool
    command: Command
    span: Span

    @property
    def name(self) -> str:
        """The program's base name."""
        return self.words[0].value.rpartition("/")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words behind the name, unquoted."""
        return tuple(word.value for word in self.words[1:])


@dataclass(slots=True)
class _Prefix:
    assignments: dict[str, Word] = field(default_factory=dict)
    wrappers: list[str] = field(default_factory=list)


def shell_text(instruction: Instruction) -> Logical | None:
    """The shell text of a RUN in shell form: the one line, or with heredocs what the shell reads; None where the body
    is no shell (a `#!` line names another program) or the form is the exec form."""
    if instruction.is_exec_form:
        return None
    if not instruction.heredocs:
        return instruction.rest
    first = instruction.heredocs[0]
    if re.fullmatch(r"\d*<<-?\s*\S+", instruction.rest.text.strip()):
        interpreter = re.match(r"#!\s*(\S+)(?:\s+(\S+))?", first.content)
        if interpreter and _interpreter_name(interpreter) not in POSIX_SHELLS:
            return None
        return first.body
    return instruction.rest


def _interpreter_name(match: re.Match[str]) -> str:
    name = match.group(1).rpartition("/")[2]
    return match.group(2) or "" if name == "env" else name


def executed(instruction: Instruction) -> tuple[Executed, ...]:
    """Every program an instruction runs, in order."""
    if instruction.is_exec_form:
        return tuple(from_argv(argv(instruction)))
    if instruction.keyword == "HEALTHCHECK":
        text = instruction.rest.text
        at = text.index(instruction.words[1].text, 4) if len(instruction.words) > 1 else len(text)
        return tuple(from_text(instruction.rest.part(at, len(text))))
    script = shell_text(instruction)
    return tuple(from_text(script)) if script is not None else ()


def argv(instruction: Instruction) -> tuple[Word, ...]:
    """The words of an exec form."""
    words = instruction.words[1:] if instruction.keyword == "HEALTHCHECK" else instruction.words
    return tuple(Word(word.text, word.text, True, word.span) for word in words)


def from_text(logical: Logical, certain: bool = True) -> Iterator[Executed]:
    """Every program some shell text runs."""
    for command, is_certain in commands(shell.parse(logical).body):
        yield from _unwrapped(command, _Prefix(), certain and is_certain)


def from_argv(words: tuple[Word, ...]) -> Iterator[Executed]:
    """What an exec form runs."""
    if words:
        span = Span(words[0].span.start, words[-1].span.end)
        yield from _unwrapped(Command(words, (), (), span), _Prefix(), True)


def _unwrapped(command: Command, prefix: _Prefix, certain: bool) -> Iterator[Executed]:
    words = command.words
    prefix.assignments.update({each.name: each.value for each in command.assignments if each.value})
    while words:
        name = words[0].value.rpartition("/")[2]
        if name in POSIX_SHELLS and (script := _script(words)):
            inner = Logical(script.value, (0,), (inner_start(script),))
            yield from from_text(inner, certain)
            return
        if name in _WRAPPERS:
            words = _behind_options(words[1:], _WRAPPERS[name], prefix, skip=name in _WITH_OPERAND)
        elif name in _ENVIRONMENT_RUNNERS and [word.value for word in words[1:2]] == ["run"]:
            words = _behind_runner(words[2:])
        else:
            break
        prefix.wrappers.append(name)
    if words:
        yield Executed(words, prefix.assignments, tuple(prefix.wrappers), certain, command, command.span)


def _script(words: tuple[Word, ...]) -> Word | None:
    """The text of `sh -c TEXT` (also `-lc`, `-euo pipefail -c` …)."""
    before = ""
    for index, word in enumerate(words[1:], start=1):
        value = word.value
        if value.startswith("-") and not value.startswith("--") and "c" in value[1:]:
            return words[index + 1] if index + 1 < len(words) else None
        if not value.startswith(("-", "+")) and not before.endswith("o"):
            return None
        before = value
    return None


def inner_start(word: Word) -> int:
    """Where the text inside the quotes of a word begins in the source; exact while nothing in it was escaped."""
    return word.span.start + 1 if word.span.end - word.span.start > len(word.value) else word.span.start


def _behind_options(words: tuple[Word, ...], with_value: str, prefix: _Prefix, skip: bool) -> tuple[Word, ...]:
    at = 0
    while at < len(words):
        value = words[at].value
        if value.startswith("-") and len(value) > 1:
            takes_next = not value.startswith("--") and value[-1] in with_value and len(value) == 2
            at += 2 if takes_next else 1
        elif _ASSIGNMENT.match(value):
            name, _, text = value.partition("=")
            prefix.assignments[name] = Word(words[at].text, text, words[at].is_literal, words[at].span)
            at += 1
        elif skip:
            skip = False
            at += 1
        else:
            break
    return words[at:]


def _behind_runner(words: tuple[Word, ...]) -> tuple[Word, ...]:
    at = 0
    while at < len(words) and words[at].value.startswith("-"):
        at += 2 if words[at].value in _RUNNER_VALUES else 1
    return words[at:]
