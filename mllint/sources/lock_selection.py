"""Which packages of a lock file an installer takes for a project, its extras and groups on one platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.sources.lockfiles import Dependency
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mllint.sources.lockfiles import Locked, LockFile


class Wanted(NamedTuple):
    """What is asked for of a project, as `uv sync --no-dev --extra x --group g` or `poetry install --only main` do."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Dependency groups beside the project's own dependencies; none is taken by default, "dev" neither."""
    with_main: bool = True
    """Whether the project's own dependencies are wanted (`uv sync --only-group` and `poetry install --only` take
    groups alone)."""


def selected(
    lock: LockFile,
    wanted: Wanted,
    python: str = "3.11",
    machine: str = "x86_64",
    project: str | None = None,
    requested: Sequence[Dependency] | None = None,
) -> tuple[Locked, ...] | None:
    """The packages that are installed on Linux with this CPython, in the order of the lock file.

    `project` is the name of the project, where one `uv.lock` serves several; by default the one at the lock's place.
    `requested` are the dependencies of a Poetry project (of `wanted`), which locks of Poetry 1.5 to 1.8 need: they do
    not note which package is for development. None where these are not given, or the lock holds no such project.
    """
    extras = frozenset(normalised(extra) for extra in wanted.extras)
    groups = frozenset(normalised(group) for group in wanted.groups)
    environment = Environment(python, machine, extras | set(wanted.extras), groups | set(wanted.groups))
    if lock.kind == "uv":
        return _of_uv(lock, wanted, environment, project)
    if lock.kind == "pylock":
        return _by_marker(lock, environment._replace(groups=environment.groups | set(lock.default_groups)))
    # The extras of the project are none of its packages'.
    walk = _Walk(lock, environment._replace(extras=frozenset()))
    if all(package.groups for package in lock.packages):
        walk.follow(_of_extras(lock, extras))
        named = _named_groups(lock, wanted, environment)
        walked = walk.lines
        return tuple(each for each in lock.packages if each.line in walked or _is_noted(each, named, environment))
    if requested is None:
        return None
    walk.follow(requested)
    return walk.taken()


def _by_marker(lock: LockFile, environment: Environment) -> tuple[Locked, ...]:
    return tuple(package for package in lock.packages if _stands(package, "", environment))


def _stands(package: Locked, group: str, environment: Environment) -> bool:
    marker = package.markers.get(group, package.markers.get(""))
    return marker is None or holds(marker, environment)


def _named_groups(lock: LockFile, wanted: Wanted, environment: Environment) -> frozenset[str]:
    """The groups as the lock names them; PDM has groups for the project's own dependencies and for its extras too."""
    if lock.kind == "pdm":
        return environment.groups | environment.extras | ({"default"} if wanted.with_main else set())
    return environment.groups | ({"main"} if wanted.with_main else set())


def _of_extras(lock: LockFile, extras: Iterable[str]) -> list[Dependency]:
    return [Dependency(name, (), None) for extra in extras for name in lock.extras.get(extra, ())]


def _is_noted(package: Locked, groups: frozenset[str], environment: Environment) -> bool:
    """Whether a package is noted for one of the groups. What only extras need carries a marker that says so from Poetry
    2 on; before, only the way from the extra leads to it."""
    if package.is_optional and not package.markers:
        return False
    return any(_stands(package, group, environment) for group in package.groups if group in groups)


def _of_uv(lock: LockFile, wanted: Wanted, environment: Environment, project: str | None) -> tuple[Locked, ...] | None:
    root = _root(lock, project)
    if root is None:
        return None
    active = {_encoded("extra", root.name, normalised(extra)) for extra in wanted.extras}
    active |= {_encoded("group", root.name, normalised(group)) for group in wanted.groups}
    if wanted.with_main:
        active.add(f"project-{len(root.name)}-{root.name}")
    walk = _Walk(lock, environment._replace(extras=frozenset(active)))
    if wanted.with_main:
        walk.follow([Dependency(root.name, wanted.extras, None, version=root.version, origin=root.origin)])
    for group in wanted.groups:
        walk.follow(root.group_dependencies.get(normalised(group), ()))
    return tuple(package for package in walk.taken() if package.origin.kind != "virtual")


def _encoded(kind: str, name: str, part: str) -> str:
    """How `uv.lock` names an extra or group that conflicts with others in its markers."""
    return f"{kind}-{len(name)}-{name}-{part}"


def _root(lock: LockFile, project: str | None) -> Locked | None:
    if project is not None:
        return next((each for each in lock.named(project) if each.origin.kind in ("virtual", "editable", "path")), None)
    return next((each for each in lock.packages if each.origin.location == "."), None)


class _Walk:
    """Follows dependencies from package to package, each with the extras it is wanted with."""

    def __init__(self, lock: LockFile, environment: Environment) -> None:
        self.lock = lock
        self.environment = environment
        self.by_name: dict[str, list[Locked]] = {}
        for package in lock.packages:
            self.by_name.setdefault(package.name, []).append(package)
        self.seen: set[tuple[int, str]] = set()

    @property
    def lines(self) -> set[int]:
        """The lines of the packages taken."""
        return {line for line, _ in self.seen}

    def taken(self) -> tuple[Locked, ...]:
        """The packages taken, in the order of the lock file."""
        lines = self.lines
        return tuple(package for package in self.lock.packages if package.line in lines)

    def follow(self, dependencies: Iterable[Dependency]) -> None:
        """Take what is needed, and what that needs."""
        waiting = [(each, "") for each in dependencies]
        while waiting:
            dependency, extra = waiting.pop()
            environment = self.environment._replace(extras=self.environment.extras | {extra})
            if dependency.marker and not holds(dependency.marker, environment):
                continue
            for package in self.candidates(dependency):
                for asked in ("", *(normalised(each) for each in dependency.extras)):
                    if (package.line, asked) not in self.seen:
                        self.seen.add((package.line, asked))
                        needs = (*package.dependencies, *package.optional_dependencies.get(asked, ()))
                        waiting += [(need, asked) for need in needs]

    def candidates(self, dependency: Dependency) -> list[Locked]:
        """The packages that a dependency means: nearly always one."""
        return [
            package
            for package in self.by_name.get(dependency.name, ())
            if dependency.version in (None, package.version)
            and dependency.origin in (None, package.origin)
            and _stands(package, "", self.environment)
            and (len(self.by_name[dependency.name]) == 1 or admits(dependency.specifier, package.version))
        ]


def admits(specifier: str | None, version: str | None) -> bool:
    """Whether a specifier admits a version; one that is not of PEP 440 (Poetry's `||`) admits all."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return not specifier or not version or SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True
