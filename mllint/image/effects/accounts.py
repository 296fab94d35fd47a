"""Commands that make users."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from mllint.image.effects.files import split
from mllint.image.events import User
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.base import Base
    from mllint.image.effects.work import Work
    from mllint.image.shell.commands import Executed

USERADD_VALUES = "bcdefGgkKpRPsuZ"
"""The short options of useradd that take a value."""
USERADD_LONG = tuple(
    "--base-dir --comment --home-dir --home --expiredate --inactive --gid --groups --skel --key --password --root"
    " --shell --uid".split()
)
"""The long ones."""
_ADDUSER_LONG = tuple("--home --shell --uid --gid --ingroup --gecos --firstuid --lastuid --conf".split())
_BUSYBOX_VALUES = "hgsGuk"
_OLD_SUITES = frozenset("stretch buster bullseye xenial bionic focal jammy 16.04 18.04 20.04 22.04".split())


def _useradd(work: Work, each: Executed) -> None:
    """shadow's tool makes a home folder only with `-m`."""
    operands, options = split(each, USERADD_VALUES, USERADD_LONG)
    if not operands:
        return
    home = options.get("-d", options.get("--home-dir", options.get("--home")))
    base = options.get("-b", options.get("--base-dir", "/home"))
    makes = bool({"-m", "--create-home"} & options.keys())
    system = bool({"-r", "--system"} & options.keys())
    # Red Hat's login.defs makes the home folder of ordinary users unless told not to.
    if work.base.family == "rhel" and not system and not {"-M", "--no-create-home"} & options.keys():
        makes = True
    _add(work, each, operands[-1].value, options.get("-u", options.get("--uid")), home, base, makes, system)


def _adduser(work: Work, each: Executed) -> None:
    """Debian's tool and BusyBox's make the home folder unless told not to."""
    is_busybox = work.base.family in ("alpine", "busybox", "wolfi")
    if work.base.family == "rhel":
        _useradd(work, each)
        return
    operands, options = split(each, _BUSYBOX_VALUES if is_busybox else "", _ADDUSER_LONG)
    if not operands:
        return
    if not is_busybox and len(operands) > 1:
        return
    home: Value | None = options.get("-h" if is_busybox else "--home", options.get("--home"))
    system = bool({"-S", "--system", "-r"} & options.keys())
    skips = bool({"-H", "--no-create-home"} & options.keys())
    makes = not skips
    if system and not is_busybox and home is None:
        home, makes = _system_home(work, operands[0].value, skips)
    _add(work, each, operands[0].value, options.get("-u", options.get("--uid")), home, "/home", makes, system)


def _system_home(work: Work, name: str, skips: bool) -> tuple[Value, bool]:
    """Since Debian 12 and Ubuntu 23.04 adduser gives system users /nonexistent and makes nothing."""
    suite = work.base.suite
    if isinstance(suite, Unknown):
        return Unknown(f"where adduser puts the home folder depends on the release of {work.base.text}"), False
    if suite in _OLD_SUITES:
        return f"/home/{name}", not skips
    return "/nonexistent", False


def _add(
    work: Work,
    each: Executed,
    name: str,
    uid: str | None,
    home: Value | None,
    base: str,
    makes_home: bool,
    is_system: bool,
) -> None:
    if "$" in name:
        work.unsure(each, f"the shell computes the user {name}", "users")
        return
    number: Value = uid if uid and uid.isdecimal() else _next_uid(work, each, is_system, uid)
    place: Value = f"{base.rstrip('/')}/{name}" if home is None else home
    if isinstance(place, str) and "$" in place:
        place = Unknown(f"the shell computes {place}")
    work.events.append(User(work.cause(each), name, number, Unknown("the group"), place, makes_home, is_system))


def _next_uid(work: Work, each: Executed, is_system: bool, given: str | None) -> Value:
    """The first ordinary account gets 1000 where the image has none; system accounts take what is free. From then on
    useradd counts on from the highest, and adduser takes the first number that no user and no group has."""
    if given:
        return Unknown(f"the shell computes the uid {given}")
    if is_system or work.view.doubt("users") is not None or not work.base.is_plain:
        return Unknown("the system picks a free uid")
    taken = {event.uid for event in work.events if isinstance(event, User) and not event.is_system}
    if any(isinstance(uid, Unknown) for uid in taken) or _has_ordinary_user(work.base):
        return Unknown("the system picks a free uid")
    numbers = {int(uid) for uid in taken if isinstance(uid, str) and 1000 <= int(uid) < 60000}
    if each.name == "useradd" or work.base.family == "rhel":
        return str(max([999, *numbers]) + 1)
    if _makes_groups(work):
        return Unknown("the system picks a uid that no group has")
    return str(next(number for number in count(1000) if number not in numbers))


def _makes_groups(work: Work) -> bool:
    """Whether a command so far may have made an ordinary group of its own."""
    return any(
        each.name in ("groupadd", "addgroup") and not {"-r", "-S", "--system"} & set(each.arguments)
        for step in (*work.stage.steps_before(work.step), work.step)
        for each in step.commands
    )


def _has_ordinary_user(base: Base) -> bool:
    """Ubuntu's images have a user with the uid 1000 since 23.04, and other images may have theirs."""
    if base.family == "ubuntu":
        return base.suite not in _OLD_SUITES
    return base.user != "root" or base.family not in ("debian", "alpine")


def _nothing(work: Work, each: Executed) -> None:
    """Groups and passwords are not followed."""


def _usermod(work: Work, each: Executed) -> None:
    _, options = split(each, "cdegGlpsu", ("--home", "--uid", "--login", "--shell", "--groups"))
    if {"-d", "--home", "-u", "--uid", "-l", "--login"} & options.keys():
        _remove(work, each)


def _remove(work: Work, each: Executed) -> None:
    work.unsure(each, f"{each.name} changes the users", "users")


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    "useradd": _useradd,
    "adduser": _adduser,
    "groupadd": _nothing,
    "addgroup": _nothing,
    "groupmod": _nothing,
    "usermod": _usermod,
    "passwd": _nothing,
    "chpasswd": _nothing,
    "userdel": _remove,
    "deluser": _remove,
}
