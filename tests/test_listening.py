"""Where a server listens, how many workers it has, and whether aids of development are on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mllint.config import Settings
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.image.service import Server
from mllint.image.serving import listening
from mllint.image.values import Unknown
from mllint.inputs import Inputs
from mllint.sources import dockerfile
from mllint.sources.text import Source

NOWHERE = Path("/nowhere")
SLIM = "FROM python:3.11.14-slim-bookworm\nWORKDIR /app\nCOPY . .\n"


def server(text: str, root: Path = NOWHERE, base: str = SLIM) -> Server:
    context = Context(Tree(root), Inputs(root), None, (), True)
    stage = Build(dockerfile.parse(Source("Dockerfile", base + text)), context, Settings()).final
    assert stage is not None
    assert stage.server is not None
    return stage.server


def host(found: Server) -> str | None:
    value = found.host.value
    return None if isinstance(value, Unknown) else value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CMD uvicorn main:app", "127.0.0.1"),
        ("CMD uvicorn main:app --host=0.0.0.0", "0.0.0.0"),
        ("CMD uvicorn main:app --host ::", "::"),
        ("CMD uvicorn main:app --host $HOST", None),
        ("ENV UVICORN_HOST=0.0.0.0\nCMD uvicorn main:app", "0.0.0.0"),
        ("CMD UVICORN_HOST=0.0.0.0 uvicorn main:app", "0.0.0.0"),
        ("CMD gunicorn main:app", "127.0.0.1"),
        ("CMD gunicorn -b :8000 main:app", "0.0.0.0"),
        ("CMD gunicorn --bind :${PORT:-8000} main:app", "0.0.0.0"),
        ("CMD gunicorn -b0.0.0.0:80 main:app", "0.0.0.0"),
        ("CMD gunicorn -b 127.0.0.1:81 -b 0.0.0.0:80 main:app", "0.0.0.0"),
        ("CMD gunicorn -b unix:/run/app.sock main:app", None),
        ("CMD gunicorn -b [::1]:8000 main:app", "[::1]"),
        ("ENV PORT=80\nCMD gunicorn main:app", None),
        ("ENV GUNICORN_CMD_ARGS='--bind=0.0.0.0'\nCMD gunicorn main:app", "0.0.0.0"),
        ("ENV GUNICORN_CMD_ARGS='-b 127.0.0.1:80 -w 2'\nCMD gunicorn main:app", "127.0.0.1"),
        ("ENV GUNICORN_CMD_ARGS='--bind=127.0.0.1'\nCMD gunicorn -b 0.0.0.0 main:app", "0.0.0.0"),
        ("ARG ARGUMENTS\nENV GUNICORN_CMD_ARGS=$ARGUMENTS\nCMD gunicorn main:app", None),
        ("CMD gunicorn -k uvicorn.workers.UvicornWorker -b 0.0.0.0:80 main:app", "0.0.0.0"),
        ("CMD gunicorn -c missing.py main:app", None),
        ("CMD flask run -h 0.0.0.0", "0.0.0.0"),
        ("ENV FLASK_RUN_HOST=0.0.0.0\nCMD flask run", "0.0.0.0"),
        ("CMD python manage.py runserver 0.0.0.0:8000", "0.0.0.0"),
        ("CMD python manage.py runserver 8000", "127.0.0.1"),
        ("CMD fastapi run main.py", "0.0.0.0"),
        ("CMD fastapi dev main.py", "127.0.0.1"),
        ("CMD mlflow server -h 0.0.0.0", "0.0.0.0"),
        ("CMD streamlit run app.py --server.address localhost", "localhost"),
        ("CMD jupyter lab --ip=0.0.0.0", "0.0.0.0"),
        ("CMD jupyter lab", "127.0.0.1"),
        ("CMD torchserve --start", "127.0.0.1"),
        ("CMD serve run app:deployment", None),
    ],
)
def test_the_address_of_a_command(text: str, expected: str | None):
    assert host(server(text)) == expected


def test_a_base_that_nobody_knows_may_set_it():
    assert host(server("CMD uvicorn main:app", base="FROM registry.example/ml:1\n")) is None


@pytest.mark.parametrize(
    ("name", "text", "command", "expected"),
    [
        ("gunicorn.conf.py", 'bind = "0.0.0.0:9000"', "gunicorn main:app", "0.0.0.0"),
        ("gunicorn.conf.py", 'bind = ["127.0.0.1:9000"]', "gunicorn main:app", "127.0.0.1"),
        ("gunicorn.conf.py", "import os\nbind = os.environ['BIND']", "gunicorn main:app", None),
        ("gunicorn.conf.py", "workers = 2", "gunicorn main:app", "127.0.0.1"),
        ("gunicorn.conf.py", "from settings import *", "gunicorn main:app", None),
        ("gunicorn.conf.py", 'bind = "0.0.0.0:9000"', "gunicorn -b 127.0.0.1 main:app", "127.0.0.1"),
        ("conf/g.py", 'bind = "0.0.0.0:9000"', "gunicorn -c conf/g.py main:app", "0.0.0.0"),
        ("config.properties", "inference_address=http://0.0.0.0:8080", "torchserve --start", "0.0.0.0"),
        ("ts.properties", "number_of_gpu=1", "torchserve --ts-config ts.properties", "127.0.0.1"),
        (".flaskenv", "FLASK_RUN_HOST=0.0.0.0", "flask run", None),
    ],
)
def test_the_address_in_a_file(name: str, text: str, command: str, expected: str | None, tmp_path: Path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text + "\n")
    assert host(server(f"CMD {command}", tmp_path)) == expected


@pytest.mark.parametrize(
    ("source", "expected", "port"),
    [
        ("import uvicorn\nuvicorn.run('main:app')", "127.0.0.1", "8000"),
        ("import uvicorn\nuvicorn.run('main:app', host='0.0.0.0', port=80)", "0.0.0.0", "80"),
        ("import uvicorn\nuvicorn.run('main:app', host=HOST, port=PORT)", None, ""),
        ("import uvicorn\nuvicorn.run('main:app', **options)", None, ""),
        ("import uvicorn\nuvicorn.run(a)\nuvicorn.run(a, host='0.0.0.0', port=1)", "0.0.0.0", ""),
        ("from flask import Flask\napp = Flask('a')\napp.run()", "127.0.0.1", "5000"),
        ("from flask import Flask\napp = Flask('a')\napp.run('0.0.0.0', 80)", "0.0.0.0", ""),
        ("from flask import Flask\napp = Flask('a')\napp.run(HOST)", None, "5000"),
        ("import gradio as gr\ngr.Interface(f, 'a', 'b').launch()", "127.0.0.1", "7860"),
        ("import gradio as gr\ngr.Interface(f, 'a', 'b').launch(share=True)", None, "7860"),
        ("import gradio as gr\ngr.Interface(f, 'a', 'b').launch(server_name='0.0.0.0')", "0.0.0.0", "7860"),
    ],
)
def test_the_address_of_a_call(source: str, expected: str | None, port: str, tmp_path: Path):
    (tmp_path / "serve.py").write_text(source + "\n")
    found = server("CMD python serve.py", tmp_path)
    assert (host(found), found.port) == (expected, port)


def test_the_variable_of_gradio(tmp_path: Path):
    (tmp_path / "serve.py").write_text("import gradio as gr\ngr.Interface(f, 'a', 'b').launch()\n")
    found = server('ENV GRADIO_SERVER_NAME="0.0.0.0" GRADIO_SERVER_PORT=80\nCMD python serve.py', tmp_path)
    assert (host(found), found.port) == ("0.0.0.0", "80")
    assert found.host.place is not None
    assert found.host.place.start == (4, 24)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("CMD python manage.py runserver 0.0.0.0:9000", "9000"),
        ("CMD python manage.py runserver", "8000"),
        ("CMD uvicorn main:app -h 1 --port=$PORT", "$PORT"),
        ("ENV UVICORN_PORT=81\nCMD uvicorn main:app", "81"),
        ("ENV GUNICORN_CMD_ARGS=-b:80\nCMD gunicorn main:app", "80"),
        ("ENV PORT=80\nCMD gunicorn main:app", "80"),
        ("CMD hypercorn -c config.toml main:app", ""),
    ],
)
def test_the_port(text: str, port: str):
    assert server(text).port == port


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CMD gunicorn -w 4 main:app", "4"),
        ("ENV WEB_CONCURRENCY=3\nCMD uvicorn main:app", "3"),
        ("CMD gunicorn --workers $N main:app", None),
    ],
)
def test_the_workers(text: str, expected: str | None):
    found = server(text).workers
    assert (None if isinstance(found, Unknown) else found) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("uvicorn app.main:app --host x", "app.main:app"),
        ("gunicorn -c python:conf.prod 'main:make(1)'", "main:make(1)"),
        ("gunicorn -k a:b main:app", "main:app"),
        ("gunicorn main", "main"),
        ("gunicorn -b :80 --preload --timeout 60 site.wsgi", "site.wsgi"),
        ("gunicorn --unheard-of main", None),
        ("uvicorn $APP", None),
    ],
)
def test_the_application(command: str, expected: str | None):
    found = server(f"CMD {command}").app
    assert (found and found.value) == expected


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.1.1", "::1", "[::1]", "LOCALHOST"])
def test_loopback(host: str):
    assert listening.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "api", "127.example", Unknown("?")])
def test_not_loopback(host: str | Unknown):
    assert not listening.is_loopback(host)
