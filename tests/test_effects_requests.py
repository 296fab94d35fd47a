"""What a build asks for by an address, a pattern or a script, and which Python that leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.image.effects.addresses import name_of
from mllint.image.events import Interpreter
from mllint.image.values import Unknown
from tests.paper import environment, interpreter, last, last_in, listed

if TYPE_CHECKING:
    from pathlib import Path

SLIM = "FROM python:3.11-slim-bookworm\n"
DEBIAN = "FROM debian:bookworm-slim\n"
CLONE = "git clone https://git.example/org/tool.git"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("git+https://git.example/org/tool", "tool"),
        ("git+https://git.example/org/tool.git@v1.2", "tool"),
        ("git+https://git.example/org/tool@feature/x#subdirectory=python", "tool"),
        ("git+ssh://git@git.example/org/tool.git", "tool"),
        ("git@git.example:org/tool.git", "tool"),
        ("https://git.example/org/tool/archive/refs/heads/main.zip", "tool"),
        ("https://git.example/org/tool/tarball/master", "tool"),
        ("https://files.example/a/tool-1.2.tar.gz", "tool"),
        ("https://files.example/a/tool.zip", None),
        ("git+https://git.example/org/${NAME}", None),
    ],
)
def test_the_name_that_an_address_tells(address: str, name: str | None) -> None:
    assert name_of(address) == name


@pytest.mark.parametrize(
    "command",
    [
        "pip install git+https://git.example/org/tool.git@v1",
        "pip install https://git.example/org/tool/archive/v1.zip",
        "curl -L https://git.example/org/tool/archive/v1.zip -o /tmp/a.zip && pip install /tmp/a.zip",
        f"{CLONE} && cd tool && pip install .",
        f"{CLONE} /src && pip install -e /src",
        f"{CLONE} && cd tool/python && python setup.py install",
        f"{CLONE} && cd tool && python setup.py bdist_wheel && pip install dist/*.whl",
        "git init /src && git -C /src remote add origin https://git.example/org/tool.git && pip install /src",
    ],
)
def test_what_is_asked_for_by_an_address_has_its_name(command: str) -> None:
    found = environment(last(f"{SLIM}WORKDIR /app\nRUN {command}"))
    assert "tool" in found.distributions
    assert found.unknown_requested is None
    assert found.unknown_elsewhere is not None


def test_a_clone_that_another_stage_copies() -> None:
    text = f"FROM alpine/git AS source\nRUN {CLONE} /src\n{SLIM}COPY --from=source /src /app\nRUN pip install /app"
    found = environment(last(text))
    assert "tool" in found.distributions
    assert found.unknown_requested is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("pip install -r r.txt", "/app/r.txt"),
        ("cd /srv && pip install -r r.txt", "/srv/r.txt"),
        ("pip install -r https://a.example/r.txt", "https://a.example/r.txt"),
        ("pip install ./lib", "/app/lib"),
        ("bash setup.sh", "/app/setup.sh"),
        ("cd /srv && ./setup.sh", "/srv/setup.sh"),
    ],
)
def test_the_reason_names_the_file_that_is_not_known(command: str, name: str) -> None:
    doubt = environment(last(f"{SLIM}WORKDIR /app\nRUN {command}")).unknown_requested
    assert doubt is not None
    assert name in doubt.reason.split()


def test_the_reason_names_the_file_of_a_project_that_cannot_be_read(tmp_path: Path) -> None:
    stage = last_in(tmp_path, f"{SLIM}WORKDIR /app\nCOPY . .\nRUN pip install .", {"setup.py": "\0\0"})
    doubt = environment(stage).unknown_requested
    assert doubt is not None
    assert "setup.py" in doubt.reason.split()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pip install -c missing.txt numpy", {"numpy": "?"}),
        ('pip install "numpy==$VERSION"', {"numpy": "?"}),
        ("easy_install numpy", {"numpy": "?"}),
        (f"pip install numpy && {CLONE} && cd tool && make && make install", {"numpy": "?"}),
        ("pip install numpy && curl -L https://istio.io/downloadIstio | sh -", {"numpy": "?"}),
        ("pip install numpy && bash bazel-7.4.1-installer-linux-x86_64.sh", {"numpy": "?"}),
        ("python -m venv .venv && uv pip install numpy torch && uv pip uninstall torch", {"numpy": "?"}),
    ],
)
def test_requests_that_are_known(command: str, expected: dict[str, str]) -> None:
    path = "ENV PATH=/app/.venv/bin:$PATH\n" if "venv" in command else ""
    stage = last(f"{SLIM}ARG VERSION\nWORKDIR /app\nRUN {command}\n{path}")
    assert listed(stage) == expected
    assert environment(stage).unknown_requested is None


def test_the_makefile_of_the_context_may_install_anything(tmp_path: Path) -> None:
    stage = last_in(tmp_path, f"{SLIM}WORKDIR /app\nCOPY . .\nRUN make deps", {"Makefile": "deps:\n"})
    doubt = environment(stage).unknown_requested
    assert doubt is not None
    assert "/app/Makefile" in doubt.reason.split()


def test_uv_as_a_module_takes_the_environment_of_its_python() -> None:
    text = f"{SLIM}RUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nRUN python -m uv pip install numpy"
    assert listed(last(text)) == {"numpy": "?"}


def test_a_user_whose_home_is_not_known_has_packages_of_its_own() -> None:
    stage = last("FROM public.ecr.aws/lambda/python:3.12\nUSER 1234\nRUN pip install numpy")
    assert listed(stage) == {"numpy": "?"}
    assert environment(stage).unknown_requested is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('conda install -y "pandas=$(cat version)"', {"pandas": "?"}),
        ("conda install --download-only numpy", {}),
    ],
)
def test_conda_with_a_version_that_the_shell_computes(command: str, expected: dict[str, str]) -> None:
    stage = last(f"FROM continuumio/miniconda3\nRUN {command}")
    assert listed(stage, "/opt/conda/bin/python") == expected
    assert environment(stage, "/opt/conda/bin/python").unknown_requested is None


@pytest.mark.parametrize(
    ("pattern", "is_known"), [("/usr/lib/libx*", True), ("/usr/include/*.h", True), ("/usr/lib/python3/*", False)]
)
def test_patterns_of_files_that_are_no_packages(pattern: str, is_known: bool) -> None:
    text = f"FROM debian AS build\n{SLIM}COPY --from=build {pattern} /usr/local/lib/\nRUN pip install numpy"
    assert (environment(last(text)).unknown_requested is None) == is_known


# which Python


@pytest.mark.parametrize(
    ("commands", "version"),
    [
        ("RUN pyenv install 3.9.1 && pyenv global 3.9.1 && pyenv rehash", "3.9.1"),
        ("ARG PYTHON=3.10\nRUN pyenv install $PYTHON\nRUN pyenv global $PYTHON", "3.10"),
    ],
)
def test_pyenv(commands: str, version: str) -> None:
    setup = "RUN curl https://pyenv.run | bash\nENV PYENV_ROOT=/root/.pyenv\nENV PATH=$PYENV_ROOT/shims:$PATH\n"
    stage = last(f"{DEBIAN}{setup}{commands}\nRUN pip install numpy")
    found = interpreter(stage, "python")
    assert isinstance(found, Interpreter)
    assert found.version == version
    assert listed(stage, "python") == {"numpy": "?"}
    assert environment(stage, "python").unknown_requested is None


def test_pyenv_with_a_version_that_nobody_knows() -> None:
    text = f"{DEBIAN}ENV PATH=/root/.pyenv/shims:$PATH\nRUN pyenv install $(cat version) && pyenv global $(cat version)"
    assert isinstance(interpreter(last(text), "python"), Unknown)


def test_python_compiled_with_a_version_in_a_variable() -> None:
    build = (
        "wget https://a.example/Python-$V.tgz && tar -xf Python-$V.tgz && cd Python-$V && ./configure && make install"
    )
    found = interpreter(last(f"FROM ubuntu:22.04\nARG V=3.10.4\nRUN {build}"))
    assert isinstance(found, Interpreter)
    assert found.version == "3.10.4"


@pytest.mark.parametrize(
    ("command", "is_known"),
    [
        ("tar -xzf cmake-3.16.0-Linux-x86_64.tar.gz -C /opt/tool", True),
        ("tar xf model.tar.gz", True),
        ("tar czf all.tar.gz /etc", True),
        ("curl https://a.example/x | tar -xz -C /opt/tool", False),
        ("tar -xzf env.tar.gz -C /opt/tool", False),
        ("tar -xf cpython-3.12-linux.tar.gz -C /opt/tool", False),
    ],
)
def test_archives_that_may_hold_a_python(command: str, is_known: bool) -> None:
    stage = last(f"{SLIM}WORKDIR /opt/tool\nRUN {command}\nENV PATH=/opt/tool/bin:$PATH")
    assert isinstance(interpreter(stage), Interpreter) == is_known


@pytest.mark.parametrize("name", ["python3", "${PYTHON}", "$PYTHON"])
def test_a_link_to_the_python_that_which_finds(name: str) -> None:
    text = "FROM ubuntu:22.04\nARG PYTHON=python3\nRUN apt-get update && apt-get install -y python3\n"
    found = interpreter(last(f"{text}RUN ln -sf $(which {name}) /usr/local/bin/python"), "python")
    assert isinstance(found, Interpreter)
    assert found.version == "3.10"


def test_a_branch_that_puts_another_python_in_place_of_one() -> None:
    install = 'case "$TARGETARCH" in arm64) : ;; *) conda install -y python=3.10 ;; esac'
    stage = last(f"FROM continuumio/miniconda3\nARG TARGETARCH\nRUN {install}\nRUN /opt/conda/bin/pip install numpy")
    found = interpreter(stage, "/opt/conda/bin/python")
    assert isinstance(found, Interpreter)
    assert isinstance(found.version, Unknown)
    assert "numpy" in listed(stage, "/opt/conda/bin/python")
