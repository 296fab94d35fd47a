"""A verification as a comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.report import verify_rows
from mllint.report.markdown import escaped
from mllint.report.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mllint.report.verify_rows import Cell
    from mllint.verification.before_after import Comparison
    from mllint.verification.records import Outcome, Row, Variant
    from mllint.verification.verifying import Means

_MARKS = {"pass": "✅", "fail": "❌", "note": verify_rows.NOTHING}
_VERDICTS = {"right": "✅", "wrong": "❌", "not verified": "⚠️"}


def render(outcomes: Sequence[Outcome]) -> str:
    """What came out as Markdown: a table a variant, and logs to be folded out. Credentials are masked."""
    lines = [f"### mllint verify: {verify_rows.sentence(outcomes)}", ""]
    for outcome in outcomes:
        lines += _outcome(outcome)
    return "\n".join(lines)


def render_comparisons(comparisons: Sequence[Comparison]) -> str:
    """Each variant before and after the fixes, then what came out after them as `render` has it."""
    lines = ["### mllint verify: before and after the fixes", ""]
    for comparison in comparisons:
        rows = ((label, _cell(before), _cell(after)) for label, before, after in verify_rows.compared(comparison))
        lines += [f"#### {escaped(verify_rows.title(comparison.variant))}", ""]
        lines += table("", "before", "after all fixes", rows=rows)
        lines += [*(f"- {escaped(fix)}" for fix in verify_rows.fixes(comparison)), ""]
    return "\n".join((*lines, render([each.after.outcome for each in comparisons])))


def render_plan(variants: Sequence[Variant], means: Sequence[Means]) -> str:
    """What would be built and asked, each variant with what would build it."""
    lines = ["### mllint verify: plan", ""]
    for variant, how in zip(variants, means, strict=True):
        lines += [f"#### {escaped(verify_rows.title(variant))}", ""]
        lines += table("", "", rows=verify_rows.planned(variant, how))
    return "\n".join(lines)


def table(*heads: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, with an empty one behind it."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"
    yield ""


def _cell(cell: Cell) -> str:
    return cell.text if cell.outcome == "note" else f"{_MARKS[cell.outcome]} {cell.text}"


def _outcome(outcome: Outcome) -> Iterator[str]:
    verdict = verify_rows.verdict(outcome)
    yield f"#### {_VERDICTS[verdict]} {escaped(verify_rows.title(outcome.variant))}: {verdict}"
    yield ""
    if outcome.rows:
        cells = ((_MARKS[row.outcome], shown(row.name), shown(row.value)) for row in outcome.rows)
        yield from table("", "", "", rows=cells)
    if outcome.obstacle is not None:
        yield from (f"Not verified: {escaped(' '.join(verify_rows.log([outcome.obstacle])))}", "")
    for note in (f"built with {outcome.builder}", *outcome.notes) if outcome.builder else outcome.notes:
        yield f"- {escaped(shown(note))}"
    yield ""
    for row in outcome.rows:
        if row.detail:
            yield from _log(row)


def _log(row: Row) -> Iterator[str]:
    lines = verify_rows.log(row.detail)
    fence = "`" * max(3, 1 + max(_longest_run(line) for line in lines))
    yield from (f"<details><summary>{escaped(shown(row.name))}</summary>", "", f"{fence}text")
    yield from lines
    yield from (fence, "</details>", "")


def _longest_run(line: str) -> int:
    """How many backticks the line has in a row."""
    longest = 0
    while "`" * (longest + 1) in line:
        longest += 1
    return longest
