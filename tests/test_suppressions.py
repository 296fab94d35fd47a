"""Comments that hide findings: how far they reach, what they may name, and what is said of those that hide nothing."""

from __future__ import annotations

import pytest

from mllint import Report, lint

INSTALL = "RUN pip install torch"
OTHER = "RUN pip install pandas"
"""Breaks unpinned-pip-install (ML602, DL3013) and installer-cache-kept (ML402, DL3042)."""

SECRET = "ENV API_PASSWORD=Tr0ub4dor-3-horse"
"""Breaks secret-in-env-or-arg (ML202, SecretsUsedInArgOrEnv)."""


@pytest.fixture
def report(tmp_path):
    def run(select: str = "ML602,ML402", preset: str = "default", **files: str) -> Report:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, "utf-8", newline="")
        return lint([tmp_path], select=select.split(","), preset=preset, cwd=tmp_path)

    return run


def found(report: Report) -> list[str]:
    return [f"{each.location.start[0]} {each.rule.id}" for each in report.findings if each.rule]


def test_what_comments_leave_of_the_lines_of_a_file_is_told_once(report):
    text = "flask\nhttpx>=0.2\nrich  # mllint: ignore[ML601] a tool\nclick\njinja2\nboto3==1.35.0\nuvicorn\n"
    ended = report("ML601", requirements_txt=text)
    assert said(ended) == [
        (
            "requirements.txt",
            1,
            1,
            "flask, httpx>=0.2, click and 2 more are not pinned: the next build may install other releases",
        )
    ]
    assert [each.location.start[0] for each in ended.findings[0].related] == [2, 4, 5, 7]
    assert ended.suppressed == 1


def said(report: Report) -> list[tuple[str, int, int, str]]:
    return [(each.location.path, *each.location.start, each.message) for each in report.findings]


# --- where a comment reaches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"FROM a\n{INSTALL}\n", ["2 ML402", "2 ML602"]),
        (f"FROM a\n# mllint: ignore[ML602]\n{INSTALL}\n{OTHER}\n", ["3 ML402", "4 ML402", "4 ML602"]),
        (f"FROM a\n# mllint: ignore[ML602]\n\n# why\n{INSTALL}\n", ["5 ML402"]),
        (f"FROM a\n# mllint: ignore[ML602,ML402] both\n{INSTALL}\n", []),
        (f"FROM a\n# mllint: ignore\n{INSTALL}\n", []),
        (f"FROM a\n# mllint: ignore-file[ML602]\n{INSTALL}\n{OTHER}\n", ["3 ML402", "4 ML402"]),
        (f"FROM a\n{INSTALL}\n# mllint: ignore-file[ML6]\n", ["2 ML402"]),
        ("FROM a\nRUN pip install \\\n  # mllint: ignore[ML602]\n  torch\n", ["2 ML402"]),
        ("FROM a\nRUN pip install \\\n  # mllint: ignore[ML402]\n  torch \\\n  numpy\n", ["4 ML602"]),
        ("FROM a\r\n# mllint: ignore[ML602]\r\nRUN pip install torch\r\n", ["3 ML402"]),
        (f"FROM a\n# mllint: ignore[ML602]\nUSER b\n{INSTALL}\n", ["4 ML402", "4 ML602"]),
        (f"FROM a\n{INSTALL}\n# mllint: ignore[ML602]\n", ["2 ML402", "2 ML602"]),
        (f"FROM a\nRUN echo '# mllint: ignore-file' # mllint: ignore-file\n{INSTALL}\n", ["3 ML402", "3 ML602"]),
        ("FROM a\nRUN <<EOF\n# mllint: ignore-file\npip install torch\nEOF\n", ["4 ML402", "4 ML602"]),
    ],
)
def test_ours_reach_an_instruction_or_the_file(report, text, left):
    assert found(report(Dockerfile=text)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("torch\nnumpy\n", ["1 ML601"]),
        ("torch  # mllint: ignore[ML601] why\nnumpy\n", ["2 ML601"]),
        ("torch  # noqa # mllint: ignore[ML601]\nnumpy\n", ["2 ML601"]),
        ("# mllint: ignore[ML601]\n# more\n\ntorch\nnumpy\n", ["5 ML601"]),
        ("torch\n# mllint: ignore[ML601]\n", ["1 ML601"]),
        ("# mllint: ignore-file[unpinned-requirement]\ntorch\nnumpy\n", []),
        ("torch \\\n  >=2  # mllint: ignore[ML601]\nnumpy\n", ["3 ML601"]),
    ],
)
def test_ours_in_requirements_reach_their_line_or_the_next(report, text, left):
    assert found(report("ML601", requirements_txt=text)) == left


def test_a_comment_counts_for_its_own_file_alone(report):
    text = "FROM a\nCOPY requirements.txt .\n# mllint: ignore-file[ML601]\nRUN pip install -r requirements.txt\n"
    assert found(report("ML601", Dockerfile=text, requirements_txt="torch\n")) == ["1 ML601"]


def test_a_report_counts_what_it_does_not_show(report):
    both = report(Dockerfile=f"FROM a\n# mllint: ignore\n{INSTALL}\n{OTHER}\n")
    assert (both.suppressed, len(both.findings)) == (2, 2)


# --- what a comment names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "selector",
    ["ML602", "ml602", "unpinned-pip-install", "ML6", "requirements", "DL3013", "hadolint:DL3013", "default", "all"],
)
def test_ours_name_rules_as_the_command_line_does(report, selector):
    text = f"FROM a\n# mllint: ignore[{selector}]\n{INSTALL}\n"
    assert "3 ML602" not in found(report(Dockerfile=text))


# --- the peers' comments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"FROM a\n# hadolint ignore=DL3013\n{INSTALL}\n{OTHER}\n", ["3 ML402", "4 ML402", "4 ML602"]),
        (f"FROM a\n# hadolint ignore=DL3013,DL3042 # why\n{INSTALL}\n", []),
        (f"FROM a\n#hadolint  ignore = DL3042 , DL3013\n{INSTALL}\n", []),
        (f"# hadolint global ignore=DL3013\nFROM a\n{INSTALL}\n{OTHER}\n", ["3 ML402", "4 ML402"]),
        (
            f"# hadolint stage ignore=DL3013\nFROM a AS b\n{INSTALL}\nFROM b\n{OTHER}\n",
            ["3 ML402", "5 ML402", "5 ML602"],
        ),
        (f"FROM a\n# hadolint ignore=ML602\n{INSTALL}\n", ["3 ML402", "3 ML602"]),
        (f"FROM a\n# no hadolint ignore=DL3013\n{INSTALL}\n", ["3 ML402", "3 ML602"]),
        (f"FROM a\n# tally ignore=DL3013;reason=why\n\n# more\n{INSTALL}\n", ["5 ML402"]),
        (f"FROM a\n# tally ignore=hadolint/DL3013\n{INSTALL}\n", ["3 ML402"]),
        (f"FROM a\n# tally ignore=all\n{INSTALL}\n{OTHER}\n", ["4 ML402", "4 ML602"]),
        (f"# tally global ignore=hadolint/dl3013,DL3042\nFROM a\n{INSTALL}\n", []),
    ],
)
def test_comments_of_hadolint_and_tally(report, text, left):
    assert found(report(Dockerfile=text)) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"FROM a\n{SECRET}\n", ["2 ML202"]),
        (f"# check=skip=SecretsUsedInArgOrEnv\nFROM a\n{SECRET}\n{SECRET}\n", []),
        (f"# syntax=a\n# check=error=true;skip=JSONArgsRecommended,secretsusedinargorenv\nFROM a\n{SECRET}\n", []),
        (f"# check=skip=all\nFROM a\n{SECRET}\n", []),
        (f"# check=skip=StageNameCasing\nFROM a\n{SECRET}\n", ["3 ML202"]),
        (f"# check=error=true\nFROM a\n{SECRET}\n", ["3 ML202"]),
        (f"FROM a\n# check=skip=SecretsUsedInArgOrEnv\n{SECRET}\n{SECRET}\n", ["4 ML202"]),
    ],
)
def test_comments_of_buildkit(report, text, left):
    assert found(report("ML202", Dockerfile=text)) == left


def test_all_of_a_peer_is_none_of_ours_alone(report):
    text = "# check=skip=all\n# mllint: ignore[ML999]\nFROM a\n"
    assert found(report("ML001", Dockerfile=text)) == ["2 ML001"]


# --- comments that hide nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "column", "message"),
    [
        ("# mllint: ignore[ML602, ML402]", 25, "this comment hides no finding of ML402"),
        ("# mllint: ignore[ML602,nonsense]", 24, "nonsense names no rule, so that this comment hides nothing by it"),
        ("# mllint: ignore[]", 1, "this comment names no rule between its brackets and hides nothing"),
        ("# mllint: ignore[ML602", 1, "this comment has no closing bracket and hides nothing"),
        ("# mllint: ignore ML602", 1, "this comment names its rules without brackets and hides nothing"),
        ("# mllint: ignore=ML602", 1, "this comment names its rules without brackets and hides nothing"),
        ("# mllint: skip", 1, "this comment is none that mllint understands and hides nothing"),
    ],
)
def test_what_is_said_of_a_comment(report, comment, column, message):
    text = f"FROM a\n{comment}\nRUN pip install --no-cache-dir torch\n"
    only = said(report("ML001,ML602,ML402", Dockerfile=text))[0]
    assert only == ("Dockerfile", 2, column, message)


def test_a_near_name_is_suggested(report):
    text = "FROM a\n# mllint: ignore[unpinned-pip-instal]\nRUN pip check\n"
    assert [each.repair for each in report("ML001", Dockerfile=text).findings] == ["did you mean unpinned-pip-install?"]


def test_a_name_is_unused_only_where_its_rules_ran(report):
    text = "FROM a\n# mllint: ignore[ML602]\nUSER b\n"
    assert found(report("ML001", Dockerfile=text)) == []
    assert found(report("ML001,ML602", Dockerfile=text)) == ["2 ML001"]


def test_a_comment_without_names_is_unused_only_where_the_default_rules_ran(report):
    text = "FROM python:3.12.4-slim-bookworm\n# mllint: ignore\nUSER 1000\n"
    assert found(report("ML001,ML602", Dockerfile=text)) == []
    assert "2 ML001" in found(report("default", Dockerfile=text))


def test_a_comment_for_a_stricter_preset_is_not_unused(report):
    text = "FROM a\n# mllint: ignore[ML602]\nRUN pip install 'torch<3'\n"
    assert found(report("ML001,ML602", Dockerfile=text)) == []
    assert found(report("ML001,ML602", "strict", Dockerfile=text.replace("# mllint: ignore[ML602]\n", ""))) == [
        "2 ML602"
    ]


def test_comments_of_the_peers_are_never_called_unused(report):
    text = "# hadolint global ignore=DL3013,DL9999\nFROM a\n# tally ignore=nonsense\n# check=skip=nonsense\nUSER b\n"
    assert found(report("ML001,ML602", Dockerfile=text)) == []


def test_the_rule_about_comments_hides_its_own_findings(report):
    text = "# mllint: ignore-file[ML001]\nFROM a\n# mllint: ignore[ML602]\nUSER b\n"
    assert found(report("ML001,ML602", Dockerfile=text)) == []
    assert found(
        report("ML001,ML602", Dockerfile="# mllint: ignore-file\nFROM a\n# mllint: ignore[nonsense]\nUSER b\n")
    ) == ["3 ML001"]
