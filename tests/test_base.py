"""What is known of base images: their names, what the configuration says of them, and the tables themselves."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from mllint import facts
from mllint.config import Base as Described
from mllint.config import Settings
from mllint.image.base import Base
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.image.interpreter import Interpreter
from mllint.image.names import common_name, is_built_here
from mllint.image.values import Unknown
from mllint.inputs import Inputs
from mllint.sources import dockerfile
from mllint.sources.reference import Reference, parse
from mllint.sources.text import Source


def base(image: str, described: Described | None = None) -> Base:
    folder = Path("/nowhere")
    context = Context(Tree(folder), Inputs(folder), None, (), True)
    settings = Settings(bases={"registry.example/*": described} if described else {})
    return Build(dockerfile.parse(Source("Dockerfile", f"FROM {image}\n")), context, settings).stages[0].base


def reference(text: str) -> Reference:
    found = parse(text)
    assert isinstance(found, Reference)
    return found


@pytest.mark.parametrize(
    ("image", "user", "family"),
    [
        ("python:3.11-slim", "root", "debian"),
        ("python:3.11-alpine3.20", "root", "alpine"),
        ("docker.io/library/python:3.11", "root", "debian"),
        ("public.ecr.aws/docker/library/python:3.11-alpine", "root", "alpine"),
        ("arm64v8/ubuntu:22.04", "root", "ubuntu"),
        ("nvidia/cuda:12.4.1-runtime-ubuntu22.04", "root", "ubuntu"),
        ("registry.access.redhat.com/ubi9/python-311:1", "1001", "rhel"),
        ("registry.access.redhat.com/ubi9/ubi-minimal:9.4", "root", "rhel"),
        ("quay.io/jupyter/base-notebook", "jovyan", "ubuntu"),
    ],
)
def test_known_images(image: str, user: str, family: str):
    found = base(image)
    assert (found.user, found.family) == (user, family)


def test_an_unknown_image_leaves_its_user_open():
    found = base("registry.example/ml:1")
    assert isinstance(found.user, Unknown)
    assert "describe the image" in found.why_unknown


def test_a_described_image_is_like_another_but_for_what_is_said():
    found = base("registry.example/ml:1", Described(like="python:3.11-slim", user="app"))
    assert (found.user, found.family, found.text) == ("app", "debian", "registry.example/ml:1")
    assert base("registry.example/ml:1", Described(like="vllm/vllm-openai:v0.9")).server_entrypoint == ("vllm", "serve")
    assert base("registry.example/ml:1", Described(entrypoint=("serve",))).entrypoint == ("serve",)


@pytest.mark.parametrize("like", ["registry.example/ml:1", "UPPER case", "scratch"])
def test_a_description_that_leads_nowhere_leaves_the_user_open(like: str):
    assert isinstance(base("registry.example/ml:1", Described(like=like)).user, Unknown)


def test_a_copy_of_an_official_image_has_its_name():
    assert common_name(reference("mirror.gcr.io/library/python:3.11")) == "python"
    assert common_name(reference("public.ecr.aws/lambda/python:3.11")) == "public.ecr.aws/lambda/python"


@pytest.mark.parametrize(
    ("image", "expected"),
    [("serving-base", True), ("localhost/app:1", True), ("postgres", False), ("me/app", False), ("quay.io/app", False)],
)
def test_which_names_no_registry_has(image: str, expected: bool):
    assert is_built_here(reference(image)) is expected


def test_no_row_of_the_base_images_hides_behind_one_above():
    rows = facts.rows("base_images")
    for index, row in enumerate(rows):
        for above in rows[:index]:
            same_tags = "tag" not in above or above["tag"] == row.get("tag")
            covers = same_tags and "since" not in above and "until" not in above
            assert not (covers and fnmatchcase(row["image"], above["image"])), (above, row)


DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.parametrize(
    ("image", "distro", "suite", "libc"),
    [
        ("python:3.11-slim-bookworm", "debian", "bookworm", "glibc"),
        ("python:3.11.9-slim", "debian", "bookworm", "glibc"),
        ("python:3.11.13", "debian", "trixie", "glibc"),
        ("python:3.8", "debian", "bookworm", "glibc"),
        ("python:3.11-slim", "debian", None, "glibc"),
        ("python:3.99.1-slim", "debian", None, "glibc"),
        ("python:3.11-alpine3.20", "alpine", "3.20", "musl"),
        ("debian:12.6-slim", "debian", "bookworm", "glibc"),
        ("debian:stable-slim", "debian", None, "glibc"),
        ("ubuntu:22.04@sha256:" + "0" * 64, "ubuntu", "jammy", "glibc"),
        ("ubuntu:focal-20240530", "ubuntu", "focal", "glibc"),
        ("alpine:3.19.1", "alpine", "3.19", "musl"),
        ("nvidia/cuda:12.4.1-runtime-ubuntu22.04", "ubuntu", "jammy", "glibc"),
        ("nvidia/cuda:12.4.1-base-ubi9", "rhel", "9", "glibc"),
        ("rocm/dev-ubuntu-22.04:6.3.1", "ubuntu", "jammy", "glibc"),
        ("gcr.io/distroless/python3-debian12:nonroot", "debian", "bookworm", "glibc"),
        ("amazonlinux:2.0.20240610.1", "amzn", "2", "glibc"),
        ("nvcr.io/nvidia/pytorch:24.09-py3", "ubuntu", "jammy", "glibc"),
        ("busybox", None, None, None),
    ],
)
def test_the_release_of_the_distribution(image: str, distro: str | None, suite: str | None, libc: str | None):
    found = base(image)
    known = [None if isinstance(each, Unknown) else each for each in (found.distro, found.suite, found.libc)]
    assert known == [distro, suite, libc]


@pytest.mark.parametrize(
    ("image", "version", "prefix"),
    [
        ("python:3.11-slim", "3.11", "/usr/local"),
        ("python:3.13.0rc1-slim", "3.13.0rc1", "/usr/local"),
        ("tiangolo/uvicorn-gunicorn:python3.10-slim", "3.10", "/usr/local"),
        ("ghcr.io/astral-sh/uv:0.8.15-python3.12-bookworm", "3.12", "/usr/local"),
        ("continuumio/miniconda3:py311_24.1.2-0", "3.11", "/opt/conda"),
        ("registry.access.redhat.com/ubi9/python-311:1", "3.11", "/opt/app-root"),
        ("public.ecr.aws/lambda/python:3.12", "3.12", "/var/lang"),
        ("quay.io/jupyter/base-notebook:python-3.11", "3.11", "/opt/conda"),
        ("pytorch/pytorch:2.1.2-cuda12.1-cudnn8-runtime", "3.10", "/opt/conda"),
        ("nvcr.io/nvidia/pytorch:24.09-py3", "3.10", "/usr"),
        ("nvcr.io/nvidia/pytorch:21.12-py3", "3.8", "/opt/conda"),
        ("tensorflow/tensorflow:2.15.0-gpu", "3.11", "/usr"),
        ("node:20-bookworm", "3.11", "/usr"),
        ("golang:1.25", "3.13", "/usr"),
        ("apache/spark:4.0.1", "3.10", "/usr"),
        ("quay.io/jupyter/scipy-notebook:2025-01-13", "3.12", "/opt/conda"),
        ("quay.io/jupyter/base-notebook:2026-07-28", "3.13", "/opt/conda"),
    ],
)
def test_the_python_of_an_image(image: str, version: str, prefix: str):
    python = base(image).python
    assert isinstance(python, Interpreter)
    assert (python.version, python.prefix) == (version, prefix)


@pytest.mark.parametrize(
    "image",
    "scratch debian:12 ubuntu:22.04 alpine nvidia/cuda:12.4.1-runtime-ubuntu22.04 node:20-slim mambaorg/micromamba "
    "ghcr.io/astral-sh/uv:0.8.15 gcr.io/distroless/static:nonroot".split(),
)
def test_images_that_surely_have_no_python(image: str):
    found = base(image)
    assert found.python is None
    assert (found.program("python3"), found.program("pip")) == ("absent", "absent")


@pytest.mark.parametrize(
    "image",
    "python python:3 quay.io/jupyter/base-notebook quay.io/jupyter/base-notebook:2026-09-29 me/app node:22 "
    "apache/spark:4.0.1-scala lmsysorg/sglang ghcr.io/mlflow/mlflow".split(),
)
def test_a_python_that_the_tag_does_not_tell(image: str):
    assert isinstance(base(image).python, Unknown)


def test_the_python_of_debian_refuses_pip_and_that_of_the_python_image_does_not():
    debian, own = base("node:20-bookworm").python, base("python:3.11-bookworm").python
    assert isinstance(debian, Interpreter)
    assert isinstance(own, Interpreter)
    assert (debian.is_externally_managed, debian.has_pip, debian.names) == (True, False, ("python3", "python3.11"))
    assert (own.is_externally_managed, own.has_pip, own.minor) == (False, True, "3.11")


def test_the_environment_of_images():
    assert dict(base("debian:12").env) == {"PATH": DEFAULT}
    assert not base("debian:12").other_env
    python = base("python:3.11.9-slim")
    assert dict(python.env)["PATH"] == f"/usr/local/bin:{DEFAULT}"
    assert dict(python.env)["PYTHON_VERSION"] == "3.11.9"
    assert isinstance(dict(base("python:3.11-slim").env)["PYTHON_VERSION"], Unknown)
    assert dict(base("python:3.12-slim").env)["LANG"] == "C.UTF-8"
    assert "LANG" not in dict(base("python:3.13-slim").env)
    cuda = dict(base("nvidia/cuda:12.4.1-base-ubuntu22.04").env)
    assert cuda["PATH"] == f"/usr/local/nvidia/bin:/usr/local/cuda/bin:{DEFAULT}"
    assert (cuda["CUDA_VERSION"], cuda["NVIDIA_VISIBLE_DEVICES"]) == ("12.4.1", "all")
    assert base("nvidia/cuda:12.4.1-base-ubuntu22.04").other_env
    assert base("me/app").other_env


def test_users_homes_and_working_directories():
    jupyter = base("quay.io/jupyter/base-notebook")
    assert (jupyter.uid, jupyter.home, jupyter.workdir) == ("1000", "/home/jovyan", "/home/jovyan")
    python = base("python:3.11-bookworm")
    assert (python.uid, python.home, python.workdir, python.root_home_mode) == ("0", "/root", "/", "0700")
    node = base("node:20-bookworm").entry("node")
    assert node is not None
    assert (node.uid, node.home) == ("1000", "/home/node")
    assert base("ubuntu:24.04").entry("1000") is not None
    assert base("ubuntu:22.04").entry("ubuntu") is None
    assert base("pytorch/pytorch:2.4.0-cuda11.8-cudnn9-runtime").workdir == "/workspace"
    assert isinstance(base("me/app").workdir, Unknown)


def test_the_process_of_an_image_and_the_server_in_it():
    python = base("python:3.11")
    assert (python.entrypoint, python.command, python.is_process_known) == ((), ("python3",), True)
    assert (python.server_entrypoint, python.server_command) == ((), ())
    tiangolo = base("tiangolo/uvicorn-gunicorn:python3.11")
    assert (tiangolo.command, tiangolo.server_command) == (("/start.sh",), ("gunicorn",))
    assert not base("me/app").is_process_known
    assert not base("nvidia/cuda:10.0-runtime-ubuntu18.04").is_process_known


def test_programs_of_images():
    slim = base("python:3.11-slim-bookworm")
    assert (slim.program("curl"), slim.program("python3.11"), slim.program("bash")) == ("absent", "present", "present")
    assert isinstance(base("me/app").program("curl"), Unknown)
    assert base("scratch").program("sh") == "absent"


def test_a_description_that_names_some_programs_leaves_the_others_open():
    some = base("registry.example/ml:1", Described(programs=("curl",)))
    assert some.program("curl") == "present"
    assert isinstance(some.program("wget"), Unknown)
    everything = base("registry.example/ml:1", Described(programs=("curl",), libraries=(), complete=True))
    assert (everything.program("wget"), everything.library("libGL.so.1")) == ("absent", "absent")


def test_a_stage_has_what_its_own_base_brings():
    folder = Path("/nowhere")
    context = Context(Tree(folder), Inputs(folder), None, (), True)
    text = "FROM python:3.11-slim AS a\nUSER app\nFROM a\n"
    found = Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings()).stages[1].base
    assert (found.kind, found.user, found.distro, found.reference) == ("stage", "app", "debian", None)
    assert isinstance(found.python, Interpreter)


def test_a_search_path_on_a_base_nobody_knows_keeps_its_known_part():
    folder = Path("/nowhere")
    context = Context(Tree(folder), Inputs(folder), None, (), True)
    text = "FROM me/app\nENV PATH=/opt/venv/bin:$PATH\n"
    found = Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings()).stages[0].end.env["PATH"]
    assert isinstance(found, str)
    assert found.startswith("/opt/venv/bin:")


EXAMPLES = [row for row in facts.rows("image_tags") if "as_in" in row]
MOVING = [row["moving"] for row in facts.rows("image_tags") if "moving" in row and row["image"] == "*"]


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: row["image"])
def test_the_tag_that_is_given_as_an_example_is_pinned(row: dict[str, str]):
    assert re.search(row["pattern"], row["as_in"])
    assert not any(re.fullmatch(pattern, row["as_in"]) for pattern in MOVING)


@pytest.mark.parametrize(
    "tag", "latest v2-latest-gpu vllm011.latest nightly latest-dev main main-cpu stable-slim lts-alpine".split()
)
def test_tags_that_move_whatever_the_image(tag: str):
    assert any(re.fullmatch(pattern, tag) for pattern in MOVING)


@pytest.mark.parametrize(
    "tag", "nightly-2024-05-01 stable-20240211-slim 12.4.1-devel-ubuntu22.04 main-3f2a1b9 devel".split()
)
def test_tags_that_do_not(tag: str):
    assert not any(re.fullmatch(pattern, tag) for pattern in MOVING)
