"""The report for programs: JSON of schema 1. The same report gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mllint
from mllint.masking import mask
from mllint.report.shown import settled
from mllint.report.summary import totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.findings import Edit, Finding, Fix, Report
    from mllint.sources.text import Source

SCHEMA = 1


def render(report: Report) -> str:
    """The report as a JSON object in ASCII, ending in a newline.

    Lines and columns (code points) count from 1, ends are exclusive; an edit that creates a file has them null. A fix
    is null also where it edits a file that no finding of the report points into, as its places then cannot be told.
    Credentials are masked everywhere, so a replacement that holds one must be taken from the file itself.
    """
    import json

    sources = _sources(report)
    content = {
        "schema": SCHEMA,
        "tool_version": mllint.__version__,
        "findings": [_finding(finding, sources) for finding in report.findings],
        "errors": [{"path": e.path, "line": e.line, "message": _masked(e.message)} for e in report.errors],
        "undecided": [{"path": q.path, "line": q.line, "message": _masked(q.message)} for q in report.undecided],
        "summary": _summary(report),
    }
    return json.dumps(content, indent=2) + "\n"


def _finding(finding: Finding, sources: Mapping[str, Source]) -> dict[str, Any]:
    rule, severity = settled(finding)
    line, column = finding.location.start
    end_line, end_column = finding.location.end
    return {
        "rule": rule.id,
        "name": rule.name,
        "severity": severity.value,
        "message": _masked(finding.message),
        "path": finding.location.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "related": [
            {"path": place.location.path, "line": place.location.start[0], "message": _masked(place.message)}
            for place in finding.related
        ],
        "aliases": list(rule.aliases),
        "url": rule.url,
        "fix": _fix(finding.fix, sources) if finding.fix else None,
    }


def _fix(fix: Fix, sources: Mapping[str, Source]) -> dict[str, Any] | None:
    if any(edit.span and edit.path not in sources for edit in fix.edits):
        return None
    edits = [_edit(edit, sources) for edit in fix.edits]
    return {"applicability": fix.applicability, "title": _masked(fix.title), "edits": edits}


def _edit(edit: Edit, sources: Mapping[str, Source]) -> dict[str, Any]:
    line = column = end_line = end_column = None
    if edit.span:
        source = sources[edit.path]
        line, column = source.position(edit.span.start)
        end_line, end_column = source.position(edit.span.end)
    return {
        "path": edit.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "text": _masked(edit.text),
    }


def _summary(report: Report) -> dict[str, int]:
    counts = totals(report)
    return {
        **{severity.value: number for severity, number in counts.by_severity.items()},
        "files": counts.files,
        "fixable": counts.safe_fixes + counts.unsafe_fixes,
        "suppressed": counts.suppressed,
    }


def _sources(report: Report) -> dict[str, Source]:
    places = [place for f in report.findings for place in (f.location, *(related.location for related in f.related))]
    return {place.path: place.source for place in places}


def _masked(text: str) -> str:
    return mask(text, keep_width=False)
