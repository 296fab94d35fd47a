"""Whatever the text of the inputs, a run ends with a report."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mllint
from mllint.report import github, json, text

LINES = st.sampled_from(
    [
        "FROM python:3.11-slim",
        "FROM $BASE AS b",
        "FROM b",
        "FROM",
        "FROM a:b:c@d",
        "ARG BASE=python",
        "ARG",
        "ENV A=1 HF_TOKEN=hf_0123456789abcdefghijABCDEFGHIJ0123",
        "ENV A",
        "COPY . .",
        "COPY --from=9 /a /b",
        "COPY [",
        'COPY ["a"]',
        "ADD https://x.example/a.tgz /",
        "RUN pip install -r requirements.txt torch>=2 $X 'y",
        "RUN <<EOF",
        "pip install -e .",
        "EOF",
        "RUN --mount=type=bind,target=/x,source=.. cd /x && pip install -r a.txt",
        "RUN apt-get update && \\",
        "# mllint: ignore[root-user",
        "# hadolint ignore=DL3002",
        "# check=skip=all",
        "USER ${U:-0}",
        "WORKDIR $W",
        "SHELL []",
        'SHELL ["bash"]',
        "ENTRYPOINT []",
        'ENTRYPOINT ["tini", "--"]',
        "CMD uvicorn main:app",
        "CMD",
        "CMD [1]",
        "HEALTHCHECK",
        "HEALTHCHECK CMD curl -f http://localhost",
        "ONBUILD",
        "ONBUILD RUN pip install x",
        "\\",
        "\x00\x1b[0m",
        "\u202e\ufeff",
        "{{ template }}",
    ]
)
REQUIREMENTS = st.lists(
    st.sampled_from(
        [
            "torch",
            "numpy==1.0",
            "-r requirements.txt",
            "-r gone.txt",
            "-c c.txt",
            "==",
            "a b",
            "\\",
            "-e .",
            "--hash=x",
            "# x",
            "x @ file:///y",
            "\x0c",
        ]
    ),
    max_size=6,
)


@given(st.lists(LINES | st.text(max_size=20), max_size=12), REQUIREMENTS, st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_never_raises(tmp_path: Path, lines: list[str], requirements: list[str], end: str):
    (tmp_path / "Dockerfile").write_bytes(end.join(lines).encode("utf-8", "surrogatepass"))
    (tmp_path / "requirements.txt").write_bytes(end.join(requirements).encode("utf-8", "surrogatepass"))
    (tmp_path / ".dockerignore").write_bytes(end.join(requirements).encode("utf-8", "surrogatepass"))
    report = mllint.lint(["."], preset="all", cwd=tmp_path)
    json.render(report)
    github.render(report, workspace=None, directory=tmp_path)
    shown = text.render(report, color=False, width=80, statistics=False, quiet=False)
    assert all(char == "\n" or char.isprintable() for char in shown)
