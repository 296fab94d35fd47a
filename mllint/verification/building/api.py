"""Builds through the engine's API, without the docker command: with BuildKit, or with the classic builder."""

from __future__ import annotations

import base64
import json
import re
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mllint.patterns import regex
from mllint.verification.building import sending, trace
from mllint.verification.building.progress import Failure, Progress, plain
from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from docker import APIClient

    from mllint.verification.records import Variant
    from mllint.verification.staging import Staged

_OK = 200
_STEP = regex(r"step (\d+/\d+) ?: (.*)", re.IGNORECASE | re.DOTALL)
_CACHED = regex(r"\s*-{2,3}> Using cache")
_BUILT = regex(r"(?:Successfully built )?((?:sha256:)?[0-9a-f]{12,64})\s*")


def build(
    api: APIClient,
    variant: Variant,
    staged: Staged,
    labels: Mapping[str, str],
    progress: Progress,
    is_buildkit: bool,
    no_cache: bool,
) -> str | Failure:
    """Send the context and follow the build; the id of the image, or why there is none. Raises VerifyError."""
    import requests

    settings = variant.build.settings
    with tempfile.TemporaryFile() as context:
        options = {
            "version": "2" if is_buildkit else "1",
            "dockerfile": sending.pack(variant, staged, context),
            "labels": json.dumps(dict(labels)),
            "buildargs": json.dumps(dict(settings.build_args)),
            "target": settings.target or "",
            "nocache": str(int(no_cache)),
            # Else a step that fails leaves its container behind.
            "rm": "1",
            "forcerm": "1",
        }
        context.seek(0)
        url = f"{api.base_url}/v{api.api_version}/build"
        headers = {"Content-Type": "application/x-tar", **_credentials()}
        follower = _BuildKit(progress) if is_buildkit else _Classic(progress)
        try:
            with api.post(url, params=options, headers=headers, data=context, stream=True, timeout=None) as answer:
                if answer.status_code != _OK:
                    return Failure("", _message(answer.text), ())
                return follower.follow(answer.iter_lines())
        except requests.RequestException as error:
            raise VerifyError(f"the Docker engine broke off the build: {error}") from error


def _credentials() -> dict[str, str]:
    """Those of the docker command, for registries that want some."""
    from docker import auth
    from docker.credentials.errors import StoreError
    from docker.errors import DockerException

    # Most images need none, so a store that is out of order may do no harm.
    with suppress(DockerException, StoreError):
        found = auth.load_config().get_all_credentials()
        if found:
            return {"X-Registry-Config": auth.encode_header(found).decode()}
    return {}


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


class _Follower:
    """Reads the lines of an answer."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.image = ""

    def follow(self, lines: Iterable[bytes]) -> str | Failure:
        for line in filter(None, lines):
            said = json.loads(line)
            if "error" in said:
                return self.failed(plain(str(said["error"])))
            self.take(said)
        return self.image or Failure("", "the engine ended the build without an image", ())

    def take(self, said: dict[str, Any]) -> None:
        if isinstance(aux := said.get("aux"), dict):
            self.image = aux.get("ID", self.image)

    def failed(self, message: str) -> Failure:
        return self.progress.failure or Failure("", message, ())


class _BuildKit(_Follower):
    def take(self, said: dict[str, Any]) -> None:
        if said.get("id") == "moby.buildkit.trace":
            trace.follow(base64.b64decode(said["aux"]), self.progress)
        else:
            super().take(said)


class _Classic(_Follower):
    """Also that of Podman, which speaks alike."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self.step = ""
        self.started = 0.0

    def take(self, said: dict[str, Any]) -> None:
        super().take(said)
        text = said.get("stream") or ""
        step = _STEP.match(text)
        if step:
            self._end()
            self.step, self.started = step[1], time.monotonic()
            self.progress.start(self.step, f"[{step[1]}] {step[2].strip()}")
        elif _CACHED.match(text):
            self.progress.end(self.step, "cached")
        elif text.startswith("Successfully built"):
            self._end()
        elif text.strip() and not text.startswith((" --->", "--> ")):
            self.progress.log(self.step, text)
        if built := _BUILT.fullmatch(text):
            self.image = self.image or built[1]

    def _end(self) -> None:
        self.progress.end(self.step, "done", time.monotonic() - self.started)

    def failed(self, message: str) -> Failure:
        self.progress.fail(self.step, message)
        return super().failed(message)
