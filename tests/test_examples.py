"""The examples in rule files: what they hold, how they are laid out on disk, and what counts as a failure."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint import catalogue, examples
from mllint.catalogue import CatalogueError
from mllint.findings import Finding, InputError, Location, Report, Severity, Undecided
from mllint.sources.text import Source, Span

ROOT = Path(__file__).parent.parent
SAMPLE = Path(__file__).parent / "sample_rules" / "runtime" / "ML399-probe-module-missing.md"
RULE = catalogue.read_rule(SAMPLE)
PROBE, SCRIPT, REQUIRED, STANDARD = examples.cases(SAMPLE.read_text("utf-8"), SAMPLE)

GOOD = "## Good\n```dockerfile Dockerfile\nFROM scratch\n```\n"
EXPECT = "```text expect\nDockerfile:1:1 error ML399 broken\n```\n"
FIXED = "```dockerfile Dockerfile fixed\nFROM scratch AS a\n```\n"
SHOWN = "```text engine\nbuilt: not found\n```\n"
BAD = f"## Bad\n```dockerfile Dockerfile\nFROM scratch\n```\n{EXPECT}"


def only_case(fences: str) -> examples.Case:
    return examples.cases(f"## Bad\n{fences}{EXPECT}{GOOD}", Path("rule.md"))[0]


def fault(markdown: str) -> str:
    with pytest.raises(CatalogueError) as raised:
        examples.validate(RULE, examples.cases(markdown, Path("rule.md")))
    return str(raised.value)


def test_cases_are_named_after_their_section_and_title():
    assert [case.name for case in (PROBE, SCRIPT, REQUIRED, STANDARD)] == [
        "Bad",
        "Bad: in a script with Windows line ends",
        "Good: the module is required",
        "Good: the standard library is enough",
    ]
    lines = SAMPLE.read_text("utf-8").split("\n")
    assert lines[SCRIPT.line - 1] == "### in a script with Windows line ends"


def test_a_case_is_written_as_a_build_context(tmp_path):
    PROBE.write(tmp_path)
    assert (tmp_path / "requirements.txt").read_bytes() == b"fastapi==0.115.0\nuvicorn==0.30.6\n"
    assert (tmp_path / "serve.py").read_text() == "import uvicorn\n"
    assert (tmp_path / "model.joblib").stat().st_size == 80_000_000
    assert (tmp_path / ".git").is_dir()
    assert PROBE.fixed[0].content.endswith(b"requests\n")


def test_large_files_take_no_room(tmp_path):
    only_case('```yaml tree\nmodel.pt: {size: 40GB, bytes: "PK\\x03\\x04"}\n```\n').write(tmp_path)
    model = tmp_path / "model.pt"
    assert model.stat().st_size == 40_000_000_000
    assert model.stat().st_blocks * 512 < 1_000_000
    with model.open("rb") as file:
        assert file.read(6) == b"PK\x03\x04\x00\x00"


def test_line_ends_and_mode(tmp_path):
    SCRIPT.write(tmp_path)
    script = tmp_path / "probe.sh"
    assert script.read_bytes() == b'python -c "import requests"\r\n'
    assert stat.S_IMODE(script.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("info", "content"),
    [
        ("bom", b"\xef\xbb\xbfFROM a\n"),
        ("bom eol=crlf", b"\xef\xbb\xbfFROM a\r\n"),
        ("encoding=utf-16-le", "FROM a\n".encode("utf-16-le")),
        ("encoding=latin-1", b"FROM a\n"),
    ],
)
def test_bytes_of_a_file(info, content):
    assert only_case(f"```dockerfile Dockerfile {info}\nFROM a\n```\n").files[0].content == content


def test_tree_holds_links_modes_and_sizes(tmp_path):
    tree = """```yaml tree
app/start.sh: {mode: 755, text: "#!/bin/sh\\n"}
app/latest: {link: ../models/v1.onnx}
models/v1.onnx: {size: 3KiB}
empty.txt: {}
```
"""
    only_case(tree).write(tmp_path)
    assert stat.S_IMODE((tmp_path / "app/start.sh").stat().st_mode) == 0o755
    assert (tmp_path / "app/latest").readlink() == Path("../models/v1.onnx")
    assert (tmp_path / "app/latest").stat().st_size == 3072
    assert (tmp_path / "empty.txt").read_bytes() == b""


def test_a_file_may_hold_fences_and_headings():
    case = only_case("````markdown README.md\n## Good\n```sh\nls\n```\n````\n")
    assert case.files[0].content == b"## Good\n```sh\nls\n```\n"


def test_other_sections_are_prose():
    text = f"# Title\n```console\n$ ls\n```\n{BAD}## Options\n### depth\n```toml\nx = 1\n```\n{GOOD}"
    assert [case.name for case in examples.cases(text, Path("rule.md"))] == ["Bad", "Good"]


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_a_file_is_what_stands_in_the_fence(lines):
    body = "".join(f"{line}\n" for line in lines)
    fence = "`" * (max((len(run) for run in re.findall("`+", body)), default=0) + 3)
    assert only_case(f"{fence}text notes.txt\n{body}{fence}\n").files[0].content == body.encode()


@pytest.mark.parametrize(
    ("markdown", "message"),
    [
        (BAD, "rule.md:1: no example under a heading `## Good`"),
        (GOOD, "rule.md:1: no example under a heading `## Bad`"),
        (BAD + "## Good\nNothing to show.\n", "rule.md:1: no example under a heading `## Good`"),
        (BAD + GOOD + "### later\nNo fence.\n", "rule.md:12: the case has no files"),
        (BAD + GOOD + "```text notes\n", "rule.md:12: the fence is never closed"),
        (BAD + GOOD + "```text\n```\n", "rule.md:12: the fence names no file"),
        (BAD + GOOD + "```text a mode=9\n```\n", "rule.md:12: a mode is three or four octal digits, not 9"),
        (BAD + GOOD + "```text a eol=cr\n```\n", "rule.md:12: `eol=cr` is none of"),
        (BAD + GOOD + "```text a encoding=utf-99\n```\n", "rule.md:12: unknown encoding: utf-99"),
        (BAD + GOOD + "```text ../a\n```\n", "rule.md:12: ../a lies outside the build context"),
        (BAD + GOOD + "```text Dockerfile\n```\n", "rule.md:8: the case has a file twice"),
        (BAD + GOOD + EXPECT, "rule.md:8: a Good has no findings"),
        (BAD + GOOD + "```text a fixed\n```\n", "rule.md:8: a Good has nothing to fix"),
        (BAD + SHOWN + GOOD, "rule.md:1: what shows on an engine (`text engine`) wants the files after the fix"),
        (BAD + FIXED + SHOWN.replace("built", "looks") + GOOD, "rule.md:11: `text engine` is one line, `built: text`"),
        (BAD.replace(EXPECT, "") + GOOD, "rule.md:1: a Bad lists its findings"),
        (BAD.replace("ML399", "ML398") + GOOD, "rule.md:1: not `path:line:column severity ML399 message`"),
        (BAD.replace("error", "fatal") + GOOD, "rule.md:1: not `path:line:column severity ML399 message`"),
        (BAD + GOOD + "```yaml tree\na: [\n```\n", "rule.md:12: "),
        (BAD + GOOD + "```yaml tree\n- a\n```\n", "rule.md:12: a `yaml tree` maps each path"),
        (BAD + GOOD + "```yaml tree\na: {sise: 1B}\n```\n", "rule.md:12: a wants a mapping of some of size, bytes"),
        (BAD + GOOD + "```yaml tree\na: {size: 80 MB}\n```\n", "rule.md:12: a: a size is a whole number"),
        (BAD + GOOD + "```yaml tree\na: {bytes: \u20ac}\n```\n", "rule.md:12: a: bytes are characters up to"),
        (BAD + GOOD + "```yaml tree\na/: {size: 1B}\n```\n", "rule.md:12: a/ is a folder"),
        (BAD + GOOD + "```yaml tree crlf\na: {}\n```\n", "rule.md:12: only `fixed` may stand behind"),
    ],
)
def test_broken_examples_are_told_with_their_place(markdown, message):
    assert fault(markdown).startswith(message)


def test_a_fix_is_shown_where_there_is_one():
    assert fault(BAD + GOOD) == "rule.md:1: fix is `sometimes`, yet no Bad has the files after it (`fixed`)"
    examples.validate(RULE, (PROBE, REQUIRED))
    with pytest.raises(CatalogueError, match="fix is `none`, yet"):
        examples.validate(RULE._replace(fix="none"), (PROBE, REQUIRED))


def test_what_an_engine_shows_is_told_where_the_rule_has_a_proof():
    (case,) = (each for each in examples.cases(BAD + FIXED + SHOWN + GOOD, Path("rule.md")) if each.is_bad)
    assert case.symptom == ("built", "not found")
    examples.validate(RULE._replace(proof="engine"), (case,))
    with pytest.raises(CatalogueError, match="yet the rule no `proof`"):
        examples.validate(RULE, (case,))
    with pytest.raises(CatalogueError, match="proof is `engine`, yet no Bad"):
        examples.validate(RULE._replace(proof="engine"), (PROBE, REQUIRED))


MESSAGE = "HEALTHCHECK imports requests, which nothing installs: the container stays unhealthy"


def finding(case: examples.Case, place: str, rule: catalogue.Rule = RULE) -> Finding:
    """A finding on the first place in the case's Dockerfile that reads so."""
    source = Source("Dockerfile", case.files[0].content.decode())
    start = source.text.index(place)
    return Finding(Location(source, Span(start, start + len(place))), MESSAGE, rule=rule, severity=rule.severity)


def test_the_expected_findings_and_no_others_pass():
    other = RULE._replace(id="ML301")
    assert examples.failures(PROBE, RULE, Report((finding(PROBE, "FROM", other), finding(PROBE, "requests;")))) == []
    assert examples.failures(STANDARD, RULE, Report(())) == []


def test_a_bad_fails_with_what_was_lost_and_what_came_instead():
    found = Report((finding(PROBE, "FROM"),), undecided=(Undecided("Dockerfile", 3, "no network"),))
    assert examples.failures(PROBE, RULE, found) == [
        f"- Dockerfile:5:35 error ML399 {MESSAGE}",
        f"+ Dockerfile:1:1 error ML399 {MESSAGE}",
        "undecided: Dockerfile:3 no network",
    ]


def test_a_good_fails_with_any_finding_of_its_rule_and_errors_of_others():
    advice = RULE._replace(id="ML301", severity=Severity.WARNING)
    fatal = RULE._replace(id="ML301")
    assert examples.failures(STANDARD, RULE, Report((finding(STANDARD, "FROM", advice),))) == []
    assert examples.failures(STANDARD, RULE, Report((finding(STANDARD, "FROM", fatal),)))[0].startswith(
        "+ Dockerfile:1:1"
    )
    assert examples.failures(STANDARD, RULE, Report((finding(STANDARD, "FROM"),)))[0].startswith("+ Dockerfile:1:1")
    unread = Report((), errors=(InputError("requirements.txt", None, "not UTF-8"),))
    assert examples.failures(STANDARD, RULE, unread) == ["input error: requirements.txt:1 not UTF-8"]


def collect(project: Path) -> str:
    """What pytest says of a project that has the rules in `rules/` and our conftest."""
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = tests rules\n")
    (project / "tests").mkdir()
    (project / "tests/conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"), "utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_pytest_collects_each_case_and_nothing_else(tmp_path):
    folder = tmp_path / "rules" / "runtime"
    folder.mkdir(parents=True)
    (folder / SAMPLE.name).write_text(SAMPLE.read_text("utf-8"), "utf-8")
    (tmp_path / "rules" / "README.md").write_text("# Rules\n")
    (folder / "ML398-broken.md").write_text("# No front matter\n")
    said = collect(tmp_path)
    name = f"rules/runtime/{SAMPLE.name}"
    assert [line for line in said.splitlines() if line.startswith(name)] == [
        f"{name}::{case.name}" for case in (PROBE, SCRIPT, REQUIRED, STANDARD)
    ]
    assert f"{folder}/ML398-broken.md:1: the file does not begin with front matter" in said
    assert "Traceback" not in said
