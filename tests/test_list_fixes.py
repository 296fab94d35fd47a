"""Fixes that remove the package lists of apt: a shell runs the removal last, and only if all before it succeeded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import mllint

REMOVED = "rm -rf /var/lib/apt/lists/*"
STUBS = 'apt-get() { echo "apt-get $1"; [ "$1" != broken ]; }\nrm() { echo "rm $2"; }\nsudo() { "$@"; }\nset -f\n'


def fixed(folder: Path, dockerfile: str) -> str:
    """The Dockerfile after the fix, which leaves nothing to fix for a second run."""
    path = folder / "Dockerfile"
    path.write_bytes(dockerfile.encode())
    mllint.fix([folder], select=["DF201"], preset="all", unsafe=False, cwd=folder)
    assert not mllint.fix([folder], select=["DF201"], preset="all", unsafe=True, cwd=folder).changes
    return path.read_bytes().decode()


def run(instruction: str) -> list[str]:
    """What a shell runs of a RUN, given as its text."""
    script = instruction.removeprefix("RUN ").replace("\\\n", " ").replace("\r", "")
    return subprocess.run(["bash", "-c", STUBS + script], capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize(
    "script",
    [
        "apt-get update && apt-get install -y curl",
        "apt-get update \\\n && apt-get install -y \\\n    curl",
        "apt-get update && \\\n    apt-get install -y curl",
        "set -ex; \\\n\tapt-get update; \\\n\tapt-get install -y curl;",
        "apt-get update; apt-get install -y curl",
        "apt-get update && (apt-get install -y curl || true)",
        "apt-get update && if true; then apt-get install -y curl; fi",
        "apt-get update && { apt-get install -y curl; }",
        "apt-get update && apt-get install -y curl || exit 1",
        "sudo apt-get update && sudo apt-get install -y curl",
    ],
)
def test_the_removal_runs_last(tmp_path: Path, script: str) -> None:
    before = f"FROM ubuntu:24.04\nRUN {script}\n"
    after = fixed(tmp_path, before)
    assert run(after.partition("\n")[2]) == [*run(before.partition("\n")[2]), "rm /var/lib/apt/lists/*"]
    assert after.replace("sudo rm", "rm").count(REMOVED) == 1


@pytest.mark.parametrize("joint", [" && ", "; ", " && \\\n    ", "; \\\n    "])
def test_nothing_is_removed_behind_a_failure(tmp_path: Path, joint: str) -> None:
    after = fixed(tmp_path, f"FROM ubuntu:24.04\nRUN apt-get update{joint}apt-get broken\n")
    assert REMOVED in after
    assert run(after.partition("\n")[2])[-1] == "apt-get broken"


@pytest.mark.parametrize("joint", [" && ", "; ", " && \\\n    "])
def test_a_run_that_only_cleans_up_is_taken_in(tmp_path: Path, joint: str) -> None:
    before = f"FROM ubuntu:24.04\nRUN apt-get update{joint}apt-get install -y curl\nRUN apt-get clean{joint}{REMOVED}\n"
    after = fixed(tmp_path, before)
    assert after.count("RUN") == 1
    assert run(after.partition("\n")[2]) == ["apt-get update", "apt-get install", "apt-get clean", f"rm {REMOVED[7:]}"]


@pytest.mark.parametrize(
    "rest",
    [
        "RUN apt-get update && apt-get install -y curl # for the probe\n",
        "RUN apt-get update && apt-get install -y curl &\n",
        'RUN ["apt-get", "update"]\n',
        "RUN apt-get update\n",
        f"RUN apt-get update && apt-get install -y curl\n# hadolint ignore=DL3059\nRUN {REMOVED}\n",
        f"RUN apt-get update && apt-get install -y curl\nRUN --network=none {REMOVED}\n",
        "RUN apt-get update\nRUN apt-get install -y curl\n",
        "RUN apt-get update && apt-get install -y curl\nFROM one\nRUN apt-get install -y jq\n",
        "RUN apt-get update && apt-get install -y curl\nCOPY more.sh /\nRUN sh /more.sh\n",
        "RUN <<EOF\napt-get update\napt-get install -y curl\nEOF\n",
        "ONBUILD RUN apt-get update && apt-get install -y curl\nFROM one\n",
    ],
)
def test_where_it_cannot_stand_or_is_too_early_nothing_is_written(tmp_path: Path, rest: str) -> None:
    (tmp_path / "more.sh").write_text("apt-get install -y jq\n")
    dockerfile = "FROM ubuntu:24.04 AS one\n" + rest
    assert fixed(tmp_path, dockerfile) == dockerfile
