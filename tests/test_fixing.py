"""Repairs: rounds of fixes over several files, what they leave alone, and how files are written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import MappingProxyType

import pytest

import mllint
from mllint import catalogue, edits, fixing, writing
from mllint.findings import Edit, Finding, Fix, Location, NewFile, Report, Severity
from mllint.fixing import Change
from mllint.sources.text import Span

RULE = catalogue.rules()["ML402"]


def words(replacements, applicability="safe"):
    """A lint that finds words of a Dockerfile to be replaced, each a finding of its own."""

    def lint(inputs):
        source = inputs.dockerfile(inputs.cwd / "Dockerfile").source
        found = []
        for word, text in replacements.items():
            at = source.text.find(word)
            if at >= 0:
                place = Location(source, Span(at, at + len(word)))
                fix = Fix(applicability, f"write {text}", (Edit(place, text),))
                found.append(Finding(place, f"{word} is wrong", fix=fix, severity=Severity.WARNING, rule=RULE))
        return Report(tuple(found))

    return lint


def repaired(folder, lint, text, *, unsafe=False, editable=lambda path: True):
    (folder / "Dockerfile").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = fixing.repair(lint, folder, {}, unsafe, editable)
    return done.contents.get(folder / "Dockerfile"), done


def test_fixes_that_do_not_touch_are_made_in_one_round(tmp_path):
    data, done = repaired(tmp_path, words({"one": "1", "two": "2"}), "FROM one\nRUN two\n")
    assert data == b"FROM 1\nRUN 2\n"
    assert (done.rounds, len(done.repaired)) == (1, 2)


def test_of_fixes_that_overlap_the_later_waits_for_the_next_round(tmp_path):
    data, done = repaired(tmp_path, words({"one two": "two", "two": "2"}), "FROM one two\n")
    assert data == b"FROM 2\n"
    assert done.rounds == 2


def test_two_texts_put_in_at_one_place_wait_for_each_other(tmp_path):
    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        missing = [line for line in ("USER app", "EXPOSE 80") if line not in source.text]
        place = Location(source, Span(0, 4))
        return Report(
            tuple(
                Finding(place, line, fix=Fix("safe", line, (edits.insert(source, 7, f"{line}\n"),)), rule=RULE)
                for line in missing
            )
        )

    data, done = repaired(tmp_path, lint, "FROM a\n")
    assert data == b"FROM a\nEXPOSE 80\nUSER app\n"
    assert done.rounds == 2


def test_a_text_put_into_what_another_fix_replaces_waits_as_well(tmp_path):
    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        found = []
        if "one" in source.text:
            found.append(
                Finding(
                    Location(source, Span(5, 8)),
                    "a",
                    fix=Fix("safe", "a", (edits.replace(source, Span(5, 8), "two"),)),
                    rule=RULE,
                )
            )
        if "x" not in source.text:
            found.append(
                Finding(
                    Location(source, Span(5, 8)), "b", fix=Fix("safe", "b", (edits.insert(source, 6, "x"),)), rule=RULE
                )
            )
        return Report(tuple(found))

    data, done = repaired(tmp_path, lint, "FROM one\n")
    assert data == b"FROM txwo\n"
    assert done.rounds == 2


def test_edits_that_two_findings_share_are_made_once(tmp_path):
    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        at = source.text.find("cat")
        if at < 0:
            return Report(())
        fix = Fix("safe", "write dog", (Edit(Location(source, Span(at, at + 3)), "dog"),))
        places = (Location(source, Span(0, 1)), Location(source, Span(1, 2)))
        return Report(tuple(Finding(place, "no cats", fix=fix, rule=RULE) for place in places))

    data, done = repaired(tmp_path, lint, "FROM cat\n")
    assert data == b"FROM dog\n"
    assert (done.rounds, len(done.repaired)) == (1, 2)


def test_unsafe_fixes_are_made_only_where_they_are_wanted(tmp_path):
    lint = words({"one": "1"}, "unsafe")
    assert repaired(tmp_path, lint, "FROM one\n")[0] is None
    assert repaired(tmp_path, lint, "FROM one\n", unsafe=True)[0] == b"FROM 1\n"


def test_a_fix_that_breaks_the_file_is_undone_and_told_while_the_others_are_made(tmp_path):
    lint = words({"RUN": "RUM", "one": "1", "two": "2"})
    data, done = repaired(tmp_path, lint, "FROM one\nRUN two\n")
    assert data == b"FROM 1\nRUN 2\n"
    (refused,) = done.refused
    assert refused.finding.message == "RUN is wrong"
    assert refused.reason == "Dockerfile would not parse: RUM is no instruction"


def test_a_fix_that_brings_a_warning_is_undone_and_told(tmp_path):
    simple = words({"one": "1"})

    def lint(inputs):
        report = simple(inputs)
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        if "1" not in source.text:
            return report
        other = catalogue.rules()["ML201"]
        worse = Finding(Location(source, Span(0, 4)), "worse", severity=Severity.WARNING, rule=other)
        return Report((*report.findings, worse))

    data, done = repaired(tmp_path, lint, "FROM one\n")
    assert data is None
    assert done.refused[0].reason == "it would bring ML201 at Dockerfile:1: worse"


def test_fixes_that_never_end_are_left_after_ten_rounds(tmp_path):
    data, done = repaired(tmp_path, words({"one": "two", "two": "one"}), "FROM one\n")
    assert done.rounds == fixing.ROUNDS
    assert data == b"FROM one\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"FROM one\r\nRUN x\r\n", b"FROM 1\r\nRUN x\r\n", id="CRLF"),
        pytest.param(b"\xef\xbb\xbfFROM one\n", b"\xef\xbb\xbfFROM 1\n", id="byte order mark"),
        pytest.param("FROM one # 模型".encode(), "FROM 1 # 模型".encode(), id="no line end"),
        pytest.param(b"FROM one\nRUN \xe2\x80\xa8 x\x0c\n", b"FROM 1\nRUN \xe2\x80\xa8 x\x0c\n", id="odd blanks"),
    ],
)
def test_all_that_is_not_edited_stays_byte_for_byte(tmp_path, before, after):
    assert repaired(tmp_path, words({"one": "1"}), before)[0] == after


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_a_requirements_file_keeps_its_encoding(tmp_path, encoding):
    start = "# coding: latin-1 é\n" if encoding == "latin-1" else ""
    data = f"{start}scikit-learn==1.4.1\n".encode(encoding)
    (tmp_path / "requirements.txt").write_bytes(data)

    def lint(inputs):
        source = inputs.requirements(tmp_path / "requirements.txt").source
        at = source.text.index("1.4.1")
        if source.text[at:].startswith("1.4.1.post1"):
            return Report(())
        fix = Fix("safe", "pin", (edits.insert(source, at + 5, ".post1"),))
        return Report((Finding(Location(source, Span(at, at + 5)), "no such release", fix=fix, rule=RULE),))

    done = fixing.repair(lint, tmp_path, {}, False, lambda path: True)
    assert done.contents[tmp_path / "requirements.txt"] == f"{start}scikit-learn==1.4.1.post1\n".encode(encoding)


def test_one_fix_may_edit_several_files_and_make_one(tmp_path):
    (tmp_path / "a.sh").write_text("old\n")

    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        script = inputs.text(tmp_path / "a.sh")
        if "old" not in source.text:
            return Report(())
        several = (
            Edit(Location(source, Span(5, 8)), "new"),
            Edit(Location(script, Span(0, 3)), "new"),
            NewFile(".dockerignore", ".git\n"),
        )
        return Report((Finding(Location(source, Span(0, 1)), "old", fix=Fix("safe", "new", several), rule=RULE),))

    data, done = repaired(tmp_path, lint, "FROM old\n")
    assert data == b"FROM new\n"
    assert done.contents[tmp_path / "a.sh"] == b"new\n"
    assert done.contents[tmp_path / ".dockerignore"] == b".git\n"


def test_a_fix_that_makes_a_file_which_is_there_is_left_alone(tmp_path):
    (tmp_path / ".dockerignore").write_text("mine\n")

    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        fix = Fix("safe", "make", (NewFile(".dockerignore", ".git\n"),))
        return Report((Finding(Location(source, Span(0, 1)), "missing", fix=fix, rule=RULE),))

    assert repaired(tmp_path, lint, "FROM a\n")[1].contents == {}


def test_a_fix_is_made_whole_or_not_at_all(tmp_path):
    def lint(inputs):
        source = inputs.dockerfile(tmp_path / "Dockerfile").source
        both = (Edit(Location(source, Span(5, 6)), "b"), NewFile("locked", "x"))
        return Report((Finding(Location(source, Span(0, 1)), "both", fix=Fix("safe", "b", both), rule=RULE),))

    data, _ = repaired(tmp_path, lint, "FROM a\n", editable=lambda path: path.name != "locked")
    assert data is None


CACHE = "FROM python:3.11.9-slim-bookworm\nRUN pip install torch==2.3.0\n"


def test_a_generated_requirements_file_is_not_edited_but_its_input_named(tmp_path):
    (tmp_path / "requirements.in").write_text("scikit-learn==1.4.1\n")
    header = "#\n# This file is autogenerated by pip-compile with Python 3.11\n# by the following command:\n#\n"
    text = f"{header}#    pip-compile requirements.in\n#\nscikit-learn==1.4.1\n    # via -r requirements.in\n"
    (tmp_path / "requirements.txt").write_text(text)
    fixed = mllint.fix([tmp_path / "requirements.txt"], unsafe=True, select=["ML603"], cwd=tmp_path)
    assert (tmp_path / "requirements.txt").read_text() == text
    (finding,) = fixed.report.findings
    assert finding.fix is None
    assert finding.repair.endswith("; requirements.txt is generated: change requirements.in")


def change(path, before, after):
    return Change(path, path.name, before, after)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "run.sh"
    path.write_bytes(b"old")
    path.chmod(0o751)
    assert writing.write([change(path, b"old", b"new")]) == []
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o751


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_new_file_has_the_mode_of_new_files(tmp_path):
    path, other = tmp_path / ".dockerignore", tmp_path / "other"
    other.touch()
    assert writing.write([change(path, None, b"new")]) == []
    assert path.stat().st_mode == other.stat().st_mode


def test_a_symbolic_link_stays_one(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("this user may make no symbolic links")
    assert writing.write([change(link, b"old", b"new")]) == []
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_file_that_changed_meanwhile_is_not_written_nor_are_the_others(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"edited by hand")
    other.write_bytes(b"old")
    (error,) = writing.write([change(one, b"old", b"new"), change(other, b"old", b"new")])
    assert (error.path, error.message) == ("one", "has changed while it was checked: run again")
    assert other.read_bytes() == b"old"


def test_nothing_is_left_beside_a_written_file(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"old")
    writing.write([change(path, b"old", b"new")])
    assert [each.name for each in tmp_path.iterdir()] == ["Dockerfile"]


def test_what_is_given_instead_of_a_file_is_repaired_and_not_written(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM scratch\n")
    given = MappingProxyType({path: CACHE.encode()})
    fixed = mllint.fix([path], select=["ML402"], cwd=tmp_path, given=given)
    assert fixed.changes[0].after == CACHE.replace("install", "install --no-cache-dir").encode()
    assert path.read_text() == "FROM scratch\n"


def test_files_of_one_build_are_repaired_together(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(CACHE)
    fixed = mllint.fix([tmp_path], select=["ML402"], cwd=tmp_path)
    assert [change.name for change in fixed.changes] == ["a/Dockerfile", "b/Dockerfile"]
    assert fixed.report.findings == ()
    assert len(fixed.report.repaired) == 2
    assert Path(tmp_path / "b" / "Dockerfile").read_text() == CACHE.replace("install", "install --no-cache-dir")
