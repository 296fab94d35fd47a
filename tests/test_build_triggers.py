"""ONBUILD: what a stage leaves for the one that starts from it."""

from __future__ import annotations

from pathlib import Path

from paper import build, line

import mllint
from mllint.config import Base

TEXT = (
    "FROM scratch AS a\n"
    "ARG Q=q\n"
    "ONBUILD LABEL one=1 q=$Q\n"
    "ONBUILD ENV TWO=2\n"
    'ONBUILD CMD ["t"]\n'
    "FROM a AS b\n"
    'ENTRYPOINT ["e"]\n'
    "LABEL two=$TWO\n"
    "FROM b\n"
    "LABEL three=$TWO\n"
)


def test_triggers_wait_in_the_stage_itself():
    parent = build(TEXT).stages[0]
    assert [step.instruction.keyword for step in parent.steps] == ["ARG", "ONBUILD", "ONBUILD", "ONBUILD"]
    assert [trigger.start_line for trigger in parent.end.triggers] == [3, 4, 5]
    assert not parent.end.labels
    assert parent.command == ()


def test_a_child_carries_them_out_first_in_order_and_keeps_none():
    child = build(TEXT).stages[1]
    assert [(step.instruction.keyword, line(step), step.trigger is not None) for step in child.steps] == [
        ("LABEL", 3, True),
        ("ENV", 4, True),
        ("CMD", 5, True),
        ("ENTRYPOINT", 7, False),
        ("LABEL", 8, False),
    ]
    assert {name: label.value for name, label in child.end.labels.items()} == {"one": "1", "q": "q", "two": "2"}
    assert (child.entrypoint, child.command) == (("e",), ("t",))
    assert child.end.triggers == ()


def test_grandchildren_inherit_what_they_did_but_not_the_triggers():
    grandchild = build(TEXT).stages[2]
    assert [step.instruction.start_line for step in grandchild.steps] == [10]
    assert grandchild.end.labels["three"].value == "2"


def test_what_triggers_copy_from_makes_stages_needed():
    text = "FROM scratch AS x\nFROM scratch AS a\nONBUILD COPY --from=x /x /x\nFROM a\n"
    made = build(text)
    assert [stage.name for stage in made.needed] == ["x", "a", None]
    copy = made.stages[2].steps[0].copy
    assert copy is not None
    assert copy.stage == 0


def test_triggers_that_buildkit_refuses_are_none():
    made = build("FROM scratch AS a\nONBUILD ONBUILD RUN x\nONBUILD FROM y\nONBUILD MAINTAINER me\nFROM a")
    assert made.stages[1].steps == ()


def test_triggers_of_the_base_count_where_the_from_stands():
    triggers = ("ENV A=1 B=$G", "WORKDIR /srv", "ARG G=g", "EXPOSE 80", "CMD t", "RUN true")
    bases = {"app.example/*": Base(env={"G": "base"}, onbuild=triggers)}
    made = build("ARG X\nFROM app.example/x:1\nENV C=$A\n", bases=bases).stages[0]
    assert {name: made.end.env[name] for name in "ABC"} == {"A": "1", "B": "base", "C": "1"}
    assert (made.start.directory, [line(port) for port in made.end.exposed]) == ("/srv", [2])
    assert [line(step) for step in made.steps] == [3]
    assert (made.command, made.process) == (("/bin/sh", "-c", "t"), None)


def test_a_fault_in_a_trigger_is_reported_once_however_many_stages_carry_it_out(tmp_path: Path):
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim AS a\nONBUILD RUN apt-get update && apt-get install -y curl\n"
        "FROM a AS b\nFROM a AS c\nCOPY --from=b /usr/bin/curl /curl\n"
    )
    report = mllint.lint([tmp_path])
    lines = [finding.location.start[0] for finding in report.findings if finding.rule and finding.rule.id == "DF201"]
    assert lines == [2]
