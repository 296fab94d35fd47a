"""Which tags of base images were never published."""

from __future__ import annotations

import pytest

from mllint.image.published import missing_tag
from mllint.sources import reference
from mllint.sources.reference import Reference


def nearest(name: str) -> str | None:
    """The tag to take instead; "published" for one that exists or may exist."""
    parsed = reference.parse(name)
    assert isinstance(parsed, Reference)
    missing = missing_tag(parsed)
    return missing.nearest if missing else "published"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nvidia/cuda:12.0-runtime-ubuntu22.04", "12.0.1-runtime-ubuntu22.04"),
        ("nvidia/cuda:12.1-cudnn8-devel-ubuntu20.04", "12.1.1-cudnn8-devel-ubuntu20.04"),
        ("nvidia/cuda:12.7-base-ubuntu22.04", "12.8.1-base-ubuntu22.04"),
        ("nvidia/cuda:12.4.1-cudnn8-devel-ubuntu22.04", "12.4.1-cudnn-devel-ubuntu22.04"),
        ("nvidia/cuda:12.4.0-cudnn-runtime-ubuntu22.04", "12.4.1-cudnn-runtime-ubuntu22.04"),
        ("nvidia/cuda:12.1.1-runtime-ubuntu24.04", "12.5.1-runtime-ubuntu24.04"),
        ("nvidia/cuda:11.6-base", None),
        ("nvcr.io/nvidia/cuda:12.0-base-ubi8", None),
        ("python:3.11-slim-jammy", "3.11-slim-trixie"),
        ("python:3.13.0-alpine3.18", "3.13.0-alpine3.20"),
        ("python:3.12-slim-buster", "3.12-slim-trixie"),
        ("python:3.11.2-slim-bookworm", "3.11.4-slim-bookworm"),
        ("python:3.9.26-slim-bookworm", "3.9.25-slim-bookworm"),
        ("python:3.7.18-slim", "3.7.17-slim"),
        ("mirror.gcr.io/library/python:3.7.18", "3.7.17"),
    ],
)
def test_a_tag_that_never_was_is_named_with_the_nearest_one(name, expected):
    assert nearest(name) == expected


@pytest.mark.parametrize("name", ["nvidia/cuda", "nvidia/cuda:latest"])
def test_nvidia_cuda_has_no_latest(name):
    assert nearest(str(nearest(name))) == "published"


@pytest.mark.parametrize(
    "name",
    [
        "nvidia/cuda:12.0.1-runtime-ubuntu22.04",
        "nvidia/cuda:12.2.2-cudnn8-devel-ubuntu22.04",
        "nvidia/cuda:12.1.1-base-ubi8",
        # Without a row: perhaps removed, or newer than the table.
        "nvidia/cuda:10.2-cudnn7-devel-ubuntu18.04",
        "nvidia/cuda:11.7.0-devel-ubuntu22.04",
        "nvidia/cuda:13.2.0-base-ubuntu24.04",
        "nvidia/cuda:14.0-base-ubuntu26.04",
        "nvidia/cuda-arm64:latest",
        "nvidia/cuda:nightly",
        "python",
        "python:3.11",
        "python:3.11-slim",
        "python:3.11.99-slim-bookworm",
        "python:3.99-slim",
        # Before the history that was read.
        "python:3.8.5-slim-buster",
        "python:3.10-alpine3.13",
        "python:2.7-slim-bookworm",
        "python:3.13.0rc1-slim-bookworm",
        "python:3.11-windowsservercore-ltsc2022",
        "registry.example/python:3.11-slim-jammy",
    ],
)
def test_what_may_have_been_published_is_not_spoken_of(name):
    assert nearest(name) == "published"
