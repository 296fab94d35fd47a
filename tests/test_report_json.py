from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import sample_reports as sample

import mllint
from mllint.findings import Edit, Finding, Fix, Location, NewFile, Refused, Report, Severity
from mllint.report.json import render
from mllint.sources.text import Source, Span

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(Path(__file__).with_name("json_schema_v1.json").read_text("utf-8"))
)


def content(report: Report):
    parsed = json.loads(render(report))
    VALIDATOR.validate(parsed)
    return parsed


def test_finding_fix_and_related_places():
    assert content(sample.REPORT)["findings"][1] == {
        "rule": "ML302",
        "name": "healthcheck-module-missing",
        "severity": "error",
        "message": "HEALTHCHECK imports requests, which nothing installs: the container will never be healthy",
        "path": "Dockerfile",
        "line": 5,
        "column": 35,
        "end_line": 5,
        "end_column": 43,
        "related": [
            {"path": "requirements.txt", "line": 1, "message": "this file is all that is installed"},
            {"path": "Dockerfile", "line": 5, "message": "the probe starts here"},
        ],
        "aliases": [],
        "url": "https://github.com/mllint/mllint-docker/blob/main/rules/runtime/ML302-healthcheck-module-missing.md",
        "fix": {
            "applicability": "unsafe",
            "title": "Install requests",
            "edits": [
                {
                    "path": "requirements.txt",
                    "line": 3,
                    "column": 1,
                    "end_line": 3,
                    "end_column": 1,
                    "text": "requests\n",
                }
            ],
        },
    }


def test_everything_beside_the_findings():
    parsed = content(sample.REPORT)
    del parsed["findings"]
    assert parsed == {
        "schema": 1,
        "tool_version": mllint.__version__,
        "errors": [
            {"path": "old/requirements.txt", "line": 3, "message": "byte 0xff is no UTF-8"},
            {"path": "gone.txt", "line": None, "message": "no such file"},
        ],
        "undecided": [
            {"path": "Dockerfile", "line": 1, "message": "which Python the base has"},
            {"path": "Dockerfile.gpu", "line": 1, "message": "which Python the base has"},
            {"path": "Dockerfile.gpu", "line": 9, "message": "what build.sh installs"},
        ],
        "repaired": [],
        "refused": [],
        "summary": {
            "error": 1,
            "warning": 1,
            "info": 0,
            "style": 0,
            "files": 2,
            "repaired": 0,
            "fixable": 2,
            "suppressed": 1,
        },
    }


def test_keys_come_in_the_documented_order():
    parsed = content(sample.REPORT)
    assert list(parsed) == [
        "schema", "tool_version", "findings", "errors", "undecided", "repaired", "refused", "summary",
    ]  # fmt: skip
    assert list(parsed["findings"][0])[:9] == [
        "rule", "name", "severity", "message", "path", "line", "column", "end_line", "end_column",
    ]  # fmt: skip


def test_a_finding_can_be_less_bad_than_its_rule():
    mild = sample.MISSING_MODULE._replace(severity=Severity.INFO)
    parsed = content(Report((mild,), files=("Dockerfile",)))
    assert (parsed["findings"][0]["severity"], parsed["summary"]["error"], parsed["summary"]["info"]) == ("info", 0, 1)


def test_an_empty_report_has_every_key():
    assert content(Report(())) == {
        "schema": 1,
        "tool_version": mllint.__version__,
        "findings": [],
        "errors": [],
        "undecided": [],
        "repaired": [],
        "refused": [],
        "summary": {
            "error": 0,
            "warning": 0,
            "info": 0,
            "style": 0,
            "files": 0,
            "repaired": 0,
            "fixable": 0,
            "suppressed": 0,
        },
    }


def test_an_edit_that_creates_a_file_has_no_place():
    new_file = Fix("safe", "Add a .dockerignore", (NewFile(".dockerignore", ".git\n"),))
    parsed = content(Report((sample.CACHE_KEPT._replace(fix=new_file),)))
    assert parsed["findings"][0]["fix"]["edits"] == [
        {"path": ".dockerignore", "line": None, "column": None, "end_line": None, "end_column": None, "text": ".git\n"}
    ]


def test_what_was_repaired_and_what_was_not_is_listed():
    report = Report((), repaired=(sample.CACHE_KEPT,), refused=(Refused(sample.MISSING_MODULE, "it would break it"),))
    parsed = content(report)
    assert parsed["repaired"] == [
        {"rule": "ML401", "path": "Dockerfile", "line": 3, "column": 1, "title": "Add --no-cache-dir"}
    ]
    assert parsed["refused"][0]["rule"] == "ML302"
    assert parsed["refused"][0]["reason"] == "it would break it"
    assert parsed["summary"]["repaired"] == 1


def test_columns_count_code_points():
    source = Source("Dockerfile", "RUN echo 模型 && sudo ls\n")
    finding = Finding(sample.at(source, "sudo"), "sudo", rule=sample.CACHE_KEPT.rule)
    parsed = content(Report((finding,)))["findings"][0]
    assert (parsed["column"], parsed["end_column"]) == (16, 20)


@pytest.mark.parametrize("secret", ["hf_" + "aB3dE6gH9j" * 4, "AKIA" + "2B4D6F8H1J3L5N7P"])
def test_credentials_are_masked_everywhere(secret):
    source = Source("Dockerfile", f"ENV X={secret}\n")
    fix = Fix("unsafe", f"Remove {secret}", (Edit(Location(source, Span(0, 4)), f"ARG X={secret}\n"),))
    place = Location(source, Span(0, 3))
    finding = Finding(place, f"{secret} is in the image", fix=fix, rule=sample.CACHE_KEPT.rule)
    out = render(Report((finding,)))
    assert secret not in out
    assert content(Report((finding,)))["findings"][0]["fix"]["edits"][0]["text"] == "ARG X=***\n"


def test_control_characters_are_escaped_and_the_text_comes_back():
    message = "a\x1b[2J\u202e\x9b模\u2028"
    report = Report((sample.CACHE_KEPT._replace(message=message),))
    assert render(report).replace("\n", "").isprintable()
    assert render(report).isascii()
    assert content(report)["findings"][0]["message"] == message


def test_the_same_report_gives_the_same_bytes_and_ends_in_a_newline():
    assert render(sample.REPORT) == render(sample.REPORT)
    assert render(sample.REPORT).endswith("}\n")
