"""What the user of the process cannot get at: the home of root, as the tutorial's images have it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from checkout import ROOT
from paper import last

import mllint
from mllint.image.content.reach import closed_folder

if TYPE_CHECKING:
    from pathlib import Path

TUTORIAL = ROOT / "fixtures" / "inference" / "cpu" / "tutorial" / "broken"
# The second Dockerfile of the tutorial, as it writes it; the fixture holds the third.
TWO_STAGES = """\
# Stage 1: Builder (compile dependencies, prepare data)
FROM python:3.11-slim as builder
WORKDIR /build
COPY requirements.txt .
# Install dependencies to a local directory
RUN pip install --user --no-cache-dir -r requirements.txt
# Stage 2: Runtime (only artifacts needed to run)
FROM python:3.11-slim
WORKDIR /app
# Copy only the installed packages from builder
COPY --from=builder /root/.local /root/.local
# Copy model and code
COPY model.joblib .
COPY main.py .
# Add local pip directory to PATH
ENV PATH=/root/.local/bin:$PATH
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \\
CMD python -c "import requests; requests.get('http://localhost:8000/health')"
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]
"""


def found(folder: Path, text: str) -> list[str]:
    """The findings of the rule for the tutorial's own files with this Dockerfile."""
    for name in ("main.py", "requirements.txt", "model.joblib"):
        (folder / name).write_bytes((TUTORIAL / name).read_bytes())
    (folder / "Dockerfile").write_text(text)
    report = mllint.lint([folder], select=["ML312"], cwd=folder)
    return [f"{each.location.start[0]} {each.message}" for each in report.findings]


def test_the_tutorial_as_it_is_written_runs_as_root(tmp_path):
    assert found(tmp_path, TWO_STAGES) == []


@pytest.mark.parametrize("user", ["USER nobody", "USER 1000:1000", "RUN useradd mluser\nUSER mluser"])
def test_the_tutorial_with_a_user_fails_to_start(tmp_path, user):
    text = TWO_STAGES.replace("EXPOSE 8000", f"{user}\nEXPOSE 8000")
    name = re.search(r"USER (\S+)", user)[1]
    assert found(tmp_path, text) == [
        f"11 uvicorn lies in /root/.local/bin, and {name} may not enter /root: the container does not start"
    ]


def test_the_hardened_file_of_the_tutorial_takes_the_packages_to_its_user(tmp_path):
    assert found(tmp_path, (TUTORIAL / "Dockerfile").read_text()) == []


@pytest.mark.parametrize("opening", ["chmod 755 /root", "chmod a+x /root", "chmod -R o+rX /root", "chown 1000 /root"])
def test_root_s_home_can_be_opened(opening):
    stage = last(f"FROM python:3.11-slim-bookworm\nRUN {opening}\n")
    assert closed_folder(stage.view, "/root/.local/bin/uvicorn", "1000") is None


@pytest.mark.parametrize(
    "other", ["chmod 700 /root", "chmod -R 755 /root/.local", "chown -R 1000 /root/.local", "true"]
)
def test_it_is_closed_whatever_is_inside(other):
    stage = last(f"FROM python:3.11-slim-bookworm\nRUN {other}\n")
    assert closed_folder(stage.view, "/root/.local/bin/uvicorn", "1000") == "/root"


def test_a_link_is_as_closed_as_what_it_leads_to():
    stage = last("FROM python:3.11-slim-bookworm\nRUN ln -s /root/.local/bin/uv /usr/local/bin/uv\n")
    assert closed_folder(stage.view, "/usr/local/bin/uv", "1000") == "/root"


@pytest.mark.parametrize("base", ["scratch", "registry.example/base:1", "rockylinux:9"])
def test_nobody_knows_or_the_group_may(base):
    stage = last(f"FROM {base}\nCOPY --from=x /root/.local /root/.local\n")
    assert closed_folder(stage.view, "/root/.local/bin/uv", "1000") is None


def test_a_home_of_another_user_with_a_mode_of_its_own():
    stage = last("FROM python:3.11-slim-bookworm\nRUN mkdir -m 700 /home/builder && chown 1001 /home/builder\n")
    assert closed_folder(stage.view, "/home/builder/bin/x", "1000") == "/home/builder"
    assert closed_folder(stage.view, "/home/builder/bin/x", "1001") is None
