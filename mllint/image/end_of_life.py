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
from mllint.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from mllint.image.base import Base
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

REQUIRES_PYTHON = "requires-python of pyproject.toml"
"""What a project says of its Python, as a pin that holds an image back."""
PIPFILE = "the Pipfile"
"""The same of a project that pipenv looks after."""
PYTHON_2 = "Python 2"
"""What holds an image back that installs for the Python 2 of its distribution."""
_FRESH = timedelta(days=60)
"""How long an end may lie back before whoever keeps an image is late."""
_LONG = timedelta(days=730)
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
_LINE = regex(r"\s*==\s*(\d[\d.]*\.)\*\s*")
_WHEEL = regex(r"(?<![\w.-])([\w.]+-[\w.+%]+-cp3(\d+)-cp[\w.-]+\.whl)")
_PYTHON_PACKAGE = regex(r"python3\.?\d+(?:-|$)")
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
        return self.age < _FRESH

    @property
    def age(self) -> timedelta:
        """How long before the day of the table it ended."""
        return date.fromisoformat(facts.table("end_of_life")["date"]) - date.fromisoformat(self.day)


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


def python_with(base: Base) -> str:
    """The oldest Python that images have on those releases, where it stands in the tag of the base; empty where the
    table names none."""
    row = _row("instead", base.distro) if isinstance(base.distro, str) and base.row.get("python") == "tag" else None
    return str(row.get("python", "")) if row else ""


class Pythons(NamedTuple):
    """The supported minor releases of Python that suit what a base is used for."""

    minors: tuple[str, ...]
    held_by: str | None
    """A pin that has wheels for none of them."""
    limited_by: str | None
    """A pin that has no wheel for the release behind them."""
    has_pins: bool
    are_known: bool
    """Whether the wheels of all pins are known."""


def suited(root: Stage) -> Pythons:
    """The supported Pythons that all pins installed on a base have wheels for."""
    minors = supported()
    every = dict(pins(root))
    found = {name: each for name, each in every.items() if each is not None}
    held = next((name for name, each in found.items() if not set(minors).intersection(each)), None)
    common = tuple(minor for minor in minors if all(minor in each for each in found.values()))
    behind = minors[minors.index(common[-1]) + 1 :] if common else ()
    limit = next((name for name, each in found.items() if behind and behind[0] not in each), None)
    return Pythons(common, held, limit, bool(found), len(found) == len(every))


def held(root: Stage, minors: Collection[str], are_all: bool = False) -> str | None:
    """A pin installed on a base that has wheels for none of these Pythons, or PYTHON_2; None for no Pythons."""
    if minors and _installs_for_python_2(root):
        return PYTHON_2
    found = pins(root, are_all) if minors else ()
    return next((name for name, each in found if each and not set(minors).intersection(each)), None)


def tied(root: Stage) -> str | None:
    """What the Python of another release needs, in words, as wheels or packages are named for the one of this; None
    for nothing."""
    stages = root.on_top
    if wheels := list(dict.fromkeys(name for stage in stages for name, _ in _of_wheels(stage))):
        return f"wheels for its Python in the place of {enumerated(wheels, 1)}"
    installs = (each for stage in stages for step in stage.steps for each in step.installs)
    names = (word.value for each in installs if each.manager.language != "python" for word in each.operands)
    packages = list(dict.fromkeys(name for name in names if _PYTHON_PACKAGE.match(name)))
    return f"packages for its Python in the place of {enumerated(packages, 1)}" if packages else None


def pythons_of(releases: str) -> tuple[str, ...]:
    """The Pythons that releases of a distribution package, by a text that names these: `Ubuntu 22.04 or 24.04`,
    `ubuntu22.04`."""
    family, numbers = releases.lower(), re.findall(r"\d+(?:\.\d+)?", releases)
    rows = (row for row in facts.rows("distro_pythons") if family.startswith(row["distro"]))
    return tuple(row["python"] for row in rows if row["version"] in numbers)


def supported() -> tuple[str, ...]:
    """The minor releases of Python that get fixes, and that the tables know images of."""
    minors = dict.fromkeys(row["minor"] for row in facts.rows("python_images"))
    return tuple(minor for minor in minors if _row("python", minor) is None)


def is_python_long_ended(minor: str | None) -> bool:
    """Whether a minor release of Python has had no fixes for so long that a project which left it behind makes no
    further release for it."""
    row = _row("python", minor) if minor is not None else None
    return row is not None and Ended("", row).age > _LONG


def pins(root: Stage, are_all: bool = False) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """The pins of the calls of pip and uv on a base, each with the Pythons that it has wheels for, None where they are
    not known; with `are_all` also those for another Python than that of the base."""
    libc, architecture = root.base.libc, root.platform
    # Another release of the distribution, with another version of its libc, may come along.
    is_arm = isinstance(architecture, str) and "arm64" in architecture
    platform = Platform("musl" if libc == "musl" else "glibc", None, is_arm)
    for stage in root.on_top:
        for step in stage.steps:
            for install in (each for each in step.installs if are_all or _is_of_base(stage, each)):
                for each in indexed.asked(stage, install):
                    if each.version is not None or _LINE.fullmatch(each.specifier):
                        number = each.version or each.specifier.strip().removeprefix("==").strip()
                        yield f"{each.name} {number}", _minors(each, platform)
        yield from _of_wheels(stage)
    yield from _of_project(root)


def _installs_for_python_2(root: Stage) -> bool:
    calls = ((stage, each) for stage in root.on_top for step in stage.steps for each in step.installs)
    found = (indexed.interpreter_of(*call) for call in calls)
    return any(each is not None and isinstance(each.minor, str) and each.minor.startswith("2.") for each in found)


def _minors(each: Asked, platform: Platform) -> tuple[str, ...] | None:
    """The Pythons that a pin, also one of a line of releases, has wheels for; None where that is not known."""
    # Another index has it built in another way, as a rule for the same Pythons.
    numbers = [each.version.partition("+")[0]] if each.version is not None else []
    if line := _LINE.fullmatch(each.specifier):
        numbers = [version for version in offered.releases(each.name) if f"{version}.".startswith(line[1])]
    offers = [found for version in numbers if (found := offered.offer(each.name, version)) and found.python]
    if not offers:
        return None
    return tuple(minor for minor in offered.MINORS if any(minor in found.minors(platform) for found in offers))


def _is_of_base(stage: Stage, install: Install) -> bool:
    """Whether a call may install for the Python of the base or its distribution, and not for one from elsewhere."""
    found = indexed.interpreter_of(stage, install)
    if found is None or not isinstance(found.minor, str):
        return True
    python, suite = stage.root.base.python, stage.root.base.suite
    if isinstance(python, Interpreter):
        return found.minor == python.minor
    rows = facts.by("distro_pythons", "suite").get(suite, ()) if isinstance(suite, str) else ()
    return all(found.minor == row["python"] for row in rows)


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
        yield PIPFILE, (match[1],)
    source = root.build.context.text("pyproject.toml")
    project = root.build.context.inputs.parsed(source, pyproject.parse) if source is not None else None
    if project is not None and project.requires_python is not None:
        text = project.requires_python.text
        yield REQUIRES_PYTHON, tuple(each for each in supported() if admits_python(text, each))


def _row(of: str, release: str) -> Mapping[str, Any] | None:
    rows = facts.by("end_of_life", "of").get(of, ())
    return next((row for row in rows if row["release"] == release), None)
