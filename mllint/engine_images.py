"""Looks into an image that a Docker engine has, without running anything of it."""

from __future__ import annotations

import io
import tarfile
import uuid
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from mllint.describe import Files, base_of, search_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _typeshed import WriteableBuffer
    from docker import DockerClient

    from mllint.config import Base

_LABELS = MappingProxyType({"mllint": "describe"})
_TIMEOUT = 300
"""Seconds that the engine may be silent."""


class EngineError(Exception):
    """The engine could not be asked, or does not have the image; str() says what to do."""


class _Stream(io.RawIOBase):
    """The chunks of a download as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)
        self.left = self.left or next(self.chunks, b"")
        count = min(len(target), len(self.left))
        target[:count], self.left = self.left[:count], self.left[count:]
        return count


def describe(image: str) -> Base:
    """The description of an image by its configuration and its files. Raises EngineError."""
    import docker.errors
    import requests
    import urllib3

    try:
        client = docker.from_env(timeout=_TIMEOUT)
    except docker.errors.DockerException as error:
        raise EngineError(_unreachable(error)) from error
    try:
        return described(client, image)
    except docker.errors.ImageNotFound as error:
        raise EngineError(f"{image} is not on this machine, pull it first: docker pull {image}") from error
    except docker.errors.APIError as error:
        raise EngineError(f"the Docker engine refuses {image}: {error.explanation or error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, tarfile.TarError) as error:
        raise EngineError(f"the Docker engine broke off while {image} was read: {error}") from error
    finally:
        client.close()


def _unreachable(error: Exception) -> str:
    if "PermissionError" in str(error):
        return "the Docker engine refuses you: join the group docker, or run as a user who may use it"
    return "no Docker engine answers: start Docker, or name the engine in the variable DOCKER_HOST"


def described(client: DockerClient, image: str, labels: Mapping[str, str] = _LABELS) -> Base:
    """The same by an engine that is connected already; the container that is made of the image gets the labels. Raises
    docker.errors.APIError, tarfile.TarError and what the connection raises."""
    found = client.images.get(image)
    config = found.attrs["Config"] or {}
    files = Files(search_path(config))
    with _container(client, found.id, labels) as name:
        # In pieces: an image may be larger than the memory.
        files.read(io.BufferedReader(_Stream(client.api.export(name))))
    return base_of(config, files, found.attrs.get("Architecture", ""))


@contextmanager
def _container(client: DockerClient, image: str, labels: Mapping[str, str]) -> Iterator[str]:
    """The name of a container that is made of an image and never started; it is gone afterwards."""
    from docker.errors import NotFound

    # Named beforehand, to be found again if the answer never comes.
    name = f"mllint-describe-{uuid.uuid4().hex}"
    try:
        # An image without a command makes no container, so it is given one.
        client.api.create_container(image, command=["/"], name=name, labels=dict(labels))
        yield name
    finally:
        with suppress(NotFound):
            client.api.remove_container(name, v=True, force=True)
