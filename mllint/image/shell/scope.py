"""What a shell knows at one point of its run: variables, the working directory, functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image.expansion import expand
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mllint.image.expansion import Variables
    from mllint.sources.shell_tree import Node, Word

_QUOTED = regex(r"\"(?:\\.|[^\"\\])*\"|'[^']*'|\\.", re.DOTALL)

# What a shell sets itself: its arguments, their number, the outcome of the last command …
_OWN = regex(r"\d+|[@*#?!$-]")


class Scope:
    """Variables over those of the instruction, and where the shell stands."""

    def __init__(self, outer: Variables | None, directory: Value) -> None:
        self.outer = outer
        self.directory = directory
        self.variables: dict[str, Value] = {}
        self.exported: frozenset[str] = frozenset()
        self.functions: dict[str, tuple[Node, ...]] = {}

    def get(self, name: str) -> Value | None:
        """The value of a variable; None where it is surely not set."""
        if name in self.variables:
            return self.variables[name]
        if _OWN.fullmatch(name):
            return Unknown(f"the shell computes ${name}")
        if self.outer is None:
            return Unknown(f"{name} is not set in this file")
        given = self.outer.get(name)
        # A process always has it, whatever the file sets.
        return Unknown("HOME is that of the user") if given is None and name == "HOME" else given

    def arguments(self, words: Iterable[Word]) -> dict[str, Value]:
        """The variables by which a function or script sees the words behind its name."""
        values = [self.value(word) for word in words]
        found: dict[str, Value] = {str(at): values[at - 1] if at <= len(values) else "" for at in range(1, 10)}
        known = [value for value in values if isinstance(value, str)]
        every: Value = " ".join(known) if len(known) == len(values) else Unknown("the shell computes an argument")
        return found | {"@": every, "*": every, "#": str(len(values))}

    def fork(self) -> Scope:
        """A subshell, or a branch that may not run: what it sets stays inside."""
        other = Scope(self.outer, self.directory)
        other.variables = dict(self.variables)
        other.exported = self.exported
        other.functions = dict(self.functions)
        return other

    def merge(self, others: Iterable[Scope]) -> None:
        """Go on behind branches of which one may have run: what they leave different is unknown."""
        for other in others:
            for name, value in other.variables.items():
                if self.get(name) != value:
                    self.variables[name] = Unknown(f"{name} is set in a branch")
            self.exported |= other.exported
            if other.directory != self.directory:
                self.directory = Unknown("a branch changes the working directory")

    def enter(self, path: Value) -> None:
        """Change the working directory."""
        self.directory = joined(self.directory, path)

    def environment(self, assignments: Mapping[str, Word]) -> dict[str, Value]:
        """What the shell adds to the environment of a command with these assignments in front."""
        found = {name: value for name, value in self.variables.items() if self._is_exported(name)}
        return found | {name: self.value(word) for name, word in assignments.items()}

    def _is_exported(self, name: str) -> bool:
        return name in self.exported or (self.outer is not None and isinstance(self.outer.get(name), str))

    def value(self, word: Word) -> Value:
        """A word as one text, as in an assignment."""
        if word.is_literal:
            return word.value
        if word.substitutions or "`" in word.text or "$(" in word.text:
            return Unknown(f"the shell computes {word.text}")
        return expand(word.text, self)

    def words(self, words: Iterable[Word]) -> tuple[Word, ...]:
        """The words of a command with the variables that are known replaced; without quotes around, a value with
        blanks becomes several words."""
        found: list[Word] = []
        for word in words:
            value = self.value(word)
            if word.is_literal or isinstance(value, Unknown):
                found.append(word)
            elif "$" in _QUOTED.sub("", word.text):
                found += [word._replace(value=part, is_literal=True) for part in value.split()]
            else:
                found.append(word._replace(value=value, is_literal=True))
        return tuple(found)
