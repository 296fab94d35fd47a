"""Who the first process of a container is, and how it ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mllint.verification.records import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.verification.container import Container
    from mllint.verification.records import Variant

_PATIENCE = 5.0
_KILLED = 137
_SHELLS = ("sh", "bash", "dash", "ash")
_ENDED_WELL = (0, 130, 143)


def user(container: Container, variant: Variant) -> Row:
    """The row `user`: the number that PID 1 runs under, as the container sees it."""
    uid = _uid(container)
    if uid is None:
        return Row("user", "note", "who runs PID 1 cannot be told")
    if uid:
        return Row("user", "pass", f"uid {uid}", number=uid)
    if variant.is_root_fine:
        return Row("user", "pass", "uid 0, as the configuration allows", number=0)
    return Row("user", "fail", "uid 0: the service runs as root", number=0)


def _uid(container: Container) -> int | None:
    from docker.errors import APIError

    for line in container.run(("cat", "/proc/1/status"), _PATIENCE, user="0").output:
        if line.startswith("Uid:"):
            return int(line.split()[2])
    # An image without `cat`. With user namespaces the number is that of the host.
    first = str(container.state()["Pid"])
    try:
        rows: list[list[str]] = container.session.client.api.top(container.id, ps_args="-eo uid,pid")["Processes"]
    except APIError:
        return None
    return next((int(uid) for uid, pid in rows if pid == first and uid.isdecimal()), None)


def stops(container: Container, variant: Variant) -> Row:
    """The row `stops`: the seconds from the image's stop signal to the end of PID 1."""
    before = container.attributes()
    if not before["State"]["Running"]:
        code = before["State"]["ExitCode"]
        return Row("stops", "fail", f"the container had ended by itself with exit code {code}", container.log())
    signal = before["Config"].get("StopSignal") or "SIGTERM"
    limit = math.ceil(variant.limits.stop)
    seconds = container.stop(limit)
    code = container.state()["ExitCode"]
    if code == _KILLED and seconds >= limit:
        why = _why(before["Path"], before["Args"])
        return Row("stops", "fail", f"killed after {limit} s: {signal} does not end it", (why,), seconds)
    value = f"in {seconds:.1f} s, exit code {code}"
    if code in _ENDED_WELL:
        return Row("stops", "pass", value, number=seconds)
    return Row("stops", "note", value, container.log(), seconds)


def _why(program: str, arguments: Sequence[str]) -> str:
    command = " ".join((program, *arguments))
    if program.rpartition("/")[2] in _SHELLS:
        return f"PID 1 is a shell, which hands no signal on; use the exec form, or `exec` before the program: {command}"
    return f"PID 1 is {command}: as PID 1 a process gets only the signals that it has a handler for"
