"""What of a base gets no fixes any more, by the table `end_of_life`, and which Python to take instead.

Time is that of the table, so that the same files give the same findings on every day.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import indexed, offered
from mllint.image.installing.offered import Platform
from mllint.image.interpreter import Interpreter
from mllint.image.names import common_name, fits
from mllint.image.releases import admits_python
from mllint.patterns import regex
from mllint.sources import pyproject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from mllint.image.base import Base
    from mllint.image.stage import Stage

REQUIRES_PYTHON = "requires-python of pyproject.toml"
"""What a project says of its Python, as a pin that holds an image back."""
_FRESH = timedelta(days=60)
"""How long an end may lie back before whoever keeps an image is late."""
_WORDS = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "alpine": "Alpine",
    "centos": "CentOS",
    "fedora": "Fedora",
    "amzn": "Amazon Linux",
    "opensuse-leap": "openSUSE Leap",
}
_SYSTEM = "/usr"
_WHEEL = regex(r"(?<![\w.-])([\w.]+-[\w.+%]+-cp3(\d+)-cp[\w.-]+\.whl)")
_PIPFILE = regex(r"^python_(?:full_)?version\s*=\s*[\"'](3\.\d+)", re.MULTILINE)
# What tells apt to ask other servers than those that the image names.
_OTHER_ARCHIVE = regex(r"sources\.list|/etc/apt|archive\.debian|old-releases|snapshot\.debian|Acquire::|\bproxy\b")


class Ended(NamedTuple):
    """A part of a base that gets no fixes any more."""

    what: str
    """In words: `Python 3.8`, `Debian 10 (buster)`."""
    row: Mapping[str, Any]

    @property
    def of(self) -> str:
        """`python`, or the ID of the distribution."""
        return str(self.row["of"])

    @property
    def day(self) -> str:
        """The day of its end, YYYY-MM-DD."""
        return str(self.row["ended"])

    @property
    def is_fresh(self) -> bool:
        """Whether it ended a short while before the day of the table."""
        return date.fromisoformat(facts.table("end_of_life")["date"]) - date.fromisoformat(self.day) < _FRESH


def ended(base: Base) -> list[Ended]:
    """The Python and the release of the distribution of a base that have ended."""
    found = []
    python, distro, suite = base.python, base.distro, base.suite
    # The distribution looks after a Python of its own as long as after the rest.
    if isinstance(python, Interpreter) and python.prefix != _SYSTEM and (row := _row("python", python.minor)):
        found.append(Ended(f"Python {python.minor}", row))
    if isinstance(distro, str) and isinstance(suite, str) and (row := _row(distro, suite)):
        number = next((each["version"] for each in facts.by("distro_releases", "suite").get(suite, ())), suite)
        name = f" ({suite})" if distro == "debian" else ""
        found.append(Ended(f"{_WORDS.get(distro, distro)} {number}{name}", row))
    return found


def given_up(base: Base) -> Mapping[str, Any]:
    """The row of an image that its makers gave up; empty for others."""
    name = common_name(base.reference) if base.reference is not None else ""
    rows = facts.by("end_of_life", "of")["image"]
    return next((row for row in rows if fits(name, row["release"])), {})


def without_archive(stage: Stage) -> bool:
    """Whether a stage surely asks servers for packages that they do not have any more."""
    base = stage.root.base
    if not base.is_plain or not any(each.row.get("archive") == "gone" for each in ended(base)):
        return False
    for step in stage.steps:
        instruction = step.instruction
        if _OTHER_ARCHIVE.search(instruction.source.text, *instruction.span):
            return False
        for each in step.commands:
            words = [word.value for word in each.words[:3]]
            if words[:1] in (["apt-get"], ["apt"]) and "update" in words and each.is_sure:
                return True
    return False


def instead(base: Base) -> str:
    """The supported releases of its distribution, in words; empty where the table names none."""
    row = _row("instead", base.distro) if isinstance(base.distro, str) else None
    return str(row["use"]) if row else ""


class Pythons(NamedTuple):
    """The supported minor releases of Python that suit what a base is used for."""

    minors: tuple[str, ...]
    held_by: str | None
    """A pin that has wheels for none of them."""
    has_pins: bool


def suited(root: Stage) -> Pythons:
    """The supported Pythons that all pins installed on a base have wheels for."""
    minors = supported()
    found = dict(pins(root))
    held = next((name for name, each in found.items() if not set(minors).intersection(each)), None)
    common = tuple(minor for minor in minors if all(minor in each for each in found.values()))
    return Pythons(common, held, bool(found))


def supported() -> tuple[str, ...]:
    """The minor releases of Python that get fixes, and that the tables know images of."""
    minors = dict.fromkeys(row["minor"] for row in facts.rows("python_images"))
    return tuple(minor for minor in minors if _row("python", minor) is None)


def pins(root: Stage) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The pins of the calls of pip and uv on a base, each with the Pythons that it has wheels for."""
    libc, architecture = root.base.libc, root.platform
    # Another release of the distribution, with another version of its libc, may come along.
    is_arm = isinstance(architecture, str) and "arm64" in architecture
    platform = Platform("musl" if libc == "musl" else "glibc", None, is_arm)
    for stage in root.build.stages:
        for step in stage.steps if stage.root is root else ():
            for install in step.installs:
                for each in indexed.asked(stage, install):
                    found = offered.offer(each.name, each.version) if each.version else None
                    if found is not None and found.python:
                        yield f"{each.name} {each.version}", found.minors(platform)
        yield from _of_wheels(stage) if stage.root is root else ()
    yield from _of_project(root)


def _of_wheels(stage: Stage) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The wheels that a stage names by path or address."""
    for step in stage.steps:
        for match in _WHEEL.finditer(stage.build.source.text, *step.instruction.span):
            yield match[1], (f"3.{match[2]}",)


def _of_project(root: Stage) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the project beside the Dockerfile says of its Python."""
    pipfile = root.build.context.text("Pipfile")
    match = _PIPFILE.search(pipfile.text) if pipfile is not None else None
    if match is not None:
        yield "the Pipfile", (match[1],)
    source = root.build.context.text("pyproject.toml")
    project = root.build.context.inputs.parsed(source, pyproject.parse) if source is not None else None
    if project is not None and project.requires_python is not None:
        text = project.requires_python.text
        yield REQUIRES_PYTHON, tuple(each for each in supported() if admits_python(text, each))


def _row(of: str, release: str) -> Mapping[str, Any] | None:
    rows = facts.by("end_of_life", "of").get(of, ())
    return next((row for row in rows if row["release"] == release), None)
