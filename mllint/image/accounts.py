"""Users and groups as instructions name them, and the home folder that a process is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.stage import State


class Account(NamedTuple):
    """Who a process runs as or a file belongs to."""

    user: Value
    """A name or a number."""
    group: Value | None
    """None where the user's own group counts."""

    @property
    def is_root(self) -> bool | None:
        """Whether it is the superuser by name or number; None where nobody knows."""
        return None if isinstance(self.user, Unknown) else self.user == "root" or _number(self.user) == 0


def account(text: Value) -> Account:
    """The account of USER or `--chown`: `name`, `uid`, `name:group`, `uid:gid`. One without a user is root."""
    if isinstance(text, Unknown):
        return Account(text, text)
    user, _, group = text.partition(":")
    return Account(user or "root", group or None)


def home(state: State, entry: Callable[[str], Value | None], *, at_run_time: bool = False) -> Value:
    """HOME of a RUN, or of the container's process: the variable where it is set and not empty, else the home of the
    first line of /etc/passwd with the user's number, else `/` (as runc does it, tried with Docker 26.1).

    `entry` gives that home for a name or number, None where there is no such line.
    """
    given = state.env.get("HOME") if at_run_time else state.args.get("HOME", state.env.get("HOME"))
    if given:
        return given
    user = account(state.user).user
    if isinstance(user, Unknown):
        return user
    found = entry(user)
    if isinstance(found, Unknown) and account(user).is_root:
        return "/root"
    if found is None:
        return "/" if _number(user) is not None else Unknown(f"there is no user {user}")
    return found


def _number(user: str) -> int | None:
    return int(user) if user.isdecimal() else None
