"""`mllint inspect`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from mllint.cli.options import build_args, one_of, wants_color


def inspect(
    path: Annotated[Path, typer.Argument(metavar="[DOCKERFILE]", help="A Dockerfile, or a folder with one.")] = Path(),
    target: Annotated[str | None, typer.Option(help="The stage that is built; by default the last one.")] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(help="A build argument; without =VALUE taken from the environment.", metavar="NAME=VALUE"),
    ] = None,
    context: Annotated[Path | None, typer.Option(help="The build context.", file_okay=False, exists=True)] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="This configuration file instead of the nearest one.", dir_okay=False, exists=True),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help="Read no configuration file.")] = False,
    format: Annotated[str, typer.Option(help="text or json.", metavar="FORMAT")] = "text",
    color: Annotated[str, typer.Option(help="auto, always or never.", metavar="WHEN")] = "auto",
) -> None:
    """Show what an image will be like before it is built, with the line that each value comes from.

    Exits with 2 when there is no such Dockerfile or stage, or when an option or the configuration cannot be used.
    """
    import mllint
    from mllint.config import ConfigError
    from mllint.inspection import inspection

    one_of("--format", format, ("text", "json"))
    one_of("--color", color, ("auto", "always", "never"))
    try:
        build = mllint.inspect(
            path,
            target=target,
            build_args=build_args(build_arg or ()),
            context=context,
            config=config,
            no_config=no_config,
        )
    except (ConfigError, mllint.InspectError) as error:
        typer.echo(f"mllint: {error}", err=True)
        raise typer.Exit(2) from None
    assert build.final is not None
    made = inspection(build.final)
    if format == "json":
        from mllint.report import inspect_json

        sys.stdout.write(inspect_json.render(made))
    else:
        from mllint.report import inspect_text

        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        sys.stdout.write(inspect_text.render(made, wants_color(color), columns))
