"""ARG, ENV and what other instructions make of them, as BuildKit does it."""

from __future__ import annotations

import pytest
from paper import build, last

from mllint.image.values import Unknown


def env(text: str, **settings: dict[str, str]) -> dict[str, object]:
    """The variables that the last stage's image keeps, without the PATH that each has."""
    return {name: value for name, value in last(text, **settings).end.env.items() if name != "PATH"}


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("ENV A=1\nENV A=2 B=$A", {"A": "2", "B": "1"}),
        ('ENV L x  y "z" $A', {"L": "x  y z "}),
        ("ENV A=a\\ b B='$A' C=\"x y\"", {"A": "a b", "B": "$A", "C": "x y"}),
        ("ARG K=KEY\nENV $K=1 ${K}2=2", {"KEY": "1", "KEY2": "2"}),
        ("ENV V=3.11.8-slim\nENV M=${V%.*} T=${V##*-} N=${V%%.*} R=${V/slim/full}", None),
        ("ENV A=${NONE:-d} B=${NONE-e} C=${NONE:+f} D=x$12", {"A": "d", "B": "e", "C": "", "D": "x"}),
    ],
)
def test_env_keeps_what_buildkit_makes_of_its_pairs(instructions: str, expected: dict[str, str] | None):
    split = {"V": "3.11.8-slim", "M": "3.11", "T": "slim", "N": "3", "R": "3.11.8-full"}
    assert env(f"FROM scratch\n{instructions}") == (expected or split)


def test_the_path_of_an_image_from_nothing_is_buildkits():
    assert last("FROM scratch").end.env["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_an_arg_hides_an_env_above_it_until_an_env_below_and_the_image_keeps_the_env():
    stage = last("FROM scratch\nENV A=env\nARG A=arg\nLABEL during=$A\nENV A=later\nLABEL behind=$A")
    labels = stage.end.labels
    assert (labels["during"].value, labels["behind"].value, stage.end.env["A"]) == ("arg", "later", "later")


def test_a_child_inherits_arguments_but_what_the_image_keeps_wins():
    text = "FROM scratch AS a\nARG A=1\nENV E=env\nARG E=arg\nFROM a AS b\nFROM b\nLABEL a=$A e=$E"
    labels = last(text).end.labels
    assert (labels["a"].value, labels["e"].value) == ("1", "env")


def test_arguments_end_with_their_stage_for_those_that_do_not_start_from_it():
    assert env("FROM scratch AS a\nARG A=1\nFROM scratch\nENV F=[$A]") == {"F": "[]"}


def test_global_arguments_must_be_declared_again_and_may_get_another_default():
    assert env("ARG G=g\nARG H=h\nFROM scratch\nARG G\nARG H=own\nENV X=$G Y=$H") == {"X": "g", "Y": "own"}
    assert env("ARG G=g\nFROM scratch\nENV X=[$G]") == {"X": "[]"}


def test_global_arguments_see_those_in_front_of_them():
    assert build("ARG A=3 B=$A.11\nARG B=${B}.2\nFROM python:$B").stages[0].base.text == "python:3.11.2"


def test_build_arguments_count_where_an_arg_declares_them():
    text = "ARG G=g\nFROM scratch\nARG G\nARG L=l\nENV X=$G Y=$L Z=[$U]"
    assert env(text, build_args={"G": "1", "L": "2", "U": "3"}) == {"X": "1", "Y": "2", "Z": "[]"}


def test_several_names_in_one_arg():
    stage = last("FROM scratch\nARG A=1 B='2 3' C\nENV X=$A Y=$B Z=${C:-none}")
    assert {name: stage.end.env[name] for name in "XYZ"} == {"X": "1", "Y": "2 3", "Z": "none"}


def test_whether_an_arg_sees_its_neighbours_is_open_as_versions_of_buildkit_differ():
    (stage,) = build("FROM scratch\nARG A=1 B=$A C=2").stages
    assert isinstance(stage.end.args["B"], Unknown)
    assert (stage.end.args["A"], stage.end.args["C"]) == ("1", "2")


def test_an_arg_that_nobody_gives_a_value_is_unknown_unless_a_default_stands_in_for_it():
    stage = last("FROM scratch\nARG A\nENV X=$A Y=${A:-d} Z=${A:+e}")
    assert stage.end.env["X"] == Unknown("ARG A has no default")
    assert (stage.end.env["Y"], stage.end.env["Z"]) == ("d", "")


def test_an_arg_without_a_value_leaves_what_its_name_stood_for():
    assert env("FROM scratch\nENV A=env\nARG A\nENV X=$A")["X"] == "env"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "NO_PROXY", "ALL_PROXY", "ftp_proxy"])
def test_proxies_reach_every_run_in_both_cases_but_neither_the_image_nor_other_instructions(name: str):
    made = build(f"FROM scratch\nLABEL l=[${name}]", build_args={name: "http://proxy.example"})
    assert made.proxies == {name.upper(): "http://proxy.example", name.lower(): "http://proxy.example"}
    end = made.stages[0].end
    assert (end.labels["l"].value, end.get(name)) == ("[]", None)
    declared = last(f"FROM scratch\nARG {name}\nLABEL l=${name}", build_args={name: "http://proxy.example"})
    assert declared.end.labels["l"].value == "http://proxy.example"
    assert name not in declared.end.env


def test_arguments_to_buildkit_itself_are_no_proxies_and_want_a_declaration():
    text = "FROM scratch\nENV A=[$SOURCE_DATE_EPOCH]\nARG SOURCE_DATE_EPOCH\nENV B=$SOURCE_DATE_EPOCH"
    made = build(text, build_args={"SOURCE_DATE_EPOCH": "0", "BUILDKIT_INLINE_CACHE": "1"})
    end = made.stages[0].end
    assert (end.env["A"], end.env["B"], made.proxies) == ("[]", "0", {})


def test_platform_arguments_are_global_and_want_a_declaration_in_a_stage():
    text = "FROM --platform=$BUILDPLATFORM scratch\nENV A=[$TARGETARCH]\nARG TARGETARCH\nENV B=$TARGETARCH"
    stage = last(text)
    assert stage.end.env["A"] == "[]"
    assert stage.end.env["B"] == Unknown("TARGETARCH depends on the platform the image is built for")
    assert isinstance(stage.platform, Unknown)
    assert last(text, build_args={"TARGETARCH": "arm64"}).end.env["B"] == "arm64"


def test_the_name_of_the_stage_that_is_built_is_known():
    text = "FROM scratch AS a\nARG TARGETSTAGE\nENV S=$TARGETSTAGE\nFROM scratch AS b\nFROM a"
    assert last(text).end.env["S"] == "default"
    assert last(text, target="b").end.env["S"] == "b"


def test_the_platform_of_a_stage_is_that_of_the_one_it_starts_from():
    stages = build("FROM --platform=linux/arm64 scratch AS a\nFROM a\nFROM scratch").stages
    assert [stage.platform for stage in stages] == ["linux/arm64", "linux/arm64", None]
