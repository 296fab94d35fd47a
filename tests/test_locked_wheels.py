"""What a build takes from a lock file, and what the lock says of its files; the locks are of real releases."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mllint
from mllint.image.installing import indexed
from mllint.image.installing.fitting import place
from mllint.image.installing.locked import LockedFiles, download, files_of, in_image
from mllint.image.installing.offered import Platform
from mllint.sources import lockfiles
from mllint.sources.text import Source
from tests.paper import environment, last_in, listed

if TYPE_CHECKING:
    from mllint.image.stage import Stage

LOCKS = Path(__file__).parent / "locks"
SLIM = Platform("glibc", "2.36", False)
ALPINE = Platform("musl", None, False)
ARM = Platform("glibc", "2.36", True)
POETRY = """
[[package]]
name = "simsimd"
version = "6.2.1"
optional = false
python-versions = "*"
groups = ["main"]
files = [
    {file = "simsimd-6.2.1-cp312-cp312-manylinux_2_28_x86_64.whl", hash = "sha256:0"},
    {file = "simsimd-6.2.1.tar.gz", hash = "sha256:0"},
]

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "0"
"""
PIPENV = (
    '{"_meta": {}, "default": {"simsimd": {"version": "==6.2.1"}}, "develop": {"iniconfig": {"version": "==2.0.0"}}}'
)


def _built(folder: Path, *commands: str, base: str = "python:3.11.9-slim-bookworm") -> Stage:
    """A stage that brings the locks into the image and runs commands beside them."""
    for name in ("pyproject.toml", "uv.lock", "pylock.toml"):
        shutil.copy(LOCKS / name, folder)
    (folder / "poetry.lock").write_text(POETRY)
    (folder / "Pipfile.lock").write_text(PIPENV)
    lines = (f"FROM {base}", "COPY --from=ghcr.io/astral-sh/uv:0.8.15 /uv /usr/local/bin/", "WORKDIR /app", "COPY . .")
    return last_in(folder, "\n".join((*lines, *(f"RUN {command}" for command in commands))) + "\n")


def _locked(name: str) -> LockedFiles:
    lock = lockfiles.parse(Source("uv.lock", (LOCKS / "uv.lock").read_text()))
    return LockedFiles(lock.named(name)[0])


EVERYTHING = {"ai-edge-litert", "editdistance", "numpy", "simsimd", "tree-sitter", "tree-sitter-languages"}


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("uv sync --locked", {"iniconfig"}),
        ("uv sync --locked --no-dev", set()),
        ("uv sync --locked --no-default-groups", set()),
        ("UV_NO_DEV=1 uv sync --frozen", set()),
        ("uv sync --locked --no-dev --extra metrics", {"prometheus-client"}),
        ("uv sync --locked --all-extras --all-groups", {"iniconfig", "prometheus-client"}),
        ("uv sync --locked --no-dev --all-extras --no-extra metrics", set()),
        ("uv sync --locked --no-dev --group dev", set()),
        ("cd /tmp && uv sync --locked --no-dev --project /app", set()),
    ],
)
def test_groups_and_extras_of_uv_sync(tmp_path: Path, command: str, more: set[str]) -> None:
    stage = _built(tmp_path, command)
    assert {each.name for each in in_image(stage)} == EVERYTHING | more
    assert all(isinstance(each.version, str) for each in in_image(stage))


@pytest.mark.parametrize("command", ["uv sync --locked --only-group dev", "uv sync --locked --only-dev"])
def test_a_group_alone(tmp_path: Path, command: str) -> None:
    assert [each.name for each in in_image(_built(tmp_path, command))] == ["iniconfig"]


@pytest.mark.parametrize(
    "command",
    [
        "uv pip install --system -r pylock.toml",
        "uv pip sync --system pylock.toml",
        "pip install --no-cache-dir -r pylock.toml",
    ],
)
def test_a_standard_lock_file(tmp_path: Path, command: str) -> None:
    stage = _built(tmp_path, command)
    assert listed(stage).keys() >= EVERYTHING
    assert listed(stage)["numpy"] == "2.4.6"
    assert environment(stage).unknown is None


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("poetry config virtualenvs.create false && poetry install --only main --no-root", {"simsimd"}),
        ("poetry config virtualenvs.create false && poetry sync --no-root", {"simsimd"}),
        ("pipenv install --system --deploy", {"simsimd"}),
        ("pipenv install --system --deploy --dev", {"simsimd", "iniconfig"}),
    ],
)
def test_locks_of_poetry_and_pipenv(tmp_path: Path, command: str, names: set[str]) -> None:
    assert listed(_built(tmp_path, command)).keys() == names


def test_what_a_lock_brings_is_all_that_there_is(tmp_path: Path) -> None:
    stage = _built(tmp_path, "uv pip sync --system pylock.toml")
    brought = environment(stage).brought()
    # None of the tables knows tree-sitter-languages and what it requires.
    assert brought.unknown == ()
    assert brought.brings("tree-sitter") == "present"
    assert brought.brings("requests") == "absent"


@pytest.mark.parametrize(
    ("command", "is_whole"),
    [
        ("pip install tree-sitter-languages==1.10.2", False),
        ("pip install --no-deps tree-sitter-languages==1.10.2", True),
        (f"echo 'a' && pip install --require-hashes tree-sitter-languages==1.10.2 --hash=sha256:{'0' * 64}", True),
    ],
)
def test_what_hashes_and_no_deps_settle_brings_nothing(tmp_path: Path, command: str, is_whole: bool) -> None:
    assert environment(_built(tmp_path, command)).brought().is_complete is is_whole


def test_uv_takes_another_python_where_that_of_the_image_does_not_suit(tmp_path: Path) -> None:
    stage = _built(tmp_path, "uv sync --locked --no-dev", base="python:3.10.14-slim-bookworm")
    call = stage.steps[-1].installs[0]
    assert place(stage, call) is None
    assert {each.name for each in indexed.locked(stage, call)} == EVERYTHING


def test_a_lock_of_a_workspace_lies_above(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    stage = _built(tmp_path, "mkdir -p packages/api && cd packages/api && uv sync --locked --no-dev --package scorer")
    assert {each.name for each in in_image(stage)} == EVERYTHING


def test_the_wheels_of_a_lock() -> None:
    languages = _locked("tree-sitter-languages")
    assert languages.has_wheel("3.12", SLIM)
    assert languages.has_wheel("3.12", ALPINE)
    assert not languages.has_wheel("3.13", SLIM)
    assert not languages.has_wheel("3.12", ARM)
    assert languages.minors(SLIM) == ("3.11", "3.12")
    assert (languages.glibc, languages.arm64, languages.has_sdist) == ("2.17", "no", False)
    assert not _locked("ai-edge-litert").is_built_for(ALPINE)
    assert not _locked("simsimd").is_built_for(Platform("glibc", "2.17", False))
    assert _locked("simsimd").glibc == "2.28"


def test_sizes_are_those_of_the_platform(tmp_path: Path) -> None:
    stage = _built(tmp_path, "uv sync --locked --only-dev")
    assert download(in_image(stage), "3.11", SLIM) == 5892
    assert _locked("simsimd").size("3.14", SLIM) == 165828


def test_files_come_from_the_lock_or_the_table(tmp_path: Path) -> None:
    stage = _built(tmp_path, "uv sync --locked --no-dev", "pip install torch==2.4.1 fastapi")
    found = {each.name: each for each in indexed.locked(stage, stage.steps[-2].installs[0])}
    assert isinstance(files_of(found["simsimd"]), LockedFiles)
    torch, fastapi = indexed.asked(stage, stage.steps[-1].installs[0])
    table = files_of(torch)
    assert table is not None
    assert not table.has_wheel("3.13", SLIM)
    assert files_of(fastapi) is None


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("python:3.11.9-slim-bookworm", []),
        ("python:3.12.4-slim-bookworm", ["error ML604 ai-edge-litert"]),
        ("python:3.11-alpine3.20", ["error ML905 ai-edge-litert"]),
    ],
)
def test_wheels_of_packages_that_no_table_has(tmp_path: Path, base: str, expected: list[str]) -> None:
    _built(tmp_path)
    dockerfile = f"FROM {base}\nCOPY pylock.toml .\nRUN pip install --no-cache-dir -r pylock.toml\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    found = mllint.lint([str(tmp_path / "Dockerfile")], select=["ML6", "ML9"], preset="all").findings
    shown = [f"{each.severity.value} {each.rule.id} {each.message.split()[0]}" for each in found if each.rule]
    assert [line for line in shown if "ML60" in line or "ML9" in line] == expected


def test_a_probe_that_imports_what_the_lock_lacks(tmp_path: Path) -> None:
    _built(tmp_path)
    lines = (
        "FROM python:3.11.9-slim-bookworm",
        "COPY pylock.toml .",
        "RUN pip install --no-cache-dir -r pylock.toml",
        "USER 1000",
        "HEALTHCHECK CMD python -c \"import requests; requests.get('http://127.0.0.1:8000').raise_for_status()\"",
        'CMD ["python", "-m", "http.server"]',
    )
    (tmp_path / "Dockerfile").write_text("\n".join(lines) + "\n")
    found = mllint.lint([str(tmp_path / "Dockerfile")], select=["ML302"]).findings
    assert [each.severity.value for each in found] == ["error"]


def test_a_lock_for_another_machine_says_nothing_of_this_one(tmp_path: Path) -> None:
    stage = _built(tmp_path, "uv sync --locked --no-dev", base="--platform=linux/arm64 python:3.12.4-slim-bookworm")
    assert in_image(stage) == ()
