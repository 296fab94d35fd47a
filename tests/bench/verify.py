"""What `mllint verify` costs beside the docker commands that build and run the same image, as a Markdown table.

Both build an image whose steps are all in the builder's cache, start it, wait until it is healthy, stop it and remove
it, in turn (A B A B …); the cost is the median of the differences of the turns. It is measured twice: on the base as
the engine has it, and on a copy of it without labels, because a base that only stands in for an official one is looked
into first. mllint runs from this checkout, compiled. Needs an engine and the base image (see `make engine`).
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.11-slim-bookworm"
MAIN = """\
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words):
        pass

HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
DOCKERFILE = """\
FROM {base}
WORKDIR /app
COPY main.py .
USER 10001
EXPOSE 8000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=1s CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 2)"]
CMD ["python", "main.py"]
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    compileall.compile_dir(ROOT / "mllint", quiet=1)
    plain = f"mllint-bench-{uuid.uuid4().hex[:12]}"
    copy_base(plain)
    print("| base | docker commands | mllint verify | more |\n|---|---|---|---|")
    try:
        for name, base in (("without labels", plain), ("as it is", BASE)):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "main.py").write_text(MAIN)
                (Path(folder) / "Dockerfile").write_text(DOCKERFILE.format(base=base))
                pairs = [(by_docker(folder), by_mllint(folder)) for _ in range(turns + 1)][1:]
            bare, ours = (median(each) for each in zip(*pairs, strict=True))
            more = median(second - first for first, second in pairs)
            print(f"| {name} | {bare:.2f} s | {ours:.2f} s | {more:+.2f} s |")
    finally:
        docker("rmi", "--force", plain)


def docker(*words: str) -> str:
    """Run a docker command and give what it prints."""
    return subprocess.run(("docker", *words), check=True, capture_output=True, text=True).stdout.strip()


def copy_base(name: str) -> None:
    """The files and the search path of the base as an image of another name."""
    made = docker("create", BASE)
    try:
        with subprocess.Popen(("docker", "export", made), stdout=subprocess.PIPE) as export:
            change = "--change=ENV PATH=/usr/local/bin:/usr/bin:/bin"
            subprocess.run(
                ("docker", "import", change, "-", name), stdin=export.stdout, check=True, capture_output=True
            )
    finally:
        docker("rm", made)


def by_docker(folder: str) -> float:
    """The seconds that the docker commands take."""
    name = f"mllint-bench-{uuid.uuid4().hex[:12]}"
    before = time.perf_counter()
    docker("build", "--quiet", f"--tag={name}", folder)
    made = docker("run", "--detach", "--publish=127.0.0.1::8000", name)
    while docker("inspect", "--format={{.State.Health.Status}}", made) != "healthy":
        time.sleep(0.05)
    docker("stop", made)
    docker("rm", made)
    docker("rmi", name)
    return time.perf_counter() - before


def by_mllint(folder: str) -> float:
    """The seconds that `mllint verify` takes."""
    command = (sys.executable, "-m", "mllint", "verify", folder)
    before = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
