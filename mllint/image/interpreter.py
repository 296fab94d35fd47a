"""The Python that an image brings: what `python3`, or else `python`, starts in it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.releases import family_of, numbers_behind, words
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.image.releases import Release

_MINOR = regex(r"[23]\.\d+(?:\.\d+)?(?:(?:a|b|rc)\d+)?")
_PROGRAM = regex(r"(?:python|pip)(?:\d+(?:\.\d+)?)?")


class Interpreter(NamedTuple):
    """A Python of an image."""

    version: str
    """As far as the image's name tells it: `3.11` or `3.11.9`."""
    prefix: Value
    names: tuple[str, ...]
    """The names it can be started by: `python`, `python3`, `python3.11`."""
    has_pip: bool | Unknown
    """Whether `pip` and `python -m pip` install for it."""
    is_externally_managed: bool | Unknown
    """Whether pip refuses to install into it outside a virtual environment (PEP 668)."""
    is_verified: bool
    """Whether the fact was held against its source; one from memory must not make a finding an error."""

    @property
    def minor(self) -> str:
        """The version's first two parts."""
        return ".".join(self.version.split(".")[:2])


Python = Interpreter | Unknown | None
"""None where an image surely has none."""


def is_python_program(name: str) -> bool:
    """Whether a program of this name belongs to a Python: `python3.11`, `pip`."""
    return _PROGRAM.fullmatch(name) is not None


@cache
def servers() -> frozenset[str]:
    """The programs of servers that come as distributions of Python and from nowhere else: Node has a `serve` too."""
    rows = (row for row in facts.rows("servers") if "program" in row and row.get("kind") != "native")
    return frozenset(row["program"] for row in rows) - {"manage.py", "serve"}


def names_of(version: str) -> tuple[str, ...]:
    """The names a Python of this version gets from `make install`, conda and venv."""
    major, minor = version.split(".")[:2]
    return ("python", f"python{major}", f"python{major}.{minor}")


def of_row(row: Mapping[str, str], name: str, tag: str, found: Release) -> Python:
    """The Python of an image by its row in the tables."""
    says = row.get("python", "")
    if says == "none":
        return None
    if says == "distro":
        return _of_distro(row, found)
    version = _in_tag(tag) if says == "tag" else _in_words(name, tag) if says == "word" else says
    if not version:
        return Unknown(f"{name}:{tag} does not tell which Python it has")
    names = tuple(row["names"].split()) if "names" in row else names_of(version)
    prefix = row.get("prefix", "?")
    where = Unknown(f"where {name} has its Python is not known") if prefix == "?" else prefix
    has_pip = {"yes": True, "no": False}.get(row.get("pip", ""), Unknown(f"whether {name} has pip is not known"))
    managed = _is_managed(found) if prefix == "/usr" else False if isinstance(where, str) else where
    return Interpreter(version, where, names, has_pip, managed, row["status"] == "verified")


def _in_tag(tag: str) -> str:
    return next((match[0] for word in re.split("[-_]", tag) if (match := _MINOR.match(word))), "")


def _in_words(name: str, tag: str) -> str:
    parts = words(name, tag)
    for stem in ("python", "py"):
        for number in numbers_behind(stem, parts):
            # Tags write 3.11 as 311 too.
            version = f"{number[0]}.{number[1:]}" if number.isdigit() and len(number) > 1 else number
            if _MINOR.fullmatch(version):
                return version
    return ""


def _of_distro(row: Mapping[str, str], found: Release) -> Python:
    packaged = _packaged(found)
    if packaged is None:
        return Unknown(f"which Python the distribution has is not known: {_reason(found)}")
    version = packaged["python"]
    major, minor = version.split(".")[:2]
    names = (f"python{major}", f"python{major}.{minor}")
    verified = row["status"] == packaged["status"] == "verified"
    return Interpreter(version, "/usr", names, False, _is_managed(found), verified)


def _is_managed(found: Release) -> bool | Unknown:
    packaged = _packaged(found)
    if packaged is None:
        return Unknown(f"whether pip may install into /usr is not known: {_reason(found)}")
    return packaged["managed"] == "yes"


def _packaged(found: Release) -> Mapping[str, str] | None:
    """The row of the Python that a release packages as `python3`."""
    family = family_of(found.distro) if isinstance(found.distro, str) else None
    rows = (row for row in facts.rows("distro_pythons") if row["family"] == family)
    return next((row for row in rows if found.suite in (row["suite"], row["version"])), None)


def _reason(found: Release) -> str:
    return next((each.reason for each in found if isinstance(each, Unknown)), "its release is not in the tables")
