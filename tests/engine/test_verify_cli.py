"""`mllint verify` as users call it: a command of its own, a real engine, and nothing left behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import PIPE

import pytest
from engine import PYTHON, Engine

import mllint

ROOT = Path(__file__).resolve().parents[2]
SERVICE = """\
import http.server
import signal
import sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *words):
        pass


http.server.HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
START = f"FROM {PYTHON}\nENV PYTHONUNBUFFERED=1\nWORKDIR /app\nCOPY main.py .\n"
SERVE = 'EXPOSE 8000\nCMD ["python", "main.py"]\n'
PROBE = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"
CHECK = f'HEALTHCHECK --interval=1s CMD ["python", "-c", "{PROBE}"]\n'
RIGHT = f"{START}USER 10001\n{CHECK}{SERVE}"
ROOT_USER = f"{START}{CHECK}{SERVE}"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path, python_base: str) -> Path:
    """A build context that no file above it speaks of."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.py").write_text(SERVICE)
    write(tmp_path, RIGHT)
    return tmp_path


def write(folder: Path, text: str, name: str = "Dockerfile") -> None:
    """Write a Dockerfile whose images and containers can be told from those of others."""
    first, _, rest = text.partition("\n")
    (folder / name).write_text(f"{first}\nLABEL word={word(folder)}\n{rest}")


def word(folder: Path) -> str:
    return folder.as_posix().strip("/").replace("/", "-")


def left(engine: Engine, folder: Path) -> list[str]:
    """The ids of the containers and images that were made of a build context."""
    ours = {"label": f"word={word(folder)}"}
    containers = engine.client.api.containers(all=True, filters=ours)
    return [each["Id"] for each in (*containers, *engine.client.api.images(filters=ours))]


def environment(**more: str) -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **more}


def command(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "mllint", "verify", *words)


@pytest.fixture
def verify(engine: Engine, folder: Path) -> Iterator[Run]:
    """Runs the command in the build context. Nothing that it makes may be left, whatever it is given."""

    def verify(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words), cwd=folder, env=environment(**more), capture_output=True, encoding="utf-8", check=False
        )

    yield verify
    assert left(engine, folder) == []


def test_an_image_that_is_right(verify: Run):
    ran = verify()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Dockerfile: right\n")
    assert re.findall(r"  (\S)  (\w+) ", ran.stdout)[:6] == [
        ("✓", name) for name in ("built", "healthy", "reachable", "user", "stops", "size")
    ]
    assert ran.stdout.endswith("\n1 variant: 1 right\n")


def test_a_terminal_shows_the_steps_while_they_run(engine: Engine, folder: Path):
    leader, follower = pty.openpty()
    with subprocess.Popen(
        command(), cwd=folder, env=environment(TERM="xterm"), stdout=PIPE, stderr=follower
    ) as running:
        os.close(follower)
        seen = b"".join(iter(lambda: read(leader), b""))
        report = running.stdout.read()
    os.close(leader)
    assert running.returncode == 0
    assert b"[internal] load build context" in seen
    for doing in (b"start the container", b"wait until it is healthy", b"ask GET /health", b"stop the container"):
        assert doing in seen
    assert report.startswith(b"Dockerfile: right\n")
    assert left(engine, folder) == []


def read(terminal: int) -> bytes:
    """What is written to a terminal; nothing once nobody can write to it any more."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_an_image_that_is_wrong(verify: Run, folder: Path):
    write(folder, ROOT_USER)
    ran = verify("--format", "json")
    assert (ran.returncode, ran.stderr) == (1, "")
    document = json.loads(ran.stdout)
    assert document["summary"] == {"right": 0, "wrong": 1, "not_verified": 0}
    rows = {row["name"]: row for row in document["variants"][0]["rows"]}
    assert (rows["user"]["outcome"], rows["user"]["number"]) == ("fail", 0)
    assert rows["healthy"]["outcome"] == "pass"
    assert document["variants"][0]["builder"].startswith("BuildKit")


def test_a_build_that_fails_shows_its_last_words(verify: Run, folder: Path):
    token = "hf_" + "q" * 34
    write(folder, f"FROM {PYTHON}\nRUN echo token={token}; echo out of luck; exit 3\n")
    ran = verify("--format", "markdown")
    assert ran.returncode == 1
    assert ran.stdout.startswith("### mllint verify: 1 variant: 1 wrong\n")
    assert "out of luck" in ran.stdout
    assert token not in ran.stdout


def test_variants_of_the_configuration(verify: Run, folder: Path):
    write(folder, ROOT_USER, "root.Dockerfile")
    (folder / ".mllint.yaml").write_text(
        "verify:\n"
        "  variants:\n"
        "    right: {requests: [{path: /nothing, status: 404}]}\n"
        "    wrong: {dockerfile: root.Dockerfile}\n"
    )
    ran = verify("--format", "json")
    assert ran.returncode == 1, ran.stderr
    right, wrong = json.loads(ran.stdout)["variants"]
    assert (right["name"], right["verdict"], wrong["name"], wrong["verdict"]) == ("right", "right", "wrong", "wrong")
    assert "GET /nothing" in [row["name"] for row in right["rows"]]


def test_a_base_that_nobody_can_get_leaves_the_others_verified(verify: Run, folder: Path):
    (folder / "other").mkdir()
    (folder / "other" / "Dockerfile").write_text('FROM registry.invalid/base:1\nCMD ["sh"]\n')
    ran = verify("--format", "json", "other", ".")
    assert ran.returncode == 3
    verdicts = {each["dockerfile"]: each["verdict"] for each in json.loads(ran.stdout)["variants"]}
    assert verdicts == {"other/Dockerfile": "not_verified", "Dockerfile": "right"}


def test_a_tag_that_was_never_published_is_a_fault_of_the_file(verify: Run, folder: Path):
    write(folder, "FROM nvidia/cuda:12.0-runtime-ubuntu22.04\n")
    ran = verify()
    assert ran.returncode == 1
    assert "12.0 alone is none" in ran.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "no such file or directory"),
        (("--target", "nothing"), "nothing"),
        (("--measure",), "--fix-first"),
        (("--format", "xml"), "xml"),
    ],
)
def test_what_cannot_be_asked_for(verify: Run, words: tuple[str, ...], said: str):
    ran = verify(*words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr


def test_a_configuration_that_is_wrong(verify: Run, folder: Path):
    (folder / ".mllint.yaml").write_text("verify:\n  gpu: all\n")
    ran = verify()
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("mllint: .mllint.yaml:2:3: ")


def test_no_engine(verify: Run):
    ran = verify(DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "DOCKER_HOST" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_plan_needs_no_engine_and_builds_nothing(verify: Run):
    ran = verify("--plan", "--build-arg", "HF_TOKEN=hf_" + "q" * 34, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert ran.returncode == 0, ran.stderr
    assert "hf_q" not in ran.stdout
    assert "builder" in ran.stdout
    assert "BuildKit" in verify("--plan").stdout


def test_kept_images_and_containers_are_named_with_how_they_go(verify: Run, engine: Engine, folder: Path):
    ran = verify("--keep", "--quiet")
    assert ran.returncode == 0
    container, image, first, second = ran.stderr.splitlines()
    assert (container.split()[:2], image.split()[:2]) == (["kept", "container"], ["kept", "image"])
    assert len(left(engine, folder)) == 2
    for line in (first, second):
        subprocess.run(line.removeprefix("remove with: "), shell=True, check=True, capture_output=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["build", "run"])
def test_an_interruption_leaves_nothing(engine: Engine, folder: Path, number: signal.Signals, phase: str):
    slow = f"FROM {PYTHON}\nRUN echo {word(folder)}; sleep 300\n"
    never = f'FROM {PYTHON}\nHEALTHCHECK --interval=300s CMD false\nCMD ["sleep", "300"]\n'
    write(folder, slow if phase == "build" else never)
    running = subprocess.Popen(command(), cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE)
    try:
        wait_until(lambda: is_building(word(folder)) if phase == "build" else len(left(engine, folder)) == 2)
        running.send_signal(number)
        output, errors = running.communicate(timeout=30)
    finally:
        running.kill()
    assert (running.returncode, output) == (130, b"")
    assert errors == b"mllint: interrupted, what was made is removed\n"
    assert left(engine, folder) == []
    wait_until(lambda: not is_building(word(folder)))


def is_building(word: str) -> bool:
    """Whether the step that says a word runs, as the processes of this machine show."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"echo {word};".encode() in each.read_bytes():
                return True
        except OSError:
            continue
    return False


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_two_at_the_same_time_do_each_other_no_harm(engine: Engine, folder: Path):
    both = [subprocess.Popen(command("--format", "json"), cwd=folder, env=environment(), stdout=PIPE) for _ in range(2)]
    documents = [json.loads(each.communicate(timeout=120)[0]) for each in both]
    assert [each["summary"]["right"] for each in documents] == [1, 1]
    assert [each.returncode for each in both] == [0, 0]
    assert left(engine, folder) == []


def test_before_and_after_the_fixes(verify: Run, folder: Path):
    write(folder, f"{START}USER 10001\n{CHECK}EXPOSE 8000\nCMD python main.py && true\n")
    (folder / ".mllint.yaml").write_text("verify: {limits: {stop: 1s}}\n")
    (folder / "link").symlink_to("/nonexistent/elsewhere")
    (folder / "of.py").symlink_to("main.py")
    contents = snapshot(folder)
    ran = verify("--fix-first", "--measure", "--format", "json")
    assert snapshot(folder) == contents
    document = json.loads(ran.stdout)
    (found,) = document["comparisons"]
    before, after = found["before"], found["after"]
    assert sum(before["findings"].values()) > sum(after["findings"].values())
    assert found["fixes"]
    assert "Dockerfile" in found["changed"]
    for state in (before, after):
        warm, rebuilt = state["measured"]["warm"], state["measured"]["rebuilt"]
        assert state["measured"]["edited"] == "main.py"
        assert state["built"]["cached"] < warm["cached"]
        assert rebuilt["cached"] < warm["cached"]
    assert ran.returncode == (0 if after["verdict"] == "right" else 1)


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    """What is in every file of a folder, and when it was written."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else "",
            path.lstat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    }


def test_from_python(engine: Engine, folder: Path):
    for _ in range(2):
        (outcome,) = mllint.verify([folder], no_config=True)
        assert outcome.is_right, outcome
    assert left(engine, folder) == []
