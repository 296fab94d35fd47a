"""How much a run found, in numbers and in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Severity
from mllint.report.shown import settled, visible

if TYPE_CHECKING:
    from mllint.findings import Report

_NAMED = 4
"""Files that are named; more are counted."""


class Totals(NamedTuple):
    """The counts of a report."""

    by_severity: dict[Severity, int]
    """For every severity, worst first."""
    files: int
    safe_fixes: int
    unsafe_fixes: int
    suppressed: int
    unread: int
    """Inputs that could not be read."""


def totals(report: Report) -> Totals:
    """Count what is in a report."""
    by_severity = dict.fromkeys(Severity, 0)
    fixes = {"safe": 0, "unsafe": 0}
    for finding in report.findings:
        by_severity[settled(finding)[1]] += 1
        if finding.fix:
            fixes[finding.fix.applicability] += 1
    return Totals(by_severity, len(report.files), fixes["safe"], fixes["unsafe"], report.suppressed, len(report.errors))


def sentence(report: Report) -> str:
    """The outcome of a run: `Found 3 errors in 4 files (1 fixable with --fix)`, `All checks passed: 4 files`."""
    counts = totals(report)
    files = count(counts.files, "file")
    unread = f"{count(counts.unread, 'input')} could not be read" if counts.unread else ""
    if report.findings:
        found = ", ".join(_amount(number, severity) for severity, number in counts.by_severity.items() if number)
        said = f"Found {found} in {files}{_remarks(counts)}"
    elif not report.files:
        said = "" if unread else "No Dockerfile or requirements file found"
    elif unread:
        said = f"Found nothing in {files}{_remarks(counts)}"
    else:
        said = f"All checks passed: {files}{_remarks(counts)}"
    return "; ".join(filter(None, (said, unread)))


def repairs(report: Report) -> str:
    """What a run repaired: `3 findings in Dockerfile and requirements.txt`."""
    *others, last = sorted({edit.path for finding in report.repaired if finding.fix for edit in finding.fix.edits})
    where = f"{visible(', '.join(others))} and {visible(last)}" if others else visible(last)
    if len(others) >= _NAMED:
        where = f"{len(others) + 1} files"
    return f"{count(len(report.repaired), 'finding')} in {where}"


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _amount(number: int, severity: Severity) -> str:
    if severity in (Severity.ERROR, Severity.WARNING):
        return count(number, severity.value)
    return f"{number} {severity.value}"


def _remarks(counts: Totals) -> str:
    remarks = []
    if counts.safe_fixes:
        remarks.append(f"{counts.safe_fixes} fixable with --fix")
    if counts.unsafe_fixes:
        more = " more" if counts.safe_fixes else " fixable"
        remarks.append(f"{counts.unsafe_fixes}{more} with --unsafe-fixes")
    if counts.suppressed:
        remarks.append(f"{counts.suppressed} suppressed")
    return f" ({', '.join(remarks)})" if remarks else ""
