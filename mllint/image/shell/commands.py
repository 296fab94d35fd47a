"""Which programs a RUN, CMD or ENTRYPOINT runs, without what stands in front of them (`sudo`, `env`, `sh -c` …)."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.paths import joined
from mllint.image.shell.conditions import holds
from mllint.image.shell.scope import Scope
from mllint.image.shell.unwrapping import POSIX_SHELLS, shell_script, unwrap
from mllint.image.values import Unknown, Value
from mllint.sources import shell
from mllint.sources.shell_tree import (
    Branches,
    Chain,
    Command,
    Function,
    Group,
    Loop,
    Node,
    Pipeline,
    Word,
)
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mllint.image.stage import State
    from mllint.sources.dockerfile import Instruction

QUESTIONS = frozenset({"[", "[[", "test", "command", "which", "type", "hash", "grep", "id", "getent", "dpkg"})
_ENDS = frozenset({"exit", "return", "false"})
_MAX_ROUNDS = 100
_HOME_OF_ROOT = "/root"


class Executed(NamedTuple):
    """A program that is run; `words` begin with its name. `is_certain` is false behind `||`, in branches and loops."""

    words: tuple[Word, ...]
    assignments: dict[str, Word]
    wrappers: tuple[str, ...]
    is_certain: bool
    command: Command
    span: Span
    directory: Value
    """The working directory at that point."""
    environment: Mapping[str, Value]
    """The variables that the shell adds to those of the instruction."""
    may_fail: bool = False
    """Whether what comes behind goes on when it fails."""
    user: Value | None = None
    """As whom, where `sudo` and its like say it."""
    runner: tuple[str, ...] = ()
    """The words of `conda run -n NAME`, `uv run` and their like in front of it."""

    @property
    def name(self) -> str:
        """The program's base name."""
        return self.words[0].value.rpartition("/")[2]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words behind the name, unquoted."""
        return tuple(word.value for word in self.words[1:])

    @property
    def is_sure(self) -> bool:
        """Whether what it does is done for sure once the instruction has succeeded."""
        return self.is_certain and not self.may_fail


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
    # The grammar takes the body of a heredoc that stands in front of its command for commands.
    if re.match(r"\s*\d*<<", instruction.rest.text):
        return instruction.rest
    return _with_bodies(instruction)


def _with_bodies(instruction: Instruction) -> Logical:
    """The line of a RUN with the heredocs that its commands read, as a shell is given both."""
    rest = instruction.rest
    text, starts, origins = rest.text, [*rest.starts], [*rest.origins]
    for heredoc in instruction.heredocs:
        text += "\n"
        starts += [len(text) + start for start in heredoc.body.starts]
        origins += heredoc.body.origins
        text += f"{heredoc.body.text}{heredoc.name}"
    return Logical(text, tuple(starts), tuple(origins))


def _interpreter_name(match: re.Match[str]) -> str:
    name = match.group(1).rpartition("/")[2]
    return match.group(2) or "" if name == "env" else name


def executed(instruction: Instruction, state: State | None = None) -> tuple[Executed, ...]:
    """Every program an instruction runs, in order."""
    scope = _scope(state)
    secrets = frozenset(_secret_variables(instruction))
    scope.variables |= {name: Unknown(f"{name} is a secret of the build") for name in secrets}
    scope.exported |= secrets
    if instruction.is_exec_form:
        return tuple(from_argv(argv(instruction), scope))
    if instruction.keyword == "HEALTHCHECK":
        text, words = instruction.rest.text, instruction.words
        at = text.index(words[1].text, len(words[0].text)) if len(words) > 1 else len(text)
        return tuple(from_text(instruction.rest.part(at, len(text)), scope))
    script = shell_text(instruction)
    return tuple(from_text(script, scope)) if script is not None else ()


def _secret_variables(instruction: Instruction) -> Iterator[str]:
    """The variables that mounts of a RUN hand secrets over in."""
    for text in instruction.flags:
        if text.startswith("--mount=") and "type=secret" in text:
            yield from (part[len("env=") :] for part in text.split(",") if part.startswith("env="))


def _scope(state: State | None) -> Scope:
    if state is None:
        return Scope(None, Unknown("the working directory is not known"))
    scope = Scope(state, state.directory)
    if state.account.is_root and state.get("HOME") is None:
        scope.variables["HOME"] = _HOME_OF_ROOT
    return scope


def argv(instruction: Instruction) -> tuple[Word, ...]:
    """The words of an exec form."""
    words = instruction.words[1:] if instruction.keyword == "HEALTHCHECK" else instruction.words
    return tuple(Word(word.text, word.text, True, word.span) for word in words)


def from_text(logical: Logical, scope: Scope | None = None) -> Iterator[Executed]:
    """Every program some shell text runs."""
    yield from _Walk(True).nodes(shell.parse(logical).body, scope or _scope(None))


def from_argv(words: tuple[Word, ...], scope: Scope | None = None) -> Iterator[Executed]:
    """What an exec form runs."""
    if words:
        span = Span(words[0].span.start, words[-1].span.end)
        yield from _Walk(True).program(Command(words, (), (), span), scope or _scope(None))


class _Walk:
    """One way through a piece of shell."""

    def __init__(self, is_certain: bool, may_fail: bool = False) -> None:
        self.is_certain = is_certain
        self.may_fail = may_fail

    def nodes(self, nodes: Iterable[Node], scope: Scope) -> Iterator[Executed]:
        """What these nodes run, one behind the other."""
        for node in nodes:
            match node:
                case Command():
                    yield from self._command(node, scope)
                case Pipeline():
                    for part in node.parts:
                        yield from self.nodes((part,), scope.fork())
                case Chain():
                    yield from self._chain(node, scope)
                case Group():
                    yield from self.nodes(node.body, scope.fork() if node.is_subshell else scope)
                case Branches():
                    yield from self._branches(node, scope)
                case Loop():
                    yield from self._loop(node, scope)
                case Function():
                    scope.functions[node.name] = node.body

    def _maybe(self) -> _Walk:
        return _Walk(False, self.may_fail)

    def _command(self, command: Command, scope: Scope) -> Iterator[Executed]:
        values = [each.value for each in command.assignments if each.value is not None]
        targets = [each.target for each in command.redirects if each.target is not None]
        for word in (*command.words, *values, *targets):
            yield from self.nodes(word.substitutions, scope.fork())
        if command.words:
            yield from self.program(command._replace(words=scope.words(command.words)), scope)
        else:
            self._assign(command, scope)

    def program(self, command: Command, scope: Scope) -> Iterator[Executed]:
        """What a simple command runs, and what it leaves behind in the shell."""
        if command.words and command.words[0].value in scope.functions:
            outside = {name: scope.variables.get(name) for name in scope.arguments(())}
            scope.variables |= scope.arguments(command.words[1:])
            yield from self.nodes(scope.functions[command.words[0].value], scope)
            scope.variables |= {name: "" if value is None else value for name, value in outside.items()}
            return
        words, prefix = unwrap(command)
        if not words:
            return
        script = shell_script(words)
        if script is not None:
            inner = scope.fork()
            inner.variables |= {name: scope.value(word) for name, word in prefix.assignments.items()}
            for each in self.nodes(shell.parse(Logical(script.value, (0,), (inner_start(script),))).body, inner):
                yield each._replace(user=each.user or prefix.user, runner=each.runner or prefix.runner)
            return
        yield Executed(
            words,
            prefix.assignments,
            tuple(prefix.wrappers),
            self.is_certain,
            command,
            command.span,
            scope.directory,
            scope.environment(prefix.assignments),
            self.may_fail,
            prefix.user,
            prefix.runner,
        )
        if not prefix.wrappers:
            self._builtin(words, command, scope)

    def _builtin(self, words: tuple[Word, ...], command: Command, scope: Scope) -> None:
        values = [scope.value(word) for word in words[1:] if not word.value.startswith("-")]
        match words[0].value:
            case "cd" | "pushd":
                scope.enter(values[0] if values else scope.get("HOME") or "~")
            case "popd":
                scope.directory = Unknown("popd goes back to a folder")
            case "export" | "declare" | "typeset" | "local" | "readonly":
                self._assign(command, scope)
                scope.exported |= {each.name for each in command.assignments}
            case "unset":
                scope.variables |= {each.name: Unknown(f"{each.name} is unset") for each in command.assignments}
            case "." | "source" if values:
                self._source(values[0], scope)

    def _source(self, path: Value, scope: Scope) -> None:
        """The script that activates a virtual environment puts it in front of PATH."""
        if isinstance(path, str) and path.endswith("/bin/activate"):
            folder = joined(scope.directory, path.removesuffix("/bin/activate"))
            rest = scope.get("PATH")
            scope.variables["VIRTUAL_ENV"] = folder
            if isinstance(folder, str) and isinstance(rest, str):
                scope.variables["PATH"] = f"{folder}/bin:{rest}"
            scope.exported |= {"VIRTUAL_ENV", "PATH"}

    def _assign(self, command: Command, scope: Scope) -> None:
        for each in command.assignments:
            if each.value is not None:
                scope.variables[each.name] = scope.value(each.value)

    def _chain(self, chain: Chain, scope: Scope) -> Iterator[Executed]:
        """`&&` goes on behind success, `||` behind failure; a command whose failure nothing catches has succeeded, or
        there would be no image."""
        status: bool | None = True
        for index, part in enumerate(chain.parts):
            operator = chain.operators[index - 1] if index else "&&"
            if status is not None and status != (operator == "&&"):
                continue
            walk = _Walk(self.is_certain and status is not None, self.may_fail or _is_caught(chain, index))
            yield from walk.nodes((part,), scope)
            status = holds(part, scope)
            if status is None and not _asks(part) and "||" not in chain.operators[index : index + 1]:
                status = True

    def _branches(self, node: Branches, scope: Scope) -> Iterator[Executed]:
        yield from self.nodes(node.tests, scope)
        is_if = len(node.tests) == len(node.bodies) - node.is_total
        forks: list[Scope] = []
        for test, body in zip_longest(node.tests if is_if else (), node.bodies):
            told = holds(test, scope) if test is not None else (True if is_if and not forks else None)
            if told is False:
                continue
            if told and not forks:
                yield from self.nodes(body or (), scope)
                return
            forks.append(scope.fork())
            yield from self._maybe().nodes(body or (), forks[-1])
        scope.merge(forks)

    def _loop(self, node: Loop, scope: Scope) -> Iterator[Executed]:
        words = scope.words(node.words)
        is_known = bool(words) and len(words) <= _MAX_ROUNDS and all(w.is_literal and "*" not in w.text for w in words)
        if node.variable and is_known:
            for word in words:
                scope.variables[node.variable] = word.value
                yield from self.nodes(node.body, scope)
            return
        yield from self.nodes(node.tests, scope)
        inner = scope.fork()
        if node.variable:
            inner.variables[node.variable] = Unknown(f"the loop sets {node.variable}")
        yield from self._maybe().nodes(node.body, inner)
        scope.merge([inner])


def _is_caught(chain: Chain, index: int) -> bool:
    """Whether the instruction goes on when a part of a chain fails."""
    behind = [chain.parts[at + 1] for at in range(index, len(chain.operators)) if chain.operators[at] == "||"]
    return bool(behind) and not any(map(_ends, behind))


def _ends(node: Node) -> bool:
    if isinstance(node, Group):
        return bool(node.body) and _ends(node.body[-1])
    return isinstance(node, Command) and node.name in _ENDS


def _asks(node: Node) -> bool:
    """Whether it only looks whether something is so."""
    return isinstance(node, Command) and node.name in QUESTIONS


def inner_start(word: Word) -> int:
    """Where the text inside the quotes of a word begins in the source; exact while nothing in it was escaped."""
    return word.span.start + 1 if word.span.end - word.span.start > len(word.value) else word.span.start
