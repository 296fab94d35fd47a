"""The steps of a verification on the terminal while it runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from mllint.report import verify_rows
from mllint.report.shown import shown

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

    from mllint.verification.builders import Step
    from mllint.verification.records import Variant

_SHOWN = 10
"""Steps that are shown, the latest ones."""
_ECHO = 4
"""Columns that stay free: behind a full line, the `^C` of a terminal would begin another one."""


class _Shown(NamedTuple):
    step: Step
    begun: float


class Steps:
    """Shows on standard error what a verification is at, what it has just done, and how long each step took.

    Nothing is left of it at the end, and nothing is shown where standard error is no terminal.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._title = ""
        self._steps: dict[int, _Shown] = {}
        self._live: Live | None = None
        self._spinner: Spinner | None = None

    def __enter__(self) -> Self:
        if self._wanted:
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            self._spinner = Spinner("dots")
            console = Console(stderr=True, highlight=False, markup=False, emoji=False)
            self._live = Live(self, console=console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, variant: Variant, state: str = "") -> None:
        """From here on it is about another variant, or another state of it."""
        title = verify_rows.title(variant)
        self._title, self._steps = f"{title}, {state}" if state else title, {}

    def end(self) -> None:
        """What was made is being removed."""
        self._title, self._steps = "removing what was made", {}

    def step(self, step: Step) -> None:
        """A step begins or ends."""
        there = self._steps.get(step.number)
        begun = there.begun if there else time.monotonic()
        # Replaced as a whole: the display reads it in a thread of its own.
        self._steps = {**self._steps, step.number: _Shown(step, begun)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.table import Table
        from rich.text import Text

        yield Text(shown(self._title), style="bold", overflow="ellipsis", no_wrap=True)
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.width = max(1, options.max_width - _ECHO)
        table.add_column(width=1)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True)
        # What still runs stands last, however many steps began after it.
        steps = sorted(self._steps.values(), key=lambda each: each.step.state == "started")
        for each in steps[-_SHOWN:]:
            self._add(table, each)
        yield table

    def _add(self, table: Table, shown_step: _Shown) -> None:
        from rich.text import Text

        step, begun = shown_step
        name = shown(step.name)
        if step.state == "started":
            table.add_row(self._spinner, Text(name), Text(f"{time.monotonic() - begun:.1f} s"))
            return
        mark = Text("✗", style="red") if step.state == "failed" else Text("✓", style="green")
        took = "cached" if step.state == "cached" else f"{step.seconds or 0.0:.1f} s"
        table.add_row(mark, Text(name, style="dim"), Text(took, style="dim"))
