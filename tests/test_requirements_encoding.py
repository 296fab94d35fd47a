from __future__ import annotations

from pathlib import Path

import mllint

DOCKERFILE = "FROM python:3.12-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"


def write(folder: Path, requirements: bytes) -> Path:
    (folder / "Dockerfile").write_text(DOCKERFILE)
    path = folder / "requirements.txt"
    path.write_bytes(requirements)
    return path


def test_lines_that_powershell_put_behind_others_are_read_as_utf_16_and_written_in_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path, b"fastapi==0.115.0\r\n" + "uvicorn==0.30.6\r\n".encode("utf-16-le"))
    report = mllint.lint(["."], select=["ML620", "ML002"], cwd=tmp_path)
    assert [(each.rule.id, each.location.start) for each in report.findings if each.rule] == [("ML620", (2, 1))]
    mllint.fix(["."], select=["ML620"], cwd=tmp_path)
    assert path.read_bytes() == b"fastapi==0.115.0\r\nuvicorn==0.30.6\r\n"


def test_what_is_no_text_is_no_requirements_file(tmp_path: Path) -> None:
    write(tmp_path, b"fastapi==0.115.0\n" + b"\0" * 64)
    report = mllint.lint(["."], select=["ML620", "ML002"], cwd=tmp_path)
    assert not report.findings
    assert [error.message for error in report.errors] == ["binary data, not text"]
