"""Images that are right and wrong, run for real."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine import PYTHON, Engine

import mllint
from mllint.verification.records import LABEL, Built, Limits, Provider, Request, Row, Variant, VerifyError
from mllint.verification.running import run
from mllint.verification.session import Session

SERVICE = """\
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"status": "ok", "device": "cpu"})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"species": "setosa", "probabilities": {"setosa": 1.0}, "key": os.environ.get("KEY")})

    def answer(self, value):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *words):
        pass

print("starting", flush=True)
HTTPServer((sys.argv[1], 8000), Handler).serve_forever()
"""
ASK = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=2)"
CHECK = f'HEALTHCHECK --interval=30s CMD ["python", "-c", "{ASK}"]\n'
SERVE = 'CMD ["python", "/srv/main.py", "0.0.0.0"]\n'
# Python as PID 1 has no handler for SIGTERM, but one for SIGINT.
STOP = "STOPSIGNAL SIGINT\n"
USER = "USER 10001\n"
BASE = f"FROM {PYTHON}\nCOPY main.py /srv/\nEXPOSE 8000\n"

Verify = Callable[..., dict[str, Row]]


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine.client) as session:
        yield session


@pytest.fixture
def verify(engine: Engine, session: Session, tmp_path: Path, python_base: str) -> Verify:
    """Builds a Dockerfile, runs the image, and gives the rows by their names."""

    def verify(text: str, paper: str | None = None, **options: Any) -> dict[str, Row]:
        (tmp_path / "main.py").write_text(SERVICE)
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text(text)
        built = built_of(engine, engine.build(tmp_path))
        dockerfile.write_text(paper or text)
        build = mllint.inspect(dockerfile, no_config=True)
        rows = run(session, Variant("service", build, dockerfile, **options), built)
        found = {row.name: row for row in rows}
        assert len(found) == len(rows)
        return found

    return verify


def built_of(engine: Engine, image: str) -> Built:
    found = engine.client.api.inspect_image(image)
    return Built(image, 0.0, found["Size"], len(found["RootFS"]["Layers"]), 0, 0)


def failed(rows: dict[str, Row]) -> list[str]:
    return [name for name, row in rows.items() if row.outcome == "fail"]


def test_a_service_that_is_right(verify: Verify):
    shape = {"species": "string", "probabilities": {"setosa": "number"}, "key": "string"}
    request = Request("/predict", "POST", {"features": [1, 2, 3, 4]}, shape=shape)
    rows = verify(BASE + CHECK + USER + STOP + SERVE, requests=(request,), env={"KEY": "value"})
    names = ["healthy", "reachable", "POST /predict", "user", "stops", "size", "secrets", "as predicted"]
    assert list(rows) == names
    assert failed(rows) == [], rows
    # The engine would run the test for the first time after 30 seconds.
    assert rows["healthy"].number is not None
    assert rows["healthy"].number < 25
    assert rows["reachable"].value.startswith("GET /health: 200 in ")
    assert rows["user"].number == 10001
    assert rows["as predicted"].number is not None
    assert rows["as predicted"].number > 40


def test_a_service_that_is_wrong(verify: Verify):
    """The health check imports what is not there, the process is root's, and a shell keeps the signal from it."""
    check = "HEALTHCHECK CMD python -c \"import requests; requests.get('http://localhost:8000/health')\"\n"
    serve = "CMD python /srv/main.py 0.0.0.0; true\n"
    wanted = Request("/predict", "POST", {}, shape={"species": "number"})
    other = Request("/predict", "POST", {}, status=422)
    limits = Limits(size=1000, stop=1)
    rows = verify(BASE + check + serve, requests=(wanted, other._replace(path="/other")), limits=limits)
    assert failed(rows) == ["healthy", "POST /predict", "POST /other", "user", "stops", "size"], rows
    healthy = "its health check fails although the service answers: ModuleNotFoundError: No module named 'requests'"
    assert rows["healthy"].value == healthy
    assert "container: starting" in rows["healthy"].detail
    assert rows["POST /predict"].value == 'species is "setosa", not of type number'
    assert rows["POST /other"].value.startswith("200, not 422, in ")
    assert rows["user"].value == "uid 0: the service runs as root"
    assert rows["stops"].value == "killed after 1 s: SIGTERM does not end it"
    assert "PID 1 is a shell" in rows["stops"].detail[0]
    assert rows["size"].value.endswith("more than 0.0 MB")


def test_a_service_that_only_the_container_reaches(verify: Verify):
    rows = verify(BASE + CHECK + USER + STOP + 'CMD ["python", "/srv/main.py", "127.0.0.1"]\n')
    assert rows["healthy"].outcome == "pass"
    assert rows["reachable"].value.startswith("the service listens on 127.0.0.1:8000")
    assert failed(rows) == ["reachable"]


def test_a_service_on_another_port(verify: Verify):
    rows = verify(BASE + "HEALTHCHECK CMD exit 0\n" + USER + STOP + SERVE, port=9000)
    assert rows["healthy"].outcome == "pass"
    assert rows["reachable"].value == "nothing listens on port 9000, but on 8000"


@pytest.mark.parametrize(
    ("instructions", "value"),
    [
        ('CMD ["serve"]\n', 'it does not start: exec: "serve": executable file not found in $PATH'),
        ('CMD ["/srv/main.py"]\n', 'it does not start: exec: "/srv/main.py": permission denied'),
        ("USER ghost\n" + SERVE, "it does not start: unable to find user ghost: no matching entries in passwd file"),
        ("CMD echo no model; exit 3\n", "the container ended by itself with exit code 3: no model"),
    ],
)
def test_a_container_that_does_not_stay(verify: Verify, instructions: str, value: str):
    rows = verify(BASE + CHECK + instructions)
    assert rows["healthy"].value == value
    assert list(rows) == ["healthy", "size", "secrets", "as predicted"]
    assert failed(rows) == ["healthy"]


def test_what_a_container_has_and_its_image_has_not_is_no_wrong_prediction(verify: Verify):
    """Volumes and devices; nor is a program that the shell has a command of its own for."""
    odd = "VOLUME /data/models\nRUN mkdir /dev/shm/cache && kill -0 $$ && echo >/etc/hosts-too\n"
    rows = verify(BASE + odd + CHECK + USER + STOP + SERVE)
    assert rows["as predicted"].outcome == "pass", rows["as predicted"]


def test_an_entry_script_that_keeps_the_signal_from_the_service(verify: Verify):
    script = "RUN printf '#!/bin/sh\\n\"$@\"\\nexit\\n' >/entry && chmod 755 /entry\n"
    rows = verify(BASE + script + CHECK + USER + 'ENTRYPOINT ["/entry"]\n' + SERVE, limits=Limits(stop=1))
    assert failed(rows) == ["stops"]
    (why,) = rows["stops"].detail
    assert why.startswith("PID 1 is a shell, which hands no signal on")
    assert why.endswith(": /bin/sh /entry python /srv/main.py 0.0.0.0")


def test_an_image_without_a_health_check(verify: Verify):
    text = BASE + USER + STOP + SERVE
    rows = verify(text)
    assert rows["healthy"].value.startswith("the image has no HEALTHCHECK, answers after ")
    assert failed(rows) == ["healthy"]
    assert verify(text, health="none")["healthy"].outcome == "note"
    configured = verify(text, health="/up")["healthy"]
    assert configured.outcome == "pass"
    assert configured.value.startswith("GET /up answers 200 after ")


def test_a_health_check_whose_program_is_missing(verify: Verify):
    rows = verify(BASE + 'HEALTHCHECK CMD ["curl", "-f", "localhost"]\n' + USER + STOP + SERVE)
    assert rows["healthy"].value.startswith("its health check cannot be run: ")
    assert 'exec: "curl": executable file not found' in rows["healthy"].value
    assert failed(rows) == ["healthy"]


def test_an_image_without_a_shell(verify: Verify):
    bare = "RUN [\"python\", \"-c\", \"import os; [os.unlink('/bin/' + n) for n in ('sh', 'dash', 'bash', 'cat')]\"]\n"
    rows = verify(BASE + bare + CHECK + USER + STOP + SERVE)
    assert failed(rows) == [], rows
    assert rows["user"].number == 10001


def test_secrets_in_the_image(verify: Verify):
    token = "hf_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7"
    rows = verify(BASE + f"ENV HF_TOKEN={token}\n" + CHECK + USER + STOP + SERVE)
    assert failed(rows) == ["secrets"]
    assert rows["secrets"].value == "whoever can pull the image reads: Hugging Face token"
    assert token not in repr(rows)


def test_a_root_that_is_allowed_and_no_port(verify: Verify):
    text = BASE.replace("EXPOSE 8000\n", "") + "HEALTHCHECK CMD exit 0\n" + STOP + 'CMD ["sleep", "60"]\n'
    rows = verify(text, is_root_fine=True, limits=Limits(stop=1))
    assert rows["user"].outcome == "pass"
    assert rows["reachable"].outcome == "note"
    assert "as PID 1 a process gets only the signals that it has a handler for" in rows["stops"].detail[0]


def test_gpus_that_the_engine_does_not_have(engine: Engine, verify: Verify):
    info = engine.client.info()
    if "nvidia" in info["Runtimes"] or info.get("DiscoveredDevices"):
        pytest.skip("the engine gives containers GPUs")
    text = BASE + CHECK + USER + STOP + SERVE
    with pytest.raises(VerifyError, match="Container Toolkit"):
        verify(text, gpus="all")
    rows = verify(text, provider=Provider("/health", "device"))
    assert rows["provider"].value == "served on CPU fallback (no GPU on this engine): cpu (device of /health)"
    assert rows["provider"].outcome == "note"


def test_a_base_that_another_image_stands_in_for(verify: Verify):
    text = BASE + CHECK + USER + STOP + SERVE
    name = "registry.example/python:3.12"
    rows = verify(text, text.replace(PYTHON, name), base_images={name: PYTHON})
    assert rows["as predicted"].outcome == "pass", rows["as predicted"]


def test_a_wrong_prediction_is_reported(verify: Verify):
    text = BASE + CHECK + USER + STOP + SERVE
    rows = verify(text, text.replace("USER 10001", "USER 10002").replace("/srv/", "/opt/"))
    row = rows["as predicted"]
    assert row.outcome == "fail"
    assert "a bug of mllint" in row.value
    assert "user: predicted 10002, is 10001" in row.detail
    assert "kind /opt/main.py: predicted file, is not there" in row.detail


def left(engine: Engine, label: str) -> int:
    ours = {"label": label}
    return len(engine.client.api.containers(all=True, filters=ours)) + len(engine.client.api.images(filters=ours))


def test_a_session_removes_its_own_and_nothing_else(engine: Engine, python_base: str):
    with Session(engine.client) as one, Session(engine.client) as other:
        for each in (one, other):
            engine.client.containers.run(python_base, ["sleep", "60"], detach=True, labels=dict(each.labels))
        one.remove_all()
        (mine,), (others,) = one.labels.items(), other.labels.items()
        assert left(engine, "=".join(mine)) == 0
        assert left(engine, "=".join(others)) == 1
        other.remove_all(keep=True)
        assert left(engine, "=".join(others)) == 1
    assert left(engine, "=".join(others)) == 0


INTERRUPTED = """
import docker, time
from mllint.verification.session import Session
with Session(docker.from_env()) as session:
    (label,) = session.labels.items()
    session.client.containers.run("{image}", ["sleep", "600"], detach=True, labels=dict(session.labels))
    print("=".join(label), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_session_that_is_ended_removes_what_it_made(engine: Engine, python_base: str, signal: str):
    import signal as signals

    code = INTERRUPTED.replace("{image}", python_base)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        label = it.stdout.readline().strip()
        assert label.startswith(LABEL)
        assert left(engine, label) == 1
        it.send_signal(getattr(signals, signal))
        # As a second Ctrl-C of somebody who waits.
        time.sleep(0.02)
        it.send_signal(signals.SIGINT)
        it.communicate()
    assert left(engine, label) == 0
