"""Variables in instructions, held against a port of BuildKit's word processor."""

from __future__ import annotations

import pytest
from e2b_dockerfile_utils import ShellLex
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.image.expansion import expand
from mllint.image.values import Unknown

VARIABLES = {"A": "one", "EMPTY": "", "PATH": "/usr/bin:/bin", "V": "3.11.8-slim", "S": "x y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python:${V}", "python:3.11.8-slim"),
        ("$A/$A", "one/one"),
        ("'$A'", "$A"),
        ('"$A b"', "one b"),
        ("\\$A", "$A"),
        ("${UNSET:-3.11}", "3.11"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${A:+yes}", "yes"),
        ("${UNSET:+yes}", ""),
        ("${UNSET:-${A}}", "one"),
        ("${V%-*}", "3.11.8"),
        ("${V%%.*}", "3"),
        ("${PATH#/usr}", "/bin:/bin"),
        ("${PATH##*/}", "bin"),
        ("${V/slim/full}", "3.11.8-full"),
        ("${PATH//bin/sbin}", "/usr/sbin:/sbin"),
        ("$UNSET", ""),
        ("a$", "a$"),
    ],
)
def test_replaces_as_buildkit_does(text: str, expected: str):
    assert expand(text, VARIABLES) == expected


@pytest.mark.parametrize("text", ["${A", "${A:!x}", "${UNSET:?}", "${}"])
def test_what_buildkit_refuses_is_unknown(text: str):
    assert isinstance(expand(text, VARIABLES), Unknown)


def test_an_unknown_value_makes_the_whole_unknown_and_keeps_the_reason():
    assert expand("a-$X", {"X": Unknown("ARG X has no default")}) == Unknown("ARG X has no default")


def test_the_escape_character_is_the_files():
    assert expand("C:\\$A", VARIABLES, "`") == "C:\\one"
    assert expand("`$A", VARIABLES, "`") == "$A"


PIECES = st.sampled_from(
    [
        "a",
        "/",
        ".",
        "$A",
        "${A}",
        "${EMPTY:-d}",
        "${UNSET-e}",
        "${V%.*}",
        "${V#*.}",
        "${PATH//bin/x}",
        "'",
        '"',
        "\\",
        " ",
        "${",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.sampled_from("\\`"))
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_port_wherever_that_gives_an_answer(text: str, escape: str):
    try:
        theirs = ShellLex(escape, env=VARIABLES, skip_unset_env=False).process_word(text)
    except ValueError:
        return
    assert expand(text, VARIABLES, escape) == theirs
