"""What is known of a value of Python, and how paths and texts are put together."""

from __future__ import annotations

import ast
import posixpath
from typing import NamedTuple

from mllint.sources.python_scopes import Undecided


class Known(NamedTuple):
    """What an expression stands for."""

    value: object
    """A literal value; of a path its text."""
    is_path: bool = False
    """Whether it is an object of `pathlib`."""
    variables: frozenset[str] = frozenset()
    """The variables of the environment that could give it another value, and that nothing sets."""


def there(path: str | None) -> str:
    """A path that is known. Raises Undecided, as all these do."""
    if path is None:
        raise Undecided
    return path


def text_of(found: Known) -> str:
    """A text, or a path as text."""
    if not isinstance(found.value, str):
        raise Undecided
    return found.value


def plain(path: str) -> str:
    """A path as `pathlib` writes it: `..` stays."""
    parts = [each for each in path.split("/") if each not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts) or "."


def part(path: Known, name: str) -> Known:
    """`path.parent`, `path.name`, `path.stem` or `path.suffix`."""
    text = text_of(path)
    stem, suffix = posixpath.splitext(posixpath.basename(text))
    if name == "parent":
        return path._replace(value=posixpath.dirname(text) or ".")
    return path._replace(value={"name": stem + suffix, "stem": stem, "suffix": suffix}[name], is_path=False)


def combined(operator: ast.operator, left: Known, right: Known) -> Known:
    """`folder / name` of paths, and texts that are added."""
    variables = left.variables | right.variables
    if isinstance(operator, ast.Add):
        return Known(text_of(left) + text_of(right), False, variables)
    if not (left.is_path or right.is_path):
        raise Undecided
    return Known(plain(posixpath.join(text_of(left), text_of(right))), True, variables)


def joined_text(parts: list[Known]) -> Known:
    """Texts, one behind the other."""
    variables = frozenset[str]().union(*(each.variables for each in parts))
    return Known("".join(str(each.value) for each in parts), False, variables)
