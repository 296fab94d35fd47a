"""Work that goes on while something else is waited for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")
P = ParamSpec("P")


def begun(task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Future[T]:
    """A call that a thread of its own makes."""
    worker = ThreadPoolExecutor(1, f"mllint-{task.__name__}")
    try:
        return worker.submit(task, *arguments, **options)
    finally:
        worker.shutdown(wait=False)
