"""Which folder a Dockerfile is built from, where nobody says it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.image.context import Context, Tree
from mllint.sources import dockerignore

if TYPE_CHECKING:
    from mllint.config import Settings
    from mllint.inputs import Inputs
    from mllint.sources.compose import Build
    from mllint.sources.dockerfile import Dockerfile

_WANTED_IN_RUN = re.compile(r"(?:-r|--requirement|-f)[ =]?([\w./-]+\.(?:txt|in|ya?ml))\b")


class Contexts:
    """Chooses the context of each Dockerfile of a run; folders are looked at once."""

    def __init__(self, inputs: Inputs, given: Path | None) -> None:
        self.inputs = inputs
        self.given = given
        self._trees: dict[Path, Tree] = {}
        self._builds: dict[Path, list[tuple[Path, Path, Build]]] = {}

    def choose(self, path: Path, dockerfile: Dockerfile, settings: Settings) -> tuple[Context, Settings, str]:
        """The context of a Dockerfile, its settings with what a compose file adds, and why this context."""
        if self.given is not None:
            return self._context(self.given, path, True), settings, "--context"
        if settings.context is not None:
            return self._context(settings.root / settings.context, path, True), settings, "configuration"
        found = self._composed(path)
        if found is not None:
            compose, root, build = found
            return self._context(root, path, True), _with_build(settings, build), f"build: in {compose.name}"
        return self._guessed(path, dockerfile, settings)

    def _guessed(self, path: Path, dockerfile: Dockerfile, settings: Settings) -> tuple[Context, Settings, str]:
        folders = self._candidates(path.parent)
        copied, wanted = _copied(dockerfile), _wanted(dockerfile)
        scores = [sum(self._tree(folder).find(each) is not None for each in (*copied, *wanted)) for folder in folders]
        best = max(range(len(folders)), key=lambda index: (scores[index], -index))
        if scores[best]:
            is_certain = all(self._tree(folders[best]).find(each) for each in copied)
            reason = f"holds {scores[best]} of {len(copied) + len(wanted)} files that the Dockerfile names"
            return self._context(folders[best], path, is_certain), settings, reason
        if not copied and not wanted:
            for folder in folders:
                if any(
                    self._tree(folder).find(name) for name in (f"{path.name}.dockerignore", ".dockerignore", ".git")
                ):
                    return self._context(folder, path, False), settings, "nearest folder with an ignore file or .git"
        return self._context(path.parent, path, False), settings, "folder of the Dockerfile"

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
        names = (f"{_relative(dockerfile, root)}.dockerignore", ".dockerignore")
        for name in names:
            if tree.find(name) is not None:
                source = self.inputs.text(root / name)
                ignore = dockerignore.parse(source) if source is not None else None
                return Context(tree, self.inputs, ignore, names, is_certain)
        return Context(tree, self.inputs, None, names, is_certain)

    def _tree(self, root: Path) -> Tree:
        if root not in self._trees:
            self._trees[root] = Tree(root)
        return self._trees[root]

    def _composed(self, path: Path) -> tuple[Path, Path, Build] | None:
        """The first compose file upward with a service that is built from a Dockerfile, and what it says."""
        for folder in self._candidates(path.parent):
            for compose, dockerfile, build in self._builds_in(folder):
                if dockerfile == path:
                    root = _literal_path(folder, build.context.literal if build.context else ".")
                    if root is not None and root.is_dir():
                        return compose, root, build
        return None

    def _builds_in(self, folder: Path) -> list[tuple[Path, Path, Build]]:
        """Compose file, Dockerfile and `build:` of each service whose paths are literal."""
        if folder in self._builds:
            return self._builds[folder]
        found = self._builds[folder] = []
        names = [entry.name for entry in self._tree(folder).children("") if entry.name.endswith((".yml", ".yaml"))]
        if not names:
            return found
        from mllint.sources import compose

        for name in names:
            source = self.inputs.text(folder / name) if compose.is_compose_name(name) else None
            for service in compose.parse(source).services if source else ():
                build = service.build
                if build is None or build.dockerfile_inline is not None:
                    continue
                root = _literal_path(folder, build.context.literal if build.context else ".")
                below = build.dockerfile.literal if build.dockerfile else "Dockerfile"
                dockerfile = _literal_path(root, below) if root else None
                if dockerfile is not None:
                    found.append((folder / name, dockerfile, build))
        return found


def _with_build(settings: Settings, build: Build) -> Settings:
    """What `build:` says, where the settings do not say it themselves."""
    given = {each.name: each.value.literal for each in build.args if each.value and each.value.literal is not None}
    target = build.target.literal if build.target else None
    return replace(settings, target=settings.target or target, build_args={**given, **settings.build_args})


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


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _copied(dockerfile: Dockerfile) -> list[str]:
    """The literal paths that COPY and ADD take from the context."""
    found = []
    for instruction in dockerfile.instructions:
        if instruction.keyword not in ("COPY", "ADD") or instruction.flag("from") is not None:
            continue
        for word in instruction.words[:-1]:
            path = word.text.strip("\"'").removeprefix("/").removeprefix("./").rstrip("/")
            if path not in ("", ".") and not any(mark in path for mark in "$*?[<:"):
                found.append(path)
    return found


def _wanted(dockerfile: Dockerfile) -> list[str]:
    """The requirements and environment files that RUNs read, which `COPY . .` must have brought."""
    return [
        match.group(1)
        for instruction in dockerfile.instructions
        if instruction.keyword == "RUN"
        for match in _WANTED_IN_RUN.finditer(instruction.rest.text)
        if not match.group(1).startswith("/")
    ]
