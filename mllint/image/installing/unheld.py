"""Calls of pip and uv that resolve one after the other into one environment, with nothing that holds what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.distributions import closure
from mllint.image.installing import indexed
from mllint.image.installing.lists import ALONE
from mllint.image.installing.over_base import framework, is_of_base
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_FEWEST = 3
_ASIDE = ("--no-deps", "-t", "--target", "--prefix", "--root", "--require-hashes", "--override", "--overrides")
_VARIABLES = ("PIP_NO_DEPS", "UV_OVERRIDE", "PIP_REQUIRE_HASHES", "UV_REQUIRE_HASHES")
_NVIDIA = "nvcr.io/"
# What lists that nobody sees are likely to name or require.
_GREAT = ("torch", "tensorflow", "jax", "numpy", "transformers", "vllm")
_CLOSED = regex(r"===?|~=|<|@")


class Unheld(NamedTuple):
    """A call that may replace a framework in place."""

    install: Install
    framework: str
    version: str | None
    """The exact one that an earlier call asks for; None where that is another limit, or the base has it."""
    earlier: Asked | None
    """What asked for it; None for that of the base."""
    opened: tuple[str, ...]
    """The names of what requires it and is asked for in any later release."""
    unseen: str | None
    """Instead of them: a list as written that is not in sight."""
    calls: int
    """How many calls resolve into the environment."""


def unheld(stage: Stage) -> Unheld | None:
    """The first call of a stage that may replace a framework which an earlier one, or the base, has settled."""
    for calls in _environments(stage):
        if len(calls) < _FEWEST or any(_is_held(owner, call) for owner, call in calls):
            continue
        there = _of_base(stage, calls[0][1])
        for owner, call in calls:
            named = list(indexed.named(owner, call))
            if owner is stage:
                found = _first(stage, call, named, there)
                if found is not None:
                    return found._replace(calls=len(calls))
            for each in named:
                if facts.by("ml_frameworks", "name").get(each.name) and _is_closed(each):
                    there[each.name] = each
    return None


def _environments(stage: Stage) -> Iterator[list[tuple[Stage, Install]]]:
    """The calls that surely resolve for what a stage becomes, by the environment that they install into."""
    found: dict[str, list[tuple[Stage, Install]]] = {}
    for owner in stage.lineage:
        for call in (call for step in owner.steps for call in step.installs):
            target = indexed.interpreter_of(owner, call) if _resolves(owner, call) else None
            if target is not None:
                found.setdefault(target.site, []).append((owner, call))
    yield from found.values()


def _resolves(stage: Stage, call: Install) -> bool:
    if call.manager.name not in ("pip", "uv pip") or call.verb == "pip sync" or not call.executed.is_sure:
        return False
    if call.has(*_ASIDE) or any(call.variable(name) for name in _VARIABLES):
        return False
    asked = [line for line in call.requirements if not isinstance(line, Requirement) or line.key not in ALONE]
    return bool(asked or call.files)


def _is_held(stage: Stage, call: Install) -> bool:
    """Whether constraints, hashes or a lock file say which releases a call takes."""
    read = stage.closure(call)
    is_hashed = "--require-hashes" in read.options or any(line.hashes for _, line in read.lines())
    return bool(read.constraints) or read.has_unread_constraints or is_hashed or bool(call.projects)


def _of_base(stage: Stage, call: Install) -> dict[str, Asked | None]:
    base, target = framework(stage), indexed.interpreter_of(stage, call)
    # NVIDIA's images have constraints of their own.
    is_held = base is None or stage.root.base.text.startswith(_NVIDIA)
    return {} if base is None or is_held or target is None or not is_of_base(target) else {base.name: None}


def _first(stage: Stage, call: Install, named: list[Asked], there: dict[str, Asked | None]) -> Unheld | None:
    """What a call leaves open that requires a framework in place, which the call itself does not hold."""
    fresh = indexed.asked(stage, call)
    for name, earlier in there.items():
        if any(each.name == name and _is_closed(each) for each in named):
            continue
        opened = tuple(
            each.name for each in fresh if each.name != name and not _is_closed(each) and _requires(each, name)
        )
        if opened:
            return Unheld(call, name, earlier.version if earlier else None, earlier, opened, None, 0)
    unseen = _unseen(stage, call)
    for name in (name for name in _GREAT if unseen is not None and name in there):
        earlier = there[name]
        if (earlier is None or earlier.version) and not any(each.name == name and _is_closed(each) for each in named):
            return Unheld(call, name, earlier.version if earlier else None, earlier, (), unseen, 0)
    return None


def _unseen(stage: Stage, call: Install) -> str | None:
    """A requirements file that is not in sight."""
    lost = stage.closure(call).lost
    return next((word.text for word in call.files if lost and word.value.endswith(lost)), None)


def _is_closed(each: Asked) -> bool:
    return each.version is not None or _CLOSED.search(each.specifier) is not None


def _requires(each: Asked, name: str) -> bool:
    return name in closure([(each.name, None, frozenset())], None, newest=True).via
