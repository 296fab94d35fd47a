"""The Docker engine that images are built and run on."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mllint.verification.background import begun
from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from docker import DockerClient

_TIMEOUT = 300
"""Seconds that the engine may be silent."""
_OLDEST_API = (1, 30)
"""That of Docker 17.06: the first that reports how it starts a health check."""
_BUILDKIT_API = (1, 39)
"""That of Docker 18.09."""


@dataclass(frozen=True)
class Engine:
    """An engine that answered."""

    client: DockerClient
    name: str
    """`Docker 26.1.5`, `Podman 4.3.1`."""
    context: str
    """What the docker command calls it: the name of a docker context, `default` for that of DOCKER_HOST."""
    has_buildkit: bool
    buildx: Future[str]
    """What `docker buildx version` prints on this machine; nothing where there is no such command."""

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman behind Docker's API: it runs no HEALTHCHECK by itself."""
        return self.name.startswith("Podman")


@contextmanager
def answering() -> Iterator[None]:
    """Raises VerifyError where the engine does not answer what it is asked inside, or refuses it."""
    import requests
    from docker.errors import APIError

    try:
        yield
    except (APIError, requests.RequestException) as error:
        raise VerifyError(f"the Docker engine broke off: {getattr(error, 'explanation', None) or error}") from error


def said(*command: str) -> str:
    """What a command prints; nothing where it fails."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return ran.stdout if ran.returncode == 0 else ""


def connect() -> Engine:
    """The engine of DOCKER_HOST, else of the current docker context. Raises VerifyError, which tells what to do."""
    # The answer takes as long as it takes to load the SDK.
    buildx = begun(said, "docker", "buildx", "version")
    import requests
    from docker.errors import DockerException

    context = _context()
    try:
        client = _client(context)
        version = client.version()
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        raise VerifyError(_refusal(error, context)) from error
    return _engine(client, version, context, buildx)


def _engine(client: DockerClient, version: dict[str, Any], context: str, buildx: Future[str]) -> Engine:
    names = [each["Name"] for each in version.get("Components") or ()]
    is_podman = "Podman Engine" in names
    number = version["Version"].partition("+")[0]
    name = f"{'Podman' if is_podman else 'Docker'} {number}"
    api = _numbers(version["ApiVersion"])
    if api < _OLDEST_API:
        raise VerifyError(
            f"{name} is too old for mllint: its API is {version['ApiVersion']}, take Docker 19.03 or newer"
        )
    if version.get("Os", "linux") != "linux":
        raise VerifyError(f"{name} runs {version['Os']} containers: switch it to Linux containers")
    return Engine(client, name, context, api >= _BUILDKIT_API and not is_podman, buildx)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _context() -> str:
    """The docker context that counts, as the docker command chooses it."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    from docker.context.config import get_current_context_name

    return os.environ.get("DOCKER_CONTEXT") or get_current_context_name()


def _client(context: str) -> DockerClient:
    import docker
    from docker.context import Context

    if context == "default":
        return docker.from_env(timeout=_TIMEOUT, use_ssh_client=True)
    try:
        found = Context.load_context(context)
    except Exception as error:  # The SDK raises no other for a file that it cannot read.
        raise VerifyError(f"the docker context {context} cannot be read: {error}") from error
    if found is None:
        raise VerifyError(f"there is no docker context {context}: docker context ls shows those that there are")
    tls = found.TLSConfig or False
    return docker.DockerClient(base_url=found.Host, tls=tls, timeout=_TIMEOUT, use_ssh_client=True)


def _refusal(error: Exception, context: str) -> str:
    """Why no engine answered, and what to do about it."""
    text = str(error)
    if "PermissionError" in text or "Permission denied" in text:
        return (
            "the Docker engine refuses you: join the group docker (sudo usermod -aG docker $USER, then log in again),"
            " or run as a user who may use it"
        )
    if "API versions below" in text or "client version" in text:
        return f"the Docker engine is too old for mllint, take Docker 19.03 or newer: {text}"
    host = os.environ.get("DOCKER_HOST")
    if host:
        return f"no Docker engine answers at {host}, where the variable DOCKER_HOST points: {text}"
    if context != "default":
        return f"no Docker engine answers where the docker context {context} points: {text}"
    is_off = "FileNotFoundError" in text or "ConnectionRefusedError" in text
    why = "" if is_off else f" ({text})"
    return f"no Docker engine answers{why}: start Docker, or name the engine in the variable DOCKER_HOST"
