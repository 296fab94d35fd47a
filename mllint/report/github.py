"""The report for GitHub Actions: annotations on the changed files, and a table for the summary of the job."""

from __future__ import annotations

from posixpath import join, normpath, relpath
from typing import TYPE_CHECKING

from mllint.findings import Severity
from mllint.report.markdown import escaped
from mllint.report.shown import settled, shown, visible
from mllint.report.summary import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mllint.findings import Finding, InputError, Report

SHOWN_PER_LEVEL = 10
"""Annotations of one level that GitHub shows of one step; it drops the others without a word."""
_LEVELS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
    Severity.STYLE: "notice",
}
_ROWS = 200
_SUMMARY_BYTES = 1_000_000
_LONGEST_CELL = 1000


def render(report: Report, *, workspace: Path | None, directory: Path) -> str:
    """The report as workflow commands, one a line: errors first, then warnings, then the rest as notices.

    `directory` is where the paths of the report start (the working directory), `workspace` the root of the checkout
    (GITHUB_WORKSPACE), to which GitHub wants them relative; both absolute, with symbolic links resolved. Without a
    workspace, and for a file outside it, paths stay as they are. One notice says how many GitHub will leave out.
    """
    prefix = _prefix(workspace, directory)
    commands: dict[str, list[str]] = {"error": [_unread(error, prefix) for error in report.errors]}
    for finding in sorted(report.findings, key=lambda finding: settled(finding)[1].rank):
        commands.setdefault(_LEVELS[settled(finding)[1]], []).append(_annotation(finding, prefix))
    errors, warnings, notices = (commands.get(level, []) for level in ("error", "warning", "notice"))
    return "".join(f"{line}\n" for line in (*errors, *warnings, *_left_out(errors, warnings, notices), *notices))


def summary_markdown(report: Report) -> str:
    """The report as Markdown for GITHUB_STEP_SUMMARY: its outcome and a table of at most 200 rows, below 1 MiB."""
    lines = [f"### mllint: {escaped(sentence(report))}", ""]
    rows = [*_unread_rows(report), *_finding_rows(report)]
    if rows:
        lines += ["| Severity | Place | Rule | Finding |", "| --- | --- | --- | --- |"]
    size = sum(map(len, lines))
    listed = 0
    for row in rows[:_ROWS]:
        size += len(row.encode()) + 1
        if size > _SUMMARY_BYTES:
            break
        lines.append(row)
        listed += 1
    if listed < len(rows):
        lines += ["", f"{len(rows) - listed} more are in the log."]
    return "\n".join(lines) + "\n"


def _annotation(finding: Finding, prefix: str | None) -> str:
    rule, severity = settled(finding)
    (line, column), (end_line, end_column) = finding.location.start, finding.location.end
    properties: dict[str, object] = {"file": _path(finding.location.path, prefix), "line": line, "endLine": end_line}
    if line == end_line:  # the runner refuses columns for a range of lines
        properties |= {"col": column, "endColumn": end_column}
    properties["title"] = f"{rule.id} {rule.name}"
    message = f"{visible(finding.location.path)}:{line} {shown(finding.message)}"
    if finding.repair:
        message += "\n" + "\n".join(map(shown, f"help: {finding.repair}".split("\n")))
    return _command(_LEVELS[severity], properties, message)


def _unread(error: InputError, prefix: str | None) -> str:
    properties: dict[str, object] = {"file": _path(error.path, prefix)}
    if error.line is not None:
        properties["line"] = error.line
    return _command("error", properties, f"{visible(error.path)}{_line(error)} {shown(error.message)}")


def _left_out(errors: list[str], warnings: list[str], notices: list[str]) -> Iterator[str]:
    if max(len(errors), len(warnings), len(notices)) > SHOWN_PER_LEVEL:
        with_this_one = len(notices) + 1
        hidden = sum(max(0, number - SHOWN_PER_LEVEL) for number in (len(errors), len(warnings), with_this_one))
        text = f"{hidden} more in the log: GitHub shows {SHOWN_PER_LEVEL} annotations of a level for one step"
        yield _command("notice", {"title": "mllint"}, text)


def _command(level: str, properties: dict[str, object], message: str) -> str:
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level} {written}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _prefix(workspace: Path | None, directory: Path) -> str | None:
    return None if workspace is None else relpath(directory.as_posix(), workspace.as_posix())


def _path(path: str, prefix: str | None) -> str:
    """The path from the root of the checkout; an absolute path, and one that leads out of it, stays as it is."""
    if prefix is None:
        return visible(path)
    from_root = normpath(join(prefix, path))
    return visible(path if from_root.startswith("../") else from_root)


def _line(error: InputError) -> str:
    return "" if error.line is None else f":{error.line}"


def _unread_rows(report: Report) -> Iterator[str]:
    for error in report.errors:
        yield f"| error | {_cell(error.path)}{_line(error)} | | {_cell(error.message)} |"


def _finding_rows(report: Report) -> Iterator[str]:
    for finding in sorted(report.findings, key=lambda finding: settled(finding)[1].rank):
        rule, severity = settled(finding)
        line, column = finding.location.start
        place = f"{_cell(finding.location.path)}:{line}:{column}"
        yield f"| {severity.value} | {place} | [{rule.id} {rule.name}]({rule.url}) | {_cell(finding.message)} |"


def _cell(text: str) -> str:
    whole = shown(text)
    return escaped(whole if len(whole) <= _LONGEST_CELL else whole[: _LONGEST_CELL - 1] + "…")
