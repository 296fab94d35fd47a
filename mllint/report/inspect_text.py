"""The inspection of an image for people: 80 columns, plain unless colours are wanted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

from mllint.inspection.records import Known
from mllint.report import inspect_rows
from mllint.report.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from mllint.inspection.records import Inspection
    from mllint.report.inspect_rows import Row

_WIDTH = 80
_NARROWEST = 40
_LABEL = 26
_PLACE = 35
_ABOUT_LAYERS = (
    "A layer is built anew when its text, the base or a layer above it changes, and when what <- names does."
)


class Section(NamedTuple):
    """A heading with its rows."""

    title: str
    rows: list[Row]


def render(made: Inspection, color: bool, columns: int = _WIDTH) -> str:
    """The inspection as text of at most 80 columns, or of `columns` where these are fewer and at least 40."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out,
        width=max(_NARROWEST, min(_WIDTH, columns)),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(Text(shown(made.dockerfile), style="bold"), overflow="fold")
    console.print(Text(inspect_rows.heading(made)), overflow="fold")
    for section in _sections(made):
        if section.rows:
            console.print()
            console.print(Text(section.title, style="bold"), overflow="fold")
            console.print(_table(section.rows))
    if made.layers:
        console.print()
        console.print(Text(_ABOUT_LAYERS, style="dim"))
    if made.undecided:
        console.print()
        number = len(made.undecided)
        said = "1 value is not decided" if number == 1 else f"{number} values are not decided"
        console.print(Text(f"{said} by these files; each has its reason above.", style="dim"), overflow="fold")
    return "".join(line.rstrip() + "\n" for line in out.getvalue().split("\n")[:-1])


def _table(rows: Sequence[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=min(_LABEL, max(len(row.label) for row in rows)) + 2, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    table.add_column(width=min(_PLACE, max(len(row.place) for row in rows)), overflow="fold")
    for row in rows:
        label = Text(f"  {row.label}")
        value = Text(f"? {row.value}" if row.is_open else row.value, style="yellow" if row.is_open else "")
        table.add_row(label, value, Text(row.place, style="dim"))
    return table


def _sections(made: Inspection) -> Iterator[Section]:
    place = inspect_rows.Places(made)
    yield Section("Base", list(inspect_rows.base(made, place)))
    yield Section("Configuration", list(inspect_rows.configuration(made, place)))
    yield Section("Environment", list(inspect_rows.variables(made, place)))
    for each in made.environments:
        version = f"Python {each.version.value}" if isinstance(each.version, Known) else "Python"
        prefix = each.prefix.value if isinstance(each.prefix, Known) else "the base"
        yield Section(f"Packages of {shown(prefix)} ({shown(version)})", list(inspect_rows.packages(each, place)))
    yield Section("Other packages", list(inspect_rows.other_packages(made)))
    yield Section("Download", list(inspect_rows.download(made, place)))
    yield Section("GPU", list(inspect_rows.accelerator(made, place)))
    yield Section("Programs", list(inspect_rows.programs(made, place)))
    yield Section("Files", [inspect_rows.files(each, place) for each in made.files])
    for title, rows in inspect_rows.layers(made, place):
        yield Section(title, rows)
