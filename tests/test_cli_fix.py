"""`mllint check --fix`, `--diff` and `--unsafe-fixes` as a user meets them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from test_cli import folder, run

__all__ = ["folder"]

CACHES = """\
FROM python:3.11.15-slim-bookworm
RUN pip install torch==2.3.0 fastapi==0.110.3 uvicorn==0.29.0
WORKDIR /app
COPY main.py .
CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]
"""
REPAIRED = CACHES.replace("install", "install --no-cache-dir")
ONLY = ("--select", "installer-cache-kept,root-user")


@pytest.fixture
def dockerfile(folder: Path) -> Path:
    path = folder / "Dockerfile"
    path.write_text(CACHES)
    (folder / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    return path


def test_fix_repairs_what_is_safe_and_says_what_it_did_and_what_is_left(dockerfile):
    result = run("check", "--fix", *ONLY)
    assert result.exit_code == 1
    assert dockerfile.read_text() == REPAIRED
    assert "Repaired 1 finding in Dockerfile:\n  Dockerfile:2 ML402 " in result.stdout
    assert "Dockerfile:5:1 warning ML201 " in result.stdout
    assert "Found 1 warning in 1 file (1 fixable with --unsafe-fixes)" in result.stdout


def test_unsafe_fixes_repair_the_rest(dockerfile):
    result = run("check", "--fix", "--unsafe-fixes", *ONLY)
    assert result.exit_code == 0
    assert "Repaired 2 findings in Dockerfile:" in result.stdout
    assert "\nUSER " in dockerfile.read_text()


def test_a_second_run_changes_nothing(dockerfile):
    run("check", "--fix", "--unsafe-fixes")
    once = dockerfile.read_bytes()
    assert "Repaired" not in run("check", "--fix", "--unsafe-fixes").stdout
    assert dockerfile.read_bytes() == once


def test_diff_writes_nothing_and_exits_with_1_where_it_would_change_something(dockerfile):
    result = run("check", "--diff", *ONLY)
    assert result.exit_code == 1
    assert dockerfile.read_text() == CACHES
    assert result.stdout.startswith("--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,5 +1,5 @@\n")
    assert "-RUN pip install torch==2.3.0" in result.stdout
    assert "Would repair 1 finding in Dockerfile:" in result.stderr
    dockerfile.write_text(REPAIRED)
    clean = run("check", "--diff", *ONLY)
    assert (clean.exit_code, clean.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("text", [CACHES, CACHES.replace("\n", "\r\n"), CACHES.removesuffix("\n")])
def test_git_applies_the_diff(dockerfile, text):
    dockerfile.write_bytes(text.encode())
    command = ("check", "--unsafe-fixes", "--preset", "strict")
    diff = run(*command, "--diff").stdout_bytes
    assert b"+++ b/Dockerfile" in diff
    subprocess.run(["git", "apply", "-"], input=diff, cwd=dockerfile.parent, check=True)
    applied = {path.name: path.read_bytes() for path in dockerfile.parent.iterdir()}
    dockerfile.write_bytes(text.encode())
    (dockerfile.parent / ".dockerignore").unlink(missing_ok=True)
    run(*command, "--fix")
    assert {path.name: path.read_bytes() for path in dockerfile.parent.iterdir()} == applied


def test_standard_input_comes_out_repaired_and_the_report_beside_it(folder):
    result = run("check", "--fix", *ONLY, "-", stdin=CACHES)
    assert result.stdout == REPAIRED
    assert "Dockerfile:5:1 warning ML201 " in result.stderr
    assert list(folder.iterdir()) == []


def test_standard_input_without_anything_to_repair_comes_out_as_it_is(folder):
    text = "FROM scratch\r\n"
    assert run("check", "--fix", "-", stdin=text).stdout_bytes == text.encode()


def test_unsafe_fixes_alone_is_a_mistake(dockerfile):
    result = run("check", "--unsafe-fixes")
    assert result.exit_code == 2
    assert "--fix or --diff" in result.stderr


def test_json_tells_the_fix_of_a_finding_and_what_was_repaired(dockerfile):
    (finding,) = json.loads(run("check", "--select", "ML402", "--format", "json").stdout)["findings"]
    assert finding["fix"]["applicability"] == "safe"
    assert finding["fix"]["edits"] == [
        {"path": "Dockerfile", "line": 2, "column": 16, "end_line": 2, "end_column": 16, "text": " --no-cache-dir"}
    ]
    report = json.loads(run("check", "--select", "ML402", "--fix", "--format", "json").stdout)
    assert report["findings"] == []
    assert [each["rule"] for each in report["repaired"]] == ["ML402"]


def test_a_suppressed_finding_is_not_repaired(dockerfile):
    text = CACHES.replace("RUN", "# mllint: ignore[ML402] kept for the next stage\nRUN")
    dockerfile.write_text(text)
    run("check", "--fix", *ONLY)
    assert dockerfile.read_text() == text


def test_credentials_are_masked_in_a_diff(dockerfile):
    secret = "hf_" + "aB3dE6gH9j" * 3 + "aB3d"
    dockerfile.write_text(CACHES.replace("RUN", f"ENV HF_TOKEN={secret}\nRUN"))
    result = run("check", "--diff", *ONLY)
    assert " ENV HF_TOKEN=***" in result.stdout
    assert secret not in result.stdout


def test_a_file_that_cannot_be_written_is_an_error_and_no_file_is_half_written(dockerfile):
    dockerfile.chmod(0o444)
    result = run("check", "--fix", *ONLY)
    if dockerfile.read_text() == REPAIRED:
        pytest.skip("this user writes files that are read-only")
    assert result.exit_code == 2
    assert "Dockerfile error cannot be written: it is read-only" in result.stdout
