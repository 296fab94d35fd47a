"""Whatever the text of the inputs, a run ends with a report. MLLINT_EXAMPLES tells how many inputs to try."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mllint
from mllint import examples
from mllint.examples import Case, ExampleFile
from mllint.findings import Report
from mllint.report import github, json, text

EXAMPLES = int(os.environ.get("MLLINT_EXAMPLES", "150"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

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
@SETTINGS
def test_a_run_never_raises(tmp_path: Path, lines: list[str], requirements: list[str], end: str):
    (tmp_path / "Dockerfile").write_bytes(end.join(lines).encode("utf-8", "surrogatepass"))
    (tmp_path / "requirements.txt").write_bytes(end.join(requirements).encode("utf-8", "surrogatepass"))
    (tmp_path / ".dockerignore").write_bytes(end.join(requirements).encode("utf-8", "surrogatepass"))
    assert_shown(mllint.lint(["."], preset="all", cwd=tmp_path), tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        ["FROM", "RUN pip install torch>=2"],
        ["FROM python:3.11", "COPY --from=uv /uv /bin/uv|"],
        ["FROM python:3.11", f"COPY {'x' * 300}.sh /"],
        ["FROM corp.example/base", "COPY pyproject.toml ./", "RUN uv sync"],
        ["ARG TAG=$TAG", "FROM python:$TAG"],
        ["FROM python:3.11", "HEALTHCHECK CMD python x", "HEALTHCHECK 1 python x", 'CMD ["python", "main.py"]'],
        ["FROM python:3.11", "WORKDIR /app", "COPY . .", "USER", 'CMD ["python", "main.py"]'],
    ],
)
def test_an_odd_instruction_ends_no_run(tmp_path: Path, lines: list[str]):
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    (tmp_path / "main.py").write_text("import flask\n\nflask.Flask(__name__).run()\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'app'\nversion = '1'\n")
    assert_shown(mllint.lint(["."], preset="all", build_args={"TAG": "3.7"}, cwd=tmp_path), tmp_path)


def assert_shown(report: Report, folder: Path) -> None:
    """Every format can show it, and nothing in it moves the terminal's cursor."""
    json.render(report)
    github.render(report, workspace=None, directory=folder)
    shown = text.render(report, color=False, width=80, statistics=False, quiet=False)
    assert all(char == "\n" or char.isprintable() for char in shown)


# --- the examples of the rules, with mistakes in them -----------------------------------------------------------------

RULES = sorted(path for path in (Path(__file__).parent.parent / "rules").glob("*/*.md") if path.name != "README.md")
CASES = [case for path in RULES for case in examples.cases(path.read_text("utf-8"), path)]
# A mistake in a configuration ends the run, which other tests are about.
CONFIGURATIONS = (".mllint.yaml", "pyproject.toml")
SHORT = r"""$X ${X:- " ' \ - -- = == >= / // .. a= =b [] ["a"] {} @ <<E | |0 && > * ~ é # : $(x) `x` -r -1 1. null"""
PIECES = st.sampled_from(["", "\t", "x" * 300, *SHORT.split()])


@st.composite
def broken_cases(draw: st.DrawFn) -> Case:
    """An example of a rule, in one file of which words or lines are gone, cut, doubled or others."""
    case = draw(st.sampled_from(CASES))
    places = [at for at, file in enumerate(case.files) if is_text(file)]
    files = list(case.files)
    if places:
        at = draw(st.sampled_from(places))
        lines = files[at].content.decode().split("\n")
        for _ in range(draw(st.integers(1, 3))):
            lines = mistaken(draw, lines)
        files[at] = files[at]._replace(content="\n".join(lines).encode())
    return case._replace(files=tuple(files))


def is_text(file: ExampleFile) -> bool:
    if file.link is not None or not file.content or file.path.startswith(".git/") or file.path in CONFIGURATIONS:
        return False
    try:
        return "\0" not in file.content.decode()
    except UnicodeDecodeError:
        return False


def mistaken(draw: st.DrawFn, lines: list[str]) -> list[str]:
    at = draw(st.integers(0, len(lines) - 1))
    words = lines[at].split(" ")
    place = draw(st.integers(0, len(words) - 1))
    word = words[place]
    cut, piece = draw(st.integers(0, len(word))), draw(PIECES)
    behind = lines[at + 1 :]
    match draw(st.integers(0, 5)):
        case 0:
            return [*lines[:at], *behind] or [""]
        case 1:
            return [*lines[: at + 1], draw(st.sampled_from(lines)), *behind]
        case 2:
            words[place:] = [word[:cut]]
        case 3:
            del words[place]
        case 4:
            words[place] = piece
        case _:
            words[place] = word[:cut] + piece + word[cut:]
    return [*lines[:at], " ".join(words), *behind]


@given(broken_cases())
@SETTINGS
def test_a_run_over_a_broken_example_never_raises(case: Case):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case.write(folder)
        assert_shown(mllint.lint(["."], preset="all", cwd=folder), folder)
        mllint.fix(["."], unsafe=True, write=False, preset="all", cwd=folder)
