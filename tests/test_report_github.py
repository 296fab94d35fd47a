from __future__ import annotations

import re
from pathlib import Path

import pytest
import sample_reports as sample
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.findings import Finding, InputError, Location, Report, Severity
from mllint.report.github import SHOWN_PER_LEVEL, render, summary_markdown
from mllint.sources.text import Source, Span

ROOT = Path("/home/runner/work/app/app")
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("%:,\r\n\x1b\u202e`|<")), max_size=40)


def rendered(report: Report, directory: Path = ROOT) -> str:
    return render(report, workspace=ROOT, directory=directory)


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it: level, properties, message."""
    match = re.fullmatch(r"::(error|warning|notice) (.*?)::(.*)", line)
    assert match, line
    properties = dict(part.split("=", 1) for part in match[2].split(","))
    return match[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(match[3])


def unescaped(text: str) -> str:
    for written, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(written, character)
    return text


def levels(out: str) -> list[str]:
    return [parsed(line)[0] for line in out.splitlines()]


def test_commands_from_a_folder_inside_the_checkout():
    assert rendered(sample.REPORT, ROOT / "services" / "api") == (
        "::error file=services/api/old/requirements.txt,line=3::old/requirements.txt:3 byte 0xff is no UTF-8\n"
        "::error file=services/api/gone.txt::gone.txt no such file\n"
        "::error file=services/api/Dockerfile,line=5,endLine=5,col=35,endColumn=43,"
        "title=ML302 healthcheck-module-missing"
        "::Dockerfile:5 HEALTHCHECK imports requests, which nothing installs: the container will never be healthy"
        "%0Ahelp: probe with urllib.request, or install requests\n"
        "::warning file=services/api/Dockerfile,line=3,endLine=4,title=ML401 pip-cache-kept"
        "::Dockerfile:3 pip leaves its cache in the layer\n"
    )


@pytest.mark.parametrize(
    ("workspace", "directory", "path", "written"),
    [
        (ROOT, ROOT, "Dockerfile", "Dockerfile"),
        (ROOT, ROOT / "api", "../shared/requirements.txt", "shared/requirements.txt"),
        (ROOT, ROOT / "api", "../../elsewhere/Dockerfile", "../../elsewhere/Dockerfile"),
        (ROOT, Path("/srv"), "Dockerfile", "Dockerfile"),
        (ROOT, ROOT, "/etc/Dockerfile", "/etc/Dockerfile"),
        (None, ROOT / "api", "Dockerfile", "Dockerfile"),
    ],
)
def test_paths_are_those_of_the_checkout(workspace, directory, path, written):
    report = Report((), (InputError(path, None, "no such file"),))
    assert parsed(render(report, workspace=workspace, directory=directory).rstrip("\n"))[1] == {"file": written}


def test_what_separates_the_parts_of_a_command_is_escaped():
    report = Report((), (InputError("a,b:c%d.txt", None, "100% of a: b, c"),))
    assert rendered(report) == "::error file=a%2Cb%3Ac%25d.txt::a,b:c%25d.txt 100%25 of a: b, c\n"


def test_info_and_style_are_notices_behind_errors_and_warnings():
    severities = (Severity.STYLE, Severity.WARNING, Severity.INFO, Severity.ERROR)
    report = Report(tuple(finding for severity in severities for finding in sample.findings(1, severity)))
    assert levels(rendered(report)) == ["error", "warning", "notice", "notice"]


def test_ten_of_each_level_need_no_notice():
    report = Report(tuple(finding for severity in list(Severity)[:3] for finding in sample.findings(10, severity)))
    assert levels(rendered(report)) == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10


@pytest.mark.parametrize(
    ("errors", "warnings", "notices", "hidden"), [(12, 11, 0, 3), (0, 0, 11, 2), (11, 0, 9, 1), (11, 0, 10, 2)]
)
def test_a_notice_that_is_shown_tells_how_many_are_not(errors, warnings, notices, hidden):
    numbers = zip((errors, warnings, notices), (Severity.ERROR, Severity.WARNING, Severity.INFO), strict=True)
    report = Report(tuple(finding for number, severity in numbers for finding in sample.findings(number, severity)))
    commands = [parsed(line) for line in rendered(report).splitlines()]
    first_notice = next(command for command in commands if command[0] == "notice")
    assert first_notice == (
        "notice",
        {"title": "mllint"},
        f"{hidden} more in the log: GitHub shows 10 annotations of a level for one step",
    )
    shown = sum(min(SHOWN_PER_LEVEL, levels(rendered(report)).count(level)) for level in ("error", "warning", "notice"))
    assert len(commands) - shown == hidden


def test_credentials_are_masked():
    token = "ghp_" + "aB3dE6" * 6
    report = Report((sample.CACHE_KEPT._replace(message=f"{token} is in the image"),))
    assert token not in rendered(report) + summary_markdown(report)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.data())
@settings(max_examples=200)
def test_every_line_reads_back_as_a_command(path, message, repair, data):
    source = Source(path, data.draw(ANY_TEXT))
    start = data.draw(st.integers(0, len(source.text)))
    place = Location(source, Span(start, data.draw(st.integers(start, len(source.text)))))
    finding = Finding(place, message, repair=repair, rule=sample.CACHE_KEPT.rule)
    out = rendered(Report((finding,), (InputError(path, 1, message),)))
    assert out.replace("\n", "").encode("utf-8").decode("utf-8").replace(" ", "").isprintable()
    lines = out.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 2
    for line in lines:
        _, properties, said = parsed(line)
        assert properties["line"].isdigit()
        assert ("col" in properties) == (properties.get("endLine") == properties["line"])
        assert " " in said


def test_summary_is_a_table():
    missing, cache = (finding.rule.url for finding in (sample.MISSING_MODULE, sample.CACHE_KEPT))
    assert summary_markdown(sample.REPORT) == (
        "### mllint: Found 1 error, 1 warning in 2 files (1 fixable with --fix, 1 more with --unsafe-fixes,"
        " 1 suppressed); 2 inputs could not be read\n"
        "\n"
        "| Severity | Place | Rule | Finding |\n"
        "| --- | --- | --- | --- |\n"
        "| error | old/requirements.txt:3 | | byte 0xff is no UTF-8 |\n"
        "| error | gone.txt | | no such file |\n"
        f"| error | Dockerfile:5:35 | [ML302 healthcheck-module-missing]({missing})"
        " | HEALTHCHECK imports requests, which nothing installs: the container will never be healthy |\n"
        f"| warning | Dockerfile:3:1 | [ML401 pip-cache-kept]({cache})"
        " | pip leaves its cache in the layer |\n"
    )


def test_summary_of_a_clean_run():
    assert summary_markdown(Report((), files=("Dockerfile",))) == "### mllint: All checks passed: 1 file\n\n"


def test_summary_leaves_no_markup_alive():
    report = Report((sample.CACHE_KEPT._replace(message="`a` | <b onclick=x> &amp; [x](y) $z$"),))
    assert r"| \`a\` \| &lt;b onclick=x&gt; &amp;amp; \[x\](y) \$z\$ |" in summary_markdown(report)


def test_summary_lists_two_hundred_and_counts_the_rest():
    out = summary_markdown(Report(tuple(sample.findings(205, Severity.WARNING)), files=("Dockerfile",)))
    assert out.count("| warning |") == 200
    assert out.endswith("\n\n5 more are in the log.\n")


def test_summary_stays_below_one_mebibyte():
    source = Source("模" * 4000 + "/Dockerfile", "RUN true\n" * 200)
    rule = sample.CACHE_KEPT.rule
    many = tuple(Finding(Location(source, source.line_span(n)), "模<" * 9000, rule=rule) for n in range(1, 201))
    out = summary_markdown(Report(many, files=(source.path,)))
    assert len(out.encode("utf-8")) < 1024 * 1024
    assert out.count("| warning |") > 100
