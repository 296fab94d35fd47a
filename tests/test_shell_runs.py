"""What the shell of a RUN does to variables, folders and branches, seen in the files it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.image.events import Distribution
from mllint.image.values import Unknown
from mllint.image.view import Node
from tests.paper import last, last_in

if TYPE_CHECKING:
    from pathlib import Path

    from mllint.image.stage import Stage

BASE = "FROM debian:bookworm-slim\n"


def there(stage: Stage, path: str) -> str:
    found = stage.view.find(path)
    return "yes" if isinstance(found, Node) else "perhaps" if isinstance(found, Unknown) else "no"


@pytest.mark.parametrize(
    ("script", "path", "expected"),
    [
        ("true && touch /srv/a", "/srv/a", "yes"),
        ("false || touch /srv/a", "/srv/a", "yes"),
        ("true || touch /srv/a", "/srv/a", "no"),
        ("false && touch /srv/a || true", "/srv/a", "no"),
        ("make-it || touch /srv/a", "/srv/a", "perhaps"),
        ("touch /srv/a || true", "/srv/a", "perhaps"),
        ("touch /srv/a; touch /srv/b", "/srv/b", "yes"),
        ("touch /srv/a && rm /srv/a", "/srv/a", "no"),
        ("(cd /srv && touch a); touch b", "/srv/a", "yes"),
        ("(cd /srv && touch a); touch b", "/srv/b", "no"),
        ("{ cd /srv; touch a; }; touch b", "/srv/b", "yes"),
        ("cd /srv && mkdir -p x/y && cd x/y && touch a", "/srv/x/y/a", "yes"),
        ("cd /srv && cd ../opt && touch a", "/opt/a", "yes"),
        ("set -e; touch /srv/a", "/srv/a", "yes"),
        ("set -eux; cd /srv; touch a", "/srv/a", "yes"),
        ("for n in a b; do touch /srv/$n; done", "/srv/b", "yes"),
        ("for n in a b; do touch /srv/${n}.txt; done", "/srv/c.txt", "no"),
        ("for n in $(ls); do touch /srv/a; done", "/srv/a", "perhaps"),
        ("while read n; do touch /srv/a; done", "/srv/a", "perhaps"),
        ("if true; then touch /srv/a; else touch /srv/b; fi", "/srv/b", "no"),
        ("if [ -f /x ]; then touch /srv/a; fi", "/srv/a", "perhaps"),
        ('if [ "x" = "x" ]; then touch /srv/a; fi', "/srv/a", "yes"),
        ('if [ "x" != "x" ]; then touch /srv/a; fi', "/srv/a", "no"),
        ('V=1; if [ "$V" = "1" ]; then touch /srv/a; fi', "/srv/a", "yes"),
        ('case "$(uname -m)" in x86_64) touch /srv/a;; esac', "/srv/a", "perhaps"),
        ("[ -d /srv ] && touch /srv/a", "/srv/a", "perhaps"),
        ("V=/srv/a && touch $V", "/srv/a", "yes"),
        ("V='/srv/a /srv/b'; touch $V", "/srv/b", "yes"),
        ("V='/srv/a b'; touch \"$V\"", "/srv/a b", "yes"),
        ("export V=/srv && sh -c 'touch $V/a'", "/srv/a", "yes"),
        ("V=/srv sh -c 'touch $V/a'", "/srv/a", "yes"),
        ("touch ${V:-/srv/a}", "/srv/a", "yes"),
        ("sh -c 'cd /srv && touch a' && touch b", "/srv/a", "yes"),
        ("bash -lc 'touch /srv/a'", "/srv/a", "yes"),
        ("bash -euo pipefail -c 'touch /srv/a'", "/srv/a", "yes"),
        ("sudo -E touch /srv/a", "/srv/a", "yes"),
        ("env -u X A=1 touch /srv/a", "/srv/a", "yes"),
        ("exec touch /srv/a", "/srv/a", "yes"),
        ("gosu app touch /srv/a", "/srv/a", "yes"),
        ("su - app -c 'touch /srv/a'", "/srv/a", "yes"),
        ("make_it() { touch /srv/$1; }; make_it a", "/srv/a", "yes"),
        ("make_it() { touch /srv/$1; }; make_it $(date)", "/srv/a", "perhaps"),
        ("make_it() { for n in $@; do touch /srv/$n; done; }; make_it a b", "/srv/b", "yes"),
        ("make_it() { touch /srv/a; }; make_it", "/srv/a", "yes"),
        ("make_it() { touch /srv/a; }", "/srv/a", "no"),
        ("echo hello > /srv/a", "/srv/a", "yes"),
        ("cat /etc/hosts >> /srv/a", "/srv/a", "yes"),
        ("echo hello | tee /srv/a", "/srv/a", "yes"),
        ("cd /srv && echo x > a", "/srv/a", "yes"),
        ("echo x 2> /dev/null", "/srv/a", "no"),
        ("touch /srv/$(date)", "/srv/a", "perhaps"),
        ("touch /srv/a  # and not /srv/b", "/srv/b", "no"),
        ("mkdir /srv/a \\\n # a comment\n && touch /srv/a/b", "/srv/a/b", "yes"),
    ],
)
def test_what_a_shell_leaves_behind(script: str, path: str, expected: str) -> None:
    assert there(last(f"{BASE}RUN {script}"), path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN <<EOF\ncd /srv\ntouch a\nEOF", "yes"),
        ("RUN <<EOF\n#!/bin/bash\nset -e\ntouch /srv/a\nEOF", "yes"),
        ("RUN bash <<EOF\ntouch /srv/a\nEOF", "perhaps"),
        ("RUN <<EOF\n#!/usr/bin/env python\nopen('/srv/a', 'w')\nEOF", "perhaps"),
        ("RUN cat <<EOF > /srv/a\nhello\nEOF", "yes"),
        ("COPY <<EOF /srv/a\nhello\nEOF", "yes"),
        ("COPY <<a /srv/\nhello\na", "yes"),
        ('RUN ["touch", "/srv/a"]', "yes"),
        ('RUN ["/bin/sh", "-c", "touch /srv/a"]', "yes"),
        ('SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN touch /srv/a', "yes"),
        ("ARG D=/srv\nRUN touch $D/a", "yes"),
        ("ENV D=/srv\nRUN cd $D && touch a", "yes"),
        ("WORKDIR /srv\nRUN touch a", "yes"),
        ("WORKDIR /srv\nRUN --mount=type=cache,target=/srv touch a", "no"),
        ("RUN --mount=type=tmpfs,target=/srv/x touch /srv/x/a /srv/a", "yes"),
        ("ONBUILD RUN touch /srv/a", "no"),
    ],
)
def test_forms_of_run(text: str, expected: str) -> None:
    assert there(last(BASE + text), "/srv/a") == expected


def test_activating_an_environment_lasts_for_its_run_alone() -> None:
    runs = "RUN python -m venv /v\nRUN . /v/bin/activate && pip install numpy\nRUN pip install pandas"
    events = last(f"FROM python:3.11-slim\n{runs}").log.events
    installed = {
        event.name: event.site for event in events if isinstance(event, Distribution) and event.manager == "pip"
    }
    assert installed == {
        "numpy": "/v/lib/python3.11/site-packages",
        "pandas": "/usr/local/lib/python3.11/site-packages",
    }


@pytest.mark.parametrize(
    "call", ["sh setup.sh", "./setup.sh", ". ./setup.sh", "bash -x /app/setup.sh", "/app/setup.sh"]
)
def test_scripts_of_the_context_are_carried_out(tmp_path: Path, call: str) -> None:
    text = f"{BASE}WORKDIR /app\nCOPY --chmod=755 setup.sh .\nRUN {call}"
    stage = last_in(tmp_path, text, {"setup.sh": "#!/bin/sh\nset -e\nmkdir -p /srv/data\ncd /srv/data\ntouch a\n"})
    assert there(stage, "/srv/data/a") == "yes"
    assert there(stage, "/srv/b") == "no"


def test_a_script_sees_its_arguments(tmp_path: Path) -> None:
    stage = last_in(tmp_path, f"{BASE}COPY a.sh /a.sh\nRUN sh /a.sh one two", {"a.sh": "touch /srv/$2\n"})
    assert there(stage, "/srv/two") == "yes"


def test_a_script_that_is_not_there_may_do_anything() -> None:
    assert there(last(f"{BASE}RUN ./setup.sh"), "/srv/a") == "perhaps"


def test_a_script_that_runs_itself_comes_to_an_end(tmp_path: Path) -> None:
    stage = last_in(tmp_path, f"{BASE}COPY a.sh /a.sh\nRUN sh /a.sh", {"a.sh": "sh /a.sh\n"})
    assert there(stage, "/srv/a") == "perhaps"
