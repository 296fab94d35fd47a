"""What is known of base images: their names, what the configuration says of them, and the tables themselves."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from mllint import facts
from mllint.config import Base as Described
from mllint.config import Settings
from mllint.image.base import Base, common_name, is_built_here
from mllint.image.build import Build
from mllint.image.context import Context, Tree
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
    assert base("registry.example/ml:1", Described(like="vllm/vllm-openai:v0.9")).entrypoint == ("vllm", "serve")
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
            covers = "tag" not in above or above["tag"] == row.get("tag")
            assert not (covers and fnmatchcase(row["image"], above["image"])), (above, row)


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
