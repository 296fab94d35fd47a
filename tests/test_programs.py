"""Which program a name leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.image.programs import Program, program
from mllint.image.values import Unknown
from tests.paper import last, last_in

if TYPE_CHECKING:
    from pathlib import Path

    from mllint.image.stage import Stage

SLIM = "FROM python:3.11-slim-bookworm\n"
DEBIAN = "FROM debian:bookworm-slim\n"


def answer(stage: Stage, name: str) -> str:
    found = program(stage.view, name, stage.end.get("PATH"), stage.end.directory)
    return "yes" if isinstance(found, Program) else "perhaps" if isinstance(found, Unknown) else "no"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (SLIM, "python", "yes"),
        (SLIM, "pip", "yes"),
        (SLIM, "curl", "no"),
        (SLIM, "/usr/local/bin/python3", "yes"),
        (SLIM + "RUN apt-get install -y curl", "curl", "yes"),
        (SLIM + "RUN apt-get install -y curl", "wget", "no"),
        (SLIM + "RUN apt-get install -y curl || true", "curl", "perhaps"),
        (SLIM + "RUN apt-get install -y curl && apt-get purge -y curl", "curl", "perhaps"),
        (SLIM + "RUN apt-get install -y libgl1 ca-certificates python3-dev", "curl", "no"),
        (SLIM + "RUN apt-get install -y some-package-of-theirs", "curl", "perhaps"),
        (SLIM + "RUN apt-get install -y $PACKAGES", "curl", "no"),
        (SLIM + "RUN apt-get install -y $(cat list)", "curl", "perhaps"),
        (SLIM + "RUN pip install uvicorn", "uvicorn", "yes"),
        (SLIM + "RUN pip install fastapi[standard]==0.115.0", "uvicorn", "yes"),
        (SLIM + "RUN pip install numpy", "uvicorn", "no"),
        (SLIM + "RUN pip install uvicorn && pip uninstall -y uvicorn", "uvicorn", "no"),
        (SLIM + "RUN pip install --user uvicorn", "uvicorn", "no"),
        (SLIM + "RUN pip install --user uvicorn\nENV PATH=/root/.local/bin:$PATH", "uvicorn", "yes"),
        (SLIM + "RUN python -m venv /v && /v/bin/pip install uvicorn", "uvicorn", "no"),
        (SLIM + "RUN python -m venv /v && /v/bin/pip install uvicorn\nENV PATH=/v/bin:$PATH", "uvicorn", "yes"),
        (SLIM + "RUN python -m venv /v && /v/bin/pip install uvicorn", "/v/bin/uvicorn", "yes"),
        (SLIM + "RUN pip install uvicorn && rm /usr/local/bin/uvicorn", "uvicorn", "no"),
        (SLIM + "RUN pipx install gunicorn\nENV PATH=/root/.local/bin:$PATH", "gunicorn", "yes"),
        (SLIM + "RUN curl -LsSf https://astral.sh/uv/install.sh | sh\nENV PATH=/root/.local/bin:$PATH", "uv", "yes"),
        (SLIM + "COPY --from=ghcr.io/astral-sh/uv:0.4 /uv /uvx /bin/", "uv", "yes"),
        (SLIM + "COPY --from=ghcr.io/astral-sh/uv:0.4 /uv /uvx /bin/", "curl", "no"),
        ("FROM ghcr.io/astral-sh/uv:0.4 AS uv\n" + SLIM + "COPY --from=uv /uv /bin/uv", "uv", "yes"),
        ("FROM ghcr.io/astral-sh/uv:0.4 AS uv\n" + SLIM + "COPY --from=uv /uv /uvx /bin/", "uvx", "yes"),
        ("FROM ghcr.io/astral-sh/uv:0.4 AS uv\n" + SLIM + "COPY --from=uv /uv /uvx /bin/", "curl", "no"),
        (
            "FROM tools.example/all AS tools\n" + SLIM + "COPY --from=tools /t /t\nENV PATH=/t/bin:$PATH",
            "curl",
            "perhaps",
        ),
        (
            DEBIAN.strip() + " AS build\nRUN ./build /t\n" + SLIM + "COPY --from=build /t /t\nENV PATH=/t/bin:$PATH",
            "curl",
            "perhaps",
        ),
        (
            SLIM + "RUN wget -O /usr/local/bin/tool https://a.example/tool && chmod +x /usr/local/bin/tool",
            "tool",
            "yes",
        ),
        (SLIM + "RUN my-tool", "curl", "perhaps"),
        (SLIM + "RUN python x.py", "curl", "no"),
        (SLIM + "RUN tar xf x.tgz -C /usr/local", "curl", "perhaps"),
        (SLIM + "RUN ln -s /usr/local/bin/python /usr/bin/py", "py", "yes"),
        ("FROM scratch", "sh", "no"),
        ("FROM registry.example/x", "curl", "perhaps"),
        (DEBIAN + "RUN apt-get install -y python3", "python3", "yes"),
        (DEBIAN + "RUN apt-get install -y python3", "python", "no"),
        (DEBIAN + "RUN apt-get install -y python3", "pip", "no"),
        (DEBIAN + "RUN apt-get install -y python3-pip", "pip3", "yes"),
        ("FROM alpine:3.19\nRUN apk add --no-cache curl", "curl", "yes"),
        ("FROM alpine:3.19", "bash", "no"),
        (f"{SLIM}RUN pip install gunicorn\n{SLIM}COPY --from=0 /usr/local/bin /usr/local/bin", "gunicorn", "yes"),
    ],
)
def test_programs(text: str, name: str, expected: str) -> None:
    assert answer(last(text), name) == expected


def test_a_script_of_the_context_is_a_program(tmp_path: Path) -> None:
    files = {"start.sh": "#!/bin/sh\n"}
    stage = last_in(tmp_path, f"{SLIM}COPY start.sh /usr/local/bin/\nWORKDIR /app\nCOPY start.sh .", files)
    assert answer(stage, "start.sh") == "yes"
    assert answer(stage, "./start.sh") == "yes"
    assert answer(stage, "./stop.sh") == "no"


def test_which_package_brings_a_program() -> None:
    stage = last(SLIM + "RUN apt-get install -y curl\nRUN pip install uvicorn")
    curl, uvicorn = (program(stage.view, name, stage.end.get("PATH")) for name in ("curl", "uvicorn"))
    assert isinstance(curl, Program)
    assert isinstance(uvicorn, Program)
    assert (curl.brought_by, uvicorn.brought_by) == ("curl", "uvicorn")
    assert curl.cause is not None
    assert curl.cause.step is stage.steps[0]


def test_a_program_is_there_from_its_step_on() -> None:
    stage = last(SLIM + "RUN true\nRUN apt-get install -y curl\nRUN true")
    path = stage.end.get("PATH")
    assert program(stage.view_before(stage.steps[1]), "curl", path) is None
    assert isinstance(program(stage.view_after(stage.steps[1]), "curl", path), Program)
