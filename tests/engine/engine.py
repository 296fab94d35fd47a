"""A Docker engine for tests: builds and runs real images, and removes whatever a session made."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

PYTHON = "python:3.11-slim-bookworm"
CUDA = "nvidia/cuda:12.4.1-base-ubuntu22.04"
DEBIAN = "debian:bookworm-slim"


class EngineError(Exception):
    """There is no engine, or no base image, to test with: the message says what to do."""


class BuildError(Exception):
    """A build that failed: `log` is all it printed, and the message has the end of it."""

    def __init__(self, log: str) -> None:
        super().__init__("\n".join(["the image does not build:", *log.splitlines()[-40:]]))
        self.log = log


class Engine:
    """One session on an engine. What a test makes by `client` itself is removed with the rest if it gets `labels`."""

    def __init__(self) -> None:
        """Connect by DOCKER_HOST or the default socket. Raises EngineError."""
        try:
            self.client = docker.from_env()
            self.client.ping()
        except DockerException as error:
            raise EngineError(f"no Docker engine answers; on Debian `make engine` starts one ({error})") from None
        if not has_buildx():
            raise EngineError("the docker command or its plugin buildx is missing; on Debian `make engine` brings them")
        self.labels = {"mllint.test": uuid.uuid4().hex[:12]}

    def base(self, reference: str, say: Callable[[str], object] = print) -> str:
        """Give back the name of a base image that the engine has, or pulls now, saying so. Raises EngineError."""
        try:
            self.client.images.get(reference)
        except ImageNotFound:
            say(f"pulling {reference}")
            try:
                self.client.images.pull(reference)
            except DockerException as error:
                raise EngineError(
                    f"{reference} is missing; on Debian `make engine` makes a stand-in ({error})"
                ) from None
        return reference

    def is_standin(self, image: str) -> bool:
        """Tell whether an image is a stand-in for an official one (see bases.sh), or was built on one."""
        return "mllint.standin" in self.client.images.get(image).labels

    def build(
        self,
        context: Path,
        dockerfile: str = "Dockerfile",
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
    ) -> str:
        """Build an image with BuildKit and give its id; `dockerfile` is a path in the context. Raises BuildError."""
        return self._build(context, dockerfile, target, build_args)[0]

    def log(self, context: Path) -> str:
        """Build an image and give what the build prints. Raises BuildError."""
        return self._build(context, "Dockerfile", None, None)[1]

    def _build(
        self, context: Path, dockerfile: str, target: str | None, build_args: Mapping[str, str] | None
    ) -> tuple[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            id_file = Path(folder) / "id"
            command = ["docker", "build", "--progress=plain", f"--iidfile={id_file}", f"--file={context / dockerfile}"]
            command += [f"--label={name}={value}" for name, value in self.labels.items()]
            command += [f"--build-arg={name}={value}" for name, value in (build_args or {}).items()]
            if target:
                command.append(f"--target={target}")
            finished = subprocess.run(
                [*command, context],
                # With an attestation the id would be that of an index, not of an image.
                env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            if finished.returncode:
                raise BuildError(finished.stdout)
            return id_file.read_text(), finished.stdout

    def run(self, image: str, *argv: str, user: str | None = None) -> str:
        """Run a command in a container of its own (without `argv`, the image's) and give its standard output.

        `user` is another one than the image's. Raises docker.errors.ContainerError, with its standard error, if it
        exits with another status than 0.
        """
        container = self.client.containers.run
        output: bytes = container(image, list(argv) or None, labels=self.labels, remove=True, user=user)
        return output.decode()

    def remove_all(self) -> None:
        """Remove the containers and images of this session; BuildKit's cache stays, for the next one to be fast."""
        ours = {"label": [f"{name}={value}" for name, value in self.labels.items()]}
        for container in self.client.containers.list(all=True, filters=ours):
            container.remove(v=True, force=True)
        for image in self.client.images.list(filters=ours):
            self.client.images.remove(image.id, force=True)


def has_buildx() -> bool:
    """Tell whether the docker command is there and builds with BuildKit."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode == 0
