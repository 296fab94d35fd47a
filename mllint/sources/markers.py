"""Environment markers (PEP 508, and the `extras` and `dependency_groups` of PEP 751) evaluated for a Linux image."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    import re

_EXTRA = regex(r"""\bextra\s*(?P<operator>==|!=)\s*(['"])(?P<name>[^'"]*)\2""")
_MEMBER = regex(r"""(['"])(?P<name>[^'"]*)\1\s+(?P<not>not\s+)?in\s+(?P<of>extras|dependency_groups)\b""")
_TRUE, _FALSE = "os_name == 'posix'", "os_name != 'posix'"


class Environment(NamedTuple):
    """What markers ask about: a CPython on Linux, and what is asked for of the project."""

    python: str = "3.11"
    """A minor version, which stands for its newest patch release, or a full version."""
    machine: str = "x86_64"
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


def machine_of(platform: object) -> str:
    """The machine of a platform as `--platform` names it (`linux/arm64`), x86-64 for any other one."""
    return "aarch64" if isinstance(platform, str) and ("arm64" in platform or "aarch64" in platform) else "x86_64"


def holds(marker: str, environment: Environment) -> bool:
    """Whether a marker is true there; one that cannot be read counts as true, as then the package is wanted."""
    # packaging compares `extra` to one name; here several may be active.
    marker = _EXTRA.sub(
        lambda match: _constant((match["name"] in environment.extras) == (match["operator"] == "==")), marker
    )
    marker = _MEMBER.sub(lambda match: _constant(_is_member(match, environment)), marker)
    return _evaluated(marker, environment.python, environment.machine)


def _constant(value: bool) -> str:
    return _TRUE if value else _FALSE


def _is_member(match: re.Match[str], environment: Environment) -> bool:
    members = environment.extras if match["of"] == "extras" else environment.groups
    return (match["name"] in members) != bool(match["not"])


@lru_cache(maxsize=4096)
def _evaluated(marker: str, python: str, machine: str) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.version import InvalidVersion

    minor = ".".join(python.split(".")[:2])
    full = python if python.count(".") > 1 else f"{python}.99"
    try:
        return Marker(marker).evaluate(
            {
                "extra": "",
                "implementation_name": "cpython",
                "implementation_version": full,
                "os_name": "posix",
                "platform_machine": machine,
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_system": "Linux",
                "platform_version": "",
                "python_full_version": full,
                "python_version": minor,
                "sys_platform": "linux",
            }
        )
    except (InvalidMarker, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return True
