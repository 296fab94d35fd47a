"""The model files of an image and the source that loads them, where examples of rules do not show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from paper import last_in

from mllint.image.models.held import models
from mllint.image.models.served import served

if TYPE_CHECKING:
    from pathlib import Path

PICKLE = "cbuiltins\nlist\n(tR."


def held(folder: Path, text: str, files: dict[str, str]) -> dict[str, str]:
    """The model files of an image: where each lies there, and in the context."""
    return {each.path: each.entry.path for each in models(last_in(folder, text, files))}


@pytest.mark.parametrize(
    ("copies", "path"),
    [
        ("COPY m.pkl /srv/", "/srv/m.pkl"),
        ("COPY m.pkl /srv/model.pkl", "/srv/model.pkl"),
        ("WORKDIR /app\nCOPY . .", "/app/m.pkl"),
        ("COPY --from=files /all /srv", "/srv/deep/m.pkl"),
        ("COPY --from=files /all/deep/m.pkl /srv/", "/srv/m.pkl"),
    ],
)
def test_where_a_model_comes_to_lie(tmp_path, copies, path):
    text = f"FROM debian:bookworm AS files\nCOPY m.pkl /all/deep/\nFROM debian:bookworm\n{copies}\n"
    assert held(tmp_path, text, {"m.pkl": PICKLE}) == {path: "m.pkl"}


@pytest.mark.parametrize("last", ["RUN rm -r /srv", "RUN rm /srv/*.pkl", "COPY other.pkl /srv/m.pkl"])
def test_what_is_removed_or_covered_is_not_held(tmp_path, last):
    found = held(tmp_path, f"FROM debian:bookworm\nCOPY m.pkl /srv/\n{last}\n", {"m.pkl": PICKLE, "other.pkl": PICKLE})
    assert "m.pkl" not in found.values()


def test_stages_that_copy_from_all_before_are_each_asked_once(tmp_path):
    stages = ["FROM debian:bookworm AS s0", "COPY m.pkl /srv/"]
    for number in range(1, 40):
        stages += [f"FROM debian:bookworm AS s{number}", *(f"COPY --from=s{each} /srv /srv" for each in range(number))]
    assert held(tmp_path, "\n".join(stages), {"m.pkl": PICKLE}) == {"/srv/m.pkl": "m.pkl"}


def test_the_source_is_followed_through_its_imports(tmp_path):
    files = {
        "service/__init__.py": "",
        "service/main.py": "from fastapi import FastAPI\nfrom . import routes\n",
        "service/routes.py": "import os.path\nfrom service.loading.models import load\nfrom .main import app\n",
        "service/loading/__init__.py": "",
        "service/loading/models.py": "import joblib\n\ndef load():\n    return joblib.load('models/a.joblib')\n",
        "service/unused.py": "open('models/b.joblib')\n",
        "models/a.joblib": PICKLE,
        "models/b.joblib": PICKLE,
    }
    text = (
        "FROM python:3.11.9-slim-bookworm\nWORKDIR /app\nRUN pip install uvicorn fastapi joblib\nCOPY . .\n"
        'CMD ["uvicorn", "service.main:app"]\n'
    )
    stage = last_in(tmp_path, text, files)
    service = served(stage)
    assert service is not None
    names = {source.path.partition("service/")[2] for source, _ in service.sources}
    assert names == {"main.py", "__init__.py", "routes.py", "loading/models.py"}
    assert [each.entry.name for each in models(stage) if service.loads(each)] == ["a.joblib"]
