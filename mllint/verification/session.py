"""What one verification makes on an engine, by a label of its own, and how all of it goes away again."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mllint.verification.engines import answering
from mllint.verification.records import LABEL, VerifyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType, TracebackType

    from docker import DockerClient

    from mllint.config import Base

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# The SDK's names for a socket and a pipe of this machine are among them; the one for SSH is not.
_HERE = ("localhost", "localnpipe", "127.0.0.1", "::1")
_PATIENCE = 10.0
"""Seconds that the engine may take to remove everything."""


class Session:
    """One verification on an engine. As a context manager it removes at its end, however that comes, what it made."""

    def __init__(self, client: DockerClient, keep: bool = False) -> None:
        """`keep` leaves images and stopped containers on the engine."""
        self.client = client
        self.keep = keep
        self.labels: Mapping[str, str] = {LABEL: uuid.uuid4().hex[:12]}
        """What every image and container of this session has to be labelled with."""
        self.descriptions: dict[str, Base] = {}
        """Base images that were looked into, by id."""
        self._handlers: dict[int, Any] = {}

    @property
    def is_local(self) -> bool:
        """Whether the engine's loopback is the one of this machine."""
        from urllib.parse import urlsplit

        return urlsplit(self.client.api.base_url).hostname in _HERE

    def remove_all(self, keep: bool = False) -> None:
        """Remove the containers of this session with their anonymous volumes, and its images; the builder's cache
        stays. With `keep`, only stop what still runs. Raises VerifyError where that is not to be had."""
        end, pause = time.monotonic() + _PATIENCE, 0.01
        # What was asked of the engine before a signal came may be there only now.
        while any(left := self._left(keep)):
            if time.monotonic() > end:
                raise VerifyError(f"the engine does not remove it within {_PATIENCE:g} s")
            self._remove(*left, keep)
            time.sleep(pause)
            pause = min(2 * pause, 0.5)

    def _remove(self, containers: Sequence[str], images: Sequence[str], keep: bool) -> None:
        from docker.errors import APIError

        api = self.client.api
        for container in containers:
            # Somebody else was faster, or still is at it.
            with suppress(APIError):
                if keep:
                    api.kill(container)
                else:
                    api.remove_container(container, v=True, force=True)
        for image in images:
            with suppress(APIError):
                api.remove_image(image, force=True)

    def _left(self, keep: bool) -> tuple[list[str], list[str]]:
        """The ids of the containers and images that have to go; of containers that are kept those that run."""
        ours = {"label": [f"{name}={value}" for name, value in self.labels.items()]}
        containers = self.client.api.containers(all=not keep, filters=ours)
        images = [] if keep else self.client.api.images(filters=ours)
        return [each["Id"] for each in containers], [each["Id"] for each in images]

    def __enter__(self) -> Session:
        # Only the main thread is told of signals.
        if threading.current_thread() is threading.main_thread():
            self._handlers = {each: signal.signal(each, _interrupt) for each in _ENDING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in self._handlers:
            signal.signal(each, signal.SIG_IGN)
        try:
            with answering():
                self.remove_all(self.keep)
        except VerifyError as failure:
            ((name, value),) = self.labels.items()
            raise VerifyError(f"{failure}; what was made is still there, with the label {name}={value}") from failure
        finally:
            for each, handler in self._handlers.items():
                signal.signal(each, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C would leave behind what the first one is to remove.
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
