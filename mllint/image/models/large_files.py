"""Whether a project fetches its large files from Git LFS before it builds, or while it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.patterns import regex
from mllint.walking import git_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_FETCHES = regex(r"\bgit[ -]lfs\b|\blfs:\s*['\"]?true\b|GIT_LFS_SKIP_SMUDGE", 0)
_FILES = (
    ".gitlab-ci.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
    "Makefile",
    "Jenkinsfile",
)
_WORKFLOWS = ".github/workflows"


def are_fetched(stage: Stage) -> bool:
    """Whether the Dockerfile, a workflow of the repository, its Makefile or the like speaks of fetching them."""
    return any(_FETCHES.search(source.text) for source in (stage.build.source, *_automation(stage)))


def _automation(stage: Stage) -> Iterator[Source]:
    context = stage.build.context
    root = git_root(context.root) or context.root
    folder = root / _WORKFLOWS
    paths = sorted(folder.glob("*.y*ml")) if folder.is_dir() else []
    for path in (*(root / name for name in _FILES), *paths):
        source = context.inputs.text(path)
        if source is not None:
            yield source
