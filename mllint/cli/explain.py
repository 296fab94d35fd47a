"""`mllint explain`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def explain(
    rule: Annotated[str, typer.Argument(help="An id, a name, or a peer's code that stands for one.")],
) -> None:
    """Say what a rule finds, what happens if it is broken, and how to repair it, with its examples."""
    from mllint import catalogue

    found = sorted(catalogue.resolve(rule))
    if not found:
        near = catalogue.suggest(rule)
        raise typer.BadParameter(f"{rule} names no rule" + (f", did you mean {near}?" if near else ""))
    entries = [catalogue.rules()[each] for each in found]
    for entry in entries:
        presets = ", ".join(entry.presets) or "all"
        aliases = f"  Also known as: {', '.join(entry.aliases)}" if entry.aliases else ""
        facts = (
            f"{entry.id} {entry.name}  {entry.severity.value}, presets: {presets}, fix: {entry.fix}\n{aliases}".rstrip()
        )
        _print(facts, catalogue.text(entry))


def _print(facts: str, markdown: str) -> None:
    if not sys.stdout.isatty():
        typer.echo(f"{facts}\n\n{markdown.strip()}\n")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(facts, style="bold", markup=False, highlight=False)
    console.print(Markdown(markdown))
