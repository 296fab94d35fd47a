"""`mllint inspect`: what is known of an image before it is built, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import mllint
from mllint.cli.commands import command_line
from mllint.image.values import Unknown
from mllint.inspection import Inspection, Known, inspection
from mllint.report import inspect_json, inspect_text

app = command_line()
ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "fixtures/inference/cpu/tutorial/broken"
FIXTURES = sorted(path.parent for path in (ROOT / "fixtures").rglob("Dockerfile"))


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Inspects a folder with these files."""

    def inspect(files: dict[str, str], **options: Any) -> Inspection:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        stage = mllint.inspect("Dockerfile", cwd=tmp_path, no_config=True, **options).final
        assert stage is not None
        return inspection(stage)

    return inspect


def tutorial() -> Inspection:
    stage = mllint.inspect(TUTORIAL, cwd=TUTORIAL, no_config=True).final
    assert stage is not None
    return inspection(stage)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["inspect", *arguments])


def at(answer: Any) -> tuple[Any, str, int]:
    """A known value with its place, the base's marked."""
    assert isinstance(answer, Known), answer
    return answer.value, "base" if answer.origin.is_base else answer.origin.path, answer.origin.line


def unknowns(value: Any) -> list[str]:
    """The reasons of everything unknown in a JSON report."""
    if isinstance(value, dict):
        own = [value["unknown"]] if "unknown" in value else []
        return own + [reason for each in value.values() for reason in unknowns(each)]
    return [reason for each in value for reason in unknowns(each)] if isinstance(value, list) else []


def test_the_tutorial_s_image_with_the_line_of_each_value():
    found = tutorial()
    assert at(found.base.image) == ("python:3.11.8-slim-bookworm", "Dockerfile", 8)
    assert at(found.base.suite) == ("bookworm", "base", 8)
    assert at(found.user) == ("mluser", "Dockerfile", 23)
    assert at(found.home) == ("/home/mluser", "Dockerfile", 23)
    assert at(found.directory) == ("/app", "Dockerfile", 12)
    assert [at(port) for port in found.ports] == [("8000/tcp", "Dockerfile", 25)]
    assert at(found.entrypoint) == ((), "base", 8)
    assert at(found.command)[0][0] == "uvicorn"
    python = at(found.python)[0]
    assert (python.executable, at(python.version)) == ("/usr/local/bin/python3", ("3.11.8", "base", 8))
    process = at(found.process)[0]
    assert (process.argv[0], process.server.name, process.server.application) == ("uvicorn", "uvicorn", "main:app")
    assert at(process.server.port) == ("8000", "Dockerfile", 30)
    check, _, line = at(found.healthcheck)
    assert (check.timeout, check.retries, line) == (5.0, 3, 27)
    variables = {each.name: each.value for each in found.variables}
    assert at(variables["PYTHONUNBUFFERED"]) == ("1", "Dockerfile", 20)
    assert at(variables["PATH"])[0].startswith("/home/mluser/.local/bin:")
    assert at(variables["LANG"]) == ("C.UTF-8", "base", 8)


def test_packages_name_the_line_that_asks_for_them_though_another_stage_installs_them():
    (environment,) = tutorial().environments
    packages = {each.name: each for each in environment.packages}
    assert at(environment.prefix)[0] == "/usr/local"
    assert at(packages["scikit-learn"].version) == ("1.4.1", "requirements.txt", 3)
    assert packages["uvicorn"].extras == ("standard",)
    assert "requests" not in packages
    assert environment.brought > 5


def test_programs_are_present_missing_or_unknown():
    programs = {each.name: each for each in tutorial().programs}
    assert at(programs["uvicorn"].path) == ("/home/mluser/.local/bin/uvicorn", "Dockerfile", 14)
    assert programs["uvicorn"].brought_by == "uvicorn"
    assert programs["uvicorn"].is_named
    assert at(programs["curl"].path)[0] is None
    assert isinstance(programs["nvidia-smi"].path, Unknown)


def test_layers_tell_what_invalidates_them():
    layers = {(each.stage, each.text): each for each in tutorial().layers}
    copied = layers["builder", "requirements.txt ."]
    assert (copied.is_in_image, copied.files) == (False, 1)
    assert copied.size == (TUTORIAL / "requirements.txt").stat().st_size
    assert layers["1", "--from=builder /root/.local /home/mluser/.local"].reads_from == ("stage builder",)
    assert [each.line for each in (layer.origin for layer in tutorial().layers)] == [3, 5, 6, 10, 12, 14, 16, 17]


def test_a_virtual_environment_copied_from_another_stage(made):
    found = made(
        {
            "Dockerfile": (
                "FROM python:3.12.1-slim-bookworm AS build\n"
                "RUN python -m venv /opt/venv\n"
                "COPY requirements.txt .\n"
                "RUN /opt/venv/bin/pip install -r requirements.txt\n"
                "FROM python:3.12.1-slim-bookworm\n"
                "COPY --from=build --chown=1000:1000 /opt/venv /opt/venv\n"
                "ENV PATH=/opt/venv/bin:$PATH\n"
                "USER 1000\n"
                'ENTRYPOINT ["gunicorn", "app:app"]\n'
            ),
            "requirements.txt": "flask==3.0.0\ngunicorn\n",
        }
    )
    assert at(found.python)[0].executable == "/opt/venv/bin/python3"
    assert at(found.python)[0].kind == "venv"
    packages = {each.name: each for each in found.environments[0].packages}
    assert at(packages["flask"].version) == ("3.0.0", "requirements.txt", 1)
    assert packages["gunicorn"].version == Unknown("gunicorn is not pinned")
    assert packages["gunicorn"].origin.line == 2
    assert at(found.uid) == ("1000", "Dockerfile", 8)
    (files,) = found.files
    assert (files.bringer, at(files.sources[0])[0], at(files.owner)[0]) == ("stage build", "/opt/venv", "1000")
    assert files.files is None


def test_the_target_and_build_arguments_choose_what_is_inspected(made):
    files = {
        "Dockerfile": (
            "ARG TAG=3.11-slim\n"
            "FROM python:$TAG AS first\n"
            "ARG WHO=alice\n"
            "LABEL who=$WHO\n"
            "RUN echo\n"
            "FROM first\n"
            "COPY $WHO /\n"
            "CMD sleep 1\n"
        )
    }
    found = made(files, target="first", build_args={"TAG": "3.12-slim", "WHO": "bob"})
    assert (found.target.name, found.target.needed, found.target.stages) == ("first", 1, 2)
    assert at(found.base.image)[0] == "python:3.12-slim"
    assert [(each.name, at(each.value)) for each in found.labels] == [("who", ("bob", "Dockerfile", 4))]
    assert [(layer.text, layer.arguments) for layer in made(files).layers] == [("echo", ("WHO",)), ("$WHO /", ("WHO",))]


def test_what_onbuild_of_an_earlier_stage_brings(made):
    found = made(
        {
            "Dockerfile": (
                "FROM python:3.12-slim AS base\n"
                "ONBUILD COPY requirements.txt /\n"
                "ONBUILD RUN pip install -r /requirements.txt\n"
                "FROM base\n"
                "HEALTHCHECK NONE\n"
            ),
            "requirements.txt": "torch==2.1.0+cu118\nonnxruntime-gpu\nnumpy==1.26.0\n",
        }
    )
    assert [(layer.keyword, layer.origin.line) for layer in found.layers] == [("COPY", 2), ("RUN", 3)]
    assert [package.name for package in found.accelerator.packages] == ["onnxruntime-gpu", "torch"]
    assert at(found.healthcheck)[0].is_none


@pytest.mark.parametrize(
    ("lines", "argv", "wrappers"),
    [
        ('ENTRYPOINT ["gunicorn"]\nCMD ["-b", ":80", "a:b"]', ("gunicorn", "-b", ":80", "a:b"), ()),
        ('ENTRYPOINT ["/entrypoint.sh"]\nCMD ["gunicorn", "a:b"]', ("gunicorn", "a:b"), ()),
        ('ENTRYPOINT ["tini", "--"]\nCMD exec uv run gunicorn a:b', ("gunicorn", "a:b"), ("uv run",)),
        ('CMD ["tini", "--", "gunicorn", "a:b"]', ("gunicorn", "a:b"), ("tini",)),
    ],
)
def test_the_program_that_really_runs(made, lines, argv, wrappers):
    process = at(made({"Dockerfile": f"FROM python:3.12-slim\n{lines}\n"}).process)[0]
    assert (process.argv, process.wrappers) == (argv, wrappers)
    assert process.server.application == "a:b"


def test_what_the_base_runs(made):
    assert at(made({"Dockerfile": "FROM busybox\n"}).process)[0].argv == ("sh",)
    assert at(made({"Dockerfile": "FROM scratch\n"}).process)[0] is None


def test_a_torch_from_the_index_of_cpu_wheels_is_none_for_a_gpu(made):
    text = "FROM python:3.12-slim\nRUN pip install torch==2.1.0 --index-url https://wheels.example/whl/{}\n"
    assert made({"Dockerfile": text.format("cpu")}).accelerator.packages == ()
    assert [each.name for each in made({"Dockerfile": text.format("cu121")}).accelerator.packages] == ["torch"]


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        ("nvidia/cuda:12.1.0-runtime-ubuntu22.04", "12.1.0"),
        ("pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime", "12.1"),
        ("registry.example/ml:torch-cu118", "11.8"),
        ("python:3.11-slim", None),
    ],
)
def test_the_cuda_of_a_base(made, image, cuda):
    assert at(made({"Dockerfile": f"FROM {image}\n"}).accelerator.cuda) == (cuda, "base", 1)


LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "service"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "numpy" }, { name = "old" }]

[[package]]
name = "numpy"
version = "1.26.0"
source = { registry = "https://index.example/simple" }
wheels = [
  { url = "https://i.example/numpy-1.26.0-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:0", size = 18000000 },
  { url = "https://i.example/numpy-1.26.0-cp311-cp311-musllinux_1_1_x86_64.whl", hash = "sha256:0", size = 19000000 },
  { url = "https://i.example/numpy-1.26.0-cp312-cp312-manylinux_2_17_x86_64.whl", hash = "sha256:0", size = 7 },
]

[[package]]
name = "old"
version = "0.1"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://index.example/old-0.1.tar.gz", hash = "sha256:0", size = 1000 }
"""


@pytest.mark.parametrize(("tag", "size"), [("3.11-slim", 18_000_000), ("3.11-alpine", 19_000_000), ("3.12-slim", 7)])
def test_the_download_is_that_of_the_wheels_that_fit_the_image(made, tag, size):
    found = made(
        {
            "Dockerfile": (
                f"FROM python:{tag}\nWORKDIR /app\n"
                "COPY pyproject.toml uv.lock ./\nRUN pip install uv && uv sync --no-dev\n"
            ),
            "pyproject.toml": '[project]\nname = "service"\nversion = "0.1.0"\ndependencies = ["numpy", "old"]\n',
            "uv.lock": LOCK,
        }
    )
    assert at(found.download)[:2] == ((size, 1, 1), "uv.lock")


def test_without_a_lock_file_nothing_is_said_of_a_download():
    assert at(tutorial().download)[0] is None


UNKNOWN = [
    "FROM registry.example/ml:1\nRUN pip install flask\nCMD run\n",
    "ARG BASE\nFROM $BASE\nWORKDIR app\nCOPY . .\nEXPOSE $PORT\n",
    "FROM nvidia/cuda:1\nENV PATH=/x:$PATH\nUSER $WHO\nLABEL a=$B\nVOLUME $C\nSTOPSIGNAL $S\n",
    "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dir\n",
    "FROM\nRUN true\n",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_every_unknown_has_its_reason_and_is_among_the_undecided(made, text):
    found = made({"Dockerfile": text})
    report = json.loads(inspect_json.render(found))
    reasons = unknowns({name: each for name, each in report.items() if name != "undecided"})
    assert reasons
    assert all(reasons)
    assert set(reasons) <= {each["reason"] for each in report["undecided"]}
    assert all(each["origin"]["line"] > 0 for each in report["undecided"])
    assert "//" not in inspect_text.render(found, color=False)


NASTY = [
    *UNKNOWN,
    "FROM scratch\n",
    f"FROM registry.example/{'a' * 200}:1\nENV {'N' * 120}={'v' * 300}\nRUN {'x' * 400}\n",
    f'FROM python:3.11\nLABEL {"k" * 100}="{"漢字" * 3} {"漢字" * 40}"\n',
    'FROM python:3.11 AS a\nENV A="[bold]x[/bold] :smile: \x1b[31m\\u202e"\nCMD ["a\\tb", "[red]"]\n',
    f"FROM python:3.11\nWORKDIR /{'d/' * 100}\nCOPY a b c d e f g {'t' * 90}/\nHEALTHCHECK CMD {'h ' * 90}\n",
]


def width(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line)


def assert_readable(text: str) -> None:
    assert text.endswith("\n")
    for line in text.split("\n"):
        assert width(line) <= 80, line
        assert line == line.rstrip()
        assert "\x1b" not in line


@pytest.mark.parametrize("text", NASTY)
def test_no_line_is_longer_than_80_columns(made, text):
    assert_readable(inspect_text.render(made({"Dockerfile": text}), color=False))


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.relative_to(ROOT / "fixtures").as_posix())
def test_every_fixture_is_readable(folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    stage = mllint.inspect(folder / "Dockerfile").final
    assert stage is not None
    found = inspection(stage)
    assert_readable(inspect_text.render(found, color=False))
    assert json.loads(inspect_json.render(found))["schema"] == 1


LINES = st.sampled_from(
    [
        "FROM python:3.11-slim AS a",
        "FROM a",
        "FROM $X",
        "ARG X",
        "ARG Y=1",
        "ENV A=$X B='c d' PATH=/opt/venv/bin:$PATH",
        "ENV $Y",
        "COPY --from=a /x /y",
        "COPY --from=0 --chmod=u+x . $X",
        "ADD https://files.example/x.tar.gz /opt/",
        "COPY <<EOF /z\nhi\nEOF",
        "RUN --mount=type=bind,from=a,target=/m python -m venv /opt/venv && pip install $X flask",
        "RUN conda install -y numpy",
        "USER $X",
        "USER",
        "WORKDIR",
        "COPY x",
        "WORKDIR x/$X",
        "EXPOSE 1-2/udp nonsense $X",
        'VOLUME ["/v"]',
        "LABEL a=b c",
        "HEALTHCHECK --interval=1s CMD curl -f http://localhost || exit 1",
        "HEALTHCHECK NONE",
        'ENTRYPOINT ["tini", "--", "uv", "run", "gunicorn", "a:b"]',
        "CMD",
        "CMD exec python -m http.server $PORT",
        "SHELL []",
        "ONBUILD RUN true",
        "\x00",
        "FROM",
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=12))
def test_no_dockerfile_makes_it_fail(made, lines):
    found = made({"Dockerfile": "\n".join(["FROM python:3.11", *(line for line in lines if line != "\x00")])})
    assert_readable(inspect_text.render(found, color=False))
    json.loads(inspect_json.render(found))


def shape(value: Any) -> Any:
    """The keys of a report, lists by the shape of their first element."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def test_the_json_schema():
    report = json.loads(inspect_json.render(tutorial()))
    origin = {"path": "str", "line": "int", "base": "bool"}
    text = {"value": "str", "origin": origin}
    assert {key: shape(report[key]) for key in ("schema", "tool_version", "user", "target", "ports", "files")} == {
        "schema": "int",
        "tool_version": "str",
        "user": text,
        "target": {"name": "NoneType", "number": "int", "line": "int", "stages": "int", "needed": "int"},
        "ports": [text],
        "files": [
            {
                "keyword": "str",
                "sources": [text],
                "destination": text,
                "bringer": "str",
                "files": "NoneType",
                "size": "NoneType",
                "owner": {"value": "NoneType", "origin": origin},
                "mode": "NoneType",
                "origin": origin,
            }
        ],
    }
    assert shape(report["command"]) == {"value": ["str"], "origin": origin}
    assert list(report["healthcheck"]["value"]) == [
        "test",
        "interval",
        "timeout",
        "start_period",
        "start_interval",
        "retries",
    ]
    assert list(report["layers"][0]) == [
        "keyword",
        "text",
        "stage",
        "in_image",
        "arguments",
        "files",
        "size",
        "reads_from",
        "origin",
    ]
    assert list(report["programs"][0]) == ["name", "path", "brought_by", "named"]
    assert list(report["environments"][0]) == [
        "prefix",
        "version",
        "kind",
        "origin",
        "packages",
        "brought",
        "possible",
        "doubts",
    ]
    assert list(report["environments"][0]["packages"][0]) == ["name", "extras", "version", "manager", "origin"]
    assert list(report["undecided"][0]) == ["question", "reason", "origin"]
    assert list(report) == ["schema", "tool_version", *Inspection._fields]


def test_credentials_are_masked_in_both_formats(made):
    found = made(
        {
            "Dockerfile": (
                "FROM python:3.11-slim\n"
                "ENV API_KEY=s3cretvalue99\n"
                "LABEL source=https://bot:pa55word9@git.example/x db_password=hunter2xyz\n"
                "RUN curl -H 'Authorization: Bearer hf_abcdefghijklmnopqrstuvwxyzABCDEF12' https://files.example\n"
                'ENTRYPOINT ["serve", "--token", "a1b2c3d4e5f6", "--api-key=z9y8x7w6v5"]\n'
                "HEALTHCHECK CMD curl -u bot:pa55word9 https://bot:pa55word9@localhost\n"
            )
        }
    )
    for report in (inspect_text.render(found, color=False), inspect_json.render(found)):
        assert "***" in report
        for secret in ("s3cretvalue", "hunter2", "abcdefghijkl", "a1b2c3d4e5f6", "z9y8x7w6v5", ":pa55word9@"):
            assert secret not in report


def test_colours_are_for_terminals_only():
    assert "\x1b[" in run(str(TUTORIAL), "--color", "always").stdout
    assert "\x1b[" not in run(str(TUTORIAL)).stdout


def test_the_json_of_the_command_line_is_the_same_each_time():
    first = run(str(TUTORIAL), "--format", "json")
    assert first.exit_code == 0
    assert first.stdout == run(str(TUTORIAL), "--format", "json").stdout
    assert json.loads(first.stdout)["user"]["value"] == "mluser"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "none: no such file or directory"),
        (("notes.md",), "notes.md is no Dockerfile: it has no FROM"),
        (("requirements.txt",), "requirements.txt is no Dockerfile"),
        (("app.bin",), "app.bin: binary data, not text"),
        (("empty",), "empty holds no Dockerfile"),
        ((".",), "holds 2 Dockerfiles, name one of them:\n  Dockerfile\n  gpu.Dockerfile\n"),
        (("Dockerfile", "--target", "prod"), "Dockerfile has no stage prod, its stages are base, 1"),
        (("Dockerfile", "--format", "xml"), "'xml' is none of text, json"),
        (("Dockerfile", "--config", "bad.yaml"), "unknown option"),
    ],
)
def test_what_cannot_be_inspected_is_said_and_exits_with_2(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name, data in {
        "Dockerfile": b"FROM python:3.11 AS base\nFROM base\n",
        "gpu.Dockerfile": b"FROM scratch\n",
        "notes.md": b"# Notes\n",
        "requirements.txt": b"flask\n",
        "app.bin": b"\x00\x01",
        "bad.yaml": b"nonsense: 1\n",
    }.items():
        (tmp_path / name).write_bytes(data)
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_the_context_can_be_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    (tmp_path / "other/data").mkdir(parents=True)
    (tmp_path / "other/data/a").write_text("12345")
    report = json.loads(run("docker", "--context", "other", "--format", "json").stdout)
    assert report["context"] == "other"
    assert (report["files"][0]["files"], report["files"][0]["size"]) == (1, 5)


def test_the_readme_shows_what_inspect_prints(monkeypatch):
    readme = (ROOT / "README.md").read_text("utf-8")
    block = readme.partition("### mllint inspect")[2].partition("```console\n")[2].partition("\n```")[0]
    command, *shown = block.splitlines()
    monkeypatch.chdir(ROOT / command.removeprefix("$ cd ").partition(" && ")[0])
    printed = run().stdout.splitlines()
    assert len(shown) > 10
    assert [line for line in shown if line not in (*printed, "…")] == []
