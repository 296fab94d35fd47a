"""What ML106 says to take instead."""

import pytest

from mllint import lint


@pytest.fixture
def report(tmp_path):
    def run(**files):
        for name, text in files.items():
            (tmp_path / name).write_text(text, "utf-8")
        return lint([tmp_path], select=["ML106"], cwd=tmp_path)

    return run


def repair(report, **files):
    found = report(**files).findings
    return next(each.repair for each in found if each.rule.id == "ML106")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM nvidia/cuda:11.8.0-devel-centos7\n", "start from nvidia/cuda:11.8.0-devel-rockylinux8"),
        ("FROM nvidia/cuda:11.8.0-devel-ubuntu20.04\n", "start from nvidia/cuda:11.8.0-devel-ubuntu22.04"),
        (
            "FROM nvidia/cuda:10.1-base-ubuntu18.04\n",
            "start from CUDA 11.7.1 or later, which has images on ubuntu22.04",
        ),
        (
            "FROM nvidia/cuda:10.0-base-ubuntu18.04\n"
            "RUN apt-get update && apt-get install -y cuda-cublas-10-0 python3-pip && pip3 install grpcio==1.24.1\n",
            "raise first what is pinned for the old CUDA: then start from CUDA 11.7.1 or later, which has images on"
            " ubuntu22.04",
        ),
        (
            "FROM 763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:1.8.1-gpu-py36-cu111-ubuntu18.04\n",
            "take a newer release of 763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training, with Python 3.11 or"
            " later and Ubuntu 22.04 or 24.04, where there is one",
        ),
        (
            "FROM nvcr.io/nvidia/tensorflow:20.12-tf1-py3\n",
            "move the model to TensorFlow 2, as no supported image has TensorFlow 1:"
            " then take a newer release of nvcr.io/nvidia/tensorflow",
        ),
        (
            "FROM nvcr.io/nvidia/pytorch:22.04-py3\n",
            "take a newer release of nvcr.io/nvidia/pytorch, with Ubuntu 22.04 or 24.04, whose Python is 3.10 or 3.12",
        ),
        (
            "FROM gcr.io/distroless/cc-debian10\n",
            "take a newer image than gcr.io/distroless/cc-debian10, with Debian 12 (bookworm) or 13 (trixie)",
        ),
        (
            "FROM python:3.9-slim-bookworm AS made\nRUN python -m venv /venv\n"
            "FROM python:3.9-slim-bookworm\nCOPY --from=made /venv /venv\n",
            "start from a supported Python, 3.11 or later, in lines 1 and 3 alike",
        ),
        (
            "FROM python:3.8-slim\nRUN pip install torch==1.7.1+cpu\n",
            "raise the pins first, as torch 1.7.1+cpu has no wheel for a supported Python: then start from one",
        ),
        (
            "FROM python:3.8-slim\nRUN pip install 'numpy==1.18.*'\n",
            "raise the pins first, as numpy 1.18.* has no wheel for a supported Python: then start from one",
        ),
        (
            "FROM python:3.8-slim\nRUN pip install torch==2.3.0 our-features==1.0\n",
            "start from Python 3.12, the newest that torch 2.3.0 has a wheel for, and raise with it what is pinned for"
            " the old one",
        ),
        (
            "FROM python:3.8-slim\nRUN pip install our-features==1.0\n",
            "start from a supported Python, 3.11 or later, and raise with it what is pinned for the old one",
        ),
        (
            "FROM python:3.8-slim\nENV PYTHONUNBUFFERED=1 PORT=8080\nRUN pip install numpy==2.4.0\n",
            "start from Python 3.14, for which all pins here have wheels",
        ),
        (
            "FROM python:3.8-slim\nCOPY a.csv /usr/local/lib/python3.8/site-packages/fair/\n",
            "start from a supported Python, 3.11 or later, and change python3.8 in the paths of line 2",
        ),
        (
            "ARG TAG=3.8\nFROM python:$TAG-slim\nRUN pip install torch==2.3.0\n",
            "start from Python 3.12, the newest that torch 2.3.0 has a wheel for, by the ARG in line 1",
        ),
        (
            "FROM tiangolo/uvicorn-gunicorn:python3.9\nRUN pip install torch==2.3.0\n",
            "start from Python 3.12, the newest that torch 2.3.0 has a wheel for, with uvicorn and its --workers in the"
            " place of /start.sh, which runs prestart.sh, and of /gunicorn_conf.py",
        ),
        (
            "FROM public.ecr.aws/lambda/python:3.9\nRUN yum install -y git\n",
            "take a newer release of public.ecr.aws/lambda/python, with Python 3.12 or later and Amazon Linux 2023,"
            " where dnf takes the place of yum",
        ),
        (
            "ARG BASE=pytorch/torchserve:latest-gpu\nFROM $BASE\n",
            "serve the model with Triton, KServe, Ray Serve or vLLM",
        ),
        (
            "FROM ubuntu:16.04\nRUN apt-get install -y python python-pip\nRUN pip install requests\n",
            "move the code to Python 3 first: then start from Ubuntu 22.04 or 24.04",
        ),
        (
            "FROM debian:11-slim\nRUN apt-get install -y python3-pip\nRUN pip3 install flask\n",
            "start from a supported Python, 3.11 or later, as python:*-slim has it: pip refuses to install into that of"
            " Debian 12 (bookworm) or 13 (trixie)",
        ),
        (
            "FROM ubuntu:20.04\nRUN apt-get install -y python3-pip\nRUN pip3 install flask\n",
            "start from Ubuntu 22.04, or 24.04 with a virtual environment for pip",
        ),
        (
            "FROM ubuntu:20.04\nRUN apt-get install -y libgl1-mesa-glx\n",
            "start from Ubuntu 22.04, and raise with it what is pinned for the old one",
        ),
        (
            "FROM ubuntu:18.04\nRUN apt-get install -y python3-pip\nRUN pip3 install tensorflow==2.3.0\n",
            "raise the pins first, as tensorflow 2.3.0 has no wheel for Python 3.10 or 3.12:"
            " then start from Ubuntu 22.04, or 24.04 with a virtual environment for pip",
        ),
    ],
)
def test_what_fits_there(report, text, said):
    assert repair(report, Dockerfile=text) == said


def test_a_pipfile_holds_the_python(report):
    files = {"Dockerfile": "FROM python:3.8.12-slim\n", "Pipfile": '[requires]\npython_version = "3.8"\n'}
    assert repair(report, **files).startswith("raise python_version in the Pipfile to a supported Python first")


def test_a_file_for_one_python_is_to_go_with_it(report):
    text = "FROM python:3.8-slim\nRUN pip install torch==2.3.0\n"
    (said,) = (each.repair for each in report(**{"python3.8.dockerfile": text}).findings)
    assert said == "drop python3.8.dockerfile, which is there for Python 3.8, and keep those for Python 3.11 or later"


def test_pins_for_another_python_go_with_the_old_cuda(report):
    text = (
        "FROM nvidia/cuda:10.0-base-ubuntu16.04\n"
        "RUN apt-get update && apt-get install -y python3.7 python3-pip\nRUN python3.7 -m pip install grpcio==1.24.1\n"
    )
    said = repair(report, Dockerfile=text)
    assert said.startswith("raise first what is pinned for the old CUDA: then start from CUDA 11.7.1 or later")
