from __future__ import annotations

import re
import unicodedata

import pytest
import sample_reports as sample
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mllint.findings import Finding, InputError, Location, Related, Report, Severity, Undecided
from mllint.report import text
from mllint.report.frame import frame
from mllint.report.shown import visible
from mllint.sources.text import Source, Span

FAULT = sample.rule("ML999", "some-fault", Severity.INFO, "runtime")
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\x1b[\r\t\n\u202e\u200b\x9b界e\u0301")), max_size=60)


def rendered(report: Report, *, color=False, width=80, statistics=False, quiet=False):
    return text.render(report, color=color, width=width, statistics=statistics, quiet=quiet)


def fault(source: Source, start: int, end: int) -> Report:
    return Report((Finding(Location(source, Span(start, end)), "a fault", rule=FAULT),), files=(source.path,))


def framed(line: str, part: str, width: int = 80) -> str:
    start = line.index(part)
    return "\n".join(
        rendered(fault(Source("Dockerfile", line), start, start + len(part)), width=width).split("\n")[1:3]
    )


def test_finding_with_frame_repair_fix_and_related_places():
    assert rendered(sample.REPORT) == (
        "Dockerfile:3:1 warning ML401 pip leaves its cache in the layer [pip-cache-kept]\n"
        "3 | RUN pip install \\\n"
        "  | ^^^^^^^^^^^^^^^^^ and 1 more line\n"
        "  = safe fix: Add --no-cache-dir\n"
        "\n"
        "Dockerfile:5:35 error ML302 HEALTHCHECK imports requests, which nothing installs:"
        " the container will never be healthy [healthcheck-module-missing]\n"
        '5 | HEALTHCHECK CMD python -c "import requests"\n'
        "  |                                   ^^^^^^^^\n"
        "  = help: probe with urllib.request, or install requests\n"
        "  = unsafe fix: Install requests\n"
        "  --> requirements.txt:1:1 this file is all that is installed\n"
        "1 | fastapi==0.109.0\n"
        "  | ----------------\n"
        "  --> Dockerfile:5:27 the probe starts here\n"
        "\n"
        "old/requirements.txt:3 error byte 0xff is no UTF-8\n"
        "gone.txt error no such file\n"
        "3 questions left open: which Python the base has (Dockerfile:1, Dockerfile.gpu:1);"
        " what build.sh installs (Dockerfile.gpu:9)\n"
        "Found 1 error, 1 warning in 2 files (1 fixable with --fix, 1 more with --unsafe-fixes, 1 suppressed);"
        " 2 inputs could not be read\n"
    )


def test_several_places_that_say_the_same_are_one_line():
    source = Source("requirements.txt", "a\nb\n\nc\nd\ne\n# f\ng\n")
    places = [Location(source, Span(at, at + 1)) for at in (2, 5, 7, 9, 15)]
    related = tuple(Related(place, "and here") for place in places)
    finding = Finding(Location(source, Span(0, 1)), "a fault", related=related, rule=FAULT)
    shown = rendered(Report((finding,), files=("requirements.txt",)))
    assert shown.splitlines()[3] == "  --> requirements.txt lines 2, 4 to 6 and 8: and here"


def test_quiet_leaves_one_line_a_finding_and_the_unread_inputs():
    assert rendered(sample.REPORT, quiet=True) == (
        "Dockerfile:3:1 warning ML401 pip leaves its cache in the layer [pip-cache-kept]\n"
        "Dockerfile:5:35 error ML302 HEALTHCHECK imports requests, which nothing installs:"
        " the container will never be healthy [healthcheck-module-missing]\n"
        "old/requirements.txt:3 error byte 0xff is no UTF-8\n"
        "gone.txt error no such file\n"
    )


def test_statistics_count_each_rule_the_most_frequent_first():
    report = Report((*sample.REPORT.findings, *sample.findings(10, Severity.STYLE)), files=("Dockerfile",))
    assert rendered(report, statistics=True) == (
        "10  ML999  style    some-fault\n"
        " 1  ML302  error    healthcheck-module-missing (1 fixable)\n"
        " 1  ML401  warning  pip-cache-kept (1 fixable)\n"
        "Found 1 error, 1 warning, 10 style in 1 file (1 fixable with --fix, 1 more with --unsafe-fixes)\n"
    )


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report(()), "No Dockerfile or requirements file found\n"),
        (Report((), files=("Dockerfile",)), "All checks passed: 1 file\n"),
        (Report((), files=("Dockerfile", "a.txt"), suppressed=3), "All checks passed: 2 files (3 suppressed)\n"),
        (
            Report((), (InputError("a.txt", None, "no such file"),)),
            "a.txt error no such file\n1 input could not be read\n",
        ),
        (
            Report((), (InputError("a.txt", 2, "is too long"),), files=("Dockerfile",)),
            "a.txt:2 error is too long\nFound nothing in 1 file; 1 input could not be read\n",
        ),
    ],
)
def test_what_a_run_without_findings_says(report, said):
    assert rendered(report) == said


def test_quiet_says_nothing_where_nothing_was_found():
    assert rendered(Report((), files=("Dockerfile",)), quiet=True) == ""


def test_many_open_questions_are_one_line():
    undecided = tuple(Undecided("Dockerfile", line, f"question {line % 5}") for line in range(1, 22))
    last = rendered(Report((), undecided=undecided, files=("Dockerfile",))).splitlines()[0]
    assert last == (
        "21 questions left open: question 1 (Dockerfile:1, Dockerfile:6, 3 more);"
        " question 2 (Dockerfile:2, Dockerfile:7, 2 more);"
        " question 3 (Dockerfile:3, Dockerfile:8, 2 more); and 2 more in --format json"
    )


def test_colours_are_around_the_same_text():
    colored = rendered(sample.REPORT, color=True)
    assert "\x1b[1mDockerfile\x1b[0m:5:35 \x1b[1;31merror\x1b[0m \x1b[1mML302\x1b[0m HEALTHCHECK" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == rendered(sample.REPORT)


def test_carets_stand_under_what_follows_tabs():
    assert framed("\tRUN\tsudo ls", "sudo") == "1 |     RUN sudo ls\n  |         ^^^^"


def test_carets_stand_under_what_follows_wide_and_combining_characters():
    assert framed("# 模型 e\u0301 x", "x") == "1 | # 模型 e\u0301 x\n  |          ^"
    assert framed("# 模型 x", "型") == "1 | # 模型 x\n  |     ^^"


def test_control_and_bidirectional_characters_of_a_line_are_visible():
    assert framed("RUN \x1b[2J\u202els x", "x") == "1 | RUN \\x1b[2J\\u202els x\n  | " + " " * 20 + "^"


def test_a_span_without_width_gets_one_caret():
    assert rendered(fault(Source("Dockerfile", "RUN ls\n"), 6, 6)).split("\n")[2] == "  |       ^"


def test_an_empty_line_has_no_frame():
    assert rendered(fault(Source("Dockerfile", ""), 0, 0)) == (
        "Dockerfile:1:1 info ML999 a fault [some-fault]\n\nFound 1 info in 1 file\n"
    )


def test_windows_line_ends_are_no_part_of_the_frame():
    report = fault(Source("Dockerfile", "RUN a\r\nRUN b\r\n"), 0, 14)
    assert rendered(report).split("\n")[1:3] == ["1 | RUN a", "  | ^^^^^ and 1 more line"]


def test_a_long_line_is_cut_around_the_span():
    line = "RUN " + "a" * 100 + " sudo " + "b" * 100
    assert framed(line, "sudo", width=44) == "1 | …aaaaaaaaaaa sudo bbbbbbbbbbbbbbbbbbbbb…\n  |              ^^^^"
    assert framed(line, "RUN", width=44) == "1 | RUN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\n  | ^^^"


def test_a_line_of_megabytes_is_cut_as_well():
    line = "RUN " + "a" * 3_000_000 + " sudo"
    assert framed(line, "sudo", width=44) == f"1 | …{'a' * 33} sudo\n  | {' ' * 35}^^^^"


def test_the_gutter_is_as_wide_as_the_longest_line_number():
    source = Source("Dockerfile", "\n" * 99 + "RUN true\n")
    near = Related(sample.at(sample.REQUIREMENTS, "uvicorn"), "see")
    report = Report(
        (Finding(sample.at(source, "true"), "a fault", related=(near,), rule=FAULT),), files=("Dockerfile",)
    )
    assert rendered(report).split("\n")[1:6] == [
        "100 | RUN true",
        "    |     ^^^^",
        "    --> requirements.txt:2:1 see",
        "  2 | uvicorn",
        "    | -------",
    ]


def test_a_repair_of_several_lines_stays_aligned():
    place = sample.at(sample.REQUIREMENTS, "uvicorn")
    report = Report((Finding(place, "a fault", repair="write\nuvicorn==0.30.0", rule=FAULT),), files=("a.txt",))
    assert rendered(report).split("\n")[3:5] == ["  = help: write", "          uvicorn==0.30.0"]


def test_credentials_are_masked_in_frames_and_messages_and_columns_stay():
    token = "hf_" + "aB3dE6gH9jaB3dE6gH9jaB3dE6gH9jaB3dE6g"
    source = Source("Dockerfile", f"ENV HF_TOKEN={token} HF_HOME=/models\n")
    place = sample.at(source, "HF_HOME")
    report = Report((Finding(place, f"{token} is in the image", rule=FAULT),), files=("Dockerfile",))
    assert rendered(report).split("\n")[:3] == [
        "Dockerfile:1:55 info ML999 *** is in the image [some-fault]",
        f"1 | ENV HF_TOKEN={'*' * 40} HF_HOME=/models",
        f"  | {' ' * 54}^^^^^^^",
    ]


def test_every_line_of_a_private_key_is_masked():
    body = "MIIEpAIBAAKCAQEA" * 4
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----\n"
    source = Source("Dockerfile", f"COPY <<EOF /root/.ssh/id_rsa\n{key}EOF\n" + "RUN true\n" * 10_000)
    report = fault(source, source.text.index(body) + 5, source.text.index(body) + 9)
    assert rendered(report).split("\n")[1] == f"3 | {'*' * len(body)}"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.data())
@settings(max_examples=200)
def test_nothing_invisible_reaches_the_terminal(content, message, path, data):
    source = Source(path, content)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    place = Location(source, Span(start, end))
    finding = Finding(place, message, repair=message, related=(Related(place, message),), rule=FAULT)
    report = Report((finding,), (InputError(path, 1, message),), (Undecided(path, 1, message),), (path,))
    for color in (False, True):
        out = re.sub(r"\x1b\[[0-9;]*m", "", rendered(report, color=color, width=data.draw(st.integers(0, 90))))
        assert not {unicodedata.category(c) for c in out if c != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text("ab 模型é\u0301ｱ한😀\t", max_size=80), st.integers(20, 60), st.data())
@settings(max_examples=200)
def test_frames_fit_and_their_marks_are_where_the_text_is(line, width, data):
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    drawn = frame(Source("Dockerfile", line), Span(start, end), width)
    assert cell_len(drawn.text) <= width
    assert drawn.indent + drawn.marks <= width + 1
    if "…" not in drawn.text and "\t" not in line and "\\" not in drawn.text:
        assert drawn.text == line
        assert drawn.indent == cell_len(line[:start])


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("\n", r"\n"),
        ("\x9b", r"\x9b"),
        ("\xa0", r"\xa0"),
        ("\u2066", r"\u2066"),
        ("\u3164", r"\u3164"),
        ("\udc80", r"\udc80"),
    ],
)
def test_characters_nobody_can_see_are_written_as_escapes(character, written):
    assert visible(f"a{character}b") == f"a{written}b"


def test_readable_text_of_any_language_stays():
    assert visible("größer, 模型, عربي, 😀, ❤\ufe0f") == "größer, 模型, عربي, 😀, ❤\ufe0f"
