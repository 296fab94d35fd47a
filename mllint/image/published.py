"""Which tags of an image were published, by the tables of the images whose tags are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image.names import common_name
from mllint.image.releases import version_of
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mllint.sources.reference import Reference

_PYTHON = regex(r"(?P<version>3\.\d+(?:\.\d+)?)(?:-(?P<slim>slim))?(?:-(?P<suite>[a-z][a-z0-9.]*))?")
CUDA_TAG = regex(r"(?P<version>\d+(?:\.\d+)+)-(?P<flavour>[a-z0-9-]+)-(?P<distro>[a-z]+[0-9.]+)")
"""A tag of NVIDIA's CUDA images."""
CUDA_IMAGES = frozenset({"nvidia/cuda", "nvcr.io/nvidia/cuda"})
_NO_SHORT_CUDA_SINCE = (11, 1)
"""From this version on NVIDIA's tags always have the patch release."""


class Missing(NamedTuple):
    """A tag that was never published: why one can tell, and the nearest that was, None where none is near."""

    reason: str
    nearest: str | None


def missing_tag(reference: Reference) -> Missing | None:
    """What is wrong with a tag that surely was never published; None where it was or may have been."""
    name, tag = common_name(reference), reference.tag
    if name in CUDA_IMAGES:
        return _missing_cuda(tag)
    match = _PYTHON.fullmatch(tag) if name == "python" and tag else None
    return _missing_python(match) if match else None


def exact_tag(reference: Reference, without: Collection[str] = ()) -> str | None:
    """The tag that names the patch release and the release of the distribution that a tag of `python` leaves open: the
    newest ones of the table, but for releases of the distribution that do not do. None where nothing is open, or the
    table does not tell."""
    tag = reference.tag
    match = _PYTHON.fullmatch(tag) if common_name(reference) == "python" and tag else None
    if match is None:
        return None
    version = version_of(match["version"])
    rows = [row for row in _rows_like(match) if match["suite"] == row["suite"] or row["suite"] not in without]
    if len(version) > 2:
        rows = [row for row in rows if version_of(row["first"]) <= version <= version_of(row["last"])]
    if not rows or (match["slim"] and rows[0]["distro"] == "alpine"):
        return None
    newest = max(rows, key=lambda row: (version_of(row["last"]), _number(row)))
    exact = _python_tag(match, match["version"] if len(version) > 2 else newest["last"], _suite_word(newest))
    return exact if exact != tag else None


# python


def _rows_like(tag: re.Match[str]) -> list[dict[str, Any]]:
    """The rows of a minor release on what a tag names of a distribution, which is Debian where it names nothing."""
    minor, suite = version_of(tag["version"])[:2], tag["suite"]
    rows = [row for row in _verified("python_images") if version_of(row["minor"]) == minor]
    if suite in (None, "alpine"):
        return [row for row in rows if (row["distro"] == "alpine") == bool(suite)]
    return [row for row in rows if _suite_word(row) == suite]


def _number(row: Mapping[str, Any]) -> tuple[int, ...]:
    """The version of the distribution's release."""
    named = facts.by("distro_releases", "suite").get(row["suite"], ())
    return version_of(named[0]["version"] if named else row["suite"])


def _missing_python(tag: re.Match[str]) -> Missing | None:
    version, suite = version_of(tag["version"]), tag["suite"]
    rows = [row for row in _verified("python_images") if version_of(row["minor"]) == version[:2]]
    if not rows:
        return None
    if suite is None or suite == "alpine":
        return _missing_release(tag, version, [row for row in rows if (row["distro"] == "alpine") == bool(suite)])
    own = [row for row in rows if _suite_word(row) == suite]
    if not own:
        return _missing_suite(tag, rows)
    return _outside(tag, version, own[0]) if len(version) > 2 else None


def _missing_release(tag: re.Match[str], version: tuple[int, ...], rows: list[dict[str, Any]]) -> Missing | None:
    """A patch release without a suite: there is none behind the last of a line that has ended."""
    ended = rows and all(row.get("ended") == "yes" for row in rows)
    if tag["slim"] and tag["suite"]:
        return None
    if not ended or len(version) < 3 or version <= max(version_of(row["last"]) for row in rows):
        return None
    last = max((row["last"] for row in rows), key=version_of)
    return Missing(f"{last} is the last release of Python {rows[0]['minor']}", _python_tag(tag, last))


def _missing_suite(tag: re.Match[str], rows: list[dict[str, Any]]) -> Missing | None:
    """A distribution that this minor release was never built for, as far as the whole history of it is known."""
    minor, suite = rows[0]["minor"], tag["suite"]
    debian = [row for row in rows if row["distro"] == "debian"]
    other = {row["suite"]: row["distro"] for row in _verified("distro_pythons")}.get(suite)
    if other not in (None, "debian"):
        return Missing(
            f"{suite} is a release of {other}, and the python image is built on Debian and Alpine", _suited(tag, debian)
        )
    known = {row["suite"] for row in _verified("python_images") if row["distro"] == "debian"}
    known |= {f"alpine{row['suite']}" for row in _verified("python_images") if row["distro"] == "alpine"}
    is_whole = any(row["first"] == f"{minor}.0" for row in rows) and not any("earlier" in row for row in rows)
    if suite not in known or not is_whole:
        return None
    same = [row for row in rows if row["distro"] == ("alpine" if suite.startswith("alpine") else "debian")]
    built = ", ".join(_suite_word(row) for row in same)
    return Missing(f"Python {minor} was built for {built}, not for {suite}", _suited(tag, same))


def _outside(tag: re.Match[str], version: tuple[int, ...], row: Mapping[str, Any]) -> Missing | None:
    """A patch release before the first or behind the last that a suite was built with."""
    if version < version_of(row["first"]) and "earlier" not in row:
        reason = f"{row['first']} is the first release of Python {row['minor']} built for {tag['suite']}"
        return Missing(reason, _python_tag(tag, row["first"]))
    if version > version_of(row["last"]) and row.get("ended") == "yes":
        reason = f"{row['last']} is the last release of Python {row['minor']} built for {tag['suite']}"
        return Missing(reason, _python_tag(tag, row["last"]))
    return None


def _python_tag(tag: re.Match[str], version: str, suite: str | None = None) -> str:
    parts = (version, tag["slim"], suite or tag["suite"])
    return "-".join(part for part in parts if part)


def _suite_word(row: Mapping[str, Any]) -> str:
    return f"alpine{row['suite']}" if row["distro"] == "alpine" else str(row["suite"])


def _suited(tag: re.Match[str], rows: Iterable[dict[str, Any]]) -> str | None:
    """The tag with the suite, of those that have its release, that is built for longest."""
    version = version_of(tag["version"])
    having = [row for row in rows if len(version) < 3 or version_of(row["first"]) <= version <= version_of(row["last"])]
    if not having:
        return None
    latest = max(having, key=lambda row: (version_of(row["last"]), version_of(row["first"])))
    return _python_tag(tag, tag["version"], _suite_word(latest))


# nvidia/cuda


def _missing_cuda(tag: str | None) -> Missing | None:
    if tag in (None, "latest"):
        return Missing("nvidia/cuda has no tag latest", _newest_cuda())
    match = CUDA_TAG.fullmatch(tag)
    version = version_of(match["version"] if match else tag)
    newest = max(version_of(row["version"]) for row in _verified("cuda_images"))
    if not _NO_SHORT_CUDA_SINCE <= version[:2] <= newest[:2]:
        return None
    skipped = (version_of(row["version"])[:2] for row in _verified("cuda_images") if row["distro"] == "none")
    if version[:2] in skipped:
        reason = f"there is no CUDA {version[0]}.{version[1]}"
        return Missing(reason, _near_cuda(match, version) if match else None)
    if len(version) == 2:
        number = ".".join(str(part) for part in version)
        reason = f"since CUDA 11.1 the tags name the patch release, and {number} alone is none"
        return Missing(reason, _near_cuda(match, version) if match else None)
    return _missing_flavour(match, version) if match else None


def _missing_flavour(tag: re.Match[str], version: tuple[int, ...]) -> Missing | None:
    """A distribution or flavour that a version does not have."""
    rows = {
        row["distro"]: row["flavours"].split() for row in _verified("cuda_images") if row["version"] == tag["version"]
    }
    distro, flavour = tag["distro"], tag["flavour"]
    if not rows:
        return None
    if distro not in rows:
        same = [each for each in rows if each.rstrip("0123456789.") == distro.rstrip("0123456789.")] or list(rows)
        return Missing(f"CUDA {tag['version']} has images for {', '.join(same)} only", _near_cuda(tag, version))
    if not rows[distro] or flavour in rows[distro]:
        return None
    reason = f"on {distro} CUDA {tag['version']} has the flavours {', '.join(rows[distro])} only"
    return Missing(reason, _near_cuda(tag, version))


def _near_cuda(tag: re.Match[str], version: tuple[int, ...]) -> str | None:
    """The tag of the same line that has the flavour and the distribution: the next patch release, else the last one,
    else that of the next version with the same major number."""
    found = []
    for row in _verified("cuda_images"):
        number = version_of(row["version"])
        flavour = _same_flavour(tag["flavour"], row["flavours"].split())
        if row["distro"] == tag["distro"] and flavour and number[0] == version[0]:
            distance = (number[:2] != version[:2], number < version, abs(number[1] - version[1]), -number[2])
            found.append((distance, f"{row['version']}-{flavour}-{row['distro']}"))
    return min(found)[1] if found else None


def _same_flavour(wanted: str, flavours: list[str]) -> str | None:
    """The flavour of a version that is the one wanted, whichever number cuDNN has in its name."""

    def plain(flavour: str) -> frozenset[str]:
        return frozenset(re.sub(r"(?<=cudnn)\d+", "", flavour).split("-"))

    return next((each for each in flavours if plain(each) == plain(wanted)), None)


def _newest_cuda() -> str | None:
    rows = [row for row in _verified("cuda_images") if "runtime" in row["flavours"].split()]
    newest = max(rows, key=lambda row: (version_of(row["version"]), row["distro"]))
    return f"{newest['version']}-runtime-{newest['distro']}"


def _verified(table: str) -> list[dict[str, Any]]:
    return [row for row in facts.rows(table) if row["status"] == "verified"]
