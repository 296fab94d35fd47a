"""Names of images: what the tables know them by, and the rows for them."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from mllint import facts
from mllint.image.releases import version_of
from mllint.sources.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where Docker Hub's official images stand under another name.
_COPIES = (
    "public.ecr.aws/docker/library/",
    "mirror.gcr.io/library/",
    *(f"{architecture}/" for architecture in ("amd64", "arm64v8", "arm32v7", "arm32v6", "i386", "ppc64le", "s390x")),
)
_PUBLIC = frozenset({"docker.io", "ghcr.io", "quay.io", "nvcr.io", "mcr.microsoft.com", "public.ecr.aws", "gcr.io"})


def known_image(reference: Reference) -> Mapping[str, Any] | None:
    """The row of the table `base_images` for an image."""
    return first_row("base_images", reference)


def first_row(table: str, reference: Reference) -> Mapping[str, Any] | None:
    """The first row of a table whose patterns match an image's name and tag, and whose bounds its version."""
    name, tag = common_name(reference), reference.tag or "latest"
    version = version_of(tag)
    for row in facts.rows(table):
        if not fits(name, row["image"]) or not fits(tag, row.get("tag", "*")):
            continue
        if "since" in row and version < version_of(row["since"]):
            continue
        until = version_of(row["until"]) if "until" in row else ()
        if version[: len(until)] <= until and (version or not until):
            return row
    return None


def fits(name: str, pattern: str) -> bool:
    """Whether the name or tag of an image matches a pattern of the tables."""
    # Most patterns are plain or begin so: to compile them all would take longer than the rest of a run.
    if not name.startswith(pattern.partition("*")[0]):
        return False
    return fnmatchcase(name, pattern) if "*" in pattern else name == pattern


def common_name(reference: Reference) -> str:
    """The name the tables know an image by: as people write it, a copy of an official image as the original."""
    name = reference.familiar
    for prefix in _COPIES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def is_built_here(reference: Reference) -> bool:
    """Whether no registry has the image: a single name that is none of Docker Hub's official images is one that an
    earlier build on the same machine gave to its result."""
    if reference.registry == "localhost":
        return True
    return reference.registry == DOCKER_HUB and "/" not in reference.familiar and known_image(reference) is None


def is_moving(reference: Reference) -> bool:
    """Whether what the name means is another image after each release: no tag, or one that all releases get."""
    name, tag = common_name(reference), reference.tag or "latest"
    rows = (row for row in facts.rows("image_tags") if "moving" in row and fits(name, row["image"]))
    return not reference.digest and any(re.fullmatch(row["moving"], tag) for row in rows)


def is_public(reference: Reference) -> bool:
    """Whether a public registry has the image, as against one of one's own, whose bases may be set up for just this."""
    return reference.registry in _PUBLIC and not is_built_here(reference)
