"""Downloads of a build that nothing compares with what was meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.content.fetching import (
    VERSION_WORD,
    Fetch,
    base_name,
    fetches,
    has_hash,
    has_version,
    is_checked,
    moves,
    options,
    runs,
)
from mllint.image.content.weights import WEIGHTS
from mllint.image.installing.bootstrapping import refused
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step

# Keys and lists of repositories are for package managers, which compare what they get with them; texts harm nobody.
_HARMLESS = regex(
    r".*(?:\.(?:gpg|asc|key|pub|list|repo|sources|txt|md|html?|rst|json|ya?ml|toml|csv|proto|hpp?|cfg|conf|patch|diff|bst"
    r"|jpe?g|png|gif|svg|wav|mp3|mp4)|gpgkey|gpg|license[^/]*|notice|keyring.*\.deb|.*apt-source.*\.deb|.*packages-microsoft-prod\.deb)",
    re.IGNORECASE,
)
_PROGRAM = regex(r".*\.(?:deb|rpm|apk|whl|jar|so|run|sh|py|exe|AppImage)")
_ARCHIVE = regex(r".*\.(?:tar(?:\.\w+)?|t[gbx]z2?|txz|zip|7z|gz|xz|zst|bz2)")
_BIN = regex(r"(?:/usr)?(?:/local)?/s?bin/.*")
UNPACKS = frozenset({"tar", "unzip", "bsdtar", "gunzip", "7z"})
_UNCHECKED_CURL = ("-k", "--insecure")
_UNCHECKED_WGET = ("--no-check-certificate",)


class Unverified(NamedTuple):
    """A download without a checksum."""

    fetch: Fetch
    what: Literal["weights", "program", "archive"]
    why: Literal["open", "moving", "unversioned", "versioned"]
    """`open`: nothing protects it on its way; `moving`: the address is that of what is newest; else whether the address
    names a version."""

    @property
    def is_grave(self) -> bool:
        """Whether what it brings may well change, or is a model that nothing tells from another."""
        if self.why in ("open", "moving"):
            return True
        if self.what == "weights":
            return not has_hash(self.fetch)
        return self.what == "program" and self.why == "unversioned"


def unverified(stage: Stage, step: Step) -> Iterator[Unverified]:
    """What a step downloads with nothing to compare it with; scripts that a shell runs at once are not among them."""
    for each in fetches(step):
        what = kind(stage, each)
        if what is None or runs(each) is not None or is_checked(stage, each):
            continue
        if is_open(each):
            yield Unverified(each, what, "open")
        elif refused(stage, each) is not None:
            # The build stops there.
            continue
        elif moves(each):
            yield Unverified(each, what, "moving")
        else:
            is_versioned = has_version(each) or _is_told_version(stage, each)
            yield Unverified(each, what, "versioned" if is_versioned else "unversioned")


def is_open(fetch: Fetch) -> bool:
    """Whether nothing protects it on its way: it comes over plain http, or no certificate is checked."""
    if fetch.is_plain:
        return True
    call = fetch.executed
    unchecked = _UNCHECKED_CURL if call is not None and call.name == "curl" else _UNCHECKED_WGET
    return call is not None and not options(call).keys().isdisjoint(unchecked)


def kind(stage: Stage, fetch: Fetch) -> Literal["weights", "program", "archive"] | None:
    """What is fetched; None for texts, keys, lists of repositories and what is not known."""
    names = [fetch.name, *([fetch.file] if fetch.file is not None else [])]
    if not fetch.name or any(_HARMLESS.fullmatch(name) for name in names):
        return None
    if fetch.file is None and fetch.executed is not None:
        return "archive" if fetch.reader is not None and fetch.reader.name in UNPACKS else None
    if any(WEIGHTS.fullmatch(name) for name in names):
        return "weights"
    if any(_PROGRAM.fullmatch(name) for name in names) or _is_executed(stage, fetch):
        return "program"
    return "archive" if any(_ARCHIVE.fullmatch(name) for name in names) else None


def _is_executed(stage: Stage, fetch: Fetch) -> bool:
    """Whether it goes to a folder of programs, or a later command runs it or makes it one."""
    file = fetch.file or (fetch.step.copy.written if fetch.step.copy is not None else "")
    if _BIN.fullmatch(file) or (file.endswith("bin/") and file.startswith("/")):
        return True
    name = base_name(file.rstrip("/")) or fetch.name
    return any(_runs(each, name) for each in behind(stage, fetch))


def behind(stage: Stage, fetch: Fetch) -> Iterator[Executed]:
    """The commands of a stage that run in the instruction of a download or below it."""
    at = stage.steps.index(fetch.step)
    return (each for step in stage.steps[at:] for each in step.commands if each is not fetch.executed)


def _is_told_version(stage: Stage, fetch: Fetch) -> bool:
    """Whether the command that runs it says which version it is to install."""
    name = base_name(fetch.file or fetch.name)
    return any(
        any(base_name(word) == name for word in each.arguments)
        and any(VERSION_WORD.fullmatch(word) for word in each.arguments)
        for each in behind(stage, fetch)
    )


def _runs(each: Executed, name: str) -> bool:
    if each.name == name:
        return True
    return each.name in ("chmod", "install", "dpkg", "rpm") and any(base_name(word) == name for word in each.arguments)
