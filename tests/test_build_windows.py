"""Windows images are recognised and left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from paper import last

import mllint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM mcr.microsoft.com/windows/servercore:ltsc2022", True),
        ("FROM mcr.microsoft.com/windows/nanoserver:ltsc2022", True),
        ("FROM python:3.11-windowsservercore-ltsc2022", True),
        ("FROM golang:1.22-nanoserver", True),
        ("FROM --platform=windows/amd64 registry.example/x:1", True),
        ("# escape=`\nFROM registry.example/x:1", True),
        ("# escape=`\nFROM python:3.11-slim", False),
        ("FROM registry.example/x:1", False),
        ("FROM mcr.microsoft.com/windows/servercore:ltsc2022 AS a\nFROM a", True),
        ("FROM python:3.11-slim", False),
        ("FROM scratch", False),
    ],
)
def test_which_stages_are_windows(text: str, expected: bool):
    assert last(text).is_windows is expected


def test_their_shell_is_cmd_and_nothing_is_read_from_their_runs_and_copies():
    stage = last("FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN pip install x\nCOPY a b\nCMD app.exe")
    assert [(step.commands, step.installs, step.copy) for step in stage.steps[:2]] == [((), (), None)] * 2
    assert stage.command == ("cmd", "/S", "/C", "app.exe")


def test_only_rules_about_every_image_speak_of_them(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text(
        "# escape=`\n"
        "FROM mcr.microsoft.com/windows/servercore:ltsc2022\n"
        'SHELL ["bash", "-c"]\n'
        "WORKDIR C:\\app\n"
        "COPY missing\\requirements.txt C:\\app\\\n"
        "RUN pip install torch && apt-get update\n"
        "USER root\n"
        "CMD uvicorn main:app\n"
    )
    report = mllint.lint([tmp_path])
    assert {finding.rule.family for finding in report.findings if finding.rule} <= {"base_image"}
