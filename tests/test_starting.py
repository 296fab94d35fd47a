"""What a container starts is there and can be started, beyond the examples of the rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import mllint

SLIM = "FROM python:3.11.14-slim-bookworm\nWORKDIR /app\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")


def found(root: Path, rule: str, text: str, **files: str) -> list[tuple[str, str]]:
    """The messages of a rule, with the repairs."""
    write(root, {"Dockerfile": text, **files})
    report = mllint.lint([str(root / "Dockerfile")], select=[rule], preset="all", cwd=root)
    return [(each.message, each.repair) for each in report.findings]


@pytest.mark.parametrize(
    ("tail", "repair"),
    [
        ("COPY app .\nCMD uvicorn app.main:app", "write main for /app/main.py"),
        ("COPY app/main.py /srv/main.py\nCMD python main.py", "write /srv/main.py"),
        ("COPY other .\nCMD python -m app.main", "copy app/main.py of the build context there"),
        ("COPY app app\nCMD cd app && python app/main.py", "write /app/app/main.py"),
        (
            "COPY app app\nENV PYTHONPATH=/opt/x\nCMD gunicorn --chdir /srv main:app",
            "set WORKDIR or PYTHONPATH so that",
        ),
        ("COPY app app\nCMD fastapi run main.py", "write /app/app/main.py"),
        ("COPY app app\nCMD hypercorn main:app", "write app.main for /app/app/main.py"),
        ("COPY app app\nCMD uvicorn app.main:serve", "write app.main:app"),
    ],
)
def test_source_that_is_elsewhere(tail: str, repair: str, tmp_path: Path):
    files = {"app/main.py": "app = object()\n", "other/x.py": ""}
    [(_, said)] = found(tmp_path, "ML308", SLIM + tail, **files)
    assert said.startswith(repair)


@pytest.mark.parametrize(
    "tail",
    [
        "COPY app app\nCMD uvicorn app.main:app",
        "COPY app app\nCMD uvicorn --app-dir app main:app",
        "COPY app app\nCMD cd app && uvicorn main:app",
        "COPY app app\nENV PYTHONPATH=app\nCMD uvicorn main:app",
        "COPY app app\nCMD uvicorn $MODULE:app",
        "COPY app app\nRUN ./generate\nCMD uvicorn main:app",
        "COPY app app\nCMD python -m http.server",
        "COPY app app\nCMD python -m app.main",
        "COPY app app\nCMD uvicorn app.main:app.asgi",
        "COPY app app\nVOLUME /app\nCMD uvicorn main:app",
        "ARG SOURCES\nCOPY $SOURCES .\nCMD uvicorn main:app",
        "COPY missing .\nCMD uvicorn main:app",
        "COPY app app\nRUN git clone https://git.example/x .\nCMD uvicorn main:app",
        "COPY app app\nRUN pip install git+https://git.example/main\nCMD uvicorn main:app",
        "COPY app app\nCMD uvicorn nowhere:app",
        "COPY --from=registry.example/x / /\nCMD uvicorn main:app",
    ],
)
def test_source_that_is_there_or_may_be(tail: str, tmp_path: Path):
    assert found(tmp_path, "ML308", SLIM + tail, **{"app/main.py": "app = object()\n"}) == []


def test_a_module_in_another_form_than_source(tmp_path: Path):
    files = {"app/core.cpython-311-x86_64-linux-gnu.so": "", "other/core.py": "app = 1\n", "app/__init__.py": ""}
    assert found(tmp_path, "ML308", f"{SLIM}COPY app app\nCMD uvicorn app.core:app", **files) == []


def test_a_base_that_nobody_knows_may_have_it(tmp_path: Path):
    text = "FROM registry.example/service:1\nWORKDIR /app\nCOPY app .\nCMD uvicorn app.main:app"
    assert found(tmp_path, "ML308", text, **{"app/main.py": "app = 1\n"}) == []


@pytest.mark.parametrize(
    ("tail", "what"),
    [
        ("COPY s.sh .\nCMD sh s.sh", "carriage return at the end of each command"),
        ("COPY s.sh .\nCMD ./s.sh", "carriage return in its name"),
        ('COPY s.sh .\nENTRYPOINT ["tini", "--"]\nCMD ["/app/s.sh"]', "carriage return in its name"),
        ("COPY s.sh .\nCMD bash /s.sh", "the image has no /s.sh"),
        ('COPY s.sh .\nCMD ["s.sh"]', "in no folder of PATH"),
    ],
)
def test_a_script_that_cannot_start(tail: str, what: str, tmp_path: Path):
    [(message, _)] = found(tmp_path, "ML309", SLIM + tail, **{"s.sh": "#!/bin/sh\r\nexec true\r\n"})
    assert what in message


def test_a_byte_order_mark_in_front_of_the_first_line(tmp_path: Path):
    [(message, _)] = found(tmp_path, "ML309", f'{SLIM}COPY s.sh .\nCMD ["./s.sh"]', **{"s.sh": "\ufeff#!/bin/sh\n"})
    assert "byte order mark" in message


@pytest.mark.parametrize(
    "tail",
    [
        "COPY s.sh .\nCMD ./s.sh",
        'COPY s.sh .\nENTRYPOINT ["tini", "--", "./s.sh"]',
        'COPY s.sh .\nCMD ["sh", "s.sh"]',
        'COPY --chmod=755 s.sh /usr/local/bin/s.sh\nCMD ["s.sh", "x"]',
    ],
)
def test_no_first_line_where_a_shell_reads_it(tail: str, tmp_path: Path):
    report = found(tmp_path, "ML309", SLIM + tail, **{"s.sh": "exec true\n"})
    assert [message for message, _ in report if "#!" in message] == (
        report and ["CMD runs s.sh, which does not begin with #! (exec format error): the container does not start"]
    )


@pytest.mark.parametrize(("mode", "count"), [("+x", 0), ("-x", 1)])
def test_the_right_to_run_is_that_of_git(mode: str, count: int, tmp_path: Path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "service"
    write(root, {"s.sh": "#!/bin/sh\n"})
    for words in (["init", "-q"], ["add", "."], ["update-index", f"--chmod={mode}", "service/s.sh"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    assert len(found(root, "ML309", f'{SLIM}COPY s.sh .\nCMD ["./s.sh"]')) == count


@pytest.mark.parametrize(
    ("health", "count"),
    [
        ("curl -f http://localhost:8000/health", 0),
        ("curl -f http://localhost:9000/health", 1),
        ("curl -f http://localhost/health", 1),
        ("curl -f http://localhost:$PORT/health", 0),
        ("curl -f http://db:5432/", 0),
        ("wget -q http://127.0.0.1:8001/ || exit 1", 1),
    ],
)
def test_the_port_of_a_health_check(health: str, count: int, tmp_path: Path):
    text = f"{SLIM}EXPOSE 8000\nHEALTHCHECK CMD {health}\nCMD uvicorn main:app --host 0.0.0.0"
    assert len(found(tmp_path, "ML306", text)) == count


@pytest.mark.parametrize(
    ("service", "count"),
    [
        ('ports: ["80:8000"]', 0),
        ('ports: ["8000:80"]', 1),
        ('ports: ["8000:80", "9000:8000"]', 0),
        ('ports: ["8000:${PORT}"]', 0),
        ('ports: ["8000:80"]\n    environment: {UVICORN_PORT: 80}', 0),
        ('healthcheck: {test: "curl -f http://localhost:80/"}', 1),
        ("healthcheck: {test: [NONE]}", 0),
    ],
)
def test_the_ports_of_compose(service: str, count: int, tmp_path: Path):
    compose = f"services:\n  api:\n    build: .\n    {service}\n"
    text = f"{SLIM}CMD uvicorn main:app --host 0.0.0.0"
    assert len(found(tmp_path, "ML306", text, **{"compose.yaml": compose})) == count


@pytest.mark.parametrize(
    "tail",
    [
        "CMD flask --app web run",
        "CMD flask run",
        "ENV FLASK_APP=web.py\nCMD flask run",
        "CMD gunicorn --preload web",
        "ENV GUNICORN_CMD_ARGS='--chdir elsewhere'\nCMD gunicorn app.web:server",
        "CMD python app/serve.py",
    ],
)
def test_servers_that_ask_for_what_is_not_there(tail: str, tmp_path: Path):
    files = {
        "app/web.py": "server = object()\n",
        "app/app.py": "",
        "app/serve.py": "import uvicorn\nuvicorn.run('web:app')\n",
    }
    [(message, _)] = found(tmp_path, "ML308", SLIM + "COPY . .\n" + tail, **files)
    assert message.endswith("the container ends as soon as it starts") or "takes app from web.py" in message


@pytest.mark.parametrize(
    ("tail", "files"),
    [
        ("CMD flask --app app.web run", {}),
        ("ENV FLASK_APP=app/web.py:server\nCMD flask run", {}),
        ("CMD flask run", {"wsgi.py": ""}),
        ("CMD flask run", {".flaskenv": "FLASK_APP=app.web\n"}),
        ("CMD flask --app $APP run", {}),
        ("ENV GUNICORN_CMD_ARGS='--chdir app'\nCMD gunicorn web:server", {}),
        ("CMD gunicorn web:server", {"gunicorn.conf.py": "pythonpath = 'app'\n"}),
        ("CMD gunicorn web:server", {"gunicorn.conf.py": "import os\nchdir = os.environ['FOLDER']\n"}),
        ("CMD python serve.py", {"serve.py": "import uvicorn\nuvicorn.run('web:server', app_dir='app')\n"}),
        ("CMD python serve.py", {"serve.py": "import sys, uvicorn\nsys.path += 'app',\nuvicorn.run('web:server')\n"}),
        ("CMD python -m app.relative", {"app/relative.py": "from .web import server\n"}),
    ],
)
def test_servers_that_find_what_they_ask_for(tail: str, files: dict[str, str], tmp_path: Path):
    own = {"app/web.py": "server = object()\n", **files}
    assert found(tmp_path, "ML308", SLIM + "COPY . .\n" + tail, **own) == []
