"""The build on paper: what is known at each point of a Dockerfile."""

from __future__ import annotations

from typing import Any

import pytest
from paper import build

from mllint.config import Base
from mllint.image.values import Unknown


def bases(text: str, **settings: Any) -> list[str]:
    return [stage.base.text for stage in build(text, **settings).stages]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARG V=3.11\nFROM python:$V", "python:3.11"),
        ("ARG V=3.11\nARG T=${V}-slim\nFROM python:$T", "python:3.11-slim"),
        ("ARG T\nFROM python:${T:-3.12}", "python:3.12"),
        ("ARG T\nFROM python:3.12${T:+-$T}", "python:3.12"),
        ("ARG TARGETARCH\nFROM python:3.12-$TARGETARCH", "python:3.12-$TARGETARCH"),
        ("FROM --platform=$BUILDPLATFORM python:3.11", "python:3.11"),
        ("ARG V=1\nARG V=2\nFROM x:$V", "x:2"),
    ],
)
def test_the_base_is_resolved_by_the_arguments_above_the_first_from(text: str, expected: str):
    assert bases(text) == [expected]


def test_a_build_argument_beats_the_default():
    assert bases("ARG V=3.11\nFROM python:$V", build_args={"V": "3.13"}) == ["python:3.13"]


def test_an_argument_without_a_value_leaves_the_base_unknown_with_the_reason():
    (stage,) = build("ARG BASE\nFROM $BASE").stages
    assert (stage.base.kind, stage.base.why_unknown) == ("unknown", "ARG BASE has no default")


def test_names_of_stages_are_no_images_and_case_does_not_matter():
    stages = build("FROM python:3.11 AS Builder\nFROM builder\nFROM scratch").stages
    assert [stage.base.kind for stage in stages] == ["image", "stage", "scratch"]


def test_a_stage_named_like_an_image_counts_only_for_those_below_it():
    stages = build("FROM python AS python\nFROM python").stages
    assert [stage.base.kind for stage in stages] == ["image", "stage"]


def test_users_and_folders_are_inherited_and_relative_ones_chain():
    stages = build("FROM python:3.11 AS a\nWORKDIR /srv\nWORKDIR app\nUSER app\nFROM a\nWORKDIR ../x").stages
    assert (stages[1].end.user, stages[1].end.directory) == ("app", "/srv/x")


def test_the_user_of_a_known_base_counts():
    assert build("FROM python:3.11").stages[0].end.user == "root"
    assert build("FROM gcr.io/distroless/python3:nonroot").stages[0].end.user == "nonroot"
    assert isinstance(build("FROM registry.example/team/image:1").stages[0].end.user, Unknown)


def test_a_described_base_counts():
    described = {"registry.example/*": Base(like="python:3.11-slim-bookworm", user="app")}
    (stage,) = build("FROM registry.example/ml:1", bases=described).stages
    assert (stage.end.user, stage.base.family) == ("app", "debian")


def test_variables_that_the_base_is_known_to_set_count():
    described = {"registry.example/*": Base(env={"PIP_NO_CACHE_DIR": "1"})}
    (stage,) = build("FROM registry.example/ml:1\nENV X=$PIP_NO_CACHE_DIR", bases=described).stages
    assert stage.end.env["X"] == "1"


def test_the_target_is_the_final_stage_and_only_what_it_needs_counts():
    text = "FROM python:3.11 AS a\nFROM python:3.11 AS b\nFROM python:3.11 AS c\nCOPY --from=a /x /x\nFROM b AS d\n"
    built = build(text, target="c")
    assert built.final is built.stages[2]
    assert [stage.name for stage in built.needed] == ["a", "c"]
    assert [stage.name for stage in build(text).needed] == ["b", "d"]


def test_stages_taken_by_number_and_by_mount_count_as_needed():
    text = "FROM a:1\nFROM b:1\nFROM c:1\nCOPY --from=0 /x /x\nRUN --mount=type=bind,from=1,target=/y true\n"
    assert [stage.index for stage in build(text).needed] == [0, 1, 2]


def test_shell_changes_for_what_follows():
    (stage,) = build('FROM debian:12\nRUN true\nSHELL ["/bin/bash", "-c"]\nRUN true').stages
    assert [step.before.shell[0] for step in stage.steps] == ["/bin/sh", "/bin/sh", "/bin/bash"]


def commands(text: str) -> list[list[str]]:
    (stage,) = build(f"FROM debian:12\n{text}").stages
    return [[word.value for word in each.words] for step in stage.steps for each in step.commands]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN a b && c || d", [["a", "b"], ["c"], ["d"]]),
        ('RUN ["pip", "install", "x y"]', [["pip", "install", "x y"]]),
        ("RUN sudo -E -u app pip install x", [["pip", "install", "x"]]),
        ("RUN env A=1 pip install x", [["pip", "install", "x"]]),
        ("RUN A=1 exec pip install x", [["pip", "install", "x"]]),
        ("RUN bash -lc 'pip install x && pip check'", [["pip", "install", "x"], ["pip", "check"]]),
        ('RUN ["sh", "-c", "pip install x"]', [["pip", "install", "x"]]),
        ("RUN timeout -k 5 60 pip install x", [["pip", "install", "x"]]),
        ("RUN conda run -n env --no-capture-output pip install x", [["pip", "install", "x"]]),
        ("RUN <<EOF\npip install x\npip check\nEOF", [["pip", "install", "x"], ["pip", "check"]]),
        ("RUN <<EOF\n#!/usr/bin/env python3\nimport os\nEOF", []),
        ("RUN python3 <<EOF\nimport os\nEOF", [["python3"]]),
        ("RUN for f in a b; do pip install $f; done", [["pip", "install", "a"], ["pip", "install", "b"]]),
        ('SHELL ["powershell", "-Command"]\nRUN pip install x', []),
    ],
)
def test_commands_of_a_run_without_what_wraps_them(text: str, expected: list[list[str]]):
    assert commands(text) == expected


def installs(text: str) -> list[tuple[str, list[str], list[str]]]:
    (stage,) = build(f"FROM debian:12\n{text}").stages
    return [
        (each.manager.name, [word.value for word in each.operands], [word.value for word in each.files])
        for step in stage.steps
        for each in step.installs
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN pip install -q torch 'numpy<2'", [("pip", ["torch", "numpy<2"], [])]),
        ("RUN python3 -m pip --no-cache-dir install -r a.txt", [("pip", [], ["a.txt"])]),
        ("RUN /opt/venv/bin/pip3.11 install --requirement=a.txt x", [("pip", ["x"], ["a.txt"])]),
        ("RUN pip install -ra.txt --index-url https://x.example/simple y", [("pip", ["y"], ["a.txt"])]),
        ("RUN uv pip install --system -r a.txt", [("uv pip", [], ["a.txt"])]),
        ("RUN uv pip sync a.txt", [("uv pip", ["a.txt"], ["a.txt"])]),
        ("RUN uv sync --frozen --no-dev", [("uv", [], [])]),
        ("RUN apt-get install -y -t stable curl git", [("apt", ["curl", "git"], [])]),
        ("RUN apk add --no-cache -t build gcc", [("apk", ["gcc"], [])]),
        ("RUN conda env create -f env.yml -n x", [("conda", [], [])]),
        ("RUN pip download torch", [("pip", ["torch"], [])]),
        ("RUN pip install --dry-run torch", []),
        ("RUN apt-get update", []),
    ],
)
def test_installs_are_read_with_their_operands_and_files(text: str, expected: list[tuple[str, list[str], list[str]]]):
    assert installs(text) == expected
