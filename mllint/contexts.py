"""Which folder a Dockerfile is built from, where nobody says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.image import mounts
from mllint.image.context import Context, Tree
from mllint.image.copies import clean
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.config import Settings
    from mllint.image.context import Entry
    from mllint.inputs import Inputs
    from mllint.sources.compose import Build, Service
    from mllint.sources.dockerfile import Dockerfile
    from mllint.sources.dockerignore import IgnoreFile

_SOURCE = regex(
    r".*\.(?:py|ipynb|js|ts|tsx|go|rs|java|cpp|cu|r)|.*requirements.*\.txt|environment.*\.ya?ml|conda.*\.ya?ml"
    r"|pyproject\.toml|setup\.cfg|Pipfile|package\.json|go\.mod|Cargo\.toml",
    re.IGNORECASE,
)
_READ = regex(r"(?:-r|--requirement|-f)[ =]?([\w./-]+\.(?:txt|in|ya?ml))\b|\bpython[\d.]* +(?:-\w+ +)*([\w./-]+\.py)\b")
_SERVED = regex(r"\b(?:uvicorn|gunicorn|hypercorn) (?:.* )?([A-Za-z_][\w.]*):\w+")


class Contexts:
    """Chooses the context of each Dockerfile of a run; folders are looked at once."""

    def __init__(self, inputs: Inputs, given: Path | None) -> None:
        self.inputs = inputs
        self.given = given
        self._trees: dict[Path, Tree] = {}
        self._built: dict[Path, list[_Built]] = {}
        self._shared: dict[tuple[Path, Path | None], tuple[IgnoreFile | None, dict[str, tuple[Entry, ...]]]] = {}

    def choose(self, path: Path, dockerfile: Dockerfile, settings: Settings) -> tuple[Context, Settings, str]:
        """The context of a Dockerfile, its settings with what a compose file adds, and why this context."""
        if self.given is not None:
            return self._context(self.given, path, True), settings, "--context"
        if settings.context is not None:
            return self._context(settings.root / settings.context, path, True), settings, "configuration"
        found = self._composed(path)
        if found is not None:
            compose, root, builds = found
            return self._context(root, path, True), _with_builds(settings, builds), f"build: in {compose.name}"
        folder, is_certain, reason = self._guessed(path, dockerfile)
        return self._context(folder, path, is_certain), settings, reason

    def services(self, path: Path, target: str | None) -> tuple[Service, ...]:
        """The services that compose files build from a Dockerfile with this target."""
        return tuple(
            each.service
            for folder in self._candidates(path.parent)
            for each in self._built_in(folder)
            if each.dockerfile == path and _target(each.build) in (None, target)
        )

    def _guessed(self, path: Path, dockerfile: Dockerfile) -> tuple[Path, bool, str]:
        """The likeliest folder, whether it is certain, as it is where no other could be meant, and why it."""
        folders = self._candidates(path.parent)
        copied, wanted = _copied(dockerfile), _wanted(dockerfile)
        # What is copied by name says more than what `COPY . .` may bring: that may lie in many folders.
        scores = [(self._count(folder, copied), self._count(folder, wanted)) for folder in folders]
        best = max(range(len(folders)), key=lambda index: (scores[index], -index))
        is_only = len(folders) == 1
        if any(scores[best]):
            reason = f"holds {sum(scores[best])} of {len(copied) + len(wanted)} files that the Dockerfile names"
            return folders[best], is_only or scores[best][0] == len(copied), reason
        if not copied and not wanted:
            for folder in folders:
                if self._is_likely(folder, path):
                    return folder, is_only, "nearest folder with source, .dockerignore or .git"
        return path.parent, is_only, "folder of the Dockerfile"

    def _count(self, folder: Path, names: list[str]) -> int:
        return sum(self._tree(folder).find(name) is not None for name in names)

    def _is_likely(self, folder: Path, dockerfile: Path) -> bool:
        """Whether a folder looks like something `COPY . .` is meant for."""
        marks = (f"{dockerfile.name}.dockerignore", ".dockerignore", ".git")
        return any(entry.name in marks or _SOURCE.fullmatch(entry.name) for entry in self._tree(folder).children(""))

    def _candidates(self, folder: Path) -> list[Path]:
        """The folder and those above it, up to the root of the repository; without one, up to the working directory."""
        above = [folder, *folder.parents]
        for index, each in enumerate(above):
            if (each / ".git").exists():
                return above[: index + 1]
        cwd = self.inputs.cwd
        return above[: above.index(cwd) + 1] if cwd in above else above[:1]

    def _context(self, root: Path, dockerfile: Path, is_certain: bool) -> Context:
        tree = self._tree(root)
        names = (f"{name_below(dockerfile, root)}.dockerignore", ".dockerignore")
        existing = next((root / name for name in names if tree.find(name) is not None), None)
        key = (root, existing)
        if key not in self._shared:
            self._shared[key] = (self._ignore(existing), {})
        ignore, sent = self._shared[key]
        return Context(tree, self.inputs, ignore, names, is_certain, sent)

    def _ignore(self, path: Path | None) -> IgnoreFile | None:
        source = self.inputs.text(path) if path is not None else None
        if source is None:
            return None
        from mllint.sources import dockerignore

        return dockerignore.parse(source)

    def _tree(self, root: Path) -> Tree:
        if root not in self._trees:
            self._trees[root] = Tree(root, self.inputs.given)
        return self._trees[root]

    def _composed(self, path: Path) -> tuple[Path, Path, list[Build]] | None:
        """The first compose file upward with services that are built from a Dockerfile, the context of the first of
        them, and what `build:` says in each that has this context."""
        for folder in self._candidates(path.parent):
            found = [each for each in self._built_in(folder) if each.dockerfile == path and each.context.is_dir()]
            if found:
                first = found[0]
                alike = [each for each in found if (each.compose, each.context) == (first.compose, first.context)]
                return first.compose, first.context, [each.build for each in alike]
        return None

    def _built_in(self, folder: Path) -> list[_Built]:
        """What the compose files of a folder build, those that Compose reads by default first."""
        if folder in self._built:
            return self._built[folder]
        found = self._built[folder] = []
        names = [entry.name for entry in self._tree(folder).children("") if entry.name.endswith((".yml", ".yaml"))]
        if not names:
            return found
        from mllint.sources import compose

        for name in sorted(filter(compose.is_compose_name, names), key=lambda name: name not in compose.BUILD_FILES):
            source = self.inputs.text(folder / name)
            for service in compose.parse(source).services if source else ():
                built = _built(folder / name, service)
                if built is not None:
                    found.append(built)
        return found


@dataclass(frozen=True, slots=True)
class _Built:
    """A service of a compose file that is built, from literal paths."""

    compose: Path
    service: Service
    build: Build
    context: Path
    dockerfile: Path


def _built(compose: Path, service: Service) -> _Built | None:
    build = service.build
    if build is None or build.dockerfile_inline is not None:
        return None
    context = _literal_path(compose.parent, build.context.literal if build.context else ".")
    dockerfile = _literal_path(context, build.dockerfile.literal if build.dockerfile else "Dockerfile")
    return _Built(compose, service, build, context, dockerfile) if context and dockerfile else None


def _target(build: Build) -> str | None:
    return build.target.literal if build.target else None


def _with_builds(settings: Settings, builds: list[Build]) -> Settings:
    """What several `build:` agree on, where the settings do not say it themselves."""
    given = [
        {each.name: each.value.literal for each in build.args if each.value and each.value.literal is not None}
        for build in builds
    ]
    agreed = {name: text for name, text in given[0].items() if all(other.get(name) == text for other in given)}
    targets = {_target(build) for build in builds}
    target = targets.pop() if len(targets) == 1 else None
    return settings._replace(target=settings.target or target, build_args={**agreed, **settings.build_args})


def _literal_path(folder: Path | None, text: str | None) -> Path | None:
    if folder is None or text is None or "://" in text:
        return None
    parts: list[str] = []
    for part in (folder / text).parts:
        if part == "..":
            parts = parts[:-1] or parts
        else:
            parts.append(part)
    return Path(*parts)


def name_below(path: Path, root: Path) -> str:
    """The path relative to a folder, with forward slashes; the name alone of what does not lie below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _copied(dockerfile: Dockerfile) -> list[str]:
    """The literal paths that COPY, ADD and bind mounts take from the context."""
    found = []
    for instruction in dockerfile.instructions:
        texts = [_bound(options) for options in mounts.options(instruction)]
        if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None:
            texts += [word.text.strip("\"'") for word in instruction.words[:-1]]
        paths = [clean(text) for text in texts if not any(mark in text for mark in "$*?[<:")]
        found += [path for path in paths if path]
    return found


def _bound(options: Mapping[str, str]) -> str:
    """What a mount takes from the context; empty where it takes nothing or all of it."""
    is_from_context = options.get("type", "bind") == "bind" and "from" not in options
    return options.get("source", options.get("src", "")) if is_from_context else ""


def _wanted(dockerfile: Dockerfile) -> list[str]:
    """The files that commands read or start by relative paths, which `COPY . .` must have brought."""
    found = []
    for instruction in dockerfile.instructions:
        if instruction.keyword in ("RUN", "CMD", "ENTRYPOINT"):
            text = " ".join(word.text for word in instruction.words)
            found += [match.group(match.lastindex or 0) for match in _READ.finditer(text)]
            found += [f"{match.group(1).replace('.', '/')}.py" for match in _SERVED.finditer(text)]
    return [path.removeprefix("./") for path in found if not path.startswith(("/", "../"))]
