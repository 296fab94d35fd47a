"""Which distributions and interpreters the commands of a build leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.image.events import Interpreter
from mllint.image.programs import Program, program
from mllint.image.values import Unknown
from tests.paper import environment, interpreter, last, last_in, listed

if TYPE_CHECKING:
    from pathlib import Path


SLIM = "FROM python:3.11-slim-bookworm\n"
DEBIAN = "FROM debian:bookworm-slim\n"
UBUNTU = "FROM ubuntu:22.04\n"
MINICONDA = "https://a.example/Miniconda3-py310_24.1.2-0-Linux-x86_64.sh"
LOCK = """version = 1
requires-python = ">=3.11"
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "fastapi" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[[package]]
name = "fastapi"
version = "0.110.0"
source = { registry = "https://packages.example/simple" }
[[package]]
name = "pytest"
version = "8.0.0"
source = { registry = "https://packages.example/simple" }
"""
PROJECT = (
    '[project]\nname = "app"\nversion = "0.1.0"\ndependencies = ["fastapi"]\n[dependency-groups]\ndev = ["pytest"]\n'
)


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ("RUN pip install numpy==1.26.4", {"numpy": "1.26.4"}),
        ("RUN pip3 install 'numpy==1.26.4' pandas", {"numpy": "1.26.4", "pandas": "?"}),
        ("RUN python3.11 -m pip install numpy", {"numpy": "?"}),
        ("RUN /usr/local/bin/pip install numpy", {"numpy": "?"}),
        ("RUN sudo -H pip install numpy", {"numpy": "?"}),
        ("RUN sh -c 'pip install numpy'", {"numpy": "?"}),
        ("RUN pip install -U 'Scikit_Learn[docs]'", {"scikit-learn": "?"}),
        ("RUN pip install numpy && pip uninstall -y numpy", {}),
        ("RUN pip install numpy pandas && python -m pip uninstall -y numpy", {"pandas": "?"}),
        ("RUN pip install --dry-run numpy", {}),
        ("RUN pip download numpy", {}),
        ("RUN pip install --target /srv/lib numpy", {}),
        ("ENV PYTHONPATH=/srv/lib\nRUN pip install --target /srv/lib numpy", {"numpy": "?"}),
        ("RUN pip install --user numpy", {"numpy": "?"}),
        ("RUN pip install --user numpy\nUSER 1000", {}),
        ("RUN useradd -m app\nUSER app\nRUN pip install numpy", {"numpy": "?"}),
        ("RUN pip install --prefix /usr/local numpy", {"numpy": "?"}),
        ("RUN pip install /wheels/torch-2.3.0-cp311-cp311-linux_x86_64.whl", {"torch": "2.3.0"}),
        ("RUN pip install /wheels/my_tool-*.whl", {"my-tool": "?"}),
        ("RUN pip install 'x @ git+https://git.example/x.git'", {"x": "?"}),
        ("RUN pip install 'numpy; python_version < \"3.9\"'", {}),
        ("RUN uv pip install --system numpy==1.26.4", {"numpy": "1.26.4"}),
        ("ENV UV_SYSTEM_PYTHON=1\nRUN uv pip install numpy", {"numpy": "?"}),
        ("ENV UV_PYTHON=/usr/local/bin/python\nRUN uv pip install numpy", {"numpy": "?"}),
        ("RUN python -m venv /venv && /venv/bin/pip install numpy", {}),
        ("RUN pipx install poetry", {}),
        ("RUN uv tool install ruff", {}),
        ("RUN wget -qO- https://files.example/get-pip.py | python", {}),
        ("RUN for name in numpy pandas; do pip install $name; done", {"numpy": "?", "pandas": "?"}),
        ("ARG VERSION=1.26.4\nRUN pip install numpy==$VERSION", {"numpy": "1.26.4"}),
    ],
)
def test_distributions_of_the_python_on_path(commands: str, expected: dict[str, str]) -> None:
    stage = last(SLIM + commands)
    assert listed(stage) == expected
    assert environment(stage).unknown is None


@pytest.mark.parametrize(
    ("make", "use"),
    [
        ("RUN python -m venv /venv", "RUN /venv/bin/pip install numpy"),
        ("RUN python -mvenv /venv", "RUN /venv/bin/python -mpip install numpy"),
        ("RUN python3 -m venv --clear --prompt x /venv", "RUN . /venv/bin/activate && pip install numpy"),
        ("RUN pip install virtualenv && virtualenv -p python3 /venv", "RUN /venv/bin/python -m pip install numpy"),
        ("RUN uv venv /venv", "RUN uv pip install --python /venv/bin/python numpy"),
        ("RUN uv venv /venv", "ENV VIRTUAL_ENV=/venv\nRUN uv pip install numpy"),
        ("WORKDIR /srv\nRUN uv venv", "RUN uv pip install numpy"),
    ],
)
def test_virtual_environments(make: str, use: str) -> None:
    stage = last(f"{SLIM}{make}\n{use}\nENV PATH=/venv/bin:/srv/.venv/bin:$PATH")
    found = interpreter(stage)
    assert isinstance(found, Interpreter)
    assert found.kind == "venv"
    assert found.minor == "3.11"
    assert found.made_from == "/usr/local"
    assert "numpy" in listed(stage)
    assert "numpy" not in listed(stage, "/usr/local/bin/python3")


def test_a_virtual_environment_sees_the_packages_below_only_where_it_was_told_to() -> None:
    text = SLIM + "RUN pip install numpy\nRUN python -m venv %s /venv\nENV PATH=/venv/bin:$PATH"
    assert listed(last(text % "")) == {}
    assert listed(last(text % "--system-site-packages")) == {"numpy": "?"}


def test_a_new_environment_in_the_same_folder_is_empty() -> None:
    text = SLIM + "RUN python -m venv /v && /v/bin/pip install numpy\nRUN rm -rf /v && python -m venv /v\n"
    assert listed(last(text), "/v/bin/python") == {}


BUILDER = "FROM python:3.11-slim-bookworm AS builder\n"


@pytest.mark.parametrize(
    ("builder", "final"),
    [
        (
            "RUN python -m venv /venv && /venv/bin/pip install uvicorn",
            "COPY --from=builder /venv /venv\nENV PATH=/venv/bin:$PATH",
        ),
        (
            "RUN python -m venv /build/venv && /build/venv/bin/pip install uvicorn",
            "COPY --from=builder /build /srv\nENV PATH=/srv/venv/bin:$PATH",
        ),
        (
            "RUN pip install --user uvicorn",
            "COPY --from=builder /root/.local /root/.local\nENV PATH=/root/.local/bin:$PATH",
        ),
        (
            "RUN pip install uvicorn",
            "COPY --from=builder /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages\n"
            "COPY --from=builder /usr/local/bin /usr/local/bin",
        ),
        ("RUN pip install --prefix=/install uvicorn", "COPY --from=builder /install /usr/local"),
        ("RUN pip install uvicorn", "COPY --from=builder / /"),
    ],
)
def test_environments_that_are_copied_from_a_stage(builder: str, final: str) -> None:
    stage = last(f"{BUILDER}{builder}\n{SLIM}{final}")
    assert "uvicorn" in listed(stage)
    assert isinstance(program(stage.view, "uvicorn", stage.end.get("PATH")), Program)


@pytest.mark.parametrize(
    "final",
    [
        "COPY --from=builder /usr/local/bin /usr/local/bin",
        "COPY --from=builder /venv /opt/venv\nENV PATH=/venv/bin:$PATH",
        "COPY --from=builder /root/.local /home/app/.local",
    ],
)
def test_environments_that_are_copied_to_where_nobody_looks(final: str) -> None:
    builder = "RUN pip install --user uvicorn && python -m venv /venv && /venv/bin/pip install uvicorn"
    assert listed(last(f"{BUILDER}{builder}\n{SLIM}{final}")) == {}


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        (DEBIAN + "RUN apt-get update && apt-get install -y python3", "python3", "3.11"),
        (DEBIAN + "RUN apt-get install -y python3-pip", "python3.11", "3.11"),
        (DEBIAN + "RUN apt-get install -y python3", "python", None),
        (DEBIAN + "RUN apt-get install -y python-is-python3", "python", "3.11"),
        (DEBIAN, "python3", None),
        (UBUNTU + "RUN apt-get install -y python3.10-venv", "python3.10", "3.10"),
        (UBUNTU + "RUN apt-get install -y software-properties-common python3.12", "python3.12", "3.12"),
        (UBUNTU + "RUN apt-get install -y python3.12 && ln -s /usr/bin/python3.12 /usr/bin/python", "python", "3.12"),
        (
            UBUNTU + "RUN apt-get install -y python3.12\n"
            "RUN update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.12 1",
            "python3",
            "3.12",
        ),
        ("FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN apt-get install -y python3-pip", "python3", "3.10"),
        ("FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04", "python3", None),
        ("FROM alpine:3.19\nRUN apk add --no-cache python3 py3-pip", "python3", "3.11"),
        ("FROM alpine:3.19", "python3", None),
        ("FROM rockylinux:9\nRUN dnf install -y python3.12", "python3.12", "3.12"),
        (DEBIAN + f"RUN wget {MINICONDA} -O c.sh && bash c.sh -b -p /opt/conda", "/opt/conda/bin/python", "3.10"),
        (
            DEBIAN + f"RUN wget {MINICONDA} && bash Miniconda3*.sh -bfp /opt/conda\nENV PATH=/opt/conda/bin:$PATH",
            "python",
            "3.10",
        ),
        (
            DEBIAN + "RUN curl -O https://a.example/Python-3.12.4.tgz && tar xf Python-3.12.4.tgz && cd Python-3.12.4"
            " && ./configure && make && make altinstall",
            "python3.12",
            "3.12.4",
        ),
        (
            "FROM mambaorg/micromamba:1.5\nRUN micromamba create -y -n ml python=3.11 numpy",
            "/opt/conda/envs/ml/bin/python",
            "3.11",
        ),
        ("FROM continuumio/miniconda3\nRUN conda create -n ml python=3.9", "/opt/conda/envs/ml/bin/python", "3.9"),
        (SLIM + "RUN uv venv --python 3.12 /venv", "/venv/bin/python", "3.12"),
        (SLIM + "RUN uv python install 3.13", "/root/.local/bin/python3.13", "3.13"),
        (SLIM + "RUN go-licenses save . && ./unknown.sh", "python3", "3.11"),
        (SLIM + "RUN rm /usr/local/bin/python3 /usr/local/bin/python", "python3", None),
    ],
)  # fmt: skip
def test_interpreters(text: str, name: str, version: str | None) -> None:
    found = interpreter(last(text), name)
    assert (found.version if isinstance(found, Interpreter) else found) == version


@pytest.mark.parametrize(
    "text",
    [
        DEBIAN + "RUN curl -sL https://a.example/install.sh | bash",
        DEBIAN + "RUN ./install.sh",
        DEBIAN + "COPY --from=registry.example/python /usr/local /usr/local",
        "FROM registry.example/base",
        "FROM alpine\nRUN apk add python3",
        SLIM + "RUN [ -f /x ] && rm -rf /usr/local/bin/python3 || true",
    ],
)
def test_interpreters_that_nobody_knows(text: str) -> None:
    found = interpreter(last(text))
    assert isinstance(found.version if isinstance(found, Interpreter) else found, Unknown)


def test_pip_of_a_compiled_or_bootstrapped_python_installs_for_that_one() -> None:
    stage = last(
        UBUNTU + "RUN apt-get install -y python3.12 curl && curl -sS https://a.example/get-pip.py | python3.12\n"
        "RUN pip install numpy"
    )
    assert listed(stage, "python3.12") == {"numpy": "?"}
    assert interpreter(stage) is None


def test_a_base_whose_path_is_not_known_has_its_python_first() -> None:
    stage = last("FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\nRUN pip install fastapi")
    found = interpreter(stage)
    assert isinstance(found, Interpreter)
    assert found.prefix == "/opt/conda"
    assert "fastapi" in listed(stage)


def test_what_a_base_brings_is_doubtful_and_what_the_build_asks_for_is_not() -> None:
    found = environment(last("FROM pytorch/pytorch:2.3.0-cuda12.1-cudnn8-runtime\nRUN pip install fastapi"))
    assert found.unknown_requested is None
    assert found.unknown_elsewhere is not None
    assert found.unknown == found.unknown_elsewhere


def test_a_python_of_which_nothing_is_known_but_that_its_pip_runs() -> None:
    stage = last("FROM tensorflow/tfx:0.30.0\nRUN pip install numpy")
    assert listed(stage) == {"numpy": "?"}
    assert isinstance(interpreter(last("FROM tensorflow/tfx:0.30.0")), Unknown)


@pytest.mark.parametrize(
    "command",
    [
        "pip install -r missing.txt",
        "pip install -r https://a.example/requirements.txt",
        "pip install $(cat list)",
        "pip install ./dist/*.whl",
        "./install.sh",
        "bash install.sh",
        "curl -sSL https://a.example/install | sh",
        "xargs -n 1 pip install < list",
        "nox -s build",
        "git clone https://git.example/x.git && cd x && ./install.sh",
    ],
)
def test_requests_that_nobody_knows(command: str) -> None:
    assert environment(last(SLIM + f"RUN {command}")).unknown_requested is not None


@pytest.mark.parametrize(
    "command",
    [
        "python train.py",
        "my-tool --all",
        "chgrp -R 0 /srv",
        "./configure && make",
        "apt-get update && apt-get install -y curl",
        "find . -name x | xargs rm -f",
        "curl https://sh.rustup.rs -sSf | sh -s -- -y",
        "dpkg -i x.deb",
        "/opt/tool --version",
        "tar xf x.tar.gz -C /srv",
    ],
)
def test_commands_that_install_no_distributions(command: str) -> None:
    found = environment(last(SLIM + f"RUN pip install numpy && {command}"))
    assert found.unknown is None
    assert "numpy" in found.distributions


@pytest.mark.parametrize(
    ("commands", "files", "expected"),
    [
        ("COPY r.txt .\nRUN pip install -r r.txt", {"r.txt": "numpy==1.26.4\n"}, {"numpy": "1.26.4"}),
        (
            "COPY . .\nRUN pip install -r r.txt -c c.txt",
            {"r.txt": "numpy\n-r more.txt\n", "more.txt": "pandas", "c.txt": "numpy==1.26.4\ntorch==2.3.0"},
            {"numpy": "1.26.4", "pandas": "?"},
        ),
        ("COPY . .\nRUN pip install .", {"pyproject.toml": PROJECT}, {"app": "0.1.0", "fastapi": "?"}),
        ("COPY . .\nRUN pip install --no-deps -e .", {"pyproject.toml": PROJECT}, {"app": "0.1.0"}),
        (
            "COPY . .\nRUN pip install .[x]",
            {"setup.py": "from setuptools import setup\nsetup(name='app', version='1', install_requires=['fastapi'],"
             " extras_require={'x': ['torch']})"},
            {"app": "1", "fastapi": "?", "torch": "?"},
        ),
        (
            "COPY . .\nRUN python setup.py install",
            {"setup.py": "from setuptools import setup\nsetup(name='app', version='1', install_requires=['fastapi'])"},
            {"app": "1", "fastapi": "?"},
        ),
        (
            "COPY . .\nRUN pip install -e .",
            {
                "setup.py": "from setuptools import setup\nsetup(name='app', version='1',"
                " install_requires=open('requirements.txt').read().splitlines())",
                "requirements.txt": "fastapi==0.110.0\n",
            },
            {"app": "1", "fastapi": "0.110.0"},
        ),
        (
            "COPY . .\nRUN pipenv install --system --deploy",
            {"Pipfile.lock": '{"default": {"fastapi": {"version": "==0.110.0"}}, "develop": {"pytest": {}}}'},
            {"fastapi": "0.110.0"},
        ),
        ("COPY install.sh .\nRUN ./install.sh", {"install.sh": "#!/bin/sh\npip install numpy\n"}, {"numpy": "?"}),
        ("COPY install.sh .\nRUN bash -e install.sh", {"install.sh": "pip install numpy\n"}, {"numpy": "?"}),
        (
            "COPY --chmod=755 setup /usr/local/bin/\nRUN setup",
            {"setup": "#!/bin/bash\npip install numpy\n"},
            {"numpy": "?"},
        ),
    ],
)  # fmt: skip
def test_requests_in_files(tmp_path: Path, commands: str, files: dict[str, str], expected: dict[str, str]) -> None:
    stage = last_in(tmp_path, f"{SLIM}WORKDIR /app\n{commands}", files)
    assert listed(stage) == expected
    assert environment(stage).unknown is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("uv sync", {"fastapi": "0.110.0", "pytest": "8.0.0"}),
        ("uv sync --frozen --no-dev", {"fastapi": "0.110.0"}),
        ("UV_NO_DEV=1 uv sync --locked --no-install-project", {"fastapi": "0.110.0"}),
        ("uv sync --no-group dev", {"fastapi": "0.110.0"}),
        ("uv sync --only-group dev", {"pytest": "8.0.0"}),
    ],
)
def test_uv_sync(tmp_path: Path, command: str, expected: dict[str, str]) -> None:
    text = f"{SLIM}WORKDIR /app\nCOPY . .\nRUN {command}\nENV PATH=/app/.venv/bin:$PATH"
    stage = last_in(tmp_path, text, {"uv.lock": LOCK, "pyproject.toml": PROJECT})
    assert listed(stage) == expected
    assert environment(stage).unknown is None


def test_uv_sync_without_its_lock_file_asks_for_what_the_project_names(tmp_path: Path) -> None:
    text = f"{SLIM}WORKDIR /app\nCOPY . .\nRUN uv sync --no-dev\nENV PATH=/app/.venv/bin:$PATH"
    stage = last_in(tmp_path, text, {"pyproject.toml": PROJECT})
    found = environment(stage)
    assert "fastapi" in found.distributions
    assert "pytest" not in found.distributions
    assert found.unknown_requested is None
    assert found.unknown is not None


def test_uv_sync_into_another_folder(tmp_path: Path) -> None:
    text = f"{SLIM}ENV UV_PROJECT_ENVIRONMENT=/opt/venv\nWORKDIR /app\nCOPY . .\nRUN uv sync --no-dev"
    stage = last_in(tmp_path, text, {"uv.lock": LOCK, "pyproject.toml": PROJECT})
    assert listed(stage, "/opt/venv/bin/python") == {"fastapi": "0.110.0"}


POETRY = """[tool.poetry]
name = "app"
version = "0.1.0"
[tool.poetry.dependencies]
python = "^3.11"
fastapi = "*"
[tool.poetry.group.dev.dependencies]
pytest = "*"
"""
POETRY_LOCK = """[[package]]
name = "fastapi"
version = "0.110.0"
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = []
[[package]]
name = "pytest"
version = "8.0.0"
optional = false
python-versions = ">=3.8"
groups = ["dev"]
files = []
[metadata]
lock-version = "2.1"
python-versions = "^3.11"
content-hash = "x"
"""


@pytest.mark.parametrize(
    ("command", "place", "expected"),
    [
        ("poetry config virtualenvs.create false && poetry install --only main", "python3", {"fastapi": "0.110.0"}),
        ("POETRY_VIRTUALENVS_CREATE=false poetry install", "python3", {"fastapi": "0.110.0", "pytest": "8.0.0"}),
        (
            "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install --without dev",
            "/app/.venv/bin/python",
            {"fastapi": "0.110.0"},
        ),
    ],
)
def test_poetry(tmp_path: Path, command: str, place: str, expected: dict[str, str]) -> None:
    files = {"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK}
    stage = last_in(tmp_path, f"{SLIM}WORKDIR /app\nCOPY . .\nRUN {command}", files)
    assert {name: version for name, version in listed(stage, place).items() if name != "app"} == expected


def test_conda(tmp_path: Path) -> None:
    file = "name: ml\ndependencies:\n  - python=3.10\n  - numpy=1.26\n  - pip:\n    - fastapi==0.110.0\n"
    install = "RUN conda env create -f e.yml\nRUN conda run -n ml pip install torch"
    text = f"FROM continuumio/miniconda3\nCOPY e.yml .\n{install}"
    stage = last_in(tmp_path, text, {"e.yml": file})
    place = "/opt/conda/envs/ml/bin/python"
    found = environment(stage, place)
    assert listed(stage, place) == {"numpy": "1.26", "fastapi": "0.110.0", "torch": "?"}
    assert found.unknown_requested is None
    assert found.unknown is not None


def test_the_line_of_a_file_that_asks_for_a_distribution(tmp_path: Path) -> None:
    stage = last_in(tmp_path, f"{SLIM}COPY r.txt .\nRUN pip install -r r.txt", {"r.txt": "numpy\npandas==2.0.0\n"})
    place = environment(stage).distributions["pandas"].place
    assert place is not None
    assert place[0].text[place[1].start : place[1].end].startswith("pandas==2.0.0")
