"""Package managers of the operating system: which programs and interpreters they bring."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.events import Distribution, Interpreter, Programs, Put
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.effects.work import Work
    from mllint.image.events import Cause
    from mllint.image.shell.commands import Executed

_REMOVALS = frozenset({"remove", "purge", "autoremove", "del", "erase"})
_NO_PROGRAMS = regex(
    r"lib[\w.+-]*|[\w.+-]+-(?:dev|devel|doc|data|common|dbg|headers|locale\w*|static)|fonts?-[\w-]+|ttf-[\w-]+"
    r"|(?:python3?|py3)-(?!pip|venv|full|dev|minimal|setuptools)[\w.+-]+|ca-certificates[\w-]*|tzdata|locales(?:-all)?|gnupg2?"
    r"|apt-(?:utils|transport-https)|software-properties-common|dirmngr|linux-headers|musl-dev|readline[\w-]*|xz-libs"
)
_WITH_PIP = ("pip", "setuptools", "wheel")
_WHEEL_ALONE = 13
"""The minor release of Python 3 since which Debian's pip comes without setuptools, and its wheel with packaging."""
_PYTHON_2 = regex(r"python(?P<named>2(?:\.7)?)?(?:-[\w.+-]+)?")
_PYTHON_2_SUITES = frozenset("jessie 8 stretch 9 buster 10 trusty 14.04 xenial 16.04 bionic 18.04".split())
"""Releases of Debian and Ubuntu whose package `python` is Python 2.7."""
_PYTHON = regex(r"(?:python|py)(3?)(?:\.?(\d+))?(-minimal|-full|-pip|-venv|-dev|-devel|-distutils|-virtualenv)?")


def _manage(work: Work, each: Executed) -> None:
    """What one call of apt, apk or dnf installs or removes."""
    install = work.install(each)
    if install is not None and install.manager.language == "":
        cause = work.cause(each)
        for word in install.operands:
            name = re.split(r"[=<>~/:]", word.value)[0] if word.is_literal else ""
            if not name:
                work.unsure(each, f"the shell computes {word.text}", "files", "programs")
            elif not name.endswith("-"):
                _package(work, each, cause, name)
        return
    verb = next((word.value for word in each.words[1:] if not word.value.startswith("-")), "")
    if verb in _REMOVALS:
        for word in each.words[1:]:
            name = word.value
            if not name.startswith("-") and name not in _REMOVALS:
                gone = _programs(work, work.cause(each), name)
                work.events.append(gone._replace(names=gone.names or frozenset({name}), is_removed=True))


def _package(work: Work, each: Executed, cause: Cause, name: str) -> None:
    work.events.append(_programs(work, cause, name))
    if name == "python-is-python3":
        _python(work, cause, _match("python3"))
        work.put(each, "/usr/bin/python", "link", 0o777, "/usr/bin/python3")
    match = _PYTHON.fullmatch(name)
    if work.base.family in ("debian", "ubuntu") and _PYTHON_2.fullmatch(name):
        _python_2(work, cause, name)
    elif match is not None:
        _python(work, cause, match)
        if name == "python3-pip":
            for brought in _with_pip(work):
                _packaged_distribution(work, cause, brought)
    elif work.base.family in ("debian", "ubuntu") and name.startswith("python3-"):
        _packaged_distribution(work, cause, name.removeprefix("python3-"))
    elif work.base.family == "alpine" and name == "py3-pip":
        _python(work, cause, _match("python3-pip"))
    elif work.base.family == "alpine" and name.startswith("py3-"):
        _packaged_distribution(work, cause, name.removeprefix("py3-"))


def _match(name: str) -> re.Match[str]:
    match = _PYTHON.fullmatch(name)
    assert match is not None
    return match


def _with_pip(work: Work) -> tuple[str, ...]:
    """The distributions of the package python3-pip and of those it depends on."""
    minor = _default_minor(work)
    if work.base.family not in ("debian", "ubuntu") or isinstance(minor, Unknown):
        return ("pip",)
    return ("pip", "wheel", "packaging") if int(minor.partition(".")[2]) >= _WHEEL_ALONE else _WITH_PIP


def _packaged_distribution(work: Work, cause: Cause, name: str) -> None:
    if name in ("venv", "dev", "distutils", "full", "minimal", "apt"):
        return
    python = system_python(work)
    if python is not None:
        event = Distribution(
            cause,
            name,
            Unknown(f"the distribution's own release of {name}"),
            frozenset(),
            _apt_site(python),
            "/usr/bin",
            "apt",
        )
        work.events.append(event)


def _apt_site(python: Interpreter) -> str:
    return "/usr/lib/python3/dist-packages" if "dist-packages" in python.site else python.site


def _python(work: Work, cause: Cause, match: re.Match[str]) -> None:
    """A package `python3`, `python3.11`, `python3-pip` …: an interpreter, with pip or without."""
    major, minor, part = match.groups()
    if not major and not minor:
        return
    number = _minor_of(minor)
    version: Value = f"3.{number}" if number else _default_minor(work)
    names = {f"python{version}"} if number else {"python3"}
    if not number and isinstance(version, str):
        names.add(f"python{version}")
    if number and version == _default_minor(work):
        names.add(f"python{version}")
    has_pip = part == "-pip"
    known = _known(work, version)
    if known is not None:
        merged = known._replace(names=known.names | names, has_pip=has_pip or known.has_pip)
        work.events.append(merged)
        return
    if number and work.base.family == "rhel":
        names |= {"python3"}
    work.events.append(_interpreter(work, cause, version, frozenset(names), has_pip))


def _python_2(work: Work, cause: Cause, name: str) -> None:
    """A package of Debian's Python 2.7: `python`, `python2.7`, `python-dev`, `python-numpy` …"""
    match = _PYTHON_2.fullmatch(name)
    assert match is not None
    is_plain = match["named"] is None
    if is_plain and not (isinstance(work.base.suite, str) and work.base.suite in _PYTHON_2_SUITES):
        return
    names = frozenset({"python2.7"} | ({"python2"} if match["named"] != "2.7" else set()))
    names |= {"python"} if is_plain else set()
    known = _known(work, "2.7")
    has_pip = name.endswith("-pip")
    if known is not None:
        work.events.append(known._replace(names=known.names | names, has_pip=has_pip or known.has_pip))
    else:
        work.events.append(_interpreter(work, cause, "2.7", names, has_pip))


def _minor_of(text: str | None) -> str:
    """`python3.11`, `python311` and `python39` name a minor release."""
    if not text:
        return ""
    return text[1:] if len(text) > 2 and text.startswith("3") else text


def _known(work: Work, version: Value) -> Interpreter | None:
    for event in work.view.behind():
        if isinstance(event, Interpreter) and event.kind == "system" and event.minor == version:
            return event
    return None


def system_python(work: Work) -> Interpreter | None:
    """The interpreter of the operating system's own packages, brought along where one of them needs it."""
    version = _default_minor(work)
    known = _known(work, version)
    if known is None:
        _python(work, work.events[-1].cause, _match("python3"))
        known = _known(work, version)
    return known


def _interpreter(work: Work, cause: Cause, version: Value, names: frozenset[str], has_pip: bool) -> Interpreter:
    row = release(work.base.family, work.base.suite)
    is_default = version == _default_minor(work)
    managed: bool | Unknown = Unknown(f"the release of {work.base.text} is not known")
    if row is not None:
        managed = row["managed"] == "yes"
    site = "/usr/lib/python3.X/site-packages"
    if isinstance(version, str):
        is_debian = work.base.family in ("debian", "ubuntu")
        site = (
            f"/usr/local/lib/python{version}/dist-packages" if is_debian else f"/usr/lib/python{version}/site-packages"
        )
    return Interpreter(cause, "/usr", version, "system", names, managed if is_default else False, has_pip, site)


def _default_minor(work: Work) -> Value:
    row = release(work.base.family, work.base.suite)
    if row is None:
        return Unknown(f"which Python {work.base.text} has packages of is not known")
    minor: str = row["python"]
    return minor


def release(family: str | None, suite: Value | None) -> dict[str, str] | None:
    """The row of the table `distro_pythons` for a release of an operating system, by code name or number."""
    if not isinstance(suite, str):
        return None
    for row in facts.rows("distro_pythons"):
        if row["family"] == family and suite in (row["suite"], row["version"]):
            return row
    return None


def _programs(work: Work, cause: Cause, package: str) -> Programs:
    """The programs that a package brings."""
    row = _table().get((work.base.family or "", package))
    if row is None:
        brings_none = _NO_PROGRAMS.fullmatch(package) or _PYTHON.fullmatch(package)
        return Programs(cause, package, frozenset() if brings_none else None)
    names, perhaps = (frozenset(row.get(column, "").split()) for column in ("programs", "perhaps"))
    return Programs(cause, package, names, False, perhaps, row["status"] == "verified")


@cache
def _table() -> dict[tuple[str, str], dict[str, str]]:
    return {(family, row["package"]): row for row in facts.rows("system_packages") for family in row["family"].split()}


def _alternatives(work: Work, each: Executed) -> None:
    """`update-alternatives --install LINK NAME PATH PRIORITY`."""
    words = [word.value for word in each.words]
    if "--install" in words[:-3]:
        at = words.index("--install")
        work.events.append(Put(work.cause(each), words[at + 1], "link", "0", 0o777, words[at + 3]))


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    **dict.fromkeys(("apt-get", "apt", "aptitude", "apk", "dnf", "yum", "microdnf", "tdnf", "zypper"), _manage),
    "update-alternatives": _alternatives,
}
