"""A container of an image that was built, started as the image says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import masking
from mllint.patterns import regex
from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from docker.errors import APIError
    from docker.types import DeviceRequest

    from mllint.verification.session import Session

_CONTROL = regex(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WIDEST = 500
"""Characters of a line that reports show."""
_LOG_LINES = 20
CANNOT_RUN = (126, 127)
"""The exit codes for a program that may not be run, and for one that is not there."""
# What the engine says when the image's command, user or folder is wrong.
_OF_IMAGE = regex(r"\bexec: |chdir to cwd|unable to find (?:user|group)|no matching entries|no command specified")
_NO_GPU = regex(r"could not select device driver|nvidia-container|CDI device|GPU vendor|libnvidia|adapters were found")
_PREFACE = regex(r"^.*unable to start container process: |: unknown$")
_ADVICE = {
    "rlimit": "its default ulimits are above what it may set: lower `default-ulimits` in its daemon.json",
    "cgroup": "it has no usable cgroups: see what `docker run hello-world` says",
    "no space left": "its disk is full: `docker system prune` frees space",
}


class NotStarted(Exception):
    """A container that does not start, which is the fault of the image; str() is what the engine says."""


class NoGpu(Exception):
    """The engine cannot give a container GPUs; str() is what it says."""


class Ran(NamedTuple):
    """A command that was run in a container."""

    code: int | None
    """The exit code; None where it had not ended in time."""
    output: tuple[str, ...]

    @property
    def cannot_run(self) -> bool:
        """Whether there is no such program, or nobody may run it."""
        return self.code in CANNOT_RUN


class Command:
    """A command that runs in a container."""

    def __init__(self, run: Callable[[], Ran], seconds: float) -> None:
        self.seconds = seconds
        """How long it may take."""
        self.begun = time.perf_counter()
        self._ran: list[Ran] = []
        # Nobody waits for it at the end: the container goes away, and the command with it.
        self._worker = threading.Thread(target=lambda: self._ran.append(run()), daemon=True)
        self._worker.start()

    @property
    def ran(self) -> Ran | None:
        """What came out; None while it runs and has time left."""
        if self._ran:
            return self._ran[0]
        is_late = time.perf_counter() - self.begun >= self.seconds
        return Ran(None, (f"not done within {self.seconds:g} s",)) if is_late else None

    def wait(self) -> Ran:
        """What came out, once it is done or its time is up."""
        self._worker.join(self.seconds)
        return self._ran[0] if self._ran else Ran(None, (f"not done within {self.seconds:g} s",))


class Container:
    """A container that runs, or ran, until the session removes it."""

    def __init__(self, session: Session, identifier: str) -> None:
        self.session = session
        self.id = identifier
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.perf_counter() - self.started

    def attributes(self) -> dict[str, Any]:
        """What `docker inspect` shows."""
        attributes: dict[str, Any] = self.session.client.api.inspect_container(self.id)
        return attributes

    def state(self) -> dict[str, Any]:
        """What it shows below State."""
        state: dict[str, Any] = self.attributes()["State"]
        return state

    def published(self, port: int) -> int | None:
        """The port of the engine's loopback that leads to one of the container; None once it has ended."""
        bound = self.attributes()["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        return int(bound[0]["HostPort"]) if bound else None

    def log(self) -> tuple[str, ...]:
        """The last lines that it printed."""
        from docker.errors import APIError

        try:
            output: bytes = self.session.client.api.logs(self.id, tail=_LOG_LINES)
        except APIError as error:
            # Not every place that an engine may send logs to can be read from.
            return (explained(error),)
        return lines(output)

    def run(self, command: Sequence[str], seconds: float, user: str = "") -> Ran:
        """Run a command inside, with the environment and in the folder of the container, as its user unless another is
        named. One that takes longer is left to itself."""
        return self.begin(command, seconds, user).wait()

    def begin(self, command: Sequence[str], seconds: float, user: str = "") -> Command:
        """The same, to go on with something else in the meantime."""
        return Command(lambda: self._run(command, user), seconds)

    def _run(self, command: Sequence[str], user: str) -> Ran:
        import docker.errors
        import requests

        api = self.session.client.api
        try:
            identifier = api.exec_create(self.id, list(command), user=user)["Id"]
            output: bytes = api.exec_start(identifier)
            # The kernel sets NUL between the words of a command line.
            return Ran(api.exec_inspect(identifier)["ExitCode"], lines(output.replace(b"\0", b" ")))
        except docker.errors.APIError as error:
            return Ran(CANNOT_RUN[0], lines(explained(error).encode()))
        except (requests.RequestException, OSError) as error:
            return Ran(None, lines(str(error).encode()))

    def stop(self, seconds: float) -> float:
        """Stop it as `docker stop` does, by the image's own signal, and kill it where it has not ended by then. Gives
        the seconds until it has ended."""
        before = time.perf_counter()
        self.session.client.api.stop(self.id, timeout=max(round(seconds), 1))
        return time.perf_counter() - before


def start(
    session: Session, image: str, env: Mapping[str, str], port: int | None, devices: list[DeviceRequest] | None
) -> Container:
    """Start a container, of the command that the image names and without init; the engine chooses where on its loopback
    the port is published. Raises NotStarted, NoGpu and VerifyError."""
    import docker.errors

    api = session.client.api
    try:
        host = api.create_host_config(
            port_bindings={port: ("127.0.0.1", None)} if port else None,
            device_requests=devices,
            # The engine may be set up to give every container one.
            init=False,
        )
        made = api.create_container(
            image, environment=dict(env), ports=[port] if port else None, host_config=host, labels=dict(session.labels)
        )
        api.start(made["Id"])
    except docker.errors.APIError as error:
        raise _refusal(explained(error)) from error
    return Container(session, made["Id"])


def explained(error: APIError) -> str:
    """What the engine says of an error, without the names of the programs that handed it on."""
    text = _PREFACE.sub("", str(error.explanation or error))
    return " ".join(_PREFACE.sub("", text).split())


def _refusal(text: str) -> Exception:
    if _NO_GPU.search(text):
        return NoGpu(text)
    if _OF_IMAGE.search(text):
        return NotStarted(text)
    advice = next((each for mark, each in _ADVICE.items() if mark in text), "see what `docker run hello-world` says")
    return VerifyError(f"the engine starts no container: {text}; {advice}")


def lines(output: bytes) -> tuple[str, ...]:
    """The lines of an output, credentials masked, without what would move a terminal's cursor."""
    text = masking.mask(_CONTROL.sub("", output.decode("utf-8", "replace").replace("\r", "\n")), False)
    return tuple(line[:_WIDEST] for line in text.split("\n") if line.strip())
