"""Whether a `[ … ]` of the shell holds, where the variables in it are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.values import Unknown

if TYPE_CHECKING:
    from mllint.image.shell.scope import Scope
    from mllint.sources.shell_tree import Command, Node

_TESTS = frozenset({"[", "[[", "test"})
_CLOSING = ("]", "]]")
_EQUAL = {"=": True, "==": True, "!=": False, "-eq": True, "-ne": False}


def holds(node: Node, scope: Scope) -> bool | None:
    """The outcome of a test of one comparison, of `true` and of `false`; None where nobody can tell."""
    from mllint.sources.shell_tree import Command

    if not isinstance(node, Command) or not node.words:
        return None
    name = node.words[0].value
    if name in ("true", "false", ":"):
        outcome: bool | None = name != "false"
    else:
        outcome = _compared(node, scope) if name in _TESTS else None
    return outcome if outcome is None or not node.is_negated else not outcome


def _compared(command: Command, scope: Scope) -> bool | None:
    words = [word for word in command.words[1:] if word.value not in _CLOSING]
    is_negated = bool(words) and words[0].value == "!"
    values = [scope.value(word) for word in words[is_negated:]]
    known = [value for value in values if not isinstance(value, Unknown)]
    if len(known) < len(values):
        return None
    outcome: bool | None = None
    match known:
        case ["-n", value] | [value]:
            outcome = bool(value)
        case ["-z", value]:
            outcome = not value
        case [left, operator, right] if operator in _EQUAL and "*" not in right:
            outcome = (left == right) is _EQUAL[operator]
    return outcome if outcome is None or not is_negated else not outcome
