"""Virtual environments that the process does not use."""

from __future__ import annotations

import pytest
from paper import last_in

from mllint.image.content.bypassed import bypassed, lost_activation

VENV = "RUN python -m venv /venv && /venv/bin/pip install flask uvicorn"
FILES = {"main.py": "import flask\n"}


def found(folder, *lines: str) -> list[str]:
    text = "\n".join(["FROM python:3.11-slim-bookworm", "WORKDIR /app", "COPY . .", *lines, ""])
    return [each.what for each in bypassed(last_in(folder, text, FILES))]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ('CMD ["uvicorn", "main:app"]', "uvicorn is in /venv/bin, which is not on PATH"),
        ("CMD exec uvicorn main:app", "uvicorn is in /venv/bin, which is not on PATH"),
        ('CMD ["python", "main.py"]', "flask is installed in /venv alone, and python is that of /usr/local/bin"),
        ('CMD ["python3", "-m", "flask"]', "flask is installed in /venv alone, and python3 is that of /usr/local/bin"),
        (
            'CMD ["python", "-c", "import flask"]',
            "flask is installed in /venv alone, and python is that of /usr/local/bin",
        ),
    ],
)
def test_the_bare_name_leads_elsewhere(tmp_path, command, what):
    assert found(tmp_path, VENV, command) == [what]
    assert found(tmp_path, VENV, "ENV PATH=/venv/bin:$PATH", command) == []


@pytest.mark.parametrize(
    "lines",
    [
        ['CMD ["/venv/bin/python", "main.py"]'],
        ["CMD . /venv/bin/activate && python main.py"],
        ["RUN pip install flask", 'CMD ["python", "main.py"]'],
        ["ENV PYTHONPATH=/venv/lib/python3.11/site-packages", 'CMD ["python", "main.py"]'],
        ["RUN pip install -r unknown.txt", 'CMD ["python", "main.py"]'],
        ['CMD ["python", "other.py"]'],
        ["RUN ./install.sh", 'CMD ["uvicorn", "main:app"]'],
        ["RUN rm -r /venv", 'CMD ["python", "main.py"]'],
    ],
)
def test_it_is_used_or_not_needed_or_nobody_knows(tmp_path, lines):
    assert found(tmp_path, VENV, *lines) == []


@pytest.mark.parametrize(
    ("run", "folder"),
    [
        ("RUN . /venv/bin/activate", "/venv"),
        ("RUN python -m venv env && . env/bin/activate", "/app/env"),
        ("RUN . /venv/bin/activate && pip install flask", None),
        ("RUN . ./env.sh", None),
    ],
)
def test_an_activation_ends_with_its_run(tmp_path, run, folder):
    stage = last_in(tmp_path, f"FROM python:3.11-slim-bookworm\nWORKDIR /app\n{run}\n")
    lost = lost_activation(stage, stage.steps[-1])
    assert (lost[1] if lost else None) == folder
