"""The accounts that the commands of a build make, and whom USER names."""

from __future__ import annotations

import pytest

from mllint.image.events import User
from mllint.image.values import Unknown
from mllint.image.view import Node
from tests.paper import last

DEBIAN = "FROM debian:bookworm-slim\n"
ALPINE = "FROM alpine:3.19\n"


@pytest.mark.parametrize(
    ("text", "uid", "home", "has_home"),
    [
        (DEBIAN + "RUN useradd app", "1000", "/home/app", False),
        (DEBIAN + "RUN useradd -m app", "1000", "/home/app", True),
        (DEBIAN + "RUN useradd --create-home --uid 1234 --shell /bin/bash app", "1234", "/home/app", True),
        (DEBIAN + "RUN useradd -ms /bin/bash -d /srv/app app", "1000", "/srv/app", True),
        (DEBIAN + "RUN useradd -b /srv -m app", "1000", "/srv/app", True),
        (DEBIAN + "RUN groupadd -r app && useradd -r -g app app", None, "/home/app", False),
        (DEBIAN + "RUN useradd one && useradd app", "1001", "/home/app", False),
        (DEBIAN + "RUN adduser --disabled-password --gecos '' app", "1000", "/home/app", True),
        (DEBIAN + "RUN adduser --no-create-home --uid 7777 app", "7777", "/home/app", False),
        (DEBIAN + "RUN adduser --system app", None, "/nonexistent", False),
        ("FROM debian:bullseye-slim\nRUN adduser --system app", None, "/home/app", True),
        (ALPINE + "RUN adduser -D app", "1000", "/home/app", True),
        (ALPINE + "RUN adduser -D -H -u 1500 app", "1500", "/home/app", False),
        (ALPINE + "RUN addgroup -S app && adduser -S -G app app", None, "/home/app", True),
        (ALPINE + "RUN adduser -D -h /srv/app app", "1000", "/srv/app", True),
        ("FROM rockylinux:9\nRUN useradd app", "1000", "/home/app", True),
        ("FROM rockylinux:9\nRUN useradd -M app", "1000", "/home/app", False),
        ("FROM ubuntu:24.04\nRUN useradd -m app", None, "/home/app", True),
        (DEBIAN + "ARG UID=1234\nRUN useradd -u $UID app", "1234", "/home/app", False),
        (DEBIAN + "RUN useradd -u $(id -u) app", None, "/home/app", False),
        ("FROM node:20-slim\nRUN useradd app", None, "/home/app", False),
    ],
)
def test_accounts_that_are_made(text: str, uid: str | None, home: str, has_home: bool) -> None:
    found = last(text).view.user("app")
    assert isinstance(found, User)
    assert found.home == home
    assert found.has_home is has_home
    if uid is None and "rockylinux" not in text:
        assert isinstance(found.uid, Unknown) or found.uid.isdecimal()
    elif uid is not None and "rockylinux" not in text:
        assert found.uid == uid


def test_the_home_folder_belongs_to_its_user() -> None:
    found = last(DEBIAN + "RUN useradd -m -u 1500 app").view.find("/home/app")
    assert isinstance(found, Node)
    assert found.owner == "1500"
    assert last(DEBIAN + "RUN useradd -u 1500 app").view.find("/home/app") is None


@pytest.mark.parametrize(
    ("text", "user", "expected"),
    [
        (DEBIAN, "root", "known"),
        (DEBIAN, "app", "none"),
        (DEBIAN, "1000", "none"),
        (DEBIAN + "RUN useradd -u 1000 app", "1000", "known"),
        (DEBIAN + "RUN useradd app || true", "app", "unknown"),
        (DEBIAN + "RUN ./make-users.sh", "app", "unknown"),
        (DEBIAN + "RUN useradd app && userdel app", "app", "unknown"),
        (DEBIAN + "RUN my-tool", "app", "none"),
        (DEBIAN + "RUN apt-get install -y postgresql", "app", "none"),
        ("FROM registry.example/x", "app", "unknown"),
        ("FROM node:20-slim", "node", "known"),
        (f"FROM debian AS one\nRUN useradd app\n{DEBIAN}COPY --from=one /etc/passwd /etc/passwd", "app", "known"),
        (f"FROM debian AS one\nRUN useradd app\n{DEBIAN}COPY --from=one /srv /srv", "app", "none"),
        (DEBIAN + "RUN echo app:x:1000:1000::/:/bin/sh >> /etc/passwd", "app", "unknown"),
        (DEBIAN + "COPY --from=registry.example/uv /uv /usr/local/bin/uv", "app", "none"),
    ],
)
def test_accounts_that_are_there(text: str, user: str, expected: str) -> None:
    found = last(text).view.user(user)
    assert ("unknown" if isinstance(found, Unknown) else "none" if found is None else "known") == expected


@pytest.mark.parametrize(
    ("text", "home"),
    [
        (DEBIAN, "/root"),
        (DEBIAN + "USER 1234", "/"),
        (DEBIAN + "RUN useradd -u 1234 -m app\nUSER 1234", "/home/app"),
        (DEBIAN + "RUN useradd -m app\nUSER app:app", "/home/app"),
        (DEBIAN + "ENV HOME=/srv\nUSER 1234", "/srv"),
    ],
)
def test_home_of_a_process(text: str, home: str) -> None:
    stage = last(text)
    assert stage.view.home(stage.end) == home
    assert stage.view.resolve("~/x", stage.end) == home.rstrip("/") + "/x"
