"""What package managers are asked to install, which files they read for it, and what settles the releases they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint import lint
from mllint.config import Settings
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.image.installing.pins import is_for_linux, settled, settled_alone
from mllint.image.packages import Closure, Install, closure
from mllint.image.values import Unknown
from mllint.inputs import Inputs
from mllint.sources import dockerfile, requirements
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mllint.findings import Report

    Make = Callable[..., Build]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def build(text: str, **files: str) -> Build:
        for name, content in files.items():
            (tmp_path / f"{name}.txt").write_text(content)
        context = Context(Tree(tmp_path), Inputs(tmp_path), None, (".dockerignore",), True)
        return Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings())

    return build


def installs(build: Build) -> list[Install]:
    return [install for step in build.stages[-1].steps for install in step.installs]


def reads(build: Build) -> Closure:
    return closure(build.stages[-1], installs(build)[-1])


# --- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "manager", "verb", "operands"),
    [
        ("pip install torch numpy", "pip", "install", ["torch", "numpy"]),
        ("pip3.11 --no-cache-dir install -U torch", "pip", "install", ["torch"]),
        ("python3 -u -m pip install torch", "pip", "install", ["torch"]),
        ("/opt/venv/bin/pip install torch", "pip", "install", ["torch"]),
        ("sudo -H pip install torch", "pip", "install", ["torch"]),
        ("conda run -n base pip install torch", "pip", "install", ["torch"]),
        ("bash -c 'pip install torch'", "pip", "install", ["torch"]),
        ("pip wheel -w /wheels torch", "pip", "wheel", ["torch"]),
        ("pip download torch", "pip", "download", ["torch"]),
        ("uv pip install --system torch", "uv pip", "pip install", ["torch"]),
        ("uv pip sync compiled.txt", "uv pip", "pip sync", ["compiled.txt"]),
        ("uv sync --frozen", "uv", "sync", []),
        ("uv --directory /app add torch", "uv", "add", ["torch"]),
        ("conda env create -f environment.yml", "conda", "env create", []),
        ("apt-get -y -o Acquire::Retries=3 install git curl", "apt", "install", ["git", "curl"]),
        ("apk add --virtual .build gcc", "apk", "add", ["gcc"]),
        ("npm ci", "npm", "ci", []),
    ],
)
def test_a_call_that_installs(make, command, manager, verb, operands):
    (install,) = installs(make(f"FROM a\nRUN {command}\n"))
    assert (install.manager.name, install.verb) == (manager, verb)
    assert [word.value for word in install.operands] == operands


@pytest.mark.parametrize(
    "command",
    [
        "pip list",
        "pip uninstall -y torch",
        "python -m http.server",
        "python pip install",
        "apt-get update",
        "echo pip install a",
    ],
)
def test_a_call_that_installs_nothing(make, command):
    assert installs(make(f"FROM a\nRUN {command}\n")) == []


@pytest.mark.parametrize(
    ("options", "files", "constraints"),
    [
        ("-r a.txt --requirement b.txt --requirement=c.txt", ["a.txt", "b.txt", "c.txt"], []),
        ("-ra.txt -qr b.txt -Uqrc.txt", ["a.txt", "b.txt", "c.txt"], []),
        ("-c a.txt -qc b.txt --constraint=c.txt d", [], ["a.txt", "b.txt", "c.txt"]),
        ("-i https://a.example -r b.txt", ["b.txt"], []),
    ],
)
def test_options_with_files(make, options, files, constraints):
    (install,) = installs(make(f"FROM a\nRUN pip install {options}\n"))
    assert [word.value for word in install.files] == files
    assert [word.value for word in install.constraints] == constraints


def test_uv_reads_projects_that_pip_would_refuse(make):
    text = "FROM a\nRUN uv pip install -r pyproject.toml -r a.txt -r setup.py && pip install -r pyproject.toml\n"
    assert [[word.value for word in each.files] for each in installs(make(text))] == [["a.txt"], ["pyproject.toml"]]


def test_what_the_command_line_asks_for(make):
    (install,) = installs(make("FROM a\nRUN pip install 'torch>=2' \"numpy==$V\" ./libs/a $MORE 'uvicorn[standard]'\n"))
    found = [(each.name, each.specifier, each.pinned) for each in install.requirements]
    assert found == [
        ("torch", ">=2", False),
        ("numpy", "==$V", True),
        (None, "", False),
        (None, "", False),
        ("uvicorn", "", False),
    ]


def test_variables_of_a_call(make):
    text = "FROM a\nENV A=1 B=2\nARG C=3\nRUN export B=4 D=$(e) && F=5 pip install g\n"
    (install,) = installs(make(text))
    assert {name: install.variable(name) for name in "ABCFX"} == {"A": "1", "B": "4", "C": "3", "F": "5", "X": None}
    assert isinstance(install.variable("D"), Unknown)


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_followed_through_copies_and_nesting(make):
    text = "FROM a\nWORKDIR /app\nCOPY . deps\nRUN cd deps && pip install -r one.txt\n"
    read = reads(make(text, one="-r two.txt\n-c three.txt\na\n", two="-r one.txt\nb\n", three="c==1\n"))
    assert (sorted(read.files), sorted(read.constraints)) == (["one.txt", "two.txt"], ["three.txt"])
    assert [line.name for _, line in read.lines()] == ["a", "b"]
    assert read.is_complete
    assert not read.has_unread_constraints


@pytest.mark.parametrize(
    ("install", "has_unread_constraints"),
    [
        ("pip install -r https://a.example/b.txt", False),
        ("pip install -r missing.txt", False),
        ('pip install -r "$FILE"', False),
        ("pip install -c missing.txt b", True),
        ("pip install -r outside.txt", True),
        ("PIP_CONSTRAINT=missing.txt pip install b", True),
        ("PIP_CONSTRAINT=$FILE pip install b", True),
    ],
)
def test_files_that_cannot_be_read(make, install, has_unread_constraints):
    read = reads(make(f"FROM a\nCOPY . .\nRUN {install}\n", outside="-c https://a.example/b.txt\n"))
    assert not read.is_complete
    assert read.has_unread_constraints == has_unread_constraints


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        ("ENV PIP_CONSTRAINT='/one.txt /two.txt'\nRUN pip install a", ["one.txt", "two.txt"]),
        ("ENV PIP_CONSTRAINT=/one.txt\nRUN PIP_CONSTRAINT=/two.txt pip install a", ["two.txt"]),
        ("ENV PIP_CONSTRAINT=/one.txt\nENV PIP_CONSTRAINT=\nRUN pip install a", []),
        ("ENV PIP_CONSTRAINT=/one.txt UV_CONSTRAINT=/two.txt\nRUN uv pip install a", ["two.txt"]),
        ("ARG UV_OVERRIDE=/one.txt\nRUN uv pip install -c two.txt a", ["one.txt", "two.txt"]),
        ("RUN export PIP_CONSTRAINT=one.txt && pip install a", ["one.txt"]),
    ],
)
def test_constraints_of_the_environment(make, text, constraints):
    read = reads(make(f"FROM b\nWORKDIR /\nCOPY . /\n{text}\n", one="a==1\n", two="a==2\n"))
    assert sorted(read.constraints) == constraints


# --- what settles the releases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "RUN pip install --require-hashes -r open.txt",
        "RUN pip install -r hashed.txt -r open.txt",
        "ENV PIP_REQUIRE_HASHES=1\nRUN pip install -r open.txt",
        "RUN pip install -c pins.txt -r open.txt",
        "RUN pip install -c pins.txt numpy",
        "RUN pip install -r open.txt -r pins.txt",
        "RUN pip install -r open.txt numpy==1",
        "RUN pip install -c built-elsewhere.txt numpy",
        "RUN uv pip install --exclude-newer 2024-10-01 numpy",
        "ENV UV_EXCLUDE_NEWER=2024-10-01T00:00:00Z\nRUN uv pip install numpy",
        "RUN pip install numpy==1\nRUN pip install -r open.txt",
        "RUN pip install -r pins.txt && pip install numpy",
        "RUN pip install numpy==1.*\nRUN pip install numpy",
    ],
)
def test_a_release_is_settled(make, text):
    build = make(
        f"FROM a\nWORKDIR /b\nCOPY . .\n{text}\n", open="numpy\n", pins="numpy==1\n", hashed="a==1 --hash=sha256:0\n"
    )
    install = installs(build)[-1]
    assert "numpy" in settled(build.stages[-1], install, closure(build.stages[-1], install))


@pytest.mark.parametrize(
    "text",
    [
        "RUN pip install numpy",
        "RUN pip install -c open.txt numpy",
        "RUN pip install -c pins.txt pandas numpy>=1",
        "ENV PIP_CONSTRAINT=pins.txt\nENV PIP_CONSTRAINT=\nRUN pip install numpy",
        "RUN uv pip install --exclude-newer '3 days' numpy",
        "RUN pip install numpy==1\nRUN pip install -U numpy",
        "RUN pip install numpy==1 || true && pip install numpy --force-reinstall",
        "RUN if $A; then pip install numpy==1; fi\nRUN pip install numpy",
        "RUN pip install numpy==1.*\nRUN pip install -U numpy",
        "RUN pip download numpy==1\nRUN pip install numpy",
    ],
)
def test_a_release_is_open(make, text):
    build = make(f"FROM a\nWORKDIR /b\nCOPY . .\n{text}\n", open="numpy\n", pins="pandas==1\n")
    install = installs(build)[-1]
    assert "numpy" not in settled(build.stages[-1], install, closure(build.stages[-1], install))


def test_companions_follow_a_pin_in_the_same_call_alone(make):
    build = make("FROM a\nRUN pip install torch==2.4.1 torchvision\nRUN pip install torchaudio\n")
    same, later = (settled(build.stages[-1], each, closure(build.stages[-1], each)) for each in installs(build))
    assert "torchvision" in same
    assert "torchaudio" not in later


def test_what_the_base_brings_is_settled_also_through_stages(make):
    build = make("FROM pytorch/pytorch:2.4.1 AS b\nFROM b\nRUN pip install torch transformers\n")
    (install,) = installs(build)
    found = settled(build.stages[-1], install, closure(build.stages[-1], install))
    assert "torch" in found
    assert "transformers" not in found


def test_a_file_alone():
    def alone(text: str) -> list[str]:
        found = settled_alone(requirements.parse(Source("requirements.txt", text)))
        return [name for name in ("torch", "torchvision", "numpy") if name in found]

    assert alone("numpy>=1\n") == []
    assert alone("torch==2.4.1\ntorchvision\n") == ["torch", "torchvision"]
    assert alone("a==1 --hash=sha256:0\n") == ["torch", "torchvision", "numpy"]


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("sys_platform == 'win32'", False),
        ("sys_platform != 'linux' or os_name == 'nt'", False),
        ("platform_system == 'Darwin' and platform_machine == 'arm64'", False),
        ("python_version < '3'", False),
        ("platform_python_implementation == 'PyPy'", False),
        ("sys_platform == 'linux'", True),
        ("platform_machine == 'aarch64'", True),
        ("python_version < '3.9'", True),
        ("python_version >= '3.14' and platform_machine == 'x86_64'", True),
        ("extra == 'gpu'", False),
        ("not a marker", True),
    ],
)
def test_markers_that_can_hold_in_a_linux_image(marker, expected):
    assert is_for_linux(marker) == expected


# --- which files are judged -------------------------------------------------------------------------------------------


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    def run(*paths: str, preset: str = "default", **files: str) -> list[str]:
        for name, text in files.items():
            (tmp_path / name.replace("__", "-").replace("_", ".")).write_text(text)
        chosen = [tmp_path / path for path in paths] or [tmp_path]
        report: Report = lint(chosen, select=["ML601"], preset=preset, cwd=tmp_path)
        return [f"{each.location.path}:{each.location.start[0]}" for each in report.findings]

    return run


INSTALLS = "FROM base\nCOPY *.txt .\nRUN pip install -r requirements.txt\n"


def test_files_that_the_image_installs_are_judged(check):
    assert check(Dockerfile=INSTALLS, requirements_txt="a\n", other__requirements_txt="b\n") == ["requirements.txt:1"]


def test_files_named_on_the_command_line_are_judged(check):
    files = {"Dockerfile": INSTALLS, "requirements_txt": "a\n", "other__requirements_txt": "b\n"}
    found = check("other-requirements.txt", **files)
    assert "other-requirements.txt:1" in found


def test_without_a_dockerfile_all_are_judged_but_sources_and_constraints(check):
    files = {
        "requirements_txt": "a\n",
        "requirements_in": "a\n",
        "constraints_txt": "a\n",
        "test__requirements_txt": "a\n",
    }
    assert check(**files) == ["requirements.txt:1"]
    assert check(preset="strict", **files) == ["requirements.txt:1", "test-requirements.txt:1"]


def test_a_source_of_pip_compile_that_is_installed_is_judged(check):
    text = "FROM base\nCOPY requirements.in .\nRUN pip install -r requirements.in\n"
    assert check(Dockerfile=text, requirements_in="a\n") == ["requirements.in:1"]


def test_one_open_use_is_enough(check):
    settled_ = "FROM base\nCOPY . .\nRUN pip install -r requirements.txt -c limits.txt\n"
    files = {"requirements_txt": "a\n", "limits_txt": "a==1\n"}
    assert check(Dockerfile=settled_, **files) == []
    assert check(Dockerfile=settled_, Dockerfile_gpu=INSTALLS, **files) == ["requirements.txt:1"]
