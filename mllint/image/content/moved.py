"""Python packages and environments that a COPY takes from one stage to another, and whether they work there."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import distributions, python
from mllint.image.copies import relative
from mllint.image.events import Distribution, FromContext, FromElsewhere, Interpreter, Put
from mllint.image.interpreter import Interpreter as Known
from mllint.image.packages import BUILD_TOOLS
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.base import Base
    from mllint.image.copies import Copy
    from mllint.image.stage import Stage
    from mllint.image.view import View

_MINOR = regex(r"/lib/python(3\.\d+)/(?:site|dist)-packages$")
# What an environment has from its making.


class Misplaced(NamedTuple):
    """Packages that do not work in the stage they are copied to."""

    message: str
    repair: str
    is_mild: bool = False
    """Whether all that is known of them works there, though others may not."""


def misplaced(stage: Stage, copy: Copy) -> Misplaced | None:
    """What of a copy from another stage does not work in this one; None also where nobody can tell."""
    if copy.stage is None or not isinstance(copy.destination, str):
        return None
    other = stage.build.stages[copy.stage]
    for source in copy.sources:
        if isinstance(source.path, str) and not source.has_wildcard:
            move = _Move(stage, other, f"/{source.path}".rstrip("/"), copy.destination.rstrip("/") or "/")
            found = move.environment() or move.packages() or move.libc()
            if found is not None:
                return found
    return None


def is_verified(*bases: Base) -> bool:
    """Whether the Pythons of these images are no matter of memory."""
    return all(not isinstance(base.python, Known) or base.python.is_verified for base in bases)


def compiled_in(stage: Stage, path: str) -> str | None:
    """A distribution with compiled parts that a stage has installed below a path; None where there surely is none, or
    nobody knows."""
    names = sorted(_Move(stage, stage, path.rstrip("/"), path.rstrip("/")).names(None))
    return next((name for name in names if _is_compiled(name, for_minor=False)), None)


class _Move:
    def __init__(self, stage: Stage, other: Stage, path: str, folder: str) -> None:
        self.stage = stage
        self.other = other
        self.path = path
        self.folder = folder

    def moved(self, old: str) -> str | None:
        """Where something lies after the copy; None for what is not copied."""
        inside = relative(old, self.path)
        return None if inside is None else posixpath.join(self.folder, inside).rstrip("/")

    def brought(self, site: str | None = None) -> list[Distribution]:
        """The distributions that are copied, of one folder or all."""
        found: dict[str, Distribution] = {}
        for event in self.other.view.behind():
            if isinstance(event, Distribution) and self.moved(event.site) is not None and site in (None, event.site):
                found.setdefault(event.name, event)
        return [each for each in found.values() if not each.is_removed and each.name not in BUILD_TOOLS]

    def environment(self) -> Misplaced | None:
        """A virtual environment whose Python is not there, or another."""
        for event in self.other.view.behind():
            if isinstance(event, Interpreter) and event.kind == "venv" and event.made_from and event.cause.is_sure:
                prefix = self.moved(event.prefix)
                if prefix is not None:
                    return self._without_python(event, prefix) or self._other_python(event, prefix)
        return None

    def _without_python(self, event: Interpreter, prefix: str) -> Misplaced | None:
        needed = str(event.made_from)
        view = self.stage.view
        if needed.startswith(UNKNOWN_FOLDER):
            return None
        if python.by_prefix(view, needed) is not None or isinstance(view.base.python, Unknown):
            return None
        if view.base.kind == "unknown" or view.doubt("programs") is not None or _is_touched(view, needed):
            return None
        message = f"{prefix} runs the Python in {needed}, which this stage does not have: nothing in it starts"
        return Misplaced(message, f"start the stage from the image of the one above, {self.other.root.base.text}")

    def _other_python(self, event: Interpreter, prefix: str) -> Misplaced | None:
        here = python.by_prefix(self.stage.view, str(event.made_from))
        if here is None or not here.cause.is_sure or not (isinstance(event.minor, str) and isinstance(here.minor, str)):
            return None
        if event.minor == here.minor:
            return None
        message = (
            f"{prefix} holds packages for Python {event.minor}, and the one that it runs is {here.minor} in this stage:"
            f" {self._first(event.site)} cannot be imported"
        )
        return Misplaced(message, f"use the same Python in both stages, {event.minor} or {here.minor}")

    def packages(self) -> Misplaced | None:
        """Folders of packages that the Python of the stage does not look into, or for another one."""
        found = self.interpreter(self.stage)
        if found is None or found.kind not in ("image", "system") or not isinstance(found.minor, str):
            return None
        sites = list(python.sites(self.stage.view, found, self.stage.end))
        for site in dict.fromkeys(each.site for each in self.brought()):
            place = self.moved(site)
            if place is None or self._has_own_python(place) or self._is_spoken_of(place):
                continue
            match = _MINOR.search(place)
            if place in sites:
                is_own = match is not None and match[1] == found.minor
                answer = None if is_own else self._compiled_for_another(found, site, place)
            else:
                answer = self._unseen(found, site, place, match[1]) if match else None
            if answer is not None:
                return answer
        return None

    def interpreter(self, stage: Stage) -> Interpreter | None:
        """What `python3` starts at the end of a stage."""
        found = python.interpreter(stage.view, "python3", stage.end.env.get("PATH"))
        return found if isinstance(found, Interpreter) and found.cause.is_sure else None

    def _has_own_python(self, place: str) -> bool:
        return any(
            isinstance(event, Interpreter) and event.site == place and event.kind not in ("image", "system")
            for event in self.stage.view.behind()
        )

    def _is_spoken_of(self, place: str) -> bool:
        """Whether something in the stage may make the folder known to Python."""
        texts = [word.value for step in self.stage.steps for each in step.commands for word in each.words]
        return any(self.folder in text or place in text or ".pth" in text for text in texts if self.folder != "/")

    def _unseen(self, found: Interpreter, site: str, place: str, minor: str) -> Misplaced | None:
        name = self._first(site)
        if minor != found.minor:
            message = (
                f"{place} holds packages for Python {minor}, and this stage has {found.minor}, which does not look"
                f" there: {name} cannot be imported"
            )
            return Misplaced(message, f"use the same Python in both stages, {minor} or {found.minor}")
        if "/.local/" in place:
            return None
        message = f"{place} is not on the search path of the Python in {found.bin}: {name} cannot be imported"
        return Misplaced(message, f"copy to {found.site}, or set PYTHONPATH={place}")

    def _compiled_for_another(self, found: Interpreter, site: str, place: str) -> Misplaced | None:
        before = self.interpreter(self.other)
        if before is None or not isinstance(before.minor, str) or before.minor == found.minor:
            return None
        repair = f"use the same Python in both stages, {before.minor} or {found.minor}"
        name = next((name for name in self.names(site) if _is_compiled(name, for_minor=True)), None)
        start = f"{place} was filled by Python {before.minor}, and this stage has {found.minor}"
        if name is None:
            return Misplaced(f"{start}: packages with compiled parts fail", repair, is_mild=True)
        return Misplaced(f"{start}: the compiled parts of {name} cannot be imported", repair)

    def libc(self) -> Misplaced | None:
        """Compiled packages on another C library."""
        before, here = self.other.root.base.libc, self.stage.root.base.libc
        if isinstance(before, Unknown) or isinstance(here, Unknown) or before == here:
            return None
        for name in self.names(None):
            if _is_compiled(name, for_minor=False):
                message = f"{name} was installed for {before}, and this stage has {here}: it cannot be imported"
                return Misplaced(message, "start both stages from images of the same distribution")
        return None

    def names(self, site: str | None) -> Iterator[str]:
        """What is copied, with what it brings along."""
        found = self.brought(site)
        yield from (each.name for each in found)
        roots = [(each.name, each.version if isinstance(each.version, str) else None, each.extras) for each in found]
        yield from distributions.closure(roots, None).via

    def _first(self, site: str) -> str:
        return min((each.name for each in self.brought(site)), default="what lies there")


def _is_touched(view: View, prefix: str) -> bool:
    """Whether something was put where an interpreter with this prefix would be."""
    place = posixpath.join(prefix, "bin")
    for event in view.behind():
        target = event.target if isinstance(event, FromElsewhere) else event.path if isinstance(event, Put) else None
        if isinstance(event, FromContext):
            target = event.copy.destination if isinstance(event.copy.destination, str) else place
        if target is not None and (relative(place, target.rstrip("/")) is not None or relative(target, place)):
            return True
    return False


def _is_compiled(name: str, *, for_minor: bool) -> bool:
    """Whether the newest wheels of a distribution hold compiled parts, for one minor version of Python each."""
    rows = facts.by("wheels", "name").get(name, ())
    tags = rows[-1]["python"].split() if rows else []
    if not tags or {"any", "py3"}.intersection(tags):
        return False
    return not for_minor or not any(tag.endswith("+") for tag in tags)
