"""Where files lie, whose they are and what may be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.image.modes import changed_mode
from mllint.image.values import Unknown
from mllint.image.view import Node
from tests.paper import last, last_in

if TYPE_CHECKING:
    from pathlib import Path

    from mllint.image.stage import Stage

BASE = "FROM debian:bookworm-slim\n"


def node(stage: Stage, path: str) -> Node:
    found = stage.view.find(path)
    assert isinstance(found, Node), found
    return found


def told(stage: Stage, path: str) -> str | None:
    """The kind of what is there; `?` where nobody knows."""
    found = stage.view.find(path)
    return "?" if isinstance(found, Unknown) else found.kind if found is not None else None


@pytest.mark.parametrize(
    ("commands", "path", "expected"),
    [
        ("RUN mkdir /srv/a", "/srv/a", "folder"),
        ("RUN mkdir -p /srv/a/b/c", "/srv/a/b", "folder"),
        ("RUN install -d -m 0755 /srv/a", "/srv/a", "folder"),
        ("RUN touch /srv/a && mv /srv/a /srv/b", "/srv/a", None),
        ("RUN touch /srv/a && mv /srv/a /srv/b", "/srv/b", "file"),
        ("RUN mkdir /srv/d && touch /srv/a && mv /srv/a /srv/d", "/srv/d/a", "file"),
        ("RUN mkdir /srv/d && touch /srv/a && cp /srv/a /srv/d/", "/srv/d/a", "file"),
        ("RUN mkdir /srv/d && touch /srv/d/a && cp -r /srv/d /opt/e", "/opt/e/a", "file"),
        ("RUN mkdir /srv/d && touch /srv/d/a && cp -r /srv/d/. /opt", "/opt/a", "file"),
        ("RUN mkdir /srv/d && touch /srv/d/a && ln -s /srv/d /opt/l", "/opt/l/a", "file"),
        ("RUN touch /srv/a && ln -s a /srv/b", "/srv/b", "file"),
        ("RUN ln -s /nowhere /srv/b", "/srv/b", None),
        ("RUN mkdir /srv/a && rm -rf /srv/*", "/srv/a", None),
        ("RUN mkdir /srv/a && rm -rf /srv/b*", "/srv/a", "folder"),
        ("RUN touch /srv/a && rm -f /srv/a || true", "/srv/a", "?"),
        ("RUN curl -o /srv/a https://a.example/b", "/srv/a", "file"),
        ("RUN curl -fsSLO https://a.example/b.tgz", "/b.tgz", "file"),
        ("RUN cd /srv && wget -q https://a.example/b.tgz?x=1", "/srv/b.tgz", "file"),
        ("RUN wget -O - https://a.example/b | cat", "/-", None),
        ("RUN wget -P /srv https://a.example/b", "/srv/b", "file"),
        ("RUN tar -xzf /x.tgz -C /srv", "/srv/a", "?"),
        ("RUN tar -xzf /x.tgz -C /srv", "/opt/a", None),
        ("RUN tar -tzf /x.tgz", "/srv/a", None),
        ("RUN git clone https://git.example/a.git /srv/a", "/srv/a", "folder"),
        ("RUN git clone https://git.example/a.git /srv/a", "/srv/a/b", "?"),
        ("RUN cd /srv && git clone --depth 1 -b main https://git.example/a.git", "/srv/a", "folder"),
        ("RUN cd /srv && git clone --depth 1 -b main https://git.example/a.git", "/srv/b", None),
        ("RUN python train.py", "/srv/a", "?"),
        ("RUN echo hello && ls", "/srv/a", None),
        ("WORKDIR /srv/a/b", "/srv/a", "folder"),
        ("ADD https://a.example/x.bin /srv/", "/srv/x.bin", "file"),
        ("ADD https://git.example/x.git /srv/x", "/srv/x/a", "?"),
        ("", "/etc/passwd", "?"),
        ("", "/app", None),
        ("", "/tmp", "folder"),
    ],
)
def test_what_is_where(commands: str, path: str, expected: str | None) -> None:
    assert told(last(BASE + commands), path) == expected


@pytest.mark.parametrize(
    ("commands", "owner", "mode"),
    [
        ("RUN mkdir /srv/a", "0", 0o755),
        ("RUN mkdir -m 700 /srv/a", "0", 0o700),
        ("USER 1000\nRUN touch /srv/a", "1000", 0o644),
        ("USER 1000\nWORKDIR /srv/a", "1000", 0o755),
        ("RUN useradd -u 1500 app && touch /srv/a && chown app:app /srv/a", "1500", 0o644),
        ("RUN touch /srv/a && chown 1000 /srv/a", "1000", 0o644),
        ("RUN touch /srv/a && chown :1000 /srv/a", "0", 0o644),
        ("RUN touch /srv/a && chown -R 1000:1000 /srv", "1000", 0o644),
        ("RUN touch /srv/a && chown 1000:1000 /srv", "0", 0o644),
        ("RUN touch /srv/a && chmod +x /srv/a", "0", 0o755),
        ("RUN touch /srv/a && chmod 0600 /srv/a", "0", 0o600),
        ("RUN touch /srv/a && chmod -R a+rwX /srv", "0", None),
        ("RUN touch /srv/a && chmod u=rw,go= /srv/a", "0", 0o600),
        ("RUN install -m 600 -o 1000 /etc/hosts /srv/a", "1000", None),
        ("USER 1000\nRUN sudo touch /srv/a", "0", 0o644),
    ],
)
def test_owners_and_modes(commands: str, owner: str, mode: int | None) -> None:
    found = last(BASE + commands).view.find("/srv/a")
    if isinstance(found, Node):
        assert found.owner == owner
        assert mode is None or found.mode == mode
    else:
        assert isinstance(found, Unknown)


@pytest.mark.parametrize(
    ("mode", "written", "expected"),
    [
        (0o644, "755", 0o755),
        (0o644, "4755", 0o755),
        (0o644, "+x", 0o755),
        (0o644, "u+x", 0o744),
        (0o777, "go-w", 0o755),
        (0o777, "o=", 0o770),
        (0o644, "u=rwx,g=rx,o=", 0o750),
        (0o644, "a-r", 0o200),
        (None, "755", 0o755),
        (None, "+x", None),
        (0o644, "$MODE", None),
    ],
)
def test_modes_that_chmod_writes(mode: int | None, written: str, expected: int | None) -> None:
    assert changed_mode(mode, written) == expected


FILES = {"app/main.py": "", "app/sub/x.py": "", "run.sh": "#!/bin/sh\n", "a.tar.gz": ""}


@pytest.mark.parametrize(
    ("commands", "path", "origin"),
    [
        ("COPY . /srv", "/srv/app/main.py", "app/main.py"),
        ("COPY app /srv", "/srv/main.py", "app/main.py"),
        ("COPY app/ /srv/app/", "/srv/app/sub/x.py", "app/sub/x.py"),
        ("COPY run.sh /srv/", "/srv/run.sh", "run.sh"),
        ("COPY run.sh /srv", "/srv/run.sh", "run.sh"),
        ("COPY run.sh /start", "/start", "run.sh"),
        ("COPY run.sh app/main.py /srv/", "/srv/main.py", "app/main.py"),
        ("WORKDIR /srv\nCOPY run.sh ./", "/srv/run.sh", "run.sh"),
        ("COPY *.sh /srv/", "/srv/run.sh", "run.sh"),
        ("COPY --parents app/sub/x.py /srv/", "/srv/app/sub/x.py", "app/sub/x.py"),
        ("COPY . /srv\nRUN mv /srv/app /srv/lib", "/srv/lib/main.py", "app/main.py"),
        ("COPY run.sh /srv/\nRUN ln -s /srv/run.sh /usr/local/bin/run", "/usr/local/bin/run", "run.sh"),
    ],
)
def test_files_of_the_context(tmp_path: Path, commands: str, path: str, origin: str) -> None:
    assert node(last_in(tmp_path, BASE + commands, FILES), path).origin == origin


@pytest.mark.parametrize(
    ("commands", "path", "expected"),
    [
        ("COPY . /srv", "/srv/nothing.py", None),
        ("COPY . /srv\nRUN rm -rf /srv/app", "/srv/app/main.py", None),
        ("COPY . /srv", "/srv/app", "folder"),
        ("ADD a.tar.gz /srv/", "/srv/x", "?"),
        ("COPY a.tar.gz /srv/", "/srv/x", None),
        ("RUN --mount=type=bind,target=/src cp -r /src/app /srv/", "/srv/app/main.py", "?"),
    ],
)
def test_what_the_context_does_not_bring(tmp_path: Path, commands: str, path: str, expected: str | None) -> None:
    found = told(last_in(tmp_path, BASE + commands, FILES), path)
    assert found == expected or (expected == "?" and found in ("file", None))


def test_owner_and_mode_of_copies(tmp_path: Path) -> None:
    text = BASE + "RUN useradd -u 1500 app\nCOPY --chown=app:app --chmod=700 run.sh /srv/a\nCOPY run.sh /srv/b\n"
    stage = last_in(tmp_path, text, FILES)
    assert node(stage, "/srv/a")[2:4] == ("1500", 0o700)
    assert node(stage, "/srv/b").owner == "0"


@pytest.mark.parametrize(
    ("commands", "owner", "mode"),
    [
        ("COPY app /opt/x", "0", 0o755),
        ("COPY --chown=7 --chmod=711 app /opt/x", "7", 0o755),
        ("COPY --chown=7 app /opt/x/y", "7", 0o755),
        ("RUN mkdir -m 750 /opt/x && chown 33 /opt/x\nCOPY --chown=7 app /opt/x", "33", 0o750),
        ("COPY --from=one /one /opt/x", "0", 0o755),
        ("RUN mkdir -m 750 /opt/x\nCOPY --from=one --chown=7 /one /opt/x", "0", 0o750),
    ],
)
def test_copies_into_a_folder_leave_it_as_it_is(tmp_path: Path, commands: str, owner: str, mode: int) -> None:
    text = f"FROM debian:bookworm-slim AS one\nRUN mkdir -m 700 /one && chown 5 /one\n{BASE}{commands}\n"
    (tmp_path / "app").mkdir(mode=0o700)
    assert node(last_in(tmp_path, text, FILES), "/opt/x")[2:4] == (owner, mode)


def test_files_through_stages(tmp_path: Path) -> None:
    text = (
        "FROM debian:bookworm-slim AS one\nCOPY app /src\nRUN chown -R 1000 /src && rm /src/sub/x.py\n"
        "FROM one AS two\nRUN mv /src /srv/app\n"
        "FROM debian:bookworm-slim\nCOPY --from=two /srv/app /opt/app\nCOPY --from=two --chown=7 /srv/app /opt/b"
    )
    stage = last_in(tmp_path, text, FILES)
    found = node(stage, "/opt/app/main.py")
    assert found.origin == "app/main.py"
    assert found.cause.step is stage.steps[0]
    assert told(stage, "/opt/app/sub/x.py") is None
    assert node(stage, "/opt/b/main.py").owner == "7"


def test_what_another_image_holds_is_not_known() -> None:
    stage = last(
        BASE + "COPY --from=registry.example/x /data /srv/data\nCOPY --from=registry.example/x /usr/bin/y /srv/y"
    )
    assert told(stage, "/srv/data/a") == "?"
    assert told(stage, "/srv/y") == "file"
    assert told(stage, "/opt/a") is None
