"""Calls of pip and uv that resolve one after the other into one environment, with nothing that holds what is there."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.copies import relative
from mllint.image.distributions import closure
from mllint.image.events import Unsure
from mllint.image.installing import indexed, offered
from mllint.image.installing.lists import ALONE
from mllint.image.installing.over_base import framework, is_of_base, is_of_the_past
from mllint.image.releases import version_of
from mllint.patterns import regex
from mllint.sources import requirements
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

_FEWEST = 2
_ASIDE = ("--no-deps", "-t", "--target", "--prefix", "--root", "--require-hashes", "--override", "--overrides")
_VARIABLES = ("PIP_NO_DEPS", "UV_OVERRIDE", "PIP_REQUIRE_HASHES", "UV_REQUIRE_HASHES")
_NVIDIA = "nvcr.io/"
# What lists that nobody sees are likely to name or require.
_GREAT = ("torch", "tensorflow", "jax", "numpy", "transformers", "vllm")
_CLOSED = regex(r"===?|~=|<|@")
# In the name of a list of exact releases.
_PINS = regex(r"lock|frozen|freeze|pinned|constraint|versions|requirements-(?:cpu|gpu)\.txt", re.IGNORECASE)


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
        there = _of_base(stage, calls[0][1])
        # The base is a resolution of its own.
        if len(calls) + len(there) < _FEWEST or any(_is_held(owner, call) for owner, call in calls):
            continue
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
    if base is None or is_of_the_past(base.name, base.version):
        return {}
    # NVIDIA's images have constraints of their own.
    is_held = stage.root.base.text.startswith(_NVIDIA)
    return {} if is_held or target is None or not is_of_base(target) else {base.name: None}


def _first(stage: Stage, call: Install, named: list[Asked], there: dict[str, Asked | None]) -> Unheld | None:
    """What a call leaves open that requires a framework in place, which the call itself does not hold."""
    target = indexed.interpreter_of(stage, call)
    minor = target.minor if target is not None else None
    fresh = indexed.asked(stage, call)
    for name, earlier in there.items() if not _is_of_the_past(stage, call) else ():
        if any(each.name == name and _is_closed(each) for each in named):
            continue
        # Where the newest release is for a later Python, none to come moves a limit that today's keep.
        is_exact = earlier is not None and earlier.version is not None
        coming = [each for each in fresh if is_exact or offered.goes_on(each.name, minor)]
        opened = tuple(
            each.name for each in coming if each.name != name and not _is_closed(each) and _requires(each.name, name)
        )
        if opened:
            return Unheld(call, name, earlier.version if earlier else None, earlier, opened, None, 0)
    unseen = _unseen(stage, call)
    for name in (name for name in _GREAT if name in there):
        if unseen is None or not _may_require(stage, call, unseen[1], name):
            continue
        earlier = there[name]
        if is_of_the_past(name, earlier.version if earlier else None):
            continue
        if (earlier is None or earlier.version) and not any(each.name == name and _is_closed(each) for each in named):
            return Unheld(call, name, earlier.version if earlier else None, earlier, (), unseen[0], 0)
    return None


def _unseen(stage: Stage, call: Install) -> tuple[str, str] | None:
    """A requirements file that is not in sight, and whose name does not tell that it pins: in words, and its path."""
    lost = [path for path in stage.closure(call).lost if not _is_absent(stage, call, path)]
    clones = [each.below for each in stage.log.events if isinstance(each, Unsure) and each.repository]
    for word in call.files:
        end = "/" + word.value.removeprefix("./").lstrip("/")
        for path in lost:
            if f"/{path}".endswith(end) and not _PINS.search(word.value):
                is_cloned = any(relative(path, folder) is not None for folder in clones)
                return f"{word.text} of the clone" if is_cloned else word.text, path
    return None


def _may_require(stage: Stage, call: Install, path: str, name: str) -> bool:
    """Whether a list that is not in sight may bring a framework: where a COPY before brings it from the context, those
    of its name there say what it may hold."""
    copies = (step.copy for step in stage.steps_before(call.step))
    if not any(
        copy is not None and copy.stage is None and copy.image is None and copy.destination == path for copy in copies
    ):
        return True
    context = stage.build.context
    found = [context.text(each.path) for each in context.files() if each.name == posixpath.basename(path)]
    read = [context.inputs.parsed(source, requirements.parse) for source in found if source is not None]
    lines = [line for file in read for line in file.lines if isinstance(line, Requirement) and line.key]
    return not lines or any(line.key == name or _requires(line.key, name) for line in lines)


def _is_absent(stage: Stage, call: Install, path: str) -> bool:
    """Whether a list is surely not there, or nothing ran that could have brought it."""
    if not path.startswith("/"):
        return False
    commands = [each for step in (*stage.steps_before(call.step), call.step) for each in step.commands]
    return commands[0] is call.executed or indexed.view_at(stage, call).find(path) is None


def _is_of_the_past(stage: Stage, call: Install) -> bool:
    """Whether the Python is so old that nothing new is released for it."""
    found = indexed.interpreter_of(stage, call)
    return found is not None and isinstance(found.minor, str) and version_of(found.minor) < (3, 9)


def _is_closed(each: Asked) -> bool:
    return each.version is not None or _CLOSED.search(each.specifier) is not None


def _requires(distribution: str | None, name: str) -> bool:
    return distribution is not None and name in closure([(distribution, None, frozenset())], None, newest=True).via
