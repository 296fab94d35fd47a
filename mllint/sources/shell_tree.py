"""The tree of a piece of shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.sources.text import Span


class Word(NamedTuple):
    """One word of a command. `value` has its quotes and escapes removed; what the shell would still expand stays as
    written and makes `is_literal` false."""

    text: str
    value: str
    is_literal: bool
    span: Span
    substitutions: tuple[Node, ...] = ()
    """The commands of `$(…)` inside the word."""


class Assignment(NamedTuple):
    """`NAME=value`, in front of a command or on its own; `value` is None for `export NAME`."""

    name: str
    value: Word | None
    span: Span


class Redirect(NamedTuple):
    """A redirection: operator (`>`, `>>`, `<`, `<<` …) and its target."""

    operator: str
    target: Word | None
    span: Span


class Command(NamedTuple):
    """A simple command: assignments in front, words, redirections anywhere."""

    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...]
    redirects: tuple[Redirect, ...]
    span: Span

    @property
    def name(self) -> str:
        """The program's base name, empty for a lone assignment."""
        return self.words[0].value.rpartition("/")[2] if self.words else ""


class Pipeline(NamedTuple):
    """Commands joined by pipes."""

    parts: tuple[Node, ...]
    span: Span


class Chain(NamedTuple):
    """Nodes joined by `&&` and `||`; `operators[i]` stands in front of `parts[i + 1]`."""

    parts: tuple[Node, ...]
    operators: tuple[str, ...]
    span: Span


class Group(NamedTuple):
    """`{ …; }` or, with `is_subshell`, `( … )`."""

    body: tuple[Node, ...]
    is_subshell: bool
    span: Span


class Branches(NamedTuple):
    """`if` and `case`: bodies of which one runs or, unless `is_total`, none; `tests` always begin to run."""

    tests: tuple[Node, ...]
    bodies: tuple[tuple[Node, ...], ...]
    is_total: bool
    span: Span


class Loop(NamedTuple):
    """`for`, `while` and `until`: the body runs any number of times."""

    variable: str
    words: tuple[Word, ...]
    tests: tuple[Node, ...]
    body: tuple[Node, ...]
    span: Span


class Function(NamedTuple):
    """A function's definition, which runs nothing by itself."""

    name: str
    body: tuple[Node, ...]
    span: Span


Node = Command | Pipeline | Chain | Group | Branches | Loop | Function


class Script(NamedTuple):
    """A parsed piece of shell; `is_clean` is false where parts of the text fit no grammar."""

    body: tuple[Node, ...]
    is_clean: bool


def commands(nodes: tuple[Node, ...], certain: bool = True) -> Iterator[tuple[Command, bool]]:
    """Every simple command in the order of the text, and whether it surely runs when all before it succeed."""
    for node in nodes:
        if isinstance(node, Command):
            for word in _words(node):
                yield from commands(word.substitutions, certain)
            yield node, certain
        elif isinstance(node, Pipeline):
            yield from commands(node.parts, certain)
        elif isinstance(node, Chain):
            yield from _chain_commands(node, certain)
        elif isinstance(node, Group):
            yield from commands(node.body, certain)
        elif isinstance(node, Branches):
            yield from commands(node.tests, certain)
            for body in node.bodies:
                yield from commands(body, False)
        elif isinstance(node, Loop):
            yield from commands(node.tests, certain)
            yield from commands(node.body, False)


def _chain_commands(chain: Chain, certain: bool) -> Iterator[tuple[Command, bool]]:
    yield from commands(chain.parts[:1], certain)
    for operator, part in zip(chain.operators, chain.parts[1:], strict=True):
        yield from commands((part,), certain and operator == "&&")


def _words(command: Command) -> Iterator[Word]:
    yield from command.words
    yield from (each.value for each in command.assignments if each.value is not None)
    yield from (each.target for each in command.redirects if each.target is not None)
