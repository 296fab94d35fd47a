"""Whether a repository that code is installed from is the one that the Dockerfile lies in."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mllint.patterns import regex
from mllint.sources import pyproject
from mllint.sources.requirements import normalised
from mllint.walking import git_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllint.image.build import Build

_LABELS = ("repository", "org.opencontainers.image.source", "org.label-schema.vcs-url")
_SETUP_NAME = regex(r"\bname\s*=\s*[\"']([\w.-]+)[\"']")
_REMOTE = regex(r"(?m)^\s*url\s*=\s*(\S+)")


def is_own(build: Build, place: str) -> bool:
    """Whether a repository (host and path) has the name of the project of a build: that of its `pyproject.toml` or
    `setup.py`, of a label of the image, or of a remote of the git repository around the build context."""
    return normalised(_last(place)) in _names(build)


@lru_cache(maxsize=4)
def _names(build: Build) -> frozenset[str]:
    return frozenset(normalised(_last(name)) for name in _written_names(build))


def _written_names(build: Build) -> Iterator[str]:
    context = build.context
    if (source := context.text("pyproject.toml")) is not None:
        project = context.inputs.parsed(source, pyproject.parse)
        if project is not None and project.name is not None:
            yield project.name.text
    if (setup := context.text("setup.py")) is not None:
        yield from _SETUP_NAME.findall(setup.text)
    labels = build.final.end.labels if build.final is not None else {}
    values = (labels[key].value for key in _LABELS if key in labels)
    yield from (value for value in values if isinstance(value, str))
    if (root := git_root(context.root)) is not None:
        yield from _remotes(root / ".git" / "config")


def _remotes(path: Path) -> list[str]:
    try:
        return _REMOTE.findall(path.read_text("utf-8", "replace"))
    except OSError:
        return []


def _last(address: str) -> str:
    """The name at the end of an address, which may be that of SSH, `git@host:owner/name.git`."""
    return address.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
