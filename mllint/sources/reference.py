"""Names of images: `registry/repository:tag@digest`, by the grammar of distribution/reference 0.6.

A short name is completed as Docker and BuildKit do: `python` is `docker.io/library/python`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mllint.patterns import regex
from mllint.sources.text import Problem, Span

DOCKER_HUB = "docker.io"
_HUB_INDEX = "index.docker.io"
_OFFICIAL = "library/"


class Reference(NamedTuple):
    """A valid image reference. The spans are spans of `text`."""

    registry: str
    """Host and port; `docker.io` where the text names none."""
    repository: str
    """The path in the registry: `library/python`, `nvidia/cuda`."""
    tag: str | None
    digest: str | None
    """Algorithm and hexadecimal value: `sha256:…`."""
    text: str
    name_span: Span
    """Registry and repository as written."""
    tag_span: Span | None
    """The tag without its colon."""
    digest_span: Span | None
    """The digest without its at sign."""

    @property
    def name(self) -> str:
        """Registry and repository in full: `docker.io/library/python`."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar(self) -> str:
        """The name as people write it: `python`, `nvidia/cuda`, `ghcr.io/astral-sh/uv`."""
        if self.registry != DOCKER_HUB:
            return self.name
        official = self.repository.removeprefix(_OFFICIAL)
        short = self.repository if "/" in official else official
        # A namespace that looks like a host would be taken for one.
        return short if _registry(short) == (DOCKER_HUB, 0) else self.name


_HOST_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = regex(
    rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
    # A host with underscores is none to the grammar, but passes as the first component of the path.
    rf"|{_COMPONENT}"
)
_REPOSITORY = regex(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LONGEST_REPOSITORY = 255
_IMAGE_ID = regex("[a-f0-9]{64}")
_TAG = regex(r"\w[\w.-]*", re.ASCII)
_LONGEST_TAG = 128
_HEXADECIMAL = regex("[a-f0-9]*")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


def parse(text: str) -> Reference | Problem:
    """Reads a reference whose variables are expanded, or tells why Docker and BuildKit refuse it.

    `scratch` and the names of build stages are image names here: what they are, the Dockerfile knows.
    """
    registry, start = _registry(text)
    at = text.find("@")
    behind_tag = at if at >= 0 else len(text)
    colon = text.find(":", start, behind_tag)
    name = Span(0, colon if colon >= 0 else behind_tag)
    tag = Span(colon + 1, behind_tag) if colon >= 0 else None
    digest = Span(at + 1, len(text)) if at >= 0 else None
    repository = text[start : name.end]
    if registry == DOCKER_HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    reference = Reference(registry, repository, _part(text, tag), _part(text, digest), text, name, tag, digest)
    faults = ((name, _name_fault(reference)), (tag, _tag_fault(reference)), (digest, _digest_fault(reference)))
    for span, fault in faults:
        if span and fault:
            return Problem(span, fault)
    return reference


def _registry(text: str) -> tuple[str, int]:
    """The registry of a reference, and where the repository begins."""
    first, slash, _ = text.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        return DOCKER_HUB, 0
    return DOCKER_HUB if first == _HUB_INDEX else first, len(first) + 1


def _part(text: str, span: Span | None) -> str | None:
    return text[span.start : span.end] if span else None


def _name_fault(reference: Reference) -> str | None:
    name = reference.text[: reference.name_span.end]
    repository = reference.repository
    if repository in ("", _OFFICIAL):
        return "the image has no name"
    if _IMAGE_ID.fullmatch(reference.text):
        return f"{name} is an image ID; a registry knows images by name"
    if not _REGISTRY.fullmatch(reference.registry):
        return f"{reference.registry} is no valid registry host"
    if repository != repository.lower():
        return f"the image name {name} has upper-case letters; repositories have lower-case names"
    if not _REPOSITORY.fullmatch(repository):
        return f"{name} is no valid image name: lower-case letters and digits, with . _ __ or - between them"
    if len(repository) > _LONGEST_REPOSITORY:
        return f"the repository's name has {len(repository)} characters; {_LONGEST_REPOSITORY} are allowed"
    return None


def _tag_fault(reference: Reference) -> str | None:
    tag = reference.tag
    if tag is None:
        return None
    if not tag:
        return "the tag after the colon is empty"
    if not _TAG.fullmatch(tag):
        return f"{tag} is no valid tag: letters, digits, . _ and -, the first of them no . or -"
    return f"the tag has {len(tag)} characters; {_LONGEST_TAG} are allowed" if len(tag) > _LONGEST_TAG else None


def _digest_fault(reference: Reference) -> str | None:
    if reference.digest is None:
        return None
    algorithm, _, value = reference.digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        return f"the digest names no known algorithm ({', '.join(_DIGEST_LENGTHS)})"
    if not _HEXADECIMAL.fullmatch(value):
        return f"the {algorithm} digest has other characters than 0-9 and a-f"
    return f"the {algorithm} digest has {len(value)} digits instead of {length}" if len(value) != length else None
