"""Fixes of the ignore file: what something asks for stays in the build."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint

START = "FROM python:3.11-slim-bookworm\nWORKDIR /app\n"
END = 'CMD ["python", "main.py"]\n'
SECRET = "OPENAI_API_KEY=7Hq2-wPz9-Lm4x\n"


def ignored(folder: Path, rule: str, dockerfile: str, **files: str) -> str | None:
    """The ignore file after the fixes of a rule; None where there is none."""
    for name, text in {"main.py": "print()\n", "Dockerfile": dockerfile, **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    mllint.fix([folder], select=[rule], preset="all", unsafe=True, cwd=folder)
    assert not mllint.fix([folder], select=[rule], preset="all", unsafe=True, cwd=folder).changes
    path = folder / ".dockerignore"
    return path.read_bytes().decode() if path.exists() else None


@pytest.mark.parametrize(
    "use",
    [
        "RUN . ./.env && python main.py\n",
        "RUN --mount=type=bind,source=.env,target=/tmp/env python main.py\n",
        "COPY .env .env\n",
    ],
)
def test_credentials_that_the_build_needs_are_not_hidden(tmp_path: Path, use: str) -> None:
    assert ignored(tmp_path, "ML203", START + "COPY . .\n" + use + END, **{".env": SECRET}) is None


def test_another_dockerfile_of_the_context_keeps_what_it_copies(tmp_path: Path) -> None:
    files = {"report.ipynb": "{}\n", "Dockerfile.report": "FROM python:3.11-slim-bookworm\nCOPY report.ipynb /\n"}
    after = ignored(tmp_path, "ML501", START + "COPY . .\n" + END, **files)
    assert after is None or ".ipynb" not in after


def test_each_finding_builds_on_the_file_that_the_first_one_made(tmp_path: Path) -> None:
    files = {"keys__one.env": SECRET, "more__two.env": SECRET}
    after = ignored(tmp_path, "ML203", START + "COPY keys keys\nCOPY more more\n" + END, **files)
    assert after is not None
    assert after.splitlines()[-2:] == ["keys/one.env", "more/two.env"]


@pytest.mark.parametrize(
    ("before", "after"), [("data", "data\n.env\n"), ("data\r\n", "data\r\n.env\r\n"), ("", ".env\n")]
)
def test_line_ends_of_the_file_are_kept(tmp_path: Path, before: str, after: str) -> None:
    files = {".dockerignore": before, ".env": SECRET}
    assert ignored(tmp_path, "ML203", START + "COPY . .\n" + END, **files) == after


def test_the_file_for_one_dockerfile_is_the_one_that_counts(tmp_path: Path) -> None:
    files = {"Dockerfile.dockerignore": "data\n", ".env": SECRET}
    assert ignored(tmp_path, "ML203", START + "COPY . .\n" + END, **files) is None
    assert (tmp_path / "Dockerfile.dockerignore").read_text() == "data\n.env\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("models", "models\n!models/ranker.bin\n"),
        ("models/ranker.bin\ndata\n", "data\n"),
        ("*\n!main.py\n!models\nmodels/*.bin\n", "*\n!main.py\n!models\nmodels/*.bin\n!models/ranker.bin\n"),
    ],
)
def test_a_file_is_let_back_in_behind_the_line_that_keeps_it_out(tmp_path: Path, before: str, after: str) -> None:
    files = {"models__ranker.bin": "1\n", "models__other.bin": "2\n", ".dockerignore": before}
    dockerfile = START + "COPY main.py .\nCOPY models/ranker.bin models/\n" + END
    assert ignored(tmp_path, "ML505", dockerfile, **files) == after
