"""What calls of pip and uv take from the public package index."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution, Installed
from mllint.image.installing.pins import preinstalled
from mllint.image.view import View
from mllint.patterns import regex
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Options, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Interpreter
    from mllint.image.packages import Install
    from mllint.image.stage import Stage, Step
    from mllint.sources.lockfiles import Locked
    from mllint.sources.requirements import RequirementsFile
    from mllint.sources.text import Source, Span

_OTHER_INDEX = frozenset(
    "-i --index-url --pypi-url --extra-index-url --index --default-index -f --find-links --no-index --config-file"
    " --torch-backend --exclude-newer --uploaded-prior-to".split()
)
_VARIABLES = (
    *"PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_CONFIG_FILE UV_INDEX UV_DEFAULT_INDEX".split(),
    *"UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NO_INDEX UV_CONFIG_FILE UV_TORCH_BACKEND".split(),
)
# What configures an index elsewhere than in the call: files of pip and uv, and the command that writes them.
_CONFIGURED = regex(r"pip\.(?:conf|ini)|uv\.toml|pip[0-9.]*['\", ]+config|\.config/(?:pip|uv)|PIP_CONFIG_FILE")
_UPGRADES = ("-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall", "--reinstall")


class Asked(NamedTuple):
    """A distribution that a call asks for by name, whatever it finds installed left out."""

    name: str
    """Normalised (PEP 503)."""
    version: str | None
    """The exact one, as written; None where the release is open."""
    specifier: str
    source: Source
    span: Span
    """The requirement there."""
    locked: Locked | None = None
    """The package of a lock file that it is."""


def tool(install: Install) -> str:
    """The program that resolves: pip or uv."""
    return install.manager.name.partition(" ")[0]


def interpreter_of(stage: Stage, install: Install) -> Interpreter | None:
    """The interpreter that a call surely installs for; None where that is not known."""
    for event in stage.events_of(install):
        if isinstance(event, Installed):
            return event.interpreter
    return None


@lru_cache(maxsize=64)
def asked(stage: Stage, install: Install) -> tuple[Asked, ...]:
    """What a call asks for by name on its command line, in requirements files and in the projects it installs."""
    return tuple(_asked(stage, install))


def _asked(stage: Stage, install: Install) -> Iterator[Asked]:
    there = frozenset[str]() if install.has(*_UPGRADES) else _installed_before(stage, install)
    return (each for each in named(stage, install) if each.name not in there)


def named(stage: Stage, install: Install) -> Iterator[Asked]:
    """What a call names, also what it finds in place."""
    found = interpreter_of(stage, install)
    minor = found.minor if found is not None else None
    lines = [(stage.build.source, line) for line in install.requirements if isinstance(line, Requirement)]
    lines += [(file.source, line) for file, line in stage.closure(install).lines()]
    for source, line in lines:
        if line.key is None or line.url is not None:
            continue
        if line.marker is None or (isinstance(minor, str) and holds(line.marker, Environment(minor))):
            yield Asked(line.key, line.exact_version, line.specifier, source, line.span)
    for event in stage.events_of(install):
        if isinstance(event, Distribution) and event.place is not None:
            source, span = event.place
            if source.path.endswith("pyproject.toml") and "@" not in source.text[span.start : span.end]:
                version = event.version if isinstance(event.version, str) else None
                yield Asked(event.name, version, "", source, span)


def written_by(stage: Stage, install: Install) -> Iterator[tuple[Source, Span]]:
    """The places in files that ask for what a call installs."""
    for event in stage.events_of(install):
        if isinstance(event, Distribution) and event.place is not None:
            yield event.place


@lru_cache(maxsize=64)
def locked(stage: Stage, install: Install) -> tuple[Asked, ...]:
    """What a call takes from a lock file, whatever it finds installed left out."""
    there = _installed_before(stage, install)
    return tuple(
        Asked(event.name, event.version, f"=={event.version}", *event.place, event.locked)
        for event in stage.events_of(install)
        if isinstance(event, Distribution) and event.locked is not None and event.place is not None
        if isinstance(event.version, str) and event.name not in there
    )


def is_from_lock(stage: Stage, install: Install) -> bool:
    """Whether a call takes what a lock file says."""
    return any(isinstance(event, Distribution) and event.locked is not None for event in stage.events_of(install))


def view_at(stage: Stage, install: Install) -> View:
    """The inside of the image when a call begins, behind the commands that stand before it in its RUN."""
    begin, end = stage.view_before(install.step).end, stage.view_after(install.step).end
    events = stage.log.events
    own = (at for at in range(begin, end) if events[at].cause.span == install.executed.span)
    return View(stage.root.base, stage.build.context, events, next(own, end))


def _installed_before(stage: Stage, install: Install) -> frozenset[str]:
    """What may be in place before a call, so that it takes nothing from the index."""
    found = set(preinstalled(stage))
    for event in stage.log.events:
        if event.cause.step is install.step and event.cause.span == install.executed.span:
            break
        if isinstance(event, Distribution):
            found.add(event.name)
    return frozenset(found)


def is_public(stage: Stage, install: Install) -> bool:
    """Whether a call surely asks the public index, and nothing beside it."""
    base = stage.root.base
    if (not base.row and base.described is None) or install.has(*_OTHER_INDEX):
        return False
    read = stage.closure(install)
    if _OTHER_INDEX & read.options or any(install.variable(name) for name in _VARIABLES):
        return False
    steps = (*stage.steps_before(install.step), install.step)
    return not any(configures_pip(stage, step) for step in steps) and not is_configured_for_uv(stage, install)


def is_public_alone(file: RequirementsFile) -> bool:
    """Whether a requirements file that nobody is seen to install names no other index."""
    options = (line.options for line in file.lines if isinstance(line, Options))
    return not any(option.name in _OTHER_INDEX for each in options for option in each)


def configures_pip(stage: Stage, step: Step) -> bool:
    """Whether a step may bring or write a configuration of pip or uv."""
    instruction = step.instruction
    if instruction.keyword not in ("RUN", "COPY", "ADD"):
        return False
    if _CONFIGURED.search(instruction.source.text[instruction.span.start : instruction.span.end]):
        return True
    if step.copy is None or step.copy.origin != "context":
        return False
    matches = (match for source in step.copy.sources for match in source.matches(stage.build.context))
    return any(match.name in ("pip.conf", ".pip", "uv.toml") for match in matches)


def is_configured_for_uv(stage: Stage, install: Install) -> bool:
    """uv reads the settings of the project that it is called in."""
    if tool(install) != "uv":
        return False
    context = stage.build.context
    project = context.text("pyproject.toml")
    if context.find("uv.toml") is not None:
        return True
    return project is not None and re.search(r"^\[+tool\.uv\b", project.text, re.MULTILINE) is not None
