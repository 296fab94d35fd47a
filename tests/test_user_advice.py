"""What a finding advises where the process of an image runs as root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mllint

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "FROM python:3.11.15-slim-bookworm\n"
STATIC = "FROM gcr.io/distroless/static-debian12"
SERVES = 'CMD ["uvicorn", "main:app"]\n'
NEW = "RUN useradd --system --create-home app"
GIVES = "create a user, give it what it may write to and switch to it: " + NEW
MOVED = f"as no other user may enter /root, then create a user and switch to it: {NEW}, then USER app"


@pytest.mark.parametrize(
    ("dockerfile", "advice"),
    [
        (PYTHON + SERVES, f"create a user and switch to it: {NEW}, then USER app before the CMD"),
        (
            PYTHON + "COPY jupyter_server_config.py /root/.jupyter/\n" + SERVES,
            f"put what lies in /root/.jupyter elsewhere, {MOVED} before the CMD",
        ),
        (
            PYTHON + 'ENTRYPOINT ["uvicorn", "main:app"]\n',
            f"create a user and switch to it: {NEW}, then USER app before the ENTRYPOINT",
        ),
        (
            PYTHON + SERVES + "USER root\nRUN ldconfig\n",
            f"create a user and switch to it: {NEW}, then USER app behind line 4",
        ),
        (
            PYTHON + SERVES + "RUN ldconfig\nUSER root\n",
            f"create a user and switch to it: {NEW}, then USER app in the place of line 4",
        ),
        (
            "FROM quay.io/jupyter/scipy-notebook:2025-09-01\nUSER root\n" + SERVES,
            "switch to the user that is there: USER jovyan in the place of line 2",
        ),
        (
            STATIC + '\nENTRYPOINT ["/serve"]\n',
            "start from gcr.io/distroless/static-debian12:nonroot, or write USER 65532 before the ENTRYPOINT",
        ),
        (
            STATIC + ':debug\nENTRYPOINT ["/serve"]\n',
            "start from gcr.io/distroless/static-debian12:debug-nonroot, or write USER 65532 before the ENTRYPOINT",
        ),
        (
            PYTHON + "ENV PYENV_ROOT=/root/.pyenv\nENV PATH=/root/.pyenv/shims:$PATH\n" + SERVES,
            f"put what lies in /root/.pyenv (PYENV_ROOT) elsewhere, {MOVED} before the CMD",
        ),
        (PYTHON + "ENV HOME=/root\n" + SERVES, f"leave ENV HOME=/root out, {MOVED} before the CMD"),
        (
            PYTHON + "WORKDIR /root\nVOLUME /root\n" + SERVES,
            f"put what lies in /root, a VOLUME, elsewhere, {MOVED} before the CMD",
        ),
        (
            PYTHON + "VOLUME /seen/\n" + SERVES,
            f"{GIVES} && mkdir -p /seen && chown app /seen above the VOLUME, then USER app before the CMD",
        ),
        (
            PYTHON + "VOLUME /seen\nWORKDIR /seen\n" + SERVES,
            f"{GIVES} && mkdir -p /seen && chown app /seen above the VOLUME, then USER app before the CMD",
        ),
        (
            PYTHON + "ENV HF_HOME=/models\n" + SERVES,
            f"{GIVES} && mkdir -p /models && chown app /models, then USER app before the CMD",
        ),
        (
            PYTHON + "RUN mkdir -p /seen/today\nVOLUME /root/seen\n" + SERVES,
            f"{GIVES} && chown app /seen/today, then USER app before the CMD",
        ),
        (
            PYTHON + "WORKDIR /app\nCOPY main.py .\n" + SERVES,
            f"{GIVES} && chown app /app, then USER app before the CMD",
        ),
        (
            "FROM node:22.11.0-bookworm-slim\nWORKDIR /ui\n" + 'CMD ["npm", "run", "preview"]\n',
            f"{GIVES} && chown app /ui, then USER app before the CMD",
        ),
    ],
)
def test_advice_fits_the_file(tmp_path: Path, dockerfile: str, advice: str) -> None:
    (tmp_path / "main.py").write_text('async def app(scope, receive, send):\n    open("seen.txt", "w").close()\n')
    (tmp_path / "Dockerfile").write_text(dockerfile)
    (finding,) = mllint.lint(["Dockerfile"], select=["ML201"], preset="strict", cwd=tmp_path).findings
    assert finding.repair == advice


def test_a_base_that_surely_makes_no_users_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / ".mllint.yaml").write_text(
        "bases: {registry.example/bare: {distro: debian, user: root, complete: true, programs: [sh, python3]}}\n"
    )
    (tmp_path / "Dockerfile").write_text('FROM registry.example/bare\nCMD ["python3", "-m", "http.server"]\n')
    (finding,) = mllint.lint(["Dockerfile"], select=["ML201"], cwd=tmp_path).findings
    assert finding.repair == "write USER 65532 before the CMD: a number needs no program that makes users"
