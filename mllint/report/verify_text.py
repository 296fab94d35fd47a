"""A verification for people: what came out, what is to be done, and the state before and after fixes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mllint.report import verify_rows
from mllint.report.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mllint.report.verify_rows import Cell
    from mllint.verification.before_after import Comparison
    from mllint.verification.records import Outcome, Row, Variant
    from mllint.verification.verifying import Means

_NARROWEST = 40
_MARKS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "note": (verify_rows.NOTHING, "yellow")}
_VERDICTS = {"right": "green", "wrong": "red", "not verified": "yellow"}


def render(outcomes: Sequence[Outcome], color: bool, columns: int) -> str:
    """What came out, a table a variant and a sentence, as text of at most `columns` columns and at least 40."""

    def draw(console: Console) -> None:
        from rich.text import Text

        for outcome in outcomes:
            _outcome(console, outcome)
            console.print()
        console.print(Text(verify_rows.sentence(outcomes)), overflow="fold")

    return drawn(draw, color, columns)


def render_comparisons(comparisons: Sequence[Comparison], color: bool, columns: int) -> str:
    """Each variant before and after the fixes, then what came out after them as `render` has it."""

    def draw(console: Console) -> None:
        from rich.text import Text

        for comparison in comparisons:
            console.print(Text(verify_rows.title(comparison.variant), style="bold"), overflow="fold")
            console.print(_beside(comparison))
            for fix in verify_rows.fixes(comparison):
                console.print(Text(f"  {fix}", style="dim"), overflow="fold")
            console.print()

    return drawn(draw, color, columns) + render([each.after.outcome for each in comparisons], color, columns)


def render_plan(variants: Sequence[Variant], means: Sequence[Means], color: bool, columns: int) -> str:
    """What would be built and asked, each variant with what would build it, in as many columns as `render`."""

    def draw(console: Console) -> None:
        from rich.text import Text

        for variant, how in zip(variants, means, strict=True):
            console.print(Text(verify_rows.title(variant), style="bold"), overflow="fold")
            table = grid(2)
            for label, value in verify_rows.planned(variant, how):
                table.add_row(Text(f"  {label}"), Text(value))
            console.print(table)
            console.print()
        console.print(Text("nothing was built"))

    return drawn(draw, color, columns)


def drawn(draw: Callable[[Console], None], color: bool, columns: int) -> str:
    """What `draw` prints on a console, without blanks at the ends of lines."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=max(_NARROWEST, columns),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    draw(console)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().split("\n")[:-1])


def grid(columns: int) -> Table:
    """A table without lines, whose last column takes what room is left and folds."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _beside(comparison: Comparison) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("before", overflow="fold", ratio=1)
    table.add_column("after all fixes", overflow="fold", ratio=1)
    for label, before, after in verify_rows.compared(comparison):
        table.add_row(Text(f"  {label}"), _cell(before), _cell(after))
    return table


def _cell(cell: Cell) -> Text:
    from rich.text import Text

    return Text(cell.text, style="" if cell.outcome == "note" else _MARKS[cell.outcome][1])


def _outcome(console: Console, outcome: Outcome) -> None:
    from rich.text import Text

    verdict = verify_rows.verdict(outcome)
    title = Text(verify_rows.title(outcome.variant), style="bold")
    console.print(title.append(f": {verdict}", style=_VERDICTS[verdict]), overflow="fold")
    table = grid(3)
    notes = grid(2)
    for note in (f"built with {outcome.builder}", *outcome.notes) if outcome.builder else outcome.notes:
        notes.add_row("", Text(shown(note), style="dim"))
    if notes.row_count:
        console.print(notes)
    for row in outcome.rows:
        _add(table, row)
    if outcome.obstacle is not None:
        table.add_row(Text("  !", style="yellow"), Text("not verified"), _lines([outcome.obstacle]))
    console.print(table)


def _add(table: Table, row: Row) -> None:
    from rich.text import Text

    mark, color = _MARKS[row.outcome]
    table.add_row(Text(f"  {mark}", style=color), Text(shown(row.name)), Text(shown(row.value)))
    if row.detail:
        table.add_row("", "", _lines(row.detail, "dim"))


def _lines(lines: Iterable[str], style: str = "") -> Text:
    from rich.text import Text

    return Text("\n".join(verify_rows.log(lines)), style=style)
