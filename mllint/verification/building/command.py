"""Builds with BuildKit by the docker command."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.patterns import regex
from mllint.verification.building.progress import Failure, Progress
from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE = 5.0
"""Seconds that the command may take to cancel a build."""
# As buildx prints them with --progress=plain.
_LINE = regex(r"#(?P<key>\d+) (?:(?P<at>\d+\.\d+) (?P<log>.*)|(?P<text>.*))")
_DONE = regex(r"DONE (\d+\.\d+)s")
_ERROR = regex(r"(?:ERROR|error): (.*)")
_OF_BUILDKIT = "failed to solve"
"""What BuildKit says of every build that fails, and the command of nothing that fails before."""


def build(command: Sequence[str], progress: Progress) -> str | Failure:
    """Run a `docker build` without its options for output, and give the id of the image, or why there is none.

    Raises VerifyError where there was no build at all.
    """
    with tempfile.TemporaryDirectory(prefix="mllint-verify-") as folder:
        id_file = Path(folder) / "id"
        options = ("--progress=plain", f"--iidfile={id_file}")
        # With an attestation the id would be that of an index, not of an image.
        environment = {"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "DOCKER_CLI_HINTS": "false"}
        # In a process group of its own, so that Ctrl-C reaches it through mllint, which waits for its end.
        with subprocess.Popen(
            [*command[:-1], *options, command[-1]],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            try:
                said = _follow(process, progress)
                status = process.wait()
            except BaseException:
                _cancel(process)
                raise
        if status == 0:
            return id_file.read_text()
        if progress.failure is None and _OF_BUILDKIT not in said:
            raise VerifyError(f"docker build does not work here: {said or f'it ended with status {status}'}")
        return progress.failure or Failure("", said, ())


def _follow(process: subprocess.Popen[bytes], progress: Progress) -> str:
    """Read what the command prints; the last error that it names, else its last line."""
    error = last = ""
    for raw in process.stdout or ():
        line = raw.decode(errors="replace").rstrip("\n")
        match = _LINE.match(line)
        if match:
            _event(progress, match["key"], match["log"], match["text"])
        else:
            found = _ERROR.match(line)
            error = found[1] if found else error
            last = line.strip() or last
    return error or last


def _event(progress: Progress, key: str, log: str | None, text: str | None) -> None:
    if log is not None:
        progress.log(key, log)
    elif text == "CACHED":
        progress.end(key, "cached")
    elif text and (done := _DONE.fullmatch(text)):
        progress.end(key, "done", float(done[1]))
    elif text and text.startswith("ERROR: "):
        progress.fail(key, text.removeprefix("ERROR: "))
    elif text and key != "0":
        progress.start(key, text)


def _cancel(process: subprocess.Popen[bytes]) -> None:
    """End the command and its plugin, which cancels the build."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
