"""What the name and tag of an image tell: versions in them, and the release of the distribution it is made of."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mllint.sources.reference import Reference

_NUMBER = "0123456789."


class Release(NamedTuple):
    """A distribution by the ID of its os-release, and its release as tags name it: `bookworm`, `jammy`, `3.19`, `9`."""

    distro: Value
    suite: Value


def words(name: str, tag: str) -> list[str]:
    """The words of an image's name and tag."""
    return re.split("[-_/:]", f"{name}:{tag}")


def version_of(tag: str) -> tuple[int, ...]:
    """The version, or date, that a tag begins with; empty where it begins with none."""
    numbers = re.match(r"v?(\d+(?:[.-]\d+)*)", tag)
    return tuple(int(part) for part in re.split("[.-]", numbers[1])) if numbers else ()


def minor_of(version: str) -> str:
    """The two first numbers of a release."""
    return ".".join(version.split(".")[:2])


@cache
def admits_python(specifier: str, minor: str) -> bool:
    """Whether a Requires-Python lets some patch release of a minor one in; one that cannot be read lets all in."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        limits = SpecifierSet(specifier)
    except InvalidSpecifier:
        return True
    return any(limits.contains(f"{minor}.{patch}", prereleases=True) for patch in (0, 9, 99))


def numbers_behind(stem: str, parts: Sequence[str]) -> Iterator[str]:
    """The numbers that words write behind a stem: `22.04` in `ubuntu22.04` and in `ubuntu-22.04`."""
    for index, word in enumerate(parts):
        word = word.removesuffix("lts")
        if word.rstrip(_NUMBER) == stem:
            number = word[len(stem) :] or next(iter(parts[index + 1 : index + 2]), "")
            if number and not number.strip(_NUMBER):
                yield number


def release(reference: Reference, name: str, row: Mapping[str, str]) -> Release:
    """The release of an image of the tables: as its row says, its name or tag names, or its builds are known to be."""
    tag = reference.tag or "latest"
    named = _named(words(name, tag), row["family"]) if row["family"] else None
    distro = row.get("distro") or (named.distro if named else _by_family(row["family"]))
    unknown = Unknown(f"the tag {tag} of {name} does not fix the release of its distribution")
    if not isinstance(distro, str):
        return Release(distro, unknown)
    if "suite" in row:
        return Release(distro, row["suite"])
    if named and named.distro == distro and isinstance(named.suite, str):
        return named
    return Release(distro, _built(row["builds"], distro, tag) or unknown if "builds" in row else unknown)


def described(distro: str, suite: str | None) -> Release:
    """The release that a description names, by its name or its number."""
    number = suite and _suite(distro, suite)
    return Release(distro, number or suite or Unknown("the release of the distribution is not described"))


def family_of(distro: str) -> str | None:
    """The family of a distribution, None for one that the tables do not know."""
    row = _distros().get(distro)
    return row["family"] if row else None


def libc_of(distro: Value) -> Value:
    """`glibc` or `musl`."""
    if isinstance(distro, Unknown):
        return distro
    row = _distros().get(distro)
    return row["libc"] if row else Unknown(f"the C library of {distro} is not known")


def root_home_mode(found: Release) -> Value:
    """The mode of /root in the images of a release, in octal digits."""
    if isinstance(found.distro, Unknown):
        return found.distro
    row = _distros().get(found.distro, {})
    since = row.get("root_home_since")
    if "root_home" in row and (since is None or is_at_least(found, since)):
        return str(row["root_home"])
    return Unknown(f"the mode of /root in images of {found.distro} is not known")


def is_at_least(found: Release, version: str) -> bool:
    """Whether a release is surely this version of its distribution or a later one."""
    if isinstance(found.suite, Unknown):
        return False
    return version_of(_number(found.suite)) >= version_of(version)


def _named(parts: Sequence[str], family: str) -> Release | None:
    for row in facts.rows("distro_releases"):
        if row["suite"] in parts:
            return Release(row["distro"], row["suite"])
    for row in _distros().values():
        if row["family"] != family and not (family == "distroless" and row["distro"] == "debian"):
            continue
        for stem in row["stems"].split():
            suites = (_suite(row["distro"], number) for number in numbers_behind(stem, parts))
            if suite := next(filter(None, suites), None):
                return Release(row["distro"], suite)
            if stem in parts:
                return Release(row["distro"], Unknown(f"no release of {row['distro']} in the tag"))
    return None


def _suite(distro: str, number: str) -> str | None:
    """The release behind a number: `bookworm` behind `12` and `12.6`, `3.19` behind `3.19.1` and `319`."""
    row = _distros().get(distro)
    if row is None:
        return None
    wanted = int(row["parts"])
    # Tags write 22.04 as 2204 too, and Alpine's 3.19 as 319.
    at = {"alpine": 1}.get(distro, 2)
    if wanted == 2 and number.isdigit() and len(number) > 2:
        number = f"{number[:at]}.{number[at:]}"
    version = ".".join(number.split(".")[:wanted])
    suites = {each["version"]: each["suite"] for each in facts.rows("distro_releases") if each["distro"] == distro}
    if suites:
        return suites.get(version)
    return version if version.count(".") == wanted - 1 else None


def _built(table: str, distro: str, tag: str) -> str | None:
    """The newest release that the patch release in a tag was built for. For a tag that names no patch release that is
    one only where nothing is built any more."""
    patch = version_of(tag)
    rows = [row for row in facts.rows(table) if row["distro"] == distro and version_of(row["minor"]) == patch[:2]]
    if len(patch) > 2:
        rows = [row for row in rows if version_of(row["first"]) <= patch <= version_of(row["last"])]
    elif not all(row.get("ended") == "yes" for row in rows):
        return None
    # A patch release is built for a new release of the distribution while it is the newest.
    newest = max(rows, key=lambda row: (version_of(row["last"]), version_of(_number(row["suite"]))), default=None)
    return newest["suite"] if newest else None


def _number(suite: str) -> str:
    return next((row["version"] for row in facts.rows("distro_releases") if row["suite"] == suite), suite)


def _by_family(family: str) -> Value:
    return family if family in _distros() else Unknown("the distribution of the image is not known")


@cache
def _distros() -> dict[str, dict[str, str]]:
    return {row["distro"]: row for row in facts.rows("distros")}
