"""The releases and tags that fixes pin to, and what they leave alone."""

from __future__ import annotations

import pytest

from mllint import fix, lint
from mllint.image.published import exact_tag
from mllint.sources.reference import Reference, parse


def fixed(folder, rule, **files):
    """The text of each file after the fixes of a rule, all of them wanted."""
    names = {"dockerfile": "Dockerfile", "requirements": "requirements.txt"}
    for name, text in files.items():
        (folder / names[name]).write_bytes(text.encode())
    fix([folder], unsafe=True, select=[rule], preset="all", cwd=folder)
    return {name: (folder / names[name]).read_bytes().decode() for name in files}


def tag(text, without=()):
    reference = parse(text)
    assert isinstance(reference, Reference)
    return exact_tag(reference, without)


@pytest.mark.parametrize(
    ("image", "exact"),
    [
        ("python:3.11-slim", "3.11.15-slim-trixie"),
        ("python:3.11", "3.11.15-trixie"),
        ("python:3.11-slim-bullseye", "3.11.13-slim-bullseye"),
        ("python:3.11.9-slim", "3.11.9-slim-bookworm"),
        ("python:3.8-slim", "3.8.20-slim-bookworm"),
        ("python:3.12-alpine", "3.12.13-alpine3.24"),
        ("python:3.12-alpine3.20", "3.12.10-alpine3.20"),
        ("public.ecr.aws/docker/library/python:3.11-slim", "3.11.15-slim-trixie"),
    ],
)
def test_what_a_tag_leaves_open_is_named(image, exact):
    assert tag(image) == exact


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:latest",
        "python:3",
        "python:3.11.15-slim-bookworm",
        "python:3.11.99-slim",
        "python:3.99-slim",
        "python:3.11-slim-alpine",
        "python:3.13.0rc1-slim",
        "registry.example/python:3.11-slim",
        "ubuntu:latest",
    ],
)
def test_nothing_is_named_that_is_exact_or_unknown(image):
    assert tag(image) is None


def test_a_distribution_that_does_not_do_is_passed_over_unless_it_is_named():
    assert tag("python:3.11-slim", {"trixie"}) == "3.11.15-slim-bookworm"
    assert tag("python:3.11-slim-trixie", {"trixie"}) == "3.11.15-slim-trixie"


@pytest.mark.parametrize(
    "dockerfile",
    [
        "ARG V=3.11\nFROM python:${V}-slim-bookworm\nARG V\nRUN echo ${V}\n",
        "ARG V=3.11\nFROM python:${V}-slim-bookworm\nCOPY --from=registry.example/tools:${V} /a /b\n",
        "ARG MINOR=11\nFROM python:3.${MINOR}-slim-bookworm\n",
        "ARG V=3.11\nARG V=3.12\nFROM python:${V}-slim-bookworm\n",
        "ARG V=3.11\nFROM registry.example/python:${V} AS a\nFROM python:${V}-slim-bookworm\nCOPY --from=a /a /b\n",
        "FROM python:${V:-3.11}-slim-bookworm\n",
        'FROM python:3.11\nSHELL ["powershell", "-Command"]\nRUN Get-Item C:\\\n',
    ],
)
def test_a_base_stays_where_something_else_rests_on_its_argument(tmp_path, dockerfile):
    assert fixed(tmp_path, "ML101", dockerfile=dockerfile) == {"dockerfile": dockerfile}


def test_the_whole_tag_in_an_argument_is_written_there(tmp_path):
    found = fixed(tmp_path, "ML101", dockerfile="ARG TAG='3.12-slim'\nFROM python:$TAG AS serve\n")
    assert found["dockerfile"] == "ARG TAG='3.12.13-slim-trixie'\nFROM python:$TAG AS serve\n"


INSTALL = "FROM python:{}-slim-bookworm\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"


@pytest.mark.parametrize(
    ("python", "asked", "pinned"),
    [
        ("3.10", "numpy\n", "numpy==2.2.6\n"),
        ("3.10", "numpy<3\n", "numpy==2.2.6\n"),
        ("3.12", "uvicorn [standard]  # served\r\n", "uvicorn [standard]==0.54.0  # served\r\n"),
        (
            "3.12",
            "fastapi >= 0.100 ; platform_machine != 's390x'\n",
            "fastapi == 0.165.0 ; platform_machine != 's390x'\n",
        ),
    ],
)
def test_a_line_is_pinned_to_what_the_python_and_the_range_admit(tmp_path, python, asked, pinned):
    found = fixed(tmp_path, "ML601", dockerfile=INSTALL.format(python), requirements=asked)
    assert found["requirements"] == pinned


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(
    "asked",
    [
        "fastapi uvicorn scikit-learn pandas numpy joblib pydantic",
        "fastapi uvicorn[standard] python-multipart torch transformers",
        "requests httpx tqdm pyyaml jinja2 python-dotenv prometheus-client",
        "redis sqlalchemy psycopg2-binary gunicorn starlette",
        "fastapi uvicorn joblib==1.3.2 numpy==1.24.3 pydantic==2.14.3 scikit-learn==1.4.1.post1",
    ],
)
def test_the_list_of_a_service_is_pinned_as_a_whole(tmp_path, python, asked):
    lines = asked.split()
    found = fixed(tmp_path, "ML601", dockerfile=INSTALL.format(python), requirements="\n".join(lines))
    after = found["requirements"].split("\n")
    assert [line.partition("==")[0] for line in after] == [line.partition("==")[0] for line in lines]
    assert all("==" in line for line in after)
    assert all(line in after for line in lines if "==" in line)


def test_a_second_run_changes_nothing(tmp_path):
    first = fixed(tmp_path, "ML601", dockerfile=INSTALL.format("3.12"), requirements="numpy\ntorch\n")
    assert first["requirements"].startswith("numpy==")
    assert fixed(tmp_path, "ML601", **first) == first


@pytest.mark.parametrize(
    "asked",
    [
        "numpy\nnobody-knows-this\n",
        "numpy\nnobody-knows-this==1.0\n",
        "numpy\nscorer @ https://wheels.example/scorer-1.4.0-py3-none-any.whl\n",
        "numpy\n-e ./scorer\n",
        "numpy\n-r missing.txt\n",
        "numpy; python_version >= '3.8'\n",
        "numpy==1.22.0; python_version <= '3.10'\nnumpy==1.26.4; python_version > '3.10'\nuvicorn\n",
        "--extra-index-url https://wheels.example/simple\nnumpy\n",
        "transformers==4.46.3\ntokenizers\n",
        "transformers==4.46.3\ngradio\n",
        "torch==2.1.2\ntriton\n",
        "torch\ntorchvision\n",
        "numpy==1.26.4\nopencv-python-headless\n",
        "opencv-python\nopencv-contrib-python\n",
        "opencv-python==4.13.0.92\nopencv-python-headless\n",
        "pydantic\npydantic-core\n",
        "transformers>=4.30\ntorch\n",
        "scipy==1.15.3\nnumpy\n",
        "uvicorn[nobody-knows-this]\n",
    ],
)
def test_nothing_of_a_list_is_pinned_where_one_part_is_not_known_to_fit(tmp_path, asked):
    found = fixed(tmp_path, "ML601", dockerfile=INSTALL.format("3.11"), requirements=asked)
    assert found["requirements"] == asked


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04\n{}",
        "FROM vllm/vllm-openai:v0.9.0\n{}",
        "FROM jupyter/scipy-notebook:python-3.11\n{}",
        "FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN apt-get install -y python3-pip python3-numpy\n{}",
        "FROM opensuse/tumbleweed:latest\nRUN zypper install -y python312-pip python312-scipy\n{}",
        "FROM python:3.12-slim\nRUN pip install flask\n{}",
        "FROM python:3.12-slim\nCOPY . .\nRUN pip install .\n{}",
        "FROM python:3.12-slim\nENV PIP_CONSTRAINT=limits.txt\n{}",
        "FROM python:3.12-slim\n{}RUN pip install scipy\n",
    ],
)
def test_a_list_stays_open_where_something_else_decides_too(tmp_path, dockerfile):
    call = "COPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "served"\nversion = "1"\ndependencies = ["torch"]\n')
    (tmp_path / "limits.txt").write_text("pandas<3\n")
    found = fixed(tmp_path, "ML601", dockerfile=dockerfile.format(call), requirements="numpy\n")
    assert found["requirements"] == "numpy\n"


def test_one_repair_pins_all_files_of_a_call(tmp_path):
    (tmp_path / "base.txt").write_text("-r requirements.txt\nuvicorn\n")
    dockerfile = "FROM python:3.12-slim\nCOPY *.txt ./\nRUN pip install -r base.txt gunicorn\n"
    found = fixed(tmp_path, "ML601", dockerfile=dockerfile, requirements="fastapi\n")
    assert found["requirements"] == "fastapi==0.165.0\n"
    assert found["dockerfile"].endswith("-r base.txt gunicorn==27.0.1\n")
    assert (tmp_path / "base.txt").read_text() == "-r requirements.txt\nuvicorn==0.54.0\n"


@pytest.mark.parametrize(
    ("requirements", "title"),
    [
        ("fastapi\n", "pin fastapi to 0.165.0"),
        ("fastapi\nuvicorn\nnumpy==2.5.5\n", "pin the 2 unpinned requirements to exact releases"),
    ],
)
def test_the_title_tells_how_much_is_pinned(tmp_path, requirements, title):
    (tmp_path / "Dockerfile").write_text(INSTALL.format("3.12"))
    (tmp_path / "requirements.txt").write_text(requirements)
    report = lint([tmp_path], select=["ML601"], cwd=tmp_path)
    assert {finding.fix.title for finding in report.findings} == {title}


@pytest.mark.parametrize("word", ["onnxruntime>=1.10.0", "onnxruntime >=1.10.0", "onnxruntime<2"])
def test_nothing_is_written_in_front_of_a_redirection(tmp_path, word):
    text = f"FROM python:3.12-slim\nRUN pip install {word}\n"
    assert fixed(tmp_path, "ML602", dockerfile=text) == {"dockerfile": text}


def test_a_generated_file_stays_as_it_is(tmp_path):
    text = "# This file is autogenerated by pip-compile with Python 3.11\nnumpy\n"
    found = fixed(tmp_path, "ML601", dockerfile=INSTALL.format("3.11"), requirements=text)
    assert found["requirements"] == text
