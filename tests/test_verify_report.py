"""What `mllint verify` prints of outcomes, in each format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mllint
from mllint.report import verify_json, verify_markdown, verify_text
from mllint.verification.before_after import Comparison, Measured, State
from mllint.verification.records import Built, Limits, Outcome, Provider, Request, Row, Variant
from mllint.verification.verifying import Means

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(Path(__file__).with_name("verify_schema_v1.json").read_text("utf-8"))
)
FIXTURE = Path(__file__).parent.parent / "fixtures/inference/cpu/no-user/broken"
IMAGE = Built("sha256:0123", 14.25, 413_700_000, 9, 3, 8)
MEANS = Means("BuildKit by docker buildx 0.13.1", ("# syntax=x is left out",))
SLOW = Row("stops", "fail", "killed after 10.0 s: the process did not end on SIGTERM", ("last words",), 10.0)
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x1b[\r\t\n\u202e`|<&界")), max_size=60)


@pytest.fixture(scope="module")
def variant() -> Variant:
    build = mllint.inspect(FIXTURE, cwd=FIXTURE, no_config=True, build_args={"HF_TOKEN": "hf_" + "a" * 34})
    return Variant("default", build, FIXTURE / "Dockerfile")


def outcome(variant: Variant, *rows: Row, **changes: Any) -> Outcome:
    built = Row("built", "pass", "in 14.2 s, 8 steps, 3 of them cached", number=14.25)
    found = Outcome(variant, "BuildKit by docker buildx 0.13.1", (), IMAGE, (built, *rows))
    return found._replace(**changes)


def parsed(report: str) -> Any:
    """The JSON of a report, which is as its schema says."""
    document = json.loads(report)
    VALIDATOR.validate(document)
    return document


def plain(*outcomes: Outcome, columns: int = 80) -> str:
    return verify_text.render(outcomes, color=False, columns=columns)


def test_each_variant_has_its_rows_and_the_end_counts_them(variant: Variant):
    right = outcome(variant, Row("user", "pass", "uid 10001", number=10001))
    wrong = outcome(variant._replace(name="gpu"), SLOW, Row("provider", "note", "not asked for"), notes=("changed",))
    assert plain(right, wrong) == (
        "Dockerfile: right\n"
        "  built with BuildKit by docker buildx 0.13.1\n"
        "  ✓  built  in 14.2 s, 8 steps, 3 of them cached\n"
        "  ✓  user   uid 10001\n"
        "\n"
        "Dockerfile (gpu): wrong\n"
        "  built with BuildKit by docker buildx 0.13.1\n"
        "  changed\n"
        "  ✓  built     in 14.2 s, 8 steps, 3 of them cached\n"
        "  ✗  stops     killed after 10.0 s: the process did not end on SIGTERM\n"
        "               last words\n"
        "  \N{EN DASH}  provider  not asked for\n"
        "\n"
        "2 variants: 1 right, 1 wrong\n"
    )


def test_what_could_not_be_verified_says_why(variant: Variant):
    text = plain(outcome(variant, obstacle="the engine has no GPU: install NVIDIA's Container Toolkit"))
    assert "Dockerfile: not verified" in text
    assert "install NVIDIA's Container Toolkit" in " ".join(text.split())
    assert text.endswith("1 variant: 1 not verified\n")


def test_colours_are_there_only_if_wanted(variant: Variant):
    assert "\x1b[31m" in verify_text.render([outcome(variant, SLOW)], color=True, columns=80)
    assert "\x1b" not in plain(outcome(variant, SLOW))


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(variant: Variant, columns: int):
    rows = [Row("POST /predict", "fail", "word " * 60, ("x" * 300,))]
    assert max(map(len, plain(outcome(variant, *rows), columns=columns).splitlines())) <= columns


def test_credentials_are_masked_in_every_format(variant: Variant):
    token = "hf_" + "b" * 34
    key = ("-----BEGIN RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEA7", "-----END RSA PRIVATE KEY-----")
    found = [outcome(variant, Row("healthy", "fail", f"it says {token}", (f"HF_TOKEN={token}", *key)))]
    reports = [plain(*found), verify_json.render(found), verify_markdown.render(found)]
    reports += [
        verify_text.render_plan([variant], [MEANS], False, 80),
        verify_json.render_plan([variant], [MEANS]),
        verify_markdown.render_plan([variant], [MEANS]),
    ]
    for report in reports:
        assert token not in report
        assert "hf_aaaa" not in report
        assert "MIIEowIBAAKCAQEA7" not in report


@settings(max_examples=60)
@given(value=ANY_TEXT, lines=st.lists(ANY_TEXT, max_size=4))
def test_nothing_of_a_log_acts_on_a_terminal_or_breaks_out_of_a_table(variant: Variant, value: str, lines: list[str]):
    found = [outcome(variant, Row("healthy", "fail", value, tuple(lines)))]
    for report in (plain(*found), verify_markdown.render(found)):
        assert all(character.isprintable() for character in report.replace("\n", ""))
    cells = [line for line in verify_markdown.render(found).splitlines() if line.startswith("| ❌")]
    assert [line.replace("\\|", "").count("|") for line in cells] == [4]
    assert json.loads(verify_json.render(found))["variants"][0]["rows"][1]["name"] == "healthy"


def test_a_fence_in_a_log_does_not_end_the_one_around_it(variant: Variant):
    report = verify_markdown.render([outcome(variant, SLOW._replace(detail=("```", "<script>")))])
    assert "````text\n```\n<script>\n````\n" in report


def test_markdown_is_a_table_with_the_logs_behind(variant: Variant):
    report = verify_markdown.render([outcome(variant, SLOW)])
    assert report.startswith("### mllint verify: 1 variant: 1 wrong\n\n#### ❌ Dockerfile: wrong\n")
    assert "| ❌ | stops | killed after 10.0 s: the process did not end on SIGTERM |\n" in report
    assert "<details><summary>stops</summary>\n\n```text\nlast words\n```\n</details>\n" in report


def test_json_has_all_that_was_found(variant: Variant):
    asked = variant._replace(
        gpus="all", requests=(Request("/predict", "POST", status=422),), provider=Provider("/health", "device")
    )
    found = outcome(asked, SLOW)
    document = parsed(verify_json.render([found]))
    assert list(document) == ["schema", "tool_version", "variants", "summary"]
    assert document["summary"] == {"right": 0, "wrong": 1, "not_verified": 0}
    (only,) = document["variants"]
    assert (only["dockerfile"], only["gpus"], only["verdict"]) == ("Dockerfile", "all", "wrong")
    assert only["requests"] == [{"method": "POST", "path": "/predict", "status": 422}]
    assert only["provider"] == {"path": "/health", "member": "device"}
    assert only["built"]["seconds"] == 14.25
    assert only["rows"][1] == {
        "name": "stops",
        "outcome": "fail",
        "value": "killed after 10.0 s: the process did not end on SIGTERM",
        "detail": ["last words"],
        "number": 10.0,
    }
    assert list(only) == [
        "name", "dockerfile", "context", "target", "build_args", "base_images", "gpus", "env", "port", "health",
        "requests", "provider", "root_is_fine", "limits", "verdict", "builder", "notes", "built", "rows", "obstacle",
    ]  # fmt: skip


def test_json_of_what_could_not_be_verified(variant: Variant):
    found = Outcome(variant, "", (), None, (), "no Docker engine answers")
    (only,) = parsed(verify_json.render([found]))["variants"]
    assert (only["verdict"], only["builder"], only["built"], only["rows"]) == ("not_verified", None, None, [])
    (planned,) = parsed(verify_json.render_plan([variant], [Means(None, (), "no Docker engine answers")]))["plan"]
    assert (planned["builder"], planned["obstacle"]) == (None, "no Docker engine answers")


def test_a_plan_says_what_would_be_built_and_asked(variant: Variant):
    asked = variant._replace(
        port=9000,
        health="/ready",
        requests=(Request("/predict", "POST", status=422),),
        limits=Limits(size=2_000_000_000, healthy=30, stop=5),
        base_images={"python:3.11": "registry.example/python:3.11"},
        env={"LOG_LEVEL": "debug"},
    )
    text = verify_text.render_plan([asked], [MEANS], False, 120)
    for line in (
        "builder         BuildKit by docker buildx 0.13.1",
        "base image      python:3.11 from registry.example/python:3.11",
        "variable        LOG_LEVEL=debug",
        "port            9000",
        "health          /ready",
        "request         POST /predict answers 422",
        "limits          healthy within 30 s, stopped within 5 s, at most 2.0 GB",
    ):
        assert line in text
    assert parsed(verify_json.render_plan([asked], [MEANS]))["plan"][0]["port"] == 9000


@pytest.fixture
def comparison(variant: Variant) -> Comparison:
    report = mllint.lint([FIXTURE], cwd=FIXTURE, no_config=True)
    fixed = mllint.fix([FIXTURE], cwd=FIXTURE, no_config=True, unsafe=True, write=False)
    warm, rebuilt = IMAGE._replace(seconds=0.4, cached=8), IMAGE._replace(seconds=0.6, cached=6)
    before = State(report, outcome(variant, SLOW), Measured(warm, "main.py", rebuilt))
    stops = Row("stops", "pass", "in 0.3 s", number=0.3)
    return Comparison(variant, fixed, before, State(fixed.report, outcome(variant, stops), before.measured))


def test_a_comparison_shows_both_states_and_what_is_left(comparison: Comparison):
    text = verify_text.render_comparisons([comparison], False, 120)
    head, _, _, fixes, *rest = text.splitlines()
    assert head == "Dockerfile"
    assert fixes.split() == ["fixes", str(len(comparison.fixed.report.repaired)), "applied"]
    assert rest[7].split()[:8] == ["main.py", "changed", "0.6", "s,", "8", "steps,", "6", "cached"]
    assert text.endswith("1 variant: 1 right\n")


def test_a_comparison_in_json_and_markdown(comparison: Comparison):
    document = parsed(verify_json.render_comparisons([comparison]))
    (only,) = document["comparisons"]
    assert only["before"]["findings"]["warning"] > only["after"]["findings"]["warning"]
    assert only["before"]["verdict"] == "wrong"
    assert only["after"]["measured"]["rebuilt"]["seconds"] == 0.6
    assert only["changed"] == ["Dockerfile"]
    assert document["summary"]["right"] == 1
    markdown = verify_markdown.render_comparisons([comparison])
    assert "| stops | ❌ killed after 10.0 s: the process did not end on SIGTERM | ✅ in 0.3 s |" in markdown
