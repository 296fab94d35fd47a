"""The tables of README.md are what a real engine shows, and pip keeps what it downloads where the index lets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import faults
import pytest
from engine import Engine
from faults import FAULTS, INFERENCE, README, Row, with_tables, written


@pytest.fixture(scope="module")
def rows(
    engine: Engine, base: Callable[[str], str], request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Row]]]:
    """The rows of the faults that are asked for."""
    own = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    asked = [item.callspec.params["fault"] for item in own if "fault" in item.callspec.params]
    for fault in asked:
        text = (INFERENCE / fault / "fixed" / "Dockerfile").read_text("utf-8")
        for reference in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
            base(reference)
    with faults.rows(engine, asked) as found:
        yield found


def test_the_readme_has_a_row_for_each_fault():
    assert sorted(written()) == FAULTS
    text = README.read_text("utf-8")
    assert with_tables(text, written()) == text


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_of_the_readme_is_what_the_engine_shows(rows: dict[str, Future[Row]], fault: str):
    # The tables were made without a GPU.
    assert str(rows[fault].result()).replace("served on the GPU", "served on CPU fallback") == written()[fault]


class _Index(BaseHTTPRequestHandler):
    """A package index that allows to cache, as the public one does: it has one wheel."""

    wheel: Path

    def do_GET(self) -> None:
        is_wheel = self.path.endswith(".whl")
        name = self.wheel.name
        content = self.wheel.read_bytes() if is_wheel else f'<a href="/{name}">{name}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if is_wheel else "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "public, max-age=3600")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def index(engine: Engine, python_base: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The host and the port of such an index, as builds reach it."""
    bridge = engine.client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    wheel = tmp_path / "small-1.0-py3-none-any.whl"
    _write_wheel(wheel)
    handler = type("Index", (_Index,), {"wheel": wheel})
    try:
        server = ThreadingHTTPServer((bridge, 0), handler)
    except OSError as error:
        pytest.skip(f"the network of the engine is not one of this machine: {error}")
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield bridge, str(server.server_port)
        server.shutdown()


def _write_wheel(path: Path) -> None:
    from zipfile import ZipFile

    about = {
        "METADATA": "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with ZipFile(path, "w") as wheel:
        wheel.writestr("small.py", "")
        for name, text in about.items():
            wheel.writestr(f"small-1.0.dist-info/{name}", text)


@pytest.mark.parametrize(("option", "is_kept"), [("", True), ("--no-cache-dir ", False)])
def test_pip_keeps_what_it_downloads(engine, python_base, index, tmp_path, option, is_kept):
    host, port = index
    source = f"--index-url http://{host}:{port}/simple --trusted-host {host}"
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {python_base}\nRUN pip install {option}{source} small\n")
    kept = engine.run(engine.build(context), "find", "/root", "-path", "*/.cache/pip/http*", "-type", "f")
    assert bool(kept) == is_kept
