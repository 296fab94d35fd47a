"""Who the first process of a container is, and how it ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mllint.verification.records import Row

if TYPE_CHECKING:
    from mllint.verification.container import Container
    from mllint.verification.records import Variant

_PATIENCE = 5.0
_LAST_OF_STATUS = "nonvoluntary_ctxt_switches:"
_KILLED = 137
_SHELLS = ("sh", "bash", "dash", "ash")
_ENDED_WELL = (0, 130, 143)


class First(NamedTuple):
    """The first process of a container."""

    uid: int | None
    """As the container sees it; None where that cannot be told."""
    command: str


def first(container: Container) -> First:
    """The first process as it is now: an entry point may have handed over to another program."""
    from docker.errors import APIError

    status = container.run(("cat", "/proc/1/status", "/proc/1/cmdline"), _PATIENCE, user="0").output
    uid = next((int(line.split()[2]) for line in status if line.startswith("Uid:")), None)
    if uid is not None:
        last = next(number for number, line in enumerate(status) if line.startswith(_LAST_OF_STATUS))
        return First(uid, " ".join(status[last + 1 :]).strip())
    # An image without `cat`. With user namespaces the number is that of the host.
    attributes = container.attributes()
    number = str(attributes["State"]["Pid"])
    try:
        rows: list[list[str]] = container.session.client.api.top(container.id, ps_args="-eo uid,pid")["Processes"]
    except APIError:
        rows = []
    uid = next((int(uid) for uid, pid in rows if pid == number and uid.isdecimal()), None)
    return First(uid, " ".join((attributes["Path"], *attributes["Args"])))


def user(uid: int | None, variant: Variant) -> Row:
    """The row `user`."""
    if uid is None:
        return Row("user", "note", "who runs PID 1 cannot be told")
    if uid:
        return Row("user", "pass", f"uid {uid}", number=uid)
    if variant.is_root_fine:
        return Row("user", "pass", "uid 0, as the configuration allows", number=0)
    return Row("user", "fail", "uid 0: the service runs as root", number=0)


def stops(container: Container, variant: Variant, command: str) -> Row:
    """The row `stops`: the seconds from the image's stop signal to the end of PID 1, which runs a command."""
    before = container.attributes()
    if not before["State"]["Running"]:
        code = before["State"]["ExitCode"]
        return Row("stops", "fail", f"the container had ended by itself with exit code {code}", container.log())
    signal = before["Config"].get("StopSignal") or "SIGTERM"
    limit = math.ceil(variant.limits.stop)
    seconds = container.stop(limit)
    code = container.state()["ExitCode"]
    if code == _KILLED and seconds >= limit:
        return Row("stops", "fail", f"killed after {limit} s: {signal} does not end it", (_why(command),), seconds)
    value = f"in {seconds:.1f} s, exit code {code}"
    if code in _ENDED_WELL:
        return Row("stops", "pass", value, number=seconds)
    return Row("stops", "note", value, container.log(), seconds)


def _why(command: str) -> str:
    if command.partition(" ")[0].rpartition("/")[2] in _SHELLS:
        return f"PID 1 is a shell, which hands no signal on; use the exec form, or `exec` before the program: {command}"
    return f"PID 1 is {command}: as PID 1 a process gets only the signals that it has a handler for"
