"""The command line: a module a command, each thin over the functions of `mllint`."""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper

import typer

from mllint.cli.base import base
from mllint.cli.check import check
from mllint.cli.explain import explain
from mllint.cli.inspect import inspect
from mllint.cli.rules import rules
from mllint.cli.verify import verify

app = typer.Typer(
    name="mllint",
    help="Lint, repair and verify the Dockerfiles and requirements files of machine-learning services.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(check)
app.command()(inspect)
app.command()(verify)
app.command()(explain)
app.command()(rules)
app.add_typer(base, name="base")


def _print_version(wanted: bool) -> None:
    if wanted:
        from mllint import __version__, facts

        typer.echo(f"mllint {__version__} (distribution mllint-docker)")
        days = facts.age()
        typer.echo(f"tables of facts: {facts.newest()} ({days} day{'' if days == 1 else 's'} old)")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Lint, repair and verify the Dockerfiles and requirements files of machine-learning services."""


def main() -> None:
    """The console script. Exit codes: 0 clean, 1 findings, 2 unusable input or usage, 130 interrupted."""
    # A run is short and leaves few reference cycles: looking for them costs a sixth of the time.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file may hold what the terminal's encoding does not: show it escaped rather than fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
