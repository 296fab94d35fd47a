"""Modes out of git's index, held against git itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllint.sources import git_index


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(tmp_path, "init", "-q")
    for name, mode in (("a.sh", 0o755), ("docker/entry.sh", 0o644), ("docker/übung.sh", 0o755)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    git(tmp_path, "add", ".")
    return tmp_path


def test_the_modes_are_those_git_has(repository: Path):
    expected = {"a.sh": 0o755, "docker/entry.sh": 0o644, "docker/übung.sh": 0o755}
    assert git_index.modes((repository / ".git/index").read_bytes()) == expected


def test_a_mode_that_only_the_index_has(repository: Path):
    git(repository, "update-index", "--chmod=+x", "docker/entry.sh")
    found = git_index.modes((repository / ".git/index").read_bytes())
    assert found is not None
    assert found["docker/entry.sh"] == 0o755


def test_extended_entries(repository: Path):
    (repository / "new.sh").write_text("")
    git(repository, "add", "--intent-to-add", "new.sh")
    data = (repository / ".git/index").read_bytes()
    assert data[7] == 3
    found = git_index.modes(data)
    assert found is not None
    assert set(found) == {"a.sh", "docker/entry.sh", "docker/übung.sh", "new.sh"}


def test_a_version_that_is_not_read(repository: Path):
    git(repository, "update-index", "--index-version", "4")
    assert git_index.modes((repository / ".git/index").read_bytes()) is None


@given(st.binary(max_size=200), st.integers(0, 5))
def test_no_bytes_break_it(data: bytes, version: int):
    for text in (data, b"DIRC" + version.to_bytes(4, "big") + data):
        found = git_index.modes(text)
        assert found is None or all(mode <= 0o777 for mode in found.values())
