"""What resolvers read, and what of it is not in the image at that step."""

from __future__ import annotations

import pytest
from paper import last_in

from mllint.image.installing.reading import lacking

HATCHLING = (
    '[project]\nname = "a"\nversion = "1"\nreadme = "README.md"\n[build-system]\nbuild-backend = "hatchling.build"\n'
)


def lacks(folder, lines: str, files: dict[str, str]) -> list[str]:
    stage = last_in(folder, f"FROM python:3.11-slim-bookworm\nWORKDIR /app\n{lines}\n", files)
    return [each.path for step in stage.steps for call in step.installs for each in lacking(stage, call)]


@pytest.mark.parametrize(
    ("run", "path"),
    [
        ("pip install -r requirements.txt", "/app/requirements.txt"),
        ("pip install -rrequirements.txt", "/app/requirements.txt"),
        ("cd /srv && pip install -r ../x.txt", "/x.txt"),
        ("pip install --requirement=~/x.txt", "/root/x.txt"),
        ("pip install -c limits.txt flask", "/app/limits.txt"),
        ("pip install .", "/app/pyproject.toml"),
        ("pip install -e './[web]'", "/app/pyproject.toml"),
        ("pip install ./pkg", "/app/pkg"),
        ("pip install dist/a-1-py3-none-any.whl", "/app/dist/a-1-py3-none-any.whl"),
        ("uv pip sync requirements.txt", "/app/requirements.txt"),
        ("uv sync --no-install-project", "/app/pyproject.toml"),
        ("poetry install --no-root", "/app/pyproject.toml"),
        ("pipenv install --system", "/app/Pipfile"),
        ("conda env create -f environment.yml", "/app/environment.yml"),
    ],
)
def test_a_file_that_is_not_there(tmp_path, run, path):
    assert lacks(tmp_path, f"RUN {run}", {}) == [path]


@pytest.mark.parametrize(
    "lines",
    [
        "RUN pip install flask torch==2.5.1 'uvicorn[standard]'",
        "RUN pip install git+https://git.example/a.git https://files.example/a-1.whl",
        "RUN pip install a/b",
        "RUN pip install -r $FILE",
        "RUN pip install *.whl",
        "RUN touch requirements.txt && pip install -r requirements.txt && rm requirements.txt",
        "RUN curl -o requirements.txt https://files.example/r && pip install -r requirements.txt",
        "RUN poetry export -o requirements.txt && pip install -r requirements.txt",
        "RUN pip-compile && pip install -r requirements.txt",
        "RUN git clone https://git.example/a.git && pip install -r a/requirements.txt",
        "RUN --mount=type=bind,target=/app pip install -r requirements.txt",
        "COPY <<EOF requirements.txt\nflask\nEOF\nRUN pip install -r requirements.txt",
        "COPY --from=registry.example/a / /\nRUN pip install -r requirements.txt",
    ],
)
def test_what_may_be_there_counts_as_there(tmp_path, lines):
    assert lacks(tmp_path, lines, {}) == []


def test_nested_files_are_looked_up_from_theirs_and_projects_from_the_working_directory(tmp_path):
    files = {"req/all.txt": "-r base.txt\n-c limits.txt\n./common\n", "req/base.txt": "flask\n", "common/setup.py": ""}
    copied = "COPY req req\nRUN pip install -r req/all.txt"
    assert lacks(tmp_path, copied, files) == ["/app/req/limits.txt", "/app/common"]
    assert lacks(tmp_path, f"COPY common common\n{copied}", {"req/limits.txt": ""}) == []


@pytest.mark.parametrize("run", ["pip install .", "uv sync", "poetry install"])
def test_the_readme_of_a_project(tmp_path, run):
    files = {"pyproject.toml": HATCHLING, "README.md": ""}
    assert lacks(tmp_path, f"COPY pyproject.toml .\nRUN {run}", files) == ["/app/README.md"]
    assert lacks(tmp_path, f"COPY pyproject.toml README.md ./\nRUN {run}", files) == []


def test_setuptools_goes_on_without_the_readme_but_not_without_what_setup_py_opens(tmp_path):
    files = {"pyproject.toml": HATCHLING.replace("hatchling.build", "setuptools.build_meta"), "README.md": ""}
    assert lacks(tmp_path, "COPY pyproject.toml .\nRUN pip install .", files) == []
    setup = "from setuptools import setup\n\nsetup(name='a', long_description=open('README.md').read())\n"
    assert lacks(tmp_path, "COPY setup.py .\nRUN pip install .", {"setup.py": setup}) == ["/app/README.md"]


def test_a_pattern_of_the_ignore_file_is_absence(tmp_path):
    stage = "COPY . .\nRUN pip install -r requirements.txt"
    assert lacks(tmp_path, stage, {"requirements.txt": ""}) == []
