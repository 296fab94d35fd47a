"""Walking a tree as its user sees it: without what git ignores, what is excluded, and what tools generate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mllint.config import Settings
    from mllint.sources.gitignore import GitIgnore, Ignored

_SKIPPED = frozenset(".git .hg .svn node_modules __pycache__ .ipynb_checkpoints site-packages .tox .nox .venv".split())


def git_root(folder: Path) -> Path | None:
    """The nearest folder upward that holds `.git`."""
    return next((each for each in (folder, *folder.parents) if os.path.lexists(each / ".git")), None)


def walk(top: Path, settings_for: Callable[[Path], Settings]) -> Iterator[Path]:
    """Every file below a folder that is neither git-ignored nor excluded, in order; virtual environments and the like
    are left out."""
    yield from _walk(top, ignored_at(top), settings_for(top / "Dockerfile"))


def ignored_at(top: Path) -> Ignored:
    """What the ignore files from the root of the repository down to a folder say."""
    from mllint.sources.gitignore import Ignored

    root = git_root(top) or top
    ignored = Ignored.root(_gitignore(root / ".gitignore"))
    folder = root
    for name in top.relative_to(root).parts:
        folder = folder / name
        ignored = ignored.enter(name, _gitignore(folder / ".gitignore"))
    return ignored


def _gitignore(path: Path) -> GitIgnore | None:
    from mllint.sources import gitignore

    try:
        return gitignore.parse(Source(path.name, path.read_text("utf-8-sig", "replace")))
    except OSError:
        return None


def _walk(folder: Path, ignored: Ignored, settings: Settings) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            children = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError:
        return
    names = {name for name, _ in children}
    if "pyvenv.cfg" in names or "conda-meta" in names:
        return
    for name, is_folder in children:
        path = folder / name
        if (
            (is_folder and name in _SKIPPED)
            or ignored.ignores(name, is_folder)
            or _is_excluded(path, is_folder, settings)
        ):
            continue
        if is_folder:
            yield from _walk(path, ignored.enter(name, _gitignore(path / ".gitignore")), settings)
        else:
            yield path


def _is_excluded(path: Path, is_folder: bool, settings: Settings) -> bool:
    if not settings.exclude or not path.is_relative_to(settings.root):
        return False
    return settings.excludes(path.relative_to(settings.root).as_posix() + ("/" if is_folder else ""))


def is_git_ignored(path: Path) -> bool:
    """Whether the ignore files of its repository (without one: of its own folder) ignore a file or folder, there or
    not."""
    return ignored_at(path.parent).ignores(path.name, is_dir=True)
