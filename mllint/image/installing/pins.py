"""What settles the releases that a resolver call takes, so that the next build takes the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.distributions import closure
from mllint.image.effects import bases
from mllint.image.events import Distribution, Installed
from mllint.image.releases import version_of
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.image.distributions import Root
    from mllint.image.packages import Closure, Install
    from mllint.image.stage import Stage
    from mllint.sources.requirements import RequirementsFile

_UPGRADES = ("-U", "--upgrade", "-I", "--ignore-installed", "--force-reinstall", "--reinstall")
# With these a call keeps away from what is there.
_FOLDERS = ("-t", "--target", "--prefix", "--root")
_BY_HASH = ("PIP_REQUIRE_HASHES", "UV_REQUIRE_HASHES")
_BY_DATE = {"pip": "PIP_UPLOADED_PRIOR_TO", "uv pip": "UV_EXCLUDE_NEWER"}
# A package of a distribution that holds one of Python, or brings it along for what is built with it: python3-numpy,
# python312-numpy, python312-scikit-build-core-pyproject.
_OF_SYSTEM = regex(r"python3\d*-([\w.-]+?)(?:-(?:devel|pyproject))?(?:[=<>].*)?$")
_DATE = regex(r"\d{4}-\d{2}")


@dataclass(frozen=True, slots=True)
class Settled:
    """The distributions whose releases are settled: those of these normalised names, or all of them."""

    names: frozenset[str]
    are_all: bool = False

    def __contains__(self, name: str) -> bool:
        return self.are_all or name in self.names


def settled_alone(file: RequirementsFile) -> Settled:
    """What a requirements file settles by itself: with a hash anywhere pip takes nothing that is not pinned."""
    lines = [line for line in file.lines if isinstance(line, Requirement)]
    return Settled(_with_companions(_pinned(lines) | _held(lines)), any(line.hashes for line in lines))


def settled(stage: Stage, install: Install, read: Closure) -> Settled:
    """What is settled for a call: by hashes, a date, constraints, pins beside it, and what is already installed."""
    if _takes_tested_only(install, read) or read.has_unread_constraints:
        return Settled(frozenset(), are_all=True)
    lines = [line for _, line in read.lines()]
    asked = [each for each in install.requirements if isinstance(each, Requirement)]
    limits = [line for file in read.constraints.values() for line in file.lines if isinstance(line, Requirement)]
    named = [*lines, *asked, *limits]
    there = frozenset[str]() if install.has(*_UPGRADES, *_FOLDERS) else _installed_before(stage, install)
    # What a call names and finds in place, it keeps, and takes the companions of that release.
    kept = there & {each.key for each in named if each.key}
    held = _held_by_installed(there | _required_by(there))
    return Settled(_with_companions(_pinned(named) | _held(named) | kept | _required_by(kept)) | there | held)


def _takes_tested_only(install: Install, read: Closure) -> bool:
    if install.has("--require-hashes") or "--require-hashes" in read.options:
        return True
    if any(install.variable(name) for name in _BY_HASH) or any(line.hashes for _, line in read.lines()):
        return True
    name = _BY_DATE.get(install.manager.name)
    until = install.variable(name) if name else None
    dates = [word.value for word in install.values("--exclude-newer", "--uploaded-prior-to")]
    return any(_DATE.match(date) for date in dates) or isinstance(until, Unknown) or bool(_DATE.match(until or ""))


def _pinned(lines: Iterable[Requirement]) -> frozenset[str]:
    return frozenset(line.key for line in lines if line.key and line.pinned)


def _held(lines: Iterable[Requirement]) -> frozenset[str]:
    """torch, where the pin of a companion requires one release of it."""
    for line in lines:
        version = version_of(line.exact_version) if line.exact_version else ()
        for row in facts.by("torch_companions", "name").get(line.key or "", ()) if version else ():
            if version_of(row["first"]) <= version <= version_of(row["last"]) and row["requires"].startswith("=="):
                return frozenset({"torch"})
    return frozenset()


def _with_companions(names: frozenset[str]) -> frozenset[str]:
    """With those that a resolver takes by the release of a pinned distribution."""
    names = names | _held_by_installed(names)
    return names | {row["name"] for row in facts.rows("ml_frameworks") if row.get("companion_of") in names}


def _required_by(names: frozenset[str]) -> frozenset[str]:
    """What the companions among them, as they are in place, were built for."""
    rows = facts.rows("ml_frameworks")
    return frozenset(row["companion_of"] for row in rows if "companion_of" in row and row["name"] in names)


def _held_by_installed(names: frozenset[str]) -> frozenset[str]:
    """Those that a distribution requires one release of, and so brings along."""
    rows = facts.rows("ml_frameworks")
    return frozenset(row["name"] for row in rows if not names.isdisjoint(row.get("held_by", "").split()))


def _installed_before(stage: Stage, install: Install) -> frozenset[str]:
    """What a resolver finds in place, and keeps where it fits: of the base image and of earlier installs."""
    found = {*preinstalled(stage), *_named_like(stage)}
    roots: list[Root] = [(name, None, frozenset()) for name in sorted(found)]
    is_of_system = _is_of_system(stage, install)
    for each in stage.lineage:
        for step in each.steps:
            for earlier in step.installs:
                if earlier is install:
                    return frozenset(found.union(closure(roots, None).via)) - _removed_before(stage, install)
                if is_of_system and (earlier.manager.language != "python" and earlier.is_certain):
                    names = (_OF_SYSTEM.match(word.value) for word in earlier.operands)
                    found |= {normalised(match[1]) for match in names if match is not None}
                if _puts_in_place(earlier):
                    asked = [line for line in earlier.requirements if isinstance(line, Requirement)]
                    lines = [*asked, *(line for _, line in each.closure(earlier).lines())]
                    found |= _pinned(lines)
                    if _is_same_place(each, earlier, stage, install):
                        plain = [line for line in lines if line.key and line.marker is None]
                        found |= {line.key or "" for line in plain}
                        roots += [(line.key or "", line.exact_version, frozenset(line.extras)) for line in plain]
    return frozenset(found)


def _is_of_system(stage: Stage, install: Install) -> bool:
    """Whether a call installs for the Python of the distribution, which sees the packages of that."""
    events = (each for each in stage.events_of(install) if isinstance(each, Installed))
    return any(each.interpreter is not None and each.interpreter.kind == "system" for each in events)


def _puts_in_place(install: Install) -> bool:
    is_install = install.manager.language == "python" and install.verb in ("install", "pip install")
    return is_install and install.is_certain and not install.has(*_FOLDERS)


def _is_same_place(one: Stage, earlier: Install, other: Stage, later: Install) -> bool:
    """Whether two calls install into the same environment, where that is not known for the same program."""
    first, second = _site(one, earlier), _site(other, later)
    programs = [call.executed.words[0].value for call in (earlier, later)]
    return first == second and (first is not None or programs[0] == programs[1])


def _site(stage: Stage, install: Install) -> str | None:
    return next((each.site for each in stage.events_of(install) if isinstance(each, Installed)), None)


def _removed_before(stage: Stage, install: Install) -> frozenset[str]:
    """What an earlier command uninstalled."""
    is_gone: dict[str, bool] = {}
    for event in stage.log.events:
        if event.cause.step is install.step and event.cause.span == install.executed.span:
            break
        if isinstance(event, Distribution):
            is_gone[event.name] = event.is_removed
    return frozenset(name for name, gone in is_gone.items() if gone)


def _named_like(stage: Stage) -> frozenset[str]:
    """The distribution that an image is made around, by the name of its repository."""
    reference = stage.root.base.reference
    name = reference.name.rpartition("/")[2] if reference is not None else ""
    return frozenset({normalised(name)})


def preinstalled(stage: Stage) -> frozenset[str]:
    """The normalised names of the distributions that the base image is known to bring."""
    return frozenset(bases.preinstalled(stage.root.base))


_PYTHONS = [f"3.{minor}" for minor in range(7, 15)]
_MACHINES = ("x86_64", "aarch64")


def is_for_linux(marker: str) -> bool:
    """Whether an environment marker can hold in a Linux image, with some Python from 3.7 on and some machine."""
    return any(holds(marker, Environment(f"{python}.0", machine)) for python in _PYTHONS for machine in _MACHINES)
