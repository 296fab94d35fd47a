"""Packages that a COPY takes from one stage to another."""

from __future__ import annotations

import pytest
from paper import last

from mllint.image.content.moved import misplaced

VENV = "RUN python -m venv /venv && /venv/bin/pip install flask numpy"


def answer(builder: str, install: str, base: str, *lines: str) -> str | None:
    stage = last("\n".join([f"FROM {builder} AS builder", install, f"FROM {base}", *lines, ""]))
    messages = [found.message for step in stage.steps if step.copy and (found := misplaced(stage, step.copy))]
    return messages[0] if messages else None


@pytest.mark.parametrize(
    ("builder", "base", "words"),
    [
        ("python:3.11-slim-bookworm", "python:3.12-slim-bookworm", "3.12 in this stage"),
        ("python:3.11-slim-bookworm", "debian:bookworm-slim", "does not have"),
        ("python:3.11-slim-bookworm", "ubuntu:24.04", "does not have"),
        ("python:3.11-slim-bookworm", "python:3.11-alpine3.20", "musl"),
    ],
)
def test_an_environment_that_does_not_work(builder, base, words):
    assert words in answer(builder, VENV, base, "COPY --from=builder /venv /venv")


@pytest.mark.parametrize(
    ("builder", "base", "lines"),
    [
        ("python:3.11-bookworm", "python:3.11-slim-bookworm", []),
        ("python:3.11-bookworm", "registry.example/python:1", []),
        ("registry.example/python:1", "python:3.11-slim-bookworm", []),
        ("python:3.11-bookworm", "debian:bookworm-slim", ["COPY --from=builder /usr/local /usr/local"]),
        ("python:3.11-bookworm", "debian:bookworm-slim", ["COPY --from=python:3.11-bookworm /usr/local /usr/local"]),
    ],
)
def test_an_environment_that_works_or_nobody_knows(builder, base, lines):
    assert answer(builder, VENV, base, *lines, "COPY --from=builder /venv /venv") is None


SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("base", "lines", "words"),
    [
        ("python:3.13-slim-bookworm", [f"COPY --from=builder {SITE} {SITE}"], "this stage has 3.13"),
        (
            "python:3.11-slim-bookworm",
            [f"COPY --from=builder {SITE} /deps/lib/python3.11/site-packages"],
            "search path",
        ),
        ("python:3.11-slim-bookworm", [f"COPY --from=builder {SITE} {SITE}"], None),
        ("python:3.11-slim-bookworm", ["COPY --from=builder /usr/local /usr/local"], None),
        ("python:3.11-slim-bookworm", [f"COPY --from=builder {SITE} /deps", "ENV PYTHONPATH=/deps"], None),
        ("registry.example/python:1", [f"COPY --from=builder {SITE} {SITE}"], None),
    ],
)
def test_folders_of_packages(base, lines, words):
    found = answer("python:3.11-slim-bookworm", "RUN pip install flask", base, *lines)
    assert found is None if words is None else words in found
