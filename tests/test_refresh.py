"""The script that refreshes the tables of facts, against an index of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from mllint import facts

SCRIPT = facts.root() / "facts" / "refresh.py"
TABLES = ("releases", "missing_releases", "yanked", "wheels")


def file(filename: str, **more) -> dict:
    return {"filename": filename, "upload-time": "2026-11-20T08:00:00Z", "requires-python": ">=3.9", **more}


FILES = [
    file("sample-0.9.tar.gz", **{"upload-time": "2018-01-01T00:00:00Z"}),
    file("sample-1.0.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
    file("sample-1.0.0-cp39-cp39-manylinux2014_x86_64.whl"),
    file("sample-1.0.0-cp39-cp39-win_amd64.whl"),
    file("sample-1.0.0.tar.gz"),
    file("sample-1.0.2-cp39-cp39-manylinux2014_x86_64.whl", yanked="  broken\nbadly "),
    file("sample-1.0.2-cp310-cp310-manylinux2014_x86_64.whl", yanked=True),
    file("sample-1.0.2.tar.gz", yanked="broken"),
    file("sample-1.1.0.post1-cp311-abi3-manylinux_2_28_x86_64.whl"),
    file("sample-1.1.0.post1-cp311-abi3-manylinux_2_31_aarch64.whl"),
    file("sample-1.1.0.post1-cp313-cp313t-manylinux_2_34_x86_64.whl"),
    file("sample-1.1.0.post1-cp311-abi3-musllinux_1_2_x86_64.whl"),
    file("sample-1.1.2-py3-none-any.whl"),
    file("sample-1.1.2.zip"),
    file("sample-2.0.0rc1-py3-none-any.whl"),
    file("sample-not_a_version.tar.gz"),
]


@pytest.fixture
def index(monkeypatch):
    """The URL of an index with one distribution, made the one that pip uses."""

    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == "/simple/sample/" and "application/vnd.pypi.simple.v1+json" in self.headers["Accept"]
            body = json.dumps({"files": FILES}).encode() if known else b""
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def refresh(tmp_path: Path, monkeypatch, index):
    """The script, working on a copy of the tables on the day 2026-12-01."""
    for name in TABLES:
        shutil.copy(SCRIPT.with_name(f"{name}.yaml"), tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796083200")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("refresh", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "refresh", module)
    spec.loader.exec_module(module)
    module.FOLDER = tmp_path
    return module


def rows(folder: Path, table: str, name: str = "sample") -> list[dict[str, str]]:
    content = yaml.load((folder / f"{table}.yaml").read_text("utf-8"), yaml.BaseLoader)
    return [row for row in content["rows"] if row["name"] == name]


def test_a_new_distribution_comes_into_the_tables(refresh, tmp_path):
    assert refresh.main(["Sample"]) == 0
    dated = {"date": "2026-12-01"}
    assert rows(tmp_path, "releases") == [
        {"name": "sample", "versions": "0.9 1.0.0 1.0.2 1.1.0.post1 1.1.2", **dated},
    ]
    assert rows(tmp_path, "yanked") == [{"name": "sample", "version": "1.0.2", "reason": "broken badly", **dated}]
    assert rows(tmp_path, "missing_releases") == []
    shared = {"name": "sample", "requires_python": ">=3.9"}
    assert rows(tmp_path, "wheels") == [
        {**shared, "first": "1.0.0", "last": "1.0.2", "python": "3.9 3.10", "glibc": "2.17", **dated},
        {
            **shared,
            "first": "1.1.0.post1",
            "last": "1.1.0.post1",
            "python": "3.11+ 3.13t",
            "glibc": "2.28",
            "arm64": "2.31",
            "musl": "yes",
            "sdist": "no",
            **dated,
        },
        {**shared, "first": "1.1.2", "last": "1.1.2", "python": "any", **dated},
    ]


def test_a_gap_that_opened_since_the_last_refresh_is_a_missing_release(refresh, tmp_path):
    table = tmp_path / "missing_releases.yaml"
    table.write_text(table.read_text("utf-8").replace('date: "2026-11-22"', 'date: "2026-11-01"'), "utf-8")
    refresh.main(["sample"])
    found = [(row["version"], row["near"]) for row in rows(tmp_path, "missing_releases")]
    assert found == [("1.0.1", "none"), ("1.1.0", "1.1.0.post1"), ("1.1.1", "none")]


def test_other_distributions_stay_as_they_are(refresh, tmp_path):
    refresh.main(["sample"])
    for table in TABLES:
        before = SCRIPT.with_name(f"{table}.yaml").read_text("utf-8")
        after = (tmp_path / f"{table}.yaml").read_text("utf-8")
        assert rows(tmp_path, table, "torch") == rows(SCRIPT.parent, table, "torch")
        assert set(before.splitlines()) <= set(after.splitlines())


def test_a_second_time_nothing_changes(refresh, tmp_path):
    refresh.main(["sample"])
    once = [(tmp_path / f"{table}.yaml").read_text("utf-8") for table in TABLES]
    refresh.main(["sample"])
    assert [(tmp_path / f"{table}.yaml").read_text("utf-8") for table in TABLES] == once


def test_a_check_writes_nothing_and_shows_what_would_change(refresh, tmp_path, capsys):
    before = (tmp_path / "releases.yaml").read_text("utf-8")
    assert refresh.main(["--check", "sample"]) == 1
    assert "+  - name: sample" in capsys.readouterr().out
    assert (tmp_path / "releases.yaml").read_text("utf-8") == before


def test_an_index_without_the_distribution_is_a_message(refresh, tmp_path, capsys):
    assert refresh.main(["no-such-thing"]) == 2
    assert capsys.readouterr().err.startswith("no-such-thing: HTTP Error 404")


def test_a_refresh_of_everything_dates_the_tables(refresh, tmp_path):
    for table in TABLES:
        path = tmp_path / f"{table}.yaml"
        head = path.read_text("utf-8").partition("\nrows:\n")[0]
        row = "  - {name: sample, versions: 0.9, date: 2026-01-01}\n" if table == "releases" else ""
        path.write_text(f"{head}\nrows:\n{row}", "utf-8")
    refresh.main([])
    (row,) = rows(tmp_path, "releases")
    assert row == {"name": "sample", "versions": "0.9 1.0.0 1.0.2 1.1.0.post1 1.1.2"}
    assert 'date: "2026-12-01"' in (tmp_path / "wheels.yaml").read_text("utf-8")
