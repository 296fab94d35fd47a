"""The tree of a piece of shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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
    is_negated: bool = False
    """Whether `!` stands in front."""

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
