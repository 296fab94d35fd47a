"""The checks: one package a family, one function a rule, registered under the rule's id once its module is imported.

A check takes the narrowest thing it judges, told by the annotation of its one parameter, and yields findings. What it
says of several kinds of things has them all in the annotation: `Stage | Requirements`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

from mllint.facts import root
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mllint.findings import Finding

    Function = TypeVar("Function", bound=Callable[[Any], Iterator[Finding]])

_HERE = Path(__file__).parent
_DECORATOR = regex(r'^@check\("(\w+)"\)$', re.MULTILINE)


class Check(NamedTuple):
    """A registered check: its rule, the types of the things it judges, and the function."""

    rule: str
    subjects: tuple[type, ...]
    function: Callable[[Any], Iterator[Finding]]


REGISTRY: dict[str, Check] = {}


def check(rule: str) -> Callable[[Function], Function]:
    """Register a function as the check of a rule."""

    def register(function: Function) -> Function:
        kind = next(kind for name, kind in function.__annotations__.items() if name != "return")
        REGISTRY[rule] = Check(rule, get_args(kind) or (kind,), function)
        return function

    return register


@cache
def modules() -> Mapping[str, str]:
    """The module of each rule's check, told without importing any: as compiled, or in a checkout by the decorators."""
    compiled = root() / "checks.json"
    if compiled.is_file():
        import json

        found: dict[str, str] = json.loads(compiled.read_bytes())
        return found
    names = {path: ".".join(path.relative_to(_HERE).with_suffix("").parts) for path in sorted(_HERE.glob("*/*.py"))}
    return {rule: name for path, name in names.items() for rule in _DECORATOR.findall(path.read_text("utf-8"))}


@cache
def judging(kind: type, rules: frozenset[str]) -> tuple[Check, ...]:
    """The checks of these rules that judge things of a kind."""
    written = sorted(rules & modules().keys())
    for name in dict.fromkeys(modules()[rule] for rule in written):
        import_module(f"mllint.checks.{name}")
    return tuple(REGISTRY[rule] for rule in written if kind in REGISTRY[rule].subjects)
