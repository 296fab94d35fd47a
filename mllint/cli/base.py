"""`mllint base`."""

from __future__ import annotations

from typing import Annotated

import typer

base = typer.Typer(help="Describe base images for the configuration.", no_args_is_help=True)

_COULD_NOT_RUN = 3


@base.command()
def describe(
    image: Annotated[str, typer.Argument(help="An image that the Docker engine of this machine has.", metavar="IMAGE")],
    format: Annotated[str, typer.Option(help="yaml or json.", metavar="FORMAT")] = "yaml",
    name: Annotated[
        str | None,
        typer.Option(help="Pattern of the images that it describes; IMAGE if not given.", metavar="PATTERN"),
    ] = None,
) -> None:
    """Look into an image, without running anything of it, and print an entry of `bases` for the configuration."""
    from mllint.describe import document
    from mllint.engine_images import EngineError
    from mllint.engine_images import describe as look_into

    if format not in ("yaml", "json"):
        raise typer.BadParameter(f"{format!r} is none of yaml, json", param_hint="--format")
    try:
        content = document(name or image, look_into(image))
    except EngineError as error:
        typer.echo(f"mllint: {error}", err=True)
        raise typer.Exit(_COULD_NOT_RUN) from error
    typer.echo(_json(content) if format == "json" else _yaml(content), nl=False)


def _json(content: object) -> str:
    import json

    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _yaml(content: object) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
