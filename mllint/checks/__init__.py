"""The checks: one module a family, one function a rule, registered under the rule's id.

A check takes the narrowest thing it judges, told by the annotation of its one parameter, and yields findings. What it
says of several kinds of things has them all in the annotation: `Stage | Requirements`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllint.findings import Finding

    Function = TypeVar("Function", bound=Callable[[Any], Iterator[Finding]])

FAMILIES = (
    "base_image",
    "context",
    "frameworks",
    "input",
    "layers",
    "os_packages",
    "requirements",
    "runtime",
    "security",
    "shell",
    "syntax",
    "system",
)


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


def load_all() -> None:
    """Import the modules of all families, which fills the registry."""
    for family in FAMILIES:
        import_module(f"mllint.checks.{family}")
