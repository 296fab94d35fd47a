"""`mllint rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.catalogue import Rule


def rules(
    format: Annotated[str, typer.Option(help="text or json.", metavar="FORMAT")] = "text",
) -> None:
    """List the rules."""
    from mllint import catalogue

    entries = sorted(catalogue.rules().values(), key=lambda rule: rule.id)
    if format == "json":
        import json

        typer.echo(json.dumps([_as_json(rule) for rule in entries], indent=2))
    elif format == "text":
        _print_table(entries)
    else:
        raise typer.BadParameter(f"{format!r} is none of text, json", param_hint="--format")


def _as_json(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "name": rule.name,
        "severity": rule.severity.value,
        "family": rule.family,
        "presets": list(rule.presets),
        "fix": rule.fix,
        "aliases": list(rule.aliases),
    }


def _print_table(entries: Iterable[Rule]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "severity", "preset", "fix"):
        table.add_column(heading, no_wrap=True)
    for rule in entries:
        table.add_row(rule.id, rule.name, rule.severity.value, rule.presets[0] if rule.presets else "all", rule.fix)
    Console().print(table)
