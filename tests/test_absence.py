"""The programs and modules that are surely not there when a command of an image runs."""

from __future__ import annotations

import pytest
from paper import build, last, last_in

from mllint.image.serving import absence, uses
from mllint.image.serving.uses import Use

SLIM = "FROM python:3.11.15-slim-bookworm\n"


def in_build(text: str, program: str) -> list[bool]:
    """For each time a program runs in a RUN of the last stage, whether it is surely not there."""
    stage = last(text)
    return [
        absence.of_program(use, program) is not None
        for step in stage.steps
        for use in uses.of_step(stage, step)
        if use.executed.name == program
    ]


def probe(folder, text: str, files: dict[str, str] | None = None) -> Use:
    """The last program of the health check."""
    return list(uses.of_healthcheck(last_in(folder, text, files)))[-1]


def missing(use: Use, module: str) -> absence.Absence | None:
    found = absence.interpreter(use)
    assert found is not None
    return absence.of_module(use, found, module, use.state.directory)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RUN curl -O https://a.example/x", [True]),
        ("RUN apt-get install -y curl && curl -O https://a.example/x", [False]),
        ("RUN curl -O https://a.example/x && apt-get install -y curl\nRUN curl --version", [True, False]),
        ("RUN get() { curl -O $1; }; apt-get install -y curl && get https://a.example/x", [False]),
        ("RUN apt-get install -y some-company-tools && curl -O https://a.example/x", [False]),
        ("COPY --from=tools /usr/bin/curl /usr/bin/curl\nRUN curl -O https://a.example/x", [False]),
        ("RUN --mount=from=tools,source=/usr/bin,target=/usr/bin curl -O https://a.example/x", [False]),
        ("RUN curl -O https://a.example/x || echo none", []),
        ("RUN command -v curl", []),
    ],
)
def test_a_program_is_missed_where_it_runs(lines, expected):
    assert in_build(SLIM + lines, "curl") == expected


def test_a_package_that_brings_it_in_some_releases_leaves_it_open():
    assert in_build("FROM ubuntu:22.04\nRUN apt-get install -y python3-pip && gcc --version", "gcc") == [False]


def test_an_absence_that_rests_on_a_package_known_from_memory_is_told():
    stages = [last(f"FROM alpine:3.20\nRUN {command}") for command in ("curl x", "apk add python3 && curl x")]
    found = [list(uses.of_step(stage, stage.steps[0]))[-1] for stage in stages]
    assert [absence.of_program(use, "curl") for use in found] == [absence.Absence(True), absence.Absence(False)]


def test_the_shell_script_of_a_health_check_is_followed(tmp_path):
    files = {"ops/alive.sh": "#!/bin/sh\nset -e\ncurl -f http://localhost:8000\n"}
    use = probe(tmp_path, SLIM + "COPY ops /ops\nHEALTHCHECK CMD /ops/alive.sh", files)
    assert (use.executed.name, use.source.path.endswith("alive.sh")) == ("curl", True)
    assert use.place.start == (3, 17)
    assert use.related(use.executed.words[0])[0].location.start == (3, 1)


def test_cmd_runs_where_the_entry_script_hands_over(tmp_path):
    files = {"start.sh": '#!/bin/sh\n. /opt/venv/bin/activate\nexec "$@"\n'}
    text = SLIM + 'COPY start.sh /\nENTRYPOINT ["/start.sh"]\nCMD ["uvicorn", "main:app"]'
    use = list(uses.of_process(last_in(tmp_path, text, files)))[-1]
    assert use.executed.name == "uvicorn"
    assert str(use.path).startswith("/opt/venv/bin:")


def test_the_command_below_a_program_that_is_no_script_is_not_looked_up_by_itself():
    names = [use.executed.name for use in uses.of_process(last('FROM x\nENTRYPOINT ["python"]\nCMD ["main.py"]'))]
    assert names == ["python"]


@pytest.mark.parametrize(
    ("installed", "module", "expected"),
    [
        ("fastapi==0.109.0 uvicorn==0.27.0", "requests", absence.Absence(True)),
        ("fastapi==0.101.0", "requests", absence.Absence(False)),
        ("transformers==4.57.6", "requests", None),
        ("transformers", "requests", absence.Absence(False)),
        ("our-company-clients==1.0", "requests", None),
        ("-r unknown.txt", "requests", None),
        ("flask==3.0.3", "urllib.request", None),
        ("flask==3.0.3", "distutils.util", None),
        ("flask==3.0.3", "a_module_of_nobody", absence.Absence(True)),
    ],
)
def test_a_module_is_missing_where_nothing_brings_it(tmp_path, installed, module, expected):
    use = probe(tmp_path, SLIM + f"RUN pip install {installed}\nHEALTHCHECK CMD python -c 'import x'")
    assert missing(use, module) == expected


def test_a_module_beside_the_code_is_there(tmp_path):
    text = SLIM + "WORKDIR /usr/src/app\nCOPY . .\nHEALTHCHECK CMD python -c 'import x'"
    use = probe(tmp_path, text, {"settings.py": "", "clients/__init__.py": ""})
    assert [missing(use, name) is None for name in ("settings", "clients.http", "requests")] == [True, True, False]


def test_every_stage_answers_for_itself():
    found = build(f"{SLIM[:-1]} AS a\nRUN apt-get install -y git\n{SLIM}RUN git clone https://a.example/x")
    last_stage = found.stages[-1]
    (use,) = uses.of_step(last_stage, last_stage.steps[0])
    assert absence.of_program(use, "git") == absence.Absence(True)
