"""`mllint verify`."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn, Protocol

import typer

from mllint.cli.options import build_args, one_of, wants_color

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.report.verify_steps import Steps
    from mllint.verification.before_after import Comparison
    from mllint.verification.engines import Engine
    from mllint.verification.records import Outcome, Variant
    from mllint.verification.session import Session
    from mllint.verification.verifying import Means

_FORMATS = ("text", "json", "markdown")
_COULD_NOT_RUN = 3
_WIDTH = 120
"""Columns where nobody looks at a terminal."""


def verify(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATHS]...", help="Dockerfiles, and folders that hold some.  [default: .]", show_default=False
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be built and asked, and build nothing.")
    ] = False,
    fix_first: Annotated[
        bool,
        typer.Option(
            "--fix-first",
            help="Verify a copy as it is, apply all fixes to the copy, the unsafe ones too, and verify it again.",
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="With --fix-first: build without cache, again, and after a change of the code."),
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave images and containers, and say how they go.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every step anew.")] = False,
    target: Annotated[str | None, typer.Option(help="The stage that is built; by default the last one.")] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(help="A build argument; without =VALUE taken from the environment.", metavar="NAME=VALUE"),
    ] = None,
    context: Annotated[
        Path | None, typer.Option(help="The build context of every Dockerfile.", file_okay=False, exists=True)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="This configuration file instead of the nearest one.", dir_okay=False, exists=True),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help="Read no configuration file.")] = False,
    format: Annotated[str, typer.Option(help="text, json or markdown.", metavar="FORMAT")] = "text",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show the steps while they run.")] = False,
    color: Annotated[str, typer.Option(help="auto, always or never.", metavar="WHEN")] = "auto",
) -> None:
    """Build images for real, run them, and see whether they do what they should.

    Runs the build steps and the service of the files on the Docker engine: only for files that you trust. Exits with 0
    when all is right, with 1 when something is wrong, with 2 when an input, an option or the configuration cannot be
    used, and with 3 when it could not be verified.
    """
    from mllint.config import ConfigError
    from mllint.verification.plan import PlanError
    from mllint.verification.plan import plan as planned
    from mllint.verification.records import VerifyError

    one_of("--format", format, _FORMATS)
    one_of("--color", color, ("auto", "always", "never"))
    if measure and not fix_first:
        raise typer.BadParameter("measures the states before and after --fix-first", param_hint="--measure")
    choices = _Choices(config, no_config, no_cache, keep, measure, quiet)
    renderer = _renderer(format, color)
    try:
        variants = planned(
            paths or [Path()],
            target=target,
            build_args=build_args(build_arg or ()),
            context=context,
            config=config,
            no_config=no_config,
        )
        if plan:
            sys.stdout.write(renderer.render_plan(variants, _means(variants)))
            return
        look = _compared if fix_first else _verified
        outcomes = look(variants, choices, renderer)
    except (ConfigError, PlanError) as error:
        _give_up(error, 2)
    except VerifyError as error:
        _give_up(error, _COULD_NOT_RUN)
    if any(outcome.obstacle is not None for outcome in outcomes):
        # As for `mllint check`, what could not be looked at counts more than what is wrong.
        raise typer.Exit(_COULD_NOT_RUN)
    raise typer.Exit(int(any(outcome.is_wrong for outcome in outcomes)))


def _give_up(error: Exception, code: int) -> NoReturn:
    typer.echo(f"mllint: {error}", err=True)
    raise typer.Exit(code) from error


class _Choices(NamedTuple):
    config: Path | None
    no_config: bool
    no_cache: bool
    keep: bool
    measure: bool
    quiet: bool


def _verified(variants: Sequence[Variant], choices: _Choices, renderer: _Renderer) -> Sequence[Outcome]:
    from mllint.verification.verifying import verify

    with _running(choices) as (engine, session, steps):
        outcomes = verify(variants, engine, session, no_cache=choices.no_cache, watch=steps)
    sys.stdout.write(renderer.render(outcomes))
    return outcomes


def _compared(variants: Sequence[Variant], choices: _Choices, renderer: _Renderer) -> Sequence[Outcome]:
    from mllint.verification.before_after import compare

    with _running(choices) as (engine, session, steps):
        comparisons = compare(
            variants,
            engine,
            session,
            config=choices.config,
            no_config=choices.no_config,
            no_cache=choices.no_cache,
            measure=choices.measure,
            watch=steps,
        )
    sys.stdout.write(renderer.render_comparisons(comparisons))
    return [each.after.outcome for each in comparisons]


@contextmanager
def _running(choices: _Choices) -> Iterator[tuple[Engine, Session, Steps]]:
    """An engine, and what is made on it: gone at the end, or kept and named."""
    from mllint.report.verify_steps import Steps
    from mllint.verification.engines import answering, connect
    from mllint.verification.session import Session

    engine = connect()
    session = Session(engine.client, choices.keep)
    try:
        with Steps(not choices.quiet) as steps, session:
            try:
                yield engine, session, steps
            finally:
                steps.end()
    except KeyboardInterrupt:
        typer.echo(f"mllint: interrupted{'' if choices.keep else ', what was made is removed'}", err=True)
        raise
    finally:
        if choices.keep:
            with answering():
                kept = list(_kept(session))
            typer.echo("".join(f"{line}\n" for line in kept), nl=False, err=True)


def _kept(session: Session) -> Iterator[str]:
    """What a session left on the engine, and how to remove it."""
    ((name, value),) = session.labels.items()
    filters = {"label": f"{name}={value}"}
    containers = session.client.api.containers(all=True, filters=filters)
    images = session.client.api.images(filters=filters)
    yield from (f"kept container {each['Names'][0].removeprefix('/')}" for each in containers)
    yield from (f"kept image {each['Id'].removeprefix('sha256:')[:12]}" for each in images)
    if containers:
        yield f"remove with: docker rm -fv $(docker ps -aqf label={name}={value})"
    if images:
        yield f"remove with: docker rmi -f $(docker images -qf label={name}={value})"


class _Renderer(Protocol):
    """Turns what came out into a report; a module of mllint.report is one."""

    def render(self, outcomes: Sequence[Outcome]) -> str: ...

    def render_comparisons(self, comparisons: Sequence[Comparison]) -> str: ...

    def render_plan(self, variants: Sequence[Variant], means: Sequence[Means]) -> str: ...


class _Text(NamedTuple):
    """The report for people."""

    color: bool
    columns: int

    def render(self, outcomes: Sequence[Outcome]) -> str:
        from mllint.report.verify_text import render

        return render(outcomes, self.color, self.columns)

    def render_comparisons(self, comparisons: Sequence[Comparison]) -> str:
        from mllint.report.verify_text import render_comparisons

        return render_comparisons(comparisons, self.color, self.columns)

    def render_plan(self, variants: Sequence[Variant], means: Sequence[Means]) -> str:
        from mllint.report.verify_text import render_plan

        return render_plan(variants, means, self.color, self.columns)


def _renderer(form: str, color: str) -> _Renderer:
    if form == "json":
        from mllint.report import verify_json

        return verify_json
    if form == "markdown":
        from mllint.report import verify_markdown

        return verify_markdown
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
    return _Text(wants_color(color), columns)


def _means(variants: Sequence[Variant]) -> list[Means]:
    """With what each variant would be built; a plan needs no engine, but without one it cannot tell."""
    from mllint.verification.engines import connect
    from mllint.verification.records import VerifyError
    from mllint.verification.verifying import Means, means

    try:
        engine = connect()
    except VerifyError as error:
        return [Means(None, (), str(error))] * len(variants)
    return [means(variant, engine) for variant in variants]
