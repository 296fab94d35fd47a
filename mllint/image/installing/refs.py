"""Addresses of repositories, their archives and files, and whether what they lead to stays the same."""

from __future__ import annotations

from typing import NamedTuple

from mllint.patterns import regex
from mllint.sources.requirement_parts import wheel_version

_REPOSITORY = regex(r"git\+(?:[a-z+]+://)?(?:[^@/\s]*@)?(?P<place>[^\s@#?]+)(?:@(?P<ref>[^#?\s]*))?")
# Where forges keep the archive of a ref: GitHub, GitLab and Bitbucket.
_ARCHIVES = (
    regex(r"https?://(?:.*@)?(?P<place>github\.com/[^/]+/[^/]+)/(?:archive|zipball|tarball)/(?P<ref>[^?#]+)"),
    regex(
        r"https?://(?:.*@)?codeload\.(?P<place>github\.com/[^/]+/[^/]+)/(?:legacy\.)?(?:zip|tar\.gz)/(?P<ref>[^?#]+)"
    ),
    regex(r"https?://(?:.*@)?(?P<place>[^/]+/[^?#]+)/-/archive/(?P<ref>[^?#]+)/[^/?#]+"),
    regex(r"https?://(?:.*@)?(?P<place>bitbucket\.org/[^/]+/[^/]+)/get/(?P<ref>[^?#]+)"),
)
# A file of a ref; a proxy may stand in front of the address.
_FILES = (
    regex(r"https?://(?:\S*//)?raw\.githubusercontent\.com/(?P<place>[^/]+/[^/]+)/(?P<ref>(?:refs/\w+/)?[^/?#]+)/"),
    regex(r"https?://(?:\S*//)?(?P<place>github\.com/[^/]+/[^/]+)/(?:raw|blob)/(?P<ref>(?:refs/\w+/)?[^/?#]+)/"),
    regex(r"https?://(?P<place>[^/]+/[^?#]+)/-/raw/(?P<ref>[^/?#]+)/"),
    regex(r"https?://(?P<place>(?:hf\.co|huggingface\.co)/[^?#]+)/(?:resolve|raw)/(?P<ref>(?:refs/\w+/)?[^/?#]+)/"),
)
_SUFFIX = regex(r"\.(?:zip|tar(?:\.(?:gz|bz2|xz))?|tgz)$")
_COMMIT = regex(r"[0-9a-f]{7,64}")
_BRANCHES = frozenset("head main master trunk dev devel develop development nightly latest unstable edge".split())
_PREFIXES = ("refs/heads/", "refs/pull/", "refs/merge-requests/")


class Moving(NamedTuple):
    """What an address leads to and that another day may be another."""

    place: str
    """Host and path of the repository, without user and password."""
    ref: str | None
    """The branch, or what might be one; None for the default branch."""


def repository(url: str) -> Moving | None:
    """The repository of a requirement `git+https://…` that names neither a commit nor a release; None for any other
    address."""
    match = _REPOSITORY.match(url)
    if match is None or "$" in match["place"]:
        return None
    return _moving(match["place"].removesuffix(".git").rstrip("/"), match["ref"] or None)


def archive(url: str) -> Moving | None:
    """The repository of which an address fetches an archive that is kept at neither a commit nor a release."""
    match = next(filter(None, (pattern.match(url) for pattern in _ARCHIVES)), None)
    return _moving(match["place"], _SUFFIX.sub("", match["ref"])) if match else None


def file(url: str) -> Moving | None:
    """The repository of which an address fetches a file that is kept at neither a commit nor a release."""
    if wheel_version(url) is not None:
        return None
    match = next(filter(None, (pattern.match(url) for pattern in _FILES)), None)
    return _moving(match["place"], match["ref"]) if match else None


def is_on_forge(url: str) -> bool:
    """Whether an address is that of an archive or a file which a forge keeps for each of its refs."""
    return any(pattern.match(url) for pattern in (*_ARCHIVES, *_FILES))


def _moving(place: str, ref: str | None) -> Moving | None:
    if ref is None or ref.startswith(_PREFIXES) or ref.rpartition("/")[2].lower() in _BRANCHES:
        return Moving(place, ref and ref.removeprefix("refs/heads/"))
    # A name without any digit tells of no release.
    is_fixed = "$" in ref or ref.startswith("refs/tags/") or any(each.isdigit() for each in ref)
    return None if is_fixed or _COMMIT.fullmatch(ref) else Moving(place, ref)
