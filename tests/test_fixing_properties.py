"""What holds for every repair, whatever the files: mixes of lines, the rules' examples in other layouts, a corpus."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import dockerfile as buildkit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mllint
from mllint import catalogue, examples
from mllint.findings import Edit, Severity
from mllint.sources.file_names import is_dockerfile_name
from mllint.sources.pip_encoding import decode

EXAMPLES = int(os.environ.get("MLLINT_EXAMPLES", "60"))
CORPUS = os.environ.get("MLLINT_CORPUS", "")


def parses(data: bytes) -> bool:
    """Whether BuildKit's own parser reads a Dockerfile."""
    try:
        buildkit.parse_string(data.decode("utf-8-sig"))
    except buildkit.GoParseError:
        return False
    return True


def kinds(report: mllint.Report) -> Counter[tuple[str, str]]:
    """How often each file breaks each rule, errors and warnings alone."""
    return Counter(
        (finding.rule.id, finding.location.path)
        for finding in report.findings
        if finding.severity.at_least(Severity.WARNING)
    )


def lines(text: str) -> list[str]:
    return text.split("\n")


def touched(report: mllint.Report) -> set[str]:
    """The lines that the edits of all repairs stand in, as they were in front of each."""
    found = set()
    for finding in report.repaired:
        for edit in finding.fix.edits:
            if isinstance(edit, Edit):
                text, span = edit.location.source.text, edit.location.span
                start, end = text.rfind("\n", 0, span.start) + 1, text.find("\n", max(span.start, span.end - 1))
                found |= set(lines(text[start : end if end >= 0 else len(text)]))
    return found


def assert_sound(folder: Path, preset: str | None = None, unsafe: bool = True) -> mllint.Report:
    """Repair a folder in memory and look at what came out; gives the report of what is left."""
    before = mllint.lint([folder], cwd=folder, preset=preset)
    report, changes = mllint.fix([folder], unsafe=unsafe, write=False, cwd=folder, preset=preset)
    for change in changes:
        if change.before is None:
            continue
        if is_dockerfile_name(change.path.name):
            assert parses(change.after) or not parses(change.before), change.after
        old, new = (decode(data).text for data in (change.before, change.after))
        edited, rest = touched(report), iter(lines(new))
        gone = [line for line in lines(old) if line not in edited and line not in rest]
        assert not gone, f"{change.name}: {gone} are gone or elsewhere, and no repair is theirs"
    # What can be read for the first time may be found fault with for the first time.
    is_mended = any(finding.rule.id in ("DF101", "DF102", "ML002") for finding in report.repaired)
    new_kinds = kinds(report) - kinds(before)
    assert is_mended or not new_kinds, f"repairs brought {sorted(new_kinds)}"
    after = {change.path: change.after for change in changes}
    again = mllint.lint([folder], cwd=folder, preset=preset, given=after)
    assert [each.message for each in again.findings] == [each.message for each in report.findings]
    refused = {(each.finding.rule.id, each.finding.message) for each in report.refused}
    for finding in again.findings:
        if finding.fix and (unsafe or finding.fix.applicability == "safe"):
            assert (finding.rule.id, finding.message) in refused, f"a second run would {finding.fix.title}"
    return report


SOUP = [
    "FROM python:3.11-slim",
    "FROM python:3.11-slim-bookworm AS builder",
    "FROM nvidia/cuda:12.4-runtime-ubuntu22.04",
    "ARG TAG=3.11",
    "FROM python:${TAG}-slim",
    "# renovate: datasource=docker",
    "# what follows is about the service",
    "",
    "WORKDIR /app",
    "ENV A=1 \\\n    B=2",
    "COPY . .",
    "COPY requirements.txt .",
    "COPY main.py model.joblib ./",
    "COPY --from=builder /root/.local /root/.local",
    "RUN pip install -r requirements.txt",
    "RUN pip install --user flask \\\n    # the server\n    gunicorn",
    "RUN apt-get update && apt-get install -y curl",
    "RUN apt-get update \\\n && apt-get install -y --no-install-recommends \\\n      build-essential",
    "RUN <<EOF\napt-get update\napt-get install -y git\npip install torch\nEOF",
    "RUN echo 1 && \\\n\n  pip3 install numpy==99.1",
    "ENV PATH=/root/.local/bin:$PATH",
    "USER app",
    "EXPOSE 8000",
    "EXPOSE 80",
    "HEALTHCHECK CMD python -c \"import requests; requests.get('http://localhost:8000/health').raise_for_status()\"",
    "HEALTHCHECK CMD curl -f http://localhost:8000/health || exit 1",
    "CMD uvicorn main:app --host 127.0.0.1 --port 8000 --reload",
    'CMD ["uvicorn", "main:app", "--port", "8000"]',
    "ENTRYPOINT python main.py",
    "# mllint: ignore[root-user]",
    "RUNN pip install x",
]
MAIN = "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/health')\ndef health():\n    return {}\n"
LAYOUTS = st.tuples(st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), st.sampled_from(["\\", "`"]))


def laid_out(text: str, layout: tuple[str, bool, bool, str]) -> bytes:
    """A Dockerfile with other line ends, a byte order mark, no end, another escape character."""
    end, has_bom, is_open, escape = layout
    if escape != "\\":
        text = f"# escape={escape}\n" + text.replace("\\\n", f"{escape}\n")
    if is_open:
        text = text.removesuffix("\n")
    return b"\xef\xbb\xbf" * has_bom + text.replace("\n", end).encode()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(SOUP), max_size=14), LAYOUTS, st.booleans())
def test_repairs_of_any_mix_of_lines_are_sound(tmp_path_factory, mix, layout, unsafe):
    folder = tmp_path_factory.mktemp("mix")
    (folder / "Dockerfile").write_bytes(laid_out("".join(f"{line}\n" for line in ["FROM python:3.11", *mix]), layout))
    (folder / "requirements.txt").write_text("fastapi\nuvicorn==0.29.0\nscikit-learn==1.4.1  # the model\ntorch>=2\n")
    (folder / "main.py").write_text(MAIN)
    (folder / "model.joblib").write_bytes(b"\x80\x04.")
    (folder / ".env").write_text("TOKEN=\n")
    assert_sound(folder, unsafe=unsafe)


RULES = Path(__file__).parent.parent / "rules"
BAD = [
    pytest.param(case, id=f"{path.stem} {case.name}")
    for path in sorted(RULES.glob("*/*.md"))
    if path.name != "README.md" and catalogue.read_rule(path).fix != "none"
    for case in examples.cases(path.read_text("utf-8"), path)
    if case.is_bad
]


@pytest.mark.parametrize("layout", [("\r\n", False, False, "\\"), ("\n", True, True, "`")], ids=["CRLF", "escape"])
@pytest.mark.parametrize("case", BAD)
def test_repairs_of_the_examples_are_sound_in_other_layouts(tmp_path, case, layout):
    case.write(tmp_path)
    for file in case.files:
        text = file.content.decode("utf-8", "replace")
        is_plain = not text.startswith(("# syntax", "# escape", "# check", "\ufeff")) and "\r" not in text
        if is_dockerfile_name(file.path) and is_plain:
            (tmp_path / file.path).write_bytes(laid_out(text, layout))
    assert_sound(tmp_path, preset="all")


@pytest.mark.skipif(not CORPUS, reason="MLLINT_CORPUS names no folder of build contexts")
def test_repairs_of_a_corpus_are_sound():
    before = after = rounds_undone = repaired = 0
    reasons: Counter[str] = Counter()
    failed = []
    for folder in sorted(each for each in Path(CORPUS).iterdir() if each.is_dir()):
        before += len(mllint.lint([folder], cwd=folder).findings)
        try:
            report = assert_sound(folder)
        except AssertionError as error:
            failed.append(f"{folder.name}: {str(error)[:300]}")
            continue
        after += len(report.findings)
        repaired += len(report.repaired)
        rounds_undone += len(report.refused)
        reasons.update(f"{each.finding.rule.id}: {each.reason.split(' at ')[0]}" for each in report.refused)
    print(
        f"{before} findings, {repaired} repaired, {after} left, {rounds_undone} fixes undone: {reasons.most_common()}"
    )
    assert not failed, "\n".join(failed)
