"""The framework that an image is made around, and the calls that put another release of it on top."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.distributions import closure, releases
from mllint.image.events import Distribution
from mllint.image.installing import companions, offered
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import asked, interpreter_of, is_public, named
from mllint.image.installing.indexes import is_of_index_or_pytorch
from mllint.image.installing.indexes import named as indexes_named
from mllint.image.names import common_name, fits
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.releases import version_of
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from mllint.image.events import Interpreter
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

FRAMEWORKS = frozenset({"torch", "tensorflow"})
"""What rules of its own tell of, where a call replaces it."""
_CLOSED = regex(r"===?|~=|<")
_EXTRAS = regex(r"\[([^\]]*)\]")
_ELSEWHERE = ("-t", "--target", "--prefix", "--root", "--no-index", "--override", "--overrides")


class Framework(NamedTuple):
    """The framework that a call finds in place."""

    name: str
    version: str | None
    """None where the image's name does not tell it."""
    is_own_build: bool = False
    """Whether the release is one that no index has."""
    place: tuple[Source, Span] | None = None
    """What asked for it; None for that of the base."""
    is_removed: bool = False
    """Whether an earlier call takes it out again, of which the layers below know nothing."""
    taken_from: str | None = None
    """The index of PyTorch that an earlier call takes it from in whatever release."""


class Over(NamedTuple):
    """A requirement that puts another release over that of the base."""

    framework: Framework
    asked: Asked
    """The framework itself, or what requires it."""
    release: str | None
    """The release of what is asked for; None where it is open which one that will be."""
    requires: str
    """What that release says of the framework."""
    matching: str | None = None
    """The release that is made for the framework of the base."""

    @property
    def is_direct(self) -> bool:
        return self.asked.name == self.framework.name


def framework(stage: Stage) -> Framework | None:
    """The framework of the image that a stage starts from, by the table `base_frameworks`."""
    base = stage.root.base
    if base.known_as is None:
        return None
    name, tag = common_name(base.known_as), base.known_as.tag or "latest"
    for row in facts.rows("base_frameworks"):
        match = re.fullmatch(row.get("tag", ".*"), tag) if fits(name, row["image"]) else None
        if match is not None:
            version = match[1] if match.groups() else row.get("version")
            return Framework(row["name"], version, row.get("build") == "own")
    return None


def in_place(stage: Stage, install: Install) -> Framework | None:
    """The framework that a call surely finds and may replace, of the base or of an earlier call."""
    found, read = interpreter_of(stage, install), stage.closure(install)
    if found is None or install.has(*_ELSEWHERE) or read.has_unread_constraints or install.variable("UV_OVERRIDE"):
        return None
    base = framework(stage) if is_of_base(found) else None
    limits = (line for file in read.constraints.values() for line in file.lines if isinstance(line, Requirement))
    held = {line.key for line in limits}
    for event in reversed(before(stage, install)):
        if event.name in FRAMEWORKS and event.site == found.site and event.cause.step is not None:
            if base is not None and event.name == base.name and event.is_removed:
                return base._replace(is_removed=True)
            if not event.cause.is_sure or event.is_removed or event.name in held:
                return None
            place = event.place or (stage.build.source, event.cause.span)
            if not isinstance(event.version, str):
                index = _only_index(stage, event)
                return Framework(event.name, None, place=place, taken_from=index) if index is not None else None
            return Framework(event.name, event.version, place=place) if companions.is_release(event.version) else None
    return None if base is None or base.name in held else base


def _only_index(stage: Stage, event: Distribution) -> str | None:
    """The index of one build of PyTorch that a call takes all from."""
    for owner in stage.lineage:
        for call in (call for step in owner.steps for call in step.installs):
            if call.step is event.cause.step and call.executed.span == event.cause.span:
                found = list(indexes_named(owner, call))
                only = found[0] if len(found) == 1 else None
                return only.url if only is not None and only.kind == "only" and only.build is not None else None
    return None


def over(stage: Stage, install: Install) -> Over | None:
    """What a call surely puts over the framework of the base: a requirement that shuts its release out."""
    base = in_place(stage, install)
    if base is None or base.place is not None:
        return None
    for each in named(stage, install):
        found = _direct(base, each) if each.name == base.name else _dependent(stage, install, base, each)
        if found is not None:
            return found
    return None


class Loose(NamedTuple):
    """A framework that nothing holds while a call asks for what requires it."""

    framework: Framework
    open: tuple[Asked, ...]
    """What requires it and comes in whatever release."""
    brings: str | None
    """What each release of is made for one of the framework: the first itself, or what an extra of that brings."""
    is_all_open: bool
    """Whether all else that the call asks for is pinned."""


def loose(stage: Stage, install: Install) -> Loose | None:
    """The framework in place, and what a call asks for in whatever release and that requires it, while nothing holds
    the framework."""
    base = in_place(stage, install)
    if base is None or base.is_own_build or base.is_removed or install.has("--no-deps"):
        return None
    if is_of_the_past(base.name, base.version):
        return None
    if any(each.name == base.name and each.version is not None for each in named(stage, install)):
        return None
    if base.taken_from is not None and not is_public(stage, install):
        return None
    others = [each for each in asked(stage, install) if each.name != base.name]
    floating = [each for each in others if each.version is None]
    target = interpreter_of(stage, install)
    minor = target.minor if target is not None else None
    # Where the newest release is for a later Python, none to come brings another framework.
    fresh = [each for each in floating if each.name in companions.names() or offered.goes_on(each.name, minor)]
    open_ = [each for each in fresh if _is_open(each) and _requires(each, base.name)]
    firm = [each for each in open_ if base.taken_from is not None or each.name not in companions.names()]
    if not firm:
        return None
    firm.sort(key=lambda each: each.name not in companions.names())
    extras = _EXTRAS.search(firm[0].source.slice(firm[0].span))
    brought = [name.strip() for name in extras[1].split(",")] if extras and base.name == "torch" else []
    brings = next((name for name in (*brought, firm[0].name) if name in companions.names()), None)
    ordered = [firm[0], *(each for each in open_ if each is not firm[0])]
    if brings is None:
        ordered.sort(key=lambda each: each.name not in companions.names())
    return Loose(base, tuple(ordered), brings, len(open_) == len(floating) and brings is None)


def _is_open(each: Asked) -> bool:
    return not _CLOSED.search(each.source.slice(each.span))


def _requires(each: Asked, framework: str) -> bool:
    is_companion = framework == "torch" and each.name in companions.names()
    return is_companion or framework in closure([(each.name, None, frozenset())], None, newest=True).via


def is_of_the_past(name: str, version: str | None) -> bool:
    """Whether the Python of a framework is so old that nothing new is released for it."""
    return name == "torch" and version is not None and version_of(version) < (1, 13)


def _direct(base: Framework, each: Asked) -> Over | None:
    is_other = bool(each.specifier) and base.version is not None and not companions.admits(each.specifier, base.version)
    if each.version is not None and offered.is_missing(base.name, each.version):
        return None
    return Over(base, each, each.version, each.specifier) if is_other or base.is_removed else None


def _dependent(stage: Stage, install: Install, base: Framework, each: Asked) -> Over | None:
    """A distribution whose release requires another release of the framework."""
    # NVIDIA's images have constraints of their own, which may settle what no file here does.
    if install.has("--no-deps") or base.is_own_build or base.is_removed or not is_of_index_or_pytorch(stage, install):
        return None
    release = each.version or companions.newest(stage, install, each)
    limit = requires(base.name, each.name, release) if release is not None else None
    if release is None or not limit or base.version is None or companions.admits(limit, base.version):
        return None
    fitting = None
    if base.name == "torch" and each.name in companions.names():
        fitting = companions.matching(each.name, base.version, place(stage, install))
    return Over(base, each, release, limit, fitting)


def requires(framework: str, name: str, version: str) -> str | None:
    """What a release says of a framework; None where it is not known, empty where it takes any."""
    if framework == "torch" and name in companions.names():
        return companions.requires(name, version)
    from packaging.requirements import Requirement as Parsed
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    row = next((row for row in releases(name) if row.requires is not None and row.covers(wanted)), None)
    parsed = map(Parsed, row.requires or ()) if row is not None else ()
    return next((str(each.specifier) for each in parsed if each.name == framework and each.marker is None), None)


def is_of_base(found: Interpreter) -> bool:
    """Whether an interpreter is that of the base: one of which only its use tells has a folder of an unknown name."""
    return found.cause.step is None or (found.made_from is None and found.prefix.startswith(UNKNOWN_FOLDER))


def before(stage: Stage, install: Install) -> list[Distribution]:
    """The distributions that are installed and removed before a call."""
    found = []
    for event in stage.log.events:
        if event.cause.step is install.step and event.cause.span == install.executed.span:
            break
        if isinstance(event, Distribution):
            found.append(event)
    return found
