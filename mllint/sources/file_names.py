"""The names that people give to Dockerfiles and requirements files."""

import re

from mllint.patterns import regex

_DOCKERFILE = regex(r"(?:[^/]*[._-])?(?:docker|container)file(?:[._-][^/]*)?", re.IGNORECASE)
_NO_DOCKERFILE = (".dockerignore", ".md", ".j2", ".tmpl")
_REQUIREMENTS = regex(r"[^/]*requirements[^/]*\.(?:txt|in)|(?:[^/]*[._-])?constraints[^/]*\.txt", re.IGNORECASE)


def is_dockerfile_name(name: str) -> bool:
    """Whether a search takes a file of this name for a Dockerfile."""
    return _DOCKERFILE.fullmatch(name) is not None and not name.lower().endswith(_NO_DOCKERFILE)


def is_requirements_name(path: str) -> bool:
    """Whether a search takes a file at this path (forward slashes) for a requirements or constraints file."""
    folder, _, name = path.rpartition("/")
    return _REQUIREMENTS.fullmatch(name) is not None or (
        folder.rpartition("/")[2].lower() == "requirements" and name.lower().endswith((".txt", ".in"))
    )
