"""What the process of an image is and whether it serves, from CMD and ENTRYPOINT to the scripts they run."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint
from mllint.config import Base as Described
from mllint.config import Settings
from mllint.image import service
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.inputs import Inputs
from mllint.sources import dockerfile
from mllint.sources.text import Source

NOWHERE = Path("/nowhere")


def process(text: str, root: Path = NOWHERE, **settings: object) -> service.Process | None:
    return service.process(final(text, root, **settings))


def server(text: str, root: Path = NOWHERE, **settings: object) -> service.Server | None:
    stage = final(text, root, **settings)
    found = service.process(stage)
    return service.server(stage, found) if found else None


def final(text: str, root: Path, **settings: object):
    context = Context(Tree(root), Inputs(root), None, (), True)
    stage = Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings(**settings)).final
    assert stage is not None
    return stage


def names(found: service.Process | None) -> list[str]:
    return [each.name for each in found.commands] if found else []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('CMD ["uvicorn", "main:app"]', ["uvicorn"]),
        ("CMD cd /app && exec gunicorn main:app", ["cd", "gunicorn"]),
        ('ENTRYPOINT ["tini", "-g", "--"]\nCMD ["uvicorn", "main:app"]', ["uvicorn", "uvicorn"]),
        ('ENTRYPOINT ["gosu", "app", "uvicorn"]', ["uvicorn"]),
        ('ENTRYPOINT ["/entry.sh"]\nCMD ["uvicorn"]', ["entry.sh", "uvicorn"]),
        ('ENTRYPOINT ["/entry.sh"]\nCMD uvicorn main:app', ["entry.sh", "uvicorn"]),
        ('ENTRYPOINT python serve.py\nCMD ["--port", "80"]', ["python"]),
        ('ENTRYPOINT ["bash", "-c", "uvicorn main:app"]', ["uvicorn"]),
        ('ENTRYPOINT ["bash", "start.sh", "-c", "x"]', ["bash"]),
        ('CMD ["uvicorn"]\nCMD []', []),
        ("RUN true", []),
        ('CMD [""]', [""]),
    ],
)
def test_the_programs_of_the_process(text: str, expected: list[str]):
    assert names(process(f"FROM python:3.11\n{text}")) == expected


def test_an_entrypoint_takes_away_the_inherited_cmd_but_not_that_of_its_stage():
    inherited = 'FROM python AS base\nCMD ["uvicorn"]\nFROM base\nENTRYPOINT ["/entry.sh"]'
    own = 'FROM python\nCMD ["uvicorn"]\nENTRYPOINT ["/entry.sh"]'
    assert names(process(inherited)) == ["entry.sh"]
    assert names(process(own)) == ["entry.sh", "uvicorn"]


def test_the_base_brings_a_process_until_the_file_sets_one():
    base = "FROM vllm/vllm-openai:v0.10.1\n"
    assert names(process(base)) == ["vllm"]
    assert names(process(f'{base}CMD ["--model", "m"]')) == ["vllm", "--model"]
    assert names(process(f'{base}ENTRYPOINT ["bash"]')) == ["bash"]
    assert process(f"{base}ENTRYPOINT []") is None


def test_a_python_of_the_base_takes_cmd_for_its_arguments():
    found = process('FROM gcr.io/distroless/python3-debian12\nCMD ["serve.py", "--port", "80"]')
    assert [each.arguments for each in found.commands] == [("serve.py", "--port", "80")]
    assert names(found) == ["python3"]
    assert names(process('FROM gcr.io/distroless/python3-debian12\nENTRYPOINT ["/serve"]')) == ["serve"]


def test_the_process_of_a_base_can_be_described():
    described = {"registry.example/*": Described(entrypoint=("tini", "--"), command=("uvicorn", "app:app"))}
    found = server("FROM registry.example/serving:1", bases=described)
    assert found is not None
    assert found.name == "uvicorn"


@pytest.mark.parametrize(
    ("command", "name", "port"),
    [
        ("uvicorn main:app", "uvicorn", "8000"),
        ("uvicorn main:app --port 80", "uvicorn", "80"),
        ("uvicorn main:app --port=$PORT", "uvicorn", "$PORT"),
        ("gunicorn -b 0.0.0.0:9090 -p /run/pid main:app", "gunicorn", "9090"),
        ("gunicorn --bind :${PORT:-5000} main:app", "gunicorn", "${PORT:-5000}"),
        ("python -W ignore -m uvicorn main:app", "uvicorn", "8000"),
        ("python3 manage.py runserver", "Django", "8000"),
        ("flask --app main run -p 5001", "Flask", "5001"),
        ("mlflow models serve -m model", "MLflow", "5000"),
        ("uv run --no-sync fastapi run main.py", "FastAPI", "8000"),
        ("tensorflow_model_server --port=8500 --rest_api_port=8600", "TensorFlow Serving", "8600"),
        ("jupyter lab", "Jupyter", "8888"),
    ],
)
def test_a_server_and_its_port(command: str, name: str, port: str):
    found = server(f"FROM python\nCMD {command}")
    assert found is not None
    assert (found.name, found.port) == (name, port)


@pytest.mark.parametrize(
    "command",
    [
        "python train.py",
        "python -c 'import uvicorn'",
        "python train.py -m uvicorn",
        "flask db upgrade",
        "mlflow run . -P server=1",
        "serve -s build",
        "streamlit --version",
        "ollama pull llama3",
    ],
)
def test_what_does_not_serve(command: str):
    assert server(f"FROM python\nCMD {command}") is None


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import uvicorn\nuvicorn.run('main:app', port=9000)", ("uvicorn", "9000")),
        ("from uvicorn import run as go\ngo('main:app')", ("uvicorn", "8000")),
        ("from flask import Flask\nwsgi = Flask('x')\nif __debug__:\n    wsgi.run(port=9696)", ("Flask", "9696")),
        ("import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(server_port=7000)", ("Gradio", "7000")),
        ("import gradio as gr\ngr.Interface(print, 'text', 'text').launch()", ("Gradio", "7860")),
        ("import subprocess\nfrom flask import Flask\napp = Flask('x')\nsubprocess.run(['ls'])", None),
        ("import mlflow\nmlflow.projects.run('.')\nmlflow.launch()", None),
        ("def broken(:", None),
    ],
)
def test_source_that_starts_a_server_itself(source: str, expected: tuple[str, str] | None, tmp_path: Path):
    (tmp_path / "serve.py").write_text(source)
    found = server('FROM python\nWORKDIR /app\nCOPY serve.py .\nCMD ["python", "-u", "serve.py"]', tmp_path)
    assert (found and (found.name, found.port)) == expected


@pytest.mark.parametrize(
    ("start", "script", "expected"),
    [
        ("./start.sh", "#!/bin/sh\nexec uvicorn main:app\n", "uvicorn"),
        ("bash -e start.sh", "python migrate.py\ngunicorn main:app\n", "gunicorn"),
        ("/app/start.sh", '#!/usr/bin/env bash\nif [ -n "$DEV" ]; then uvicorn main:app; fi\n', None),
        ("./start.sh", "#!/usr/bin/env python3\nimport uvicorn\n", None),
        ("./start.sh", "#!/bin/sh\nserve() {\n  uvicorn main:app\n}\n", None),
    ],
)
def test_a_start_script_is_followed(start: str, script: str, expected: str | None, tmp_path: Path):
    (tmp_path / "start.sh").write_text(script)
    found = server(f"FROM python\nWORKDIR /app\nCOPY start.sh .\nCMD {start}", tmp_path)
    assert (found.name if found else None) == expected


def test_a_script_on_the_search_path_is_found_by_its_name(tmp_path: Path):
    (tmp_path / "run").write_text("#!/bin/bash\nexec hypercorn main:app\n")
    found = server('FROM python\nCOPY run /usr/local/bin/\nENTRYPOINT ["run"]', tmp_path)
    assert found is not None
    assert found.name == "hypercorn"


COMPOSE = """
services:
  api:
    build: {context: ., target: api}
    healthcheck: {test: [CMD, "true"]}
  worker:
    build: {context: ., target: worker}
"""
TARGETS = """
FROM python:3.11 AS api
CMD ["uvicorn", "main:app"]
FROM python:3.11 AS worker
CMD ["uvicorn", "worker:app"]
"""


@pytest.mark.parametrize(("target", "found"), [("api", 0), ("worker", 1)])
def test_the_health_check_of_a_service_counts_for_its_own_target(target: str, found: int, tmp_path: Path):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "Dockerfile").write_text(TARGETS)
    report = mllint.lint(["Dockerfile"], select=["ML301"], target=target, cwd=tmp_path)
    assert len(report.findings) == found


def test_compose_is_heard_where_the_context_is_given_otherwise(tmp_path: Path):
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace(", target: api", ""))
    (tmp_path / "Dockerfile").write_text('FROM python:3.11\nCMD ["uvicorn", "main:app"]\n')
    report = mllint.lint(["Dockerfile"], select=["ML301"], context=tmp_path, cwd=tmp_path)
    assert report.findings == ()


@pytest.mark.parametrize("entrypoint", ["[]", '[""]', '["tini"]', "exec tini --"])
@pytest.mark.parametrize(
    "command", ["[]", '[""]', '["sh", "-c"]', "uvicorn main:app", '["sh", "-c", ""]', '["python", "-m"]']
)
def test_odd_commands_do_no_harm(entrypoint: str, command: str, tmp_path: Path):
    (tmp_path / "Dockerfile").write_text(f"FROM python:3.11\nENTRYPOINT {entrypoint}\nCMD {command}\n")
    assert mllint.lint(["Dockerfile"], select=["ML201", "ML301", "ML303"], cwd=tmp_path).errors == ()
