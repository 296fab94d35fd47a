"""Where installs take distributions from, what fits their interpreter, and who refuses them."""

from __future__ import annotations

import pytest
from paper import last, last_in

from mllint.image.installing import fitting, indexed
from mllint.image.installing.managed import refused
from mllint.image.installing.torch import download, with_cuda
from mllint.image.serving import gpu
from mllint.image.stage import Stage

PYTHON = "FROM python:3.11.9-slim-bookworm\n"


def is_public(text: str) -> bool:
    stage = last(text)
    return indexed.is_public(stage, stage.steps[-1].installs[-1])


@pytest.mark.parametrize(
    "text",
    [
        PYTHON + "RUN pip install torch",
        PYTHON + "ENV PIP_NO_CACHE_DIR=1\nRUN python -m pip install --upgrade torch",
        PYTHON + "COPY requirements.txt .\nRUN uv pip install --system torch",
    ],
)
def test_a_plain_call_asks_the_public_index(text):
    assert is_public(text)


@pytest.mark.parametrize(
    "text",
    [
        PYTHON + "RUN pip install -i https://wheels.example torch",
        PYTHON + "RUN pip install --find-links=/wheels torch",
        PYTHON + "RUN uv pip install --system --torch-backend=cpu torch",
        PYTHON + "RUN PIP_EXTRA_INDEX_URL=https://wheels.example pip install torch",
        PYTHON + "ARG UV_DEFAULT_INDEX\nRUN uv pip install --system torch",
        PYTHON + "RUN pip config set global.index-url https://wheels.example\nRUN pip install torch",
        PYTHON + "RUN --mount=type=secret,id=pip,target=/etc/pip.conf pip install torch",
        "FROM registry.example/base:1\nRUN pip install torch",
    ],
)
def test_another_index_is_seen(text):
    assert not is_public(text)


def misfits(stage: Stage) -> list[tuple[str, bool, bool]]:
    call = stage.steps[-1].installs[-1]
    where = fitting.place(stage, call)
    if where is None:
        return []
    found = [fitting.misfit(each, where) for each in indexed.asked(stage, call)]
    return [(f"{each.release} {each.reason}", each.fails, each.is_certain) for each in found if each is not None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FROM python:3.12.4-slim\nRUN pip install numpy==1.24.4 pandas",
            [("numpy 1.24.4 has no wheel for Python 3.12 (3.8 to 3.11 have one)", False, True)],
        ),
        (
            "FROM --platform=linux/arm64 python:3.9.9-slim\nRUN pip install tensorflow==2.8.0",
            [("tensorflow 2.8.0 has no wheel for 64-bit ARM", True, True)],
        ),
        ("FROM --platform=linux/s390x python:3.9.9-slim\nRUN pip install tensorflow==2.8.0", []),
        (
            "FROM python:3.13.1-slim\nRUN pip install 'torch==2.4.*'",
            [("torch==2.4.* has no wheel for Python 3.13 (3.8 to 3.12 have one)", True, True)],
        ),
        ("FROM python:3.13.1-slim\nARG V\nRUN pip install torch==$V", []),
        ("FROM python:3.12.4-slim\nRUN pip install 'numpy==1.24.4 ; python_version < \"3.12\"'", []),
        ("FROM python:3.12.4-slim\nRUN pip install --no-binary numpy numpy==1.24.4", []),
        ("FROM python:3.12.4-slim\nRUN pip install numpy\nRUN pip install numpy==1.24.4", []),
    ],
)
def test_what_has_no_wheel_is_told_with_the_reason(text, expected):
    assert misfits(last(text)) == expected


def test_a_name_without_an_upper_bound_may_get_a_release_that_fits():
    (found,) = misfits(last("FROM python:3.15.0-slim-bookworm\nRUN pip install 'tensorflow>=2.10'"))
    assert found[1:] == (True, False)


def test_the_repair_names_the_release_and_the_python_that_suit_all_pins():
    stage = last("FROM python:3.13.1-slim\nRUN pip install torch==2.4.1 numpy==1.24.4")
    call = stage.steps[-1].installs[-1]
    where = fitting.place(stage, call)
    assert where is not None
    torch = fitting.misfit(next(iter(indexed.asked(stage, call))), where)
    assert torch is not None
    assert torch.repair == "use torch 2.5.0 or later, or Python 3.11, the newest that all pins here have wheels for"


@pytest.mark.parametrize(
    ("setup", "is_there"),
    [("RUN apt-get install -y gcc && ", True), ("RUN apt-get install -y curl && ", False), ("RUN ", False)],
)
def test_a_compiler_counts_from_where_it_is_installed(setup, is_there):
    stage = last(f"FROM python:3.12.4-slim-bookworm\n{setup}pip install numpy==1.24.4")
    assert fitting.lacks_compiler(stage, stage.steps[-1].installs[-1]) is not is_there


NOBLE = "FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y python3-pip python3-venv\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NOBLE + "RUN pip install numpy", True),
        (NOBLE + "RUN python3 -m pip install --user numpy", True),
        (NOBLE + "RUN pip install --break-system-packages numpy", False),
        (NOBLE + "RUN PIP_BREAK_SYSTEM_PACKAGES=1 pip install numpy", False),
        (NOBLE + "RUN rm /usr/lib/python3.12/EXTERNALLY-MANAGED\nRUN pip install numpy", False),
        (NOBLE + "RUN pip config set global.break-system-packages true\nRUN pip install numpy", False),
        (NOBLE + "RUN pip install --target /app numpy", False),
        (NOBLE + "RUN python3 -m venv /v && /v/bin/pip install numpy", False),
        (NOBLE.replace("24.04", "22.04") + "RUN pip install numpy", False),
        (NOBLE.replace("24.04", "latest") + "RUN pip install numpy", False),
        (PYTHON + "RUN pip install numpy", False),
    ],
)
def test_pip_refuses_the_python_of_the_operating_system(text, expected):
    stage = last(text)
    assert (refused(stage, stage.steps[-1].installs[-1]) is not None) is expected


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("COPY main.py /app/", {"main.py": "import torch\n"}, "cpu"),
        ("COPY main.py /app/", {"main.py": "model.to('cuda')\n"}, "gpu"),
        ("COPY main.py /app/", {"main.py": "model.cuda()\n"}, "gpu"),
        ("COPY main.py /app/", {"main.py": "d = 'cuda' if torch.cuda.is_available() else 'cpu'\n"}, "open"),
        ("COPY main.py /app/", {"main.py": "import torch\n", "k8s/pod.yaml": "limits: {nvidia.com/gpu: 1}\n"}, "gpu"),
        ("RUN pip install torch flash-attn", {}, "gpu"),
        ("ENV NVIDIA_VISIBLE_DEVICES=all", {}, "gpu"),
        ("RUN git clone https://git.example/app", {}, "open"),
    ],
)
def test_the_files_tell_what_an_image_computes_on(tmp_path, text, files, expected):
    assert gpu.intent(last_in(tmp_path, PYTHON + text, files)) == expected


@pytest.mark.parametrize(("accelerator", "expected"), [("cpu", "cpu"), ("rocm", "gpu"), ("auto", "gpu")])
def test_the_configuration_decides(accelerator, expected):
    assert gpu.intent(last(PYTHON + "RUN pip install cupy", accelerator=accelerator)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN pip install torch==2.3.1", "torch"),
        ("RUN pip install sentence-transformers==6.0.1", "sentence-transformers"),
        ("RUN pip install torch==2.3.1+cpu", None),
        ("RUN pip install torch --index-url https://wheels.example/cpu\nRUN pip install sentence-transformers", None),
        ("RUN pip install fastapi", None),
    ],
)
def test_torch_comes_with_cuda_from_the_public_index(text, expected):
    found = with_cuda(last(PYTHON + text))
    assert (found.event.name if found else None) == expected


def test_downloads_are_those_of_the_release():
    assert download("2.3.1").with_cuda == download("2.2.2").with_cuda
    assert download("1.9.0").with_cuda is None
    assert download(None) == download("99.0")
