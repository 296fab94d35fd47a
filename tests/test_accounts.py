"""HOME as runc gives it to a process."""

from __future__ import annotations

import pytest
from paper import last

from mllint.image.accounts import home
from mllint.image.values import Unknown, Value

HOMES: dict[str, Value] = {"root": "/root", "0": "/root", "app": "/home/app", "1000": "/home/app"}


@pytest.mark.parametrize(
    ("text", "in_run", "at_run_time"),
    [
        ("", "/root", "/root"),
        ("USER app", "/home/app", "/home/app"),
        ("USER 1000:7", "/home/app", "/home/app"),
        ("USER 4242", "/", "/"),
        ("USER :5", "/root", "/root"),
        ("USER app\nENV HOME=/srv", "/srv", "/srv"),
        ("USER app\nENV HOME=", "/home/app", "/home/app"),
        ("USER app\nARG HOME=/arg", "/arg", "/home/app"),
        ("USER nobody", Unknown("there is no user nobody"), Unknown("there is no user nobody")),
    ],
)
def test_home_comes_from_the_environment_or_the_users_entry(text: str, in_run: Value, at_run_time: Value):
    state = last(f"FROM debian:12\n{text}").end
    assert home(state, HOMES.get) == in_run
    assert home(state, HOMES.get, at_run_time=True) == at_run_time


def test_the_home_of_root_is_known_in_any_image():
    state = last("FROM registry.example/x:1\nUSER 0").end
    assert home(state, lambda user: Unknown("nobody knows")) == "/root"


def test_the_home_of_an_unknown_user_is_unknown():
    assert isinstance(home(last("FROM registry.example/x:1").end, HOMES.get), Unknown)
