"""What `mllint verify` asks a service and how it judges the answers, without an engine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import build, last

from mllint.verification import endpoint, provider
from mllint.verification.asking import Answer, NoAnswer, ask, difference
from mllint.verification.comparing import differences
from mllint.verification.container import lines
from mllint.verification.health import test_of as the_test_of
from mllint.verification.provider import Gpus
from mllint.verification.records import Provider, Request, Variant
from mllint.verification.secrets import secrets

SERVES = 'FROM python:3.11-slim\nCMD ["uvicorn", "main:app", "--port", "8001"]\n'
FOR_GPU = "FROM nvidia/cuda:12.4.1-base-ubuntu22.04\nCMD python3 main.py\n"
TOKEN = "hf_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


class Service(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"body": json.loads(body), "key": self.headers["X-Key"]}).encode())

    def do_GET(self) -> None:
        self.send_response(307)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal of the tests."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_request_is_sent_as_configured(port: int):
    request = Request("/predict", "POST", {"features": [1, 2.5]}, {"X-Key": "grüezi"})
    answer = ask(port, request, 5)
    assert answer.status == 200
    assert difference(answer.json, {"body": {"features": ["number"]}, "key": "string"}) is None


def test_a_redirection_is_not_followed(port: int):
    answer = ask(port, Request("/a b?c=ü"), 5)
    assert (answer.status, answer.body) == (307, b"/a%20b?c=%C3%BC")


def test_nobody_answers():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer, match="closed without an answer"):
            ask(held.getsockname()[1], Request("/"), 1)
        held.listen()
        with pytest.raises(NoAnswer, match=r"no answer within 0\.1 s"):
            ask(held.getsockname()[1], Request("/"), 0.1)


def test_a_header_that_cannot_be_sent(port: int):
    with pytest.raises(NoAnswer, match="cannot be asked"):
        ask(port, Request("/", headers={"X": "a\nb"}), 1)


def test_a_service_that_speaks_no_http():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x00\x00\x12\x04 settings\n\n")

        threading.Thread(target=greet, daemon=True).start()
        assert ask(server.getsockname()[1], Request("/"), 5).status is None


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        ({"a": 1}, {"a": "string"}, "a is 1, not of type string"),
        ({"a": {"b": [1, True]}}, {"a": {"b": ["number"]}}, "a.b[1] is true, not of type number"),
        ({"a": 1.5}, {"a": "integer"}, "a is 1.5, not of type integer"),
        ({"b": 1, "c": 2}, {"a": "any"}, "the answer has no key a but b, c"),
        ({}, {"a": "any"}, "the answer has no key a but no keys"),
        ([], {"a": "any"}, "the answer is [], not of type object"),
        ({"a": {"b": None}}, {"a": {"b": ["any"]}}, "a.b is null, not of type array"),
        ([{"x": 1}, {}], [{"x": "number"}], "the answer[1] has no key x but no keys"),
        ("ok", "string", None),
        ([1, 2.5], ["number"], None),
        ({"a": None, "more": 1}, {"a": "null"}, None),
        ([], ["string"], None),
    ],
)
def test_the_first_difference(value: Any, shape: Any, message: str | None):
    assert difference(value, shape) == message


def shape_of(value: Any) -> Any:
    """A shape that a value has."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if len(value) == 1 else ["any"]
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


@given(JSON)
def test_a_value_has_its_own_shape(value: Any):
    assert difference(value, shape_of(value)) is None


@given(JSON, JSON)
def test_any_two_values_are_compared(value: Any, other: Any):
    message = difference(value, shape_of(other))
    assert message is None or (message and "\n" not in message)


def config(**given: Any) -> dict[str, Any]:
    return given


def variant(text: str = SERVES, **given: Any) -> Variant:
    return Variant("service", build(text), Path("Dockerfile"), **given)


@pytest.mark.parametrize(
    ("given", "text", "inspected", "port"),
    [
        ({"port": 9}, SERVES, {}, 9),
        ({}, SERVES, {"ExposedPorts": {"8000/tcp": {}}}, 8001),
        ({}, "FROM debian\nCMD /run.sh\n", {"ExposedPorts": {"9000/tcp": {}, "53/udp": {}}}, 9000),
        (
            {},
            "FROM debian\nCMD /run.sh\n",
            {
                "ExposedPorts": {"7000/tcp": {}, "9000/tcp": {}},
                "Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://localhost:9000/ready || exit 1"]},
            },
            9000,
        ),
        ({}, "FROM debian\nCMD /run.sh\n", {}, None),
    ],
)
def test_the_port_of_a_service(given: dict[str, Any], text: str, inspected: dict[str, Any], port: int | None):
    made = variant(text, **given)
    assert made.build.final is not None
    assert endpoint.port_of(made, made.build.final, inspected) == port


def test_the_path_that_tells_whether_a_service_is_up():
    stage = last(SERVES)
    probe = config(Healthcheck={"Test": ["CMD", "curl", "-f", "http://127.0.0.1:8001/live/now?x=1"]})
    assert endpoint.path_of(variant(), stage, probe, 8001) == ("/live/now", True)
    assert endpoint.path_of(variant(), stage, probe, 9000) == ("/live/now", False)
    assert endpoint.path_of(variant(health="/up"), stage, probe, 8001) == ("/up", False)
    assert endpoint.path_of(variant(health="none"), stage, {}, 8001) == ("/", False)


def test_a_health_check_is_run_as_the_engine_runs_it():
    text = the_test_of(config(Healthcheck={"Test": ["CMD-SHELL", "curl x || exit 1"], "Timeout": 5 * 10**9}))
    assert text is not None
    assert (text.command, text.timeout, text.retries) == (("/bin/sh", "-c", "curl x || exit 1"), 5.0, 3)
    shell = the_test_of(config(Healthcheck={"Test": ["CMD-SHELL", "a"], "Retries": 5}, Shell=["/bin/bash", "-ec"]))
    assert shell is not None
    assert (shell.command, shell.retries) == (("/bin/bash", "-ec", "a"), 5)
    words = the_test_of(config(Healthcheck={"Test": ["CMD", "probe", "now"]}))
    assert words is not None
    assert words.command == ("probe", "now")
    assert the_test_of(config(Healthcheck={"Test": ["NONE"]})) is None
    assert the_test_of({}) is None


def test_secrets_are_named_and_not_shown():
    history = [
        {"CreatedBy": f"RUN |1 API_TOKEN={TOKEN} /bin/sh -c pip install x # buildkit"},
        {"CreatedBy": "ENV GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D"},
        {"CreatedBy": 'CMD ["python"]'},
    ]
    row = secrets(config(Env=["DB_PASSWORD=tr0ub4dor&3", "PATH=/bin", "EMPTY"], Labels={"a": "b"}), history)
    assert (row.outcome, row.number) == ("fail", 2)
    assert row.detail[0] == "DB_PASSWORD (password)"
    assert "RUN |1 API_TOKEN=*** /bin/sh" in row.detail[1]
    assert TOKEN not in repr(row)
    assert "tr0ub4dor" not in repr(row)


def test_a_secret_that_the_history_shows_is_counted_once():
    row = secrets(config(Env=["DB_PASSWORD=tr0ub4dor&3"]), [{"CreatedBy": "ENV DB_PASSWORD=tr0ub4dor&3"}])
    assert (row.number, row.detail) == (1, ("ENV DB_PASSWORD=*** (password)",))


def test_no_secrets():
    assert secrets(config(Env=["PATH=/bin"], Labels=None), []).outcome == "pass"


AT = endpoint.Endpoint(8000, 1, "/health", True, 400)
GIVEN, NOT_GIVEN = Gpus([]), Gpus(None, "no GPU on this engine")


def told(text: str, body: Any, given: Gpus = GIVEN, **options: Any) -> Any:
    made = variant(text, **options)
    assert made.build.final is not None
    answers = {"/health": Answer(200, json.dumps(body).encode(), 0.01)}
    return provider.row(made, made.build.final, AT, answers, given)


def test_the_provider_is_found_in_an_answer():
    row = told(FOR_GPU, {"status": "ok", "model": {"device": "cuda:0"}})
    assert (row.outcome, row.value) == ("pass", "cuda:0 (model.device of /health)")


def test_a_fallback_is_a_fault_where_a_gpu_is_asked_for():
    body = {"providers": ["CPUExecutionProvider"]}
    assert told(FOR_GPU, body, gpus="all").outcome == "fail"
    row = told(FOR_GPU, body, NOT_GIVEN)
    assert row.outcome == "note"
    assert row.value.startswith("served on CPU fallback (no GPU on this engine): CPUExecutionProvider")
    assert told(FOR_GPU, body, gpus="none") is None


def test_a_configured_provider():
    where = Provider("/health", "runtime.backend")
    body = {"device": "cpu", "runtime": {"backend": ["TensorrtExecutionProvider", "CPUExecutionProvider"]}}
    assert told(FOR_GPU, body, provider=where, gpus="all").outcome == "pass"
    assert told(FOR_GPU, {"runtime": 1}, provider=where).value == "GET /health has no member runtime.backend"
    assert told(SERVES, {"runtime": {"backend": "cpu"}}, provider=where, gpus="none").outcome == "pass"
    assert told(SERVES, {"runtime": {"backend": "cpu"}}, provider=where).outcome == "fail"


def test_no_provider_is_asked_for_where_nothing_speaks_of_a_gpu():
    assert told(SERVES, {"device": "cpu"}) is None
    assert told(FOR_GPU, {"status": "ok"}).outcome == "note"


def test_a_version_may_be_known_without_its_patch_release():
    known = {("python", "version"): "3.11", ("env", "A"): "3", ("program", "gcc"): None}
    truth = {("python", "version"): "3.11.2", ("env", "A"): "3.1"}
    (wrong,) = differences(known, truth)
    assert wrong.text == "env A: predicted 3, is 3.1"


def test_a_credential_is_not_shown_where_it_is_wrong():
    (wrong,) = differences({("env", "API_TOKEN"): TOKEN}, {})
    assert wrong.text == "env API_TOKEN: predicted ***, is not there"


@given(st.binary())
def test_lines_move_no_cursor(output: bytes):
    shown = lines(output)
    assert all(each.strip() for each in shown)
    assert not any(mark in each for each in shown for mark in "\n\r\x1b\x07\x08")
