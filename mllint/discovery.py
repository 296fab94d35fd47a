"""Which files to check, and for each Dockerfile the build context it is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mllint.contexts import Contexts
from mllint.sources.file_names import is_dockerfile_name, is_requirements_name
from mllint.walking import git_root, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mllint.config import Settings
    from mllint.image.context import Context
    from mllint.inputs import Inputs
    from mllint.sources.compose import Service
    from mllint.sources.dockerfile import Dockerfile

_LOCKS = frozenset(
    {
        "uv.lock",
        "poetry.lock",
        "pipfile",
        "pipfile.lock",
        "pyproject.toml",
        "pylock.toml",
        "environment.yml",
        "environment.yaml",
    }
)


class Target(NamedTuple):
    """A Dockerfile with the context it is built from; `reason` tells how that was chosen."""

    path: Path
    dockerfile: Dockerfile
    context: Context
    settings: Settings
    reason: str
    services: tuple[Service, ...]
    """Those that compose files build from it."""


class Loose(NamedTuple):
    """A requirements file found by itself; it counts only where no Dockerfile's build reads it."""

    path: Path
    settings: Settings
    is_named: bool
    """Given on the command line, not found by a search."""


@dataclass(slots=True)
class Found:
    """What a run will check, in the order of the paths."""

    targets: list[Target] = field(default_factory=list)
    requirements: list[Loose] = field(default_factory=list)


def is_attached_name(path: str) -> bool:
    """Whether a file named on the command line is no input by itself but part of a Dockerfile's build."""
    name = path.rpartition("/")[2].lower()
    return (
        name.endswith((".dockerignore", ".py", ".sh", ".ipynb"))
        or name in _LOCKS
        or (name.startswith("pylock.") and name.endswith(".toml"))
        or is_compose_name(name)
    )


def is_compose_name(name: str) -> bool:
    """Whether a file of this name is a compose file."""
    if not name.endswith((".yml", ".yaml")):
        return False
    from mllint.sources import compose

    return compose.is_compose_name(name)


def discover(
    paths: Sequence[Path], inputs: Inputs, settings_for: Callable[[Path], Settings], context: Path | None = None
) -> Found:
    """Find the inputs that paths stand for; a path that is not there is noted in the errors of the inputs."""
    return _Discovery(inputs, settings_for, context).run(paths)


class _Discovery:
    def __init__(self, inputs: Inputs, settings_for: Callable[[Path], Settings], context: Path | None) -> None:
        self.inputs = inputs
        self.settings_for = settings_for
        self.contexts = Contexts(inputs, context)
        self.targets: dict[Path, Target] = {}
        self.requirements: dict[Path, Loose] = {}

    def run(self, paths: Sequence[Path]) -> Found:
        for path in paths:
            kind = self.inputs.kind(path)
            if kind == "folder":
                self._search(path)
            elif kind == "file":
                self._named(path)
        found = Found()
        found.targets = [self.targets[path] for path in sorted(self.targets)]
        found.requirements = [self.requirements[path] for path in sorted(self.requirements)]
        return found

    def _named(self, path: Path) -> None:
        posix = path.as_posix()
        if is_requirements_name(posix):
            self.requirements[path] = Loose(path, self.settings_for(path), True)
            self._holders(path)
        elif is_attached_name(posix) and not is_dockerfile_name(path.name):
            self._holders(path)
        else:
            self._dockerfile(path)

    def _search(self, folder: Path) -> None:
        for path in walk(folder, self.settings_for):
            if is_dockerfile_name(path.name):
                self._dockerfile(path)
            elif is_requirements_name(path.as_posix()) and path not in self.requirements:
                self.requirements[path] = Loose(path, self.settings_for(path), False)

    def _dockerfile(self, path: Path) -> None:
        if path in self.targets:
            return
        dockerfile = self.inputs.dockerfile(path)
        if dockerfile is None:
            return
        context, settings, reason = self.contexts.choose(path, dockerfile, self.settings_for(path))
        services = self.contexts.services(path, settings.target)
        self.targets[path] = Target(path, dockerfile, context, settings, reason, services)

    def _holders(self, path: Path) -> None:
        """Add the Dockerfiles whose context holds a file."""
        top = git_root(path.parent) or self.inputs.cwd
        if not path.is_relative_to(top):
            top = path.parent
        for candidate in walk(top, self.settings_for):
            if is_dockerfile_name(candidate.name) and candidate not in self.targets:
                self._dockerfile(candidate)
                target = self.targets.get(candidate)
                if target is not None and not path.is_relative_to(target.context.root):
                    del self.targets[candidate]
