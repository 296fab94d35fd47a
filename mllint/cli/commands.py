"""The commands, put together."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("check", "inspect", "verify", "explain", "rules", "base")


def command_line(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The commands of these names: to build those that nobody calls takes a while."""
    app = typer.Typer(
        name="mllint",
        help="Lint, repair and verify the Dockerfiles and requirements files of machine-learning services.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names:
        command = getattr(import_module(f"mllint.cli.{name}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command()(command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from mllint import __version__, facts

        typer.echo(f"mllint {__version__} (distribution mllint-docker)")
        days = facts.age()
        typer.echo(f"tables of facts: {facts.newest()} ({days} day{'' if days == 1 else 's'} old)")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Lint, repair and verify the Dockerfiles and requirements files of machine-learning services."""
