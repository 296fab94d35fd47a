"""The report for programs: JSON of schema 1. The same report gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mllint
from mllint.findings import Edit
from mllint.masking import mask
from mllint.report.shown import settled
from mllint.report.summary import totals

if TYPE_CHECKING:
    from mllint.findings import Finding, Fix, NewFile, Report

SCHEMA = 1


def render(report: Report) -> str:
    """The report as a JSON object in ASCII, ending in a newline.

    Lines and columns (code points) count from 1, ends are exclusive; an edit that makes a file has them null.
    Credentials are masked everywhere, so a replacement that holds one must be taken from the file itself.
    """
    import json

    content = {
        "schema": SCHEMA,
        "tool_version": mllint.__version__,
        "findings": [_finding(finding) for finding in report.findings],
        "errors": [{"path": e.path, "line": e.line, "message": mask(e.message)} for e in report.errors],
        "undecided": [{"path": q.path, "line": q.line, "message": mask(q.message)} for q in report.undecided],
        "repaired": [_repair(finding) for finding in report.repaired],
        "refused": [{**_repair(each.finding), "reason": mask(each.reason)} for each in report.refused],
        "summary": _summary(report),
    }
    return json.dumps(content, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    rule, severity = settled(finding)
    line, column = finding.location.start
    end_line, end_column = finding.location.end
    return {
        "rule": rule.id,
        "name": rule.name,
        "severity": severity.value,
        "message": mask(finding.message),
        "path": finding.location.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "related": [
            {"path": place.location.path, "line": place.location.start[0], "message": mask(place.message)}
            for place in finding.related
        ],
        "aliases": list(rule.aliases),
        "url": rule.url,
        "fix": _fix(finding.fix) if finding.fix else None,
    }


def _repair(finding: Finding) -> dict[str, Any]:
    """A finding by its place before the repair, and what the repair is."""
    rule, _ = settled(finding)
    title = mask(finding.fix.title) if finding.fix else ""
    line, column = finding.location.start
    return {"rule": rule.id, "path": finding.location.path, "line": line, "column": column, "title": title}


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [_edit(edit) for edit in fix.edits]
    return {"applicability": fix.applicability, "title": mask(fix.title), "edits": edits}


def _edit(edit: Edit | NewFile) -> dict[str, Any]:
    line = column = end_line = end_column = None
    if isinstance(edit, Edit):
        line, column = edit.location.start
        end_line, end_column = edit.location.end
    return {
        "path": edit.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "text": mask(edit.text),
    }


def _summary(report: Report) -> dict[str, int]:
    counts = totals(report)
    return {
        **{severity.value: number for severity, number in counts.by_severity.items()},
        "files": counts.files,
        "repaired": len(report.repaired),
        "fixable": counts.safe_fixes + counts.unsafe_fixes,
        "suppressed": counts.suppressed,
    }
