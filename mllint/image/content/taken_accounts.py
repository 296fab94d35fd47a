"""Users and groups that a command makes though the image has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.effects.accounts import USERADD_LONG, USERADD_VALUES
from mllint.image.effects.files import split
from mllint.image.events import User

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.view import View

_GROUPADD_VALUES = "gKpRPU"
_GROUPADD_LONG = ("--gid", "--key", "--password", "--root", "--prefix", "--users")
_CHANGES = frozenset({"userdel", "deluser", "groupdel", "delgroup", "usermod", "groupmod", "sed"})
_FAMILIES = frozenset({"debian", "ubuntu"})


class Taken(NamedTuple):
    """A command that makes what is there."""

    executed: Executed
    what: str
    """What is taken, as in `the uid 1000`."""
    owner: str
    """Who has it; empty for the same name."""
    others: str = ""
    """Which images have it, where this one is not known to."""
    is_verified: bool = True


def taken(stage: Stage) -> Iterator[Taken]:
    """Such commands of a stage that nothing keeps from failing."""
    for step in stage.steps:
        for at, each in enumerate(step.commands):
            is_plain = each.is_certain and not each.may_fail and not each.assignments
            if is_plain and not any(other.name in _CHANGES for other in step.commands[:at]):
                found = _of_user(stage, step, each) if each.name == "useradd" else None
                found = _of_group(stage, step, each) if each.name == "groupadd" else found
                if found is not None:
                    yield found


def _of_user(stage: Stage, step: Step, each: Executed) -> Taken | None:
    operands, options = split(each, USERADD_VALUES, USERADD_LONG)
    uid = options.get("-u", options.get("--uid", ""))
    if len(operands) != 1 or "$" in operands[0].value or {"-R", "--root", "-P"} & options.keys():
        return None
    view, name = stage.view_before(step), operands[0].value
    user = view.user(name)
    if isinstance(user, User):
        return _by_user(view, each, f"the user {name}", user)
    user = view.user(uid) if uid.isdecimal() and not {"-o", "--non-unique"} & options.keys() else None
    return _by_user(view, each, f"the uid {uid}", user, user.name) if isinstance(user, User) else None


def _by_user(view: View, each: Executed, what: str, user: User, owner: str = "") -> Taken | None:
    """What a user has. The table tells of one who came with the distribution, which an image built on it may lack."""
    if user.cause.step is not None or user.name == "root":
        return Taken(each, what, owner)
    if not view.base.is_plain:
        since = " from 23.04 on" if user.name == "ubuntu" else ""
        return Taken(each, what, owner, others=f"the images of {str(view.base.family).title()}{since}")
    rows = (row for row in facts.rows("accounts") if row["family"] == view.base.family)
    is_verified = any(row["account"].startswith(f"{user.name}:") and row["status"] == "verified" for row in rows)
    return Taken(each, what, owner, is_verified=is_verified)


def _of_group(stage: Stage, step: Step, each: Executed) -> Taken | None:
    operands, options = split(each, _GROUPADD_VALUES, _GROUPADD_LONG)
    if len(operands) != 1 or {"-f", "--force", "-R", "--root", "-P", "--prefix"} & options.keys():
        return None
    name, view = operands[0].value, stage.view_before(step)
    gid = options.get("-g", options.get("--gid", ""))
    user = view.user(gid) if gid.isdecimal() and not {"-o", "--non-unique"} & options.keys() else None
    if name in _groups(view) and not _is_changed(stage, step):
        return Taken(each, f"the group {name}", "")
    # Distributions give their users a group of the same number; what a step makes may have any.
    if isinstance(user, User) and user.cause.step is None and user.gid == gid:
        return _by_user(view, each, f"the gid {gid}", user, user.name)
    if not view.base.is_plain and name in {group for row in facts.rows("base_groups") for group in _names(row)}:
        return Taken(each, f"the group {name}", "", others="most distributions")
    return None


def _is_changed(stage: Stage, step: Step) -> bool:
    return any(each.name in _CHANGES for other in stage.steps_before(step) for each in other.commands)


def _groups(view: View) -> frozenset[str]:
    base = view.base
    rows = facts.rows("base_groups") if base.is_plain and base.family in _FAMILIES else ()
    return frozenset(name for row in rows if row["family"] == base.family for name in _names(row))


def _names(row: dict[str, str]) -> list[str]:
    return row["groups"].split()
