"""What a call installs over what an earlier call pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution
from mllint.image.installing import companions, indexed
from mllint.image.installing.clashing import required
from mllint.image.installing.over_base import FRAMEWORKS
from mllint.image.packages import BUILD_TOOLS
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mllint.image.events import Interpreter
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# With these a call keeps away from what is there, or does not look at what is required.
_FOLDERS = ("-t", "--target", "--prefix", "--root")
_OF_CONDA = ("conda", "micromamba")
# What conda calls otherwise than the package index does: pip sees it under its own name, and replaces it.
_CONDA_NAMES = {"pytorch": "torch"}
_ASIDE = ("--no-deps", "--override", "--overrides", *_FOLDERS)


class Replaced(NamedTuple):
    """A distribution in a pinned release, and what a later call asks for that does not go with it."""

    pinned: tuple[Distribution, ...]
    """Those that do not stay."""
    asked: Asked
    release: str
    """That of what is asked for."""
    requirement: str = ""
    """What it requires of the first of them; empty where the call asks for another release of that itself."""

    @property
    def is_sure(self) -> bool:
        """Whether the call that pinned surely ran."""
        return self.pinned[0].cause.is_sure


def replaced(stage: Stage, install: Install) -> Iterator[Replaced]:
    """What a call surely installs in another release than an earlier one that pinned it."""
    found = indexed.interpreter_of(stage, install)
    if found is None or not isinstance(found.minor, str) or install.has(*_ASIDE) or install.variable("UV_OVERRIDE"):
        return
    there = _pinned_before(stage, install, found)
    named = list(indexed.named(stage, install)) if there else []
    # What is in place stays, unless its release is asked for.
    fresh = [each for each in named if each.version is not None or each in indexed.asked(stage, install)]
    pins = {each.name for each in named if each.version is not None}
    for each in fresh:
        if each.name not in there:
            release = each.version or companions.newest(stage, install, each)
            yield from _shut_out(each, release, there, {*pins, *FRAMEWORKS}, found.minor)
        elif each.version is not None and not companions.admits(f"=={each.version}", str(there[each.name].version)):
            yield Replaced((there[each.name],), each, each.version)


def _shut_out(
    each: Asked, release: str | None, there: Mapping[str, Distribution], pins: Collection[str], minor: str
) -> Iterator[Replaced]:
    """The distributions in place that what a release requires does not admit."""
    if release is None or each.source.path.endswith("pyproject.toml"):
        return
    limits = [limit for limit in required(each.name, release) if normalised(limit.name) in there.keys() - pins]
    known = [limit for limit in limits if limit.marker is None or holds(str(limit.marker), Environment(minor))]
    found = [
        limit
        for limit in known
        if not companions.admits(str(limit.specifier), str(there[normalised(limit.name)].version))
    ]
    if found:
        gone = tuple(there[normalised(limit.name)] for limit in found)
        yield Replaced(gone, each, release, f"{found[0].name}{found[0].specifier}")


def pinned_later(stage: Stage, install: Install) -> frozenset[str]:
    """What later calls of the stage surely install in an exact release into the same environment."""
    found, names = indexed.interpreter_of(stage, install), set[str]()
    for call in (call for step in stage.steps for call in step.installs):
        is_later = call.manager.name in ("pip", "uv pip") and call.span.start > install.span.start
        other = indexed.interpreter_of(stage, call) if is_later and call.executed.is_sure else None
        if found is not None and other is not None and other.site == found.site and not call.has(*_FOLDERS):
            names.update(each.name for each in indexed.named(stage, call) if each.version is not None)
    return frozenset(names)


def _pinned_before(stage: Stage, install: Install, found: Interpreter) -> Mapping[str, Distribution]:
    """What earlier calls surely installed in exact releases, and nothing holds in this one."""
    there: dict[str, Distribution] = {}
    for event in stage.log.events:
        if event.cause.step is install.step and event.cause.span == install.executed.span:
            break
        if not isinstance(event, Distribution) or event.site != found.site:
            continue
        is_release = isinstance(event.version, str) and companions.is_release(event.version)
        is_put = is_release and not event.is_removed and event.cause.step is not None
        if is_put and event.manager in _OF_CONDA and event.name in _CONDA_NAMES:
            there[_CONDA_NAMES[event.name]] = event
        elif is_put and event.cause.is_sure and event.manager in ("pip", "uv pip"):
            there[event.name] = event
        else:
            there.pop(event.name, None)
    read = stage.closure(install)
    if read.has_unread_constraints:
        return {}
    limits = (line for file in read.constraints.values() for line in file.lines if isinstance(line, Requirement))
    for name in (*BUILD_TOOLS, *(line.key for line in limits if line.key)):
        there.pop(name, None)
    return there
