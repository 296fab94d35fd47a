"""`mllint check`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypedDict

import typer

from mllint.cli.options import build_args, one_of, wants_color
from mllint.findings import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress, TaskID

    from mllint.discovery import Found
    from mllint.findings import Report
    from mllint.fixing import Change

_FORMATS = ("text", "json", "github")
_FAIL_ON = ("error", "warning", "info", "style", "never")
_OLD = 365
"""Days after which the tables of facts miss so much that a run says so."""


def check(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATHS]...",
            help="Files and folders; - reads standard input. A requirements, ignore, lock or source file stands for the"
            " Dockerfiles whose build context holds it.  [default: .]",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(help="Run only these: ids, names, families, prefixes (ML3), peers' codes (DL3006)."),
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Leave these out.")] = None,
    preset: Annotated[str | None, typer.Option(help="default, strict or all.", metavar="NAME")] = None,
    fail_on: Annotated[
        str,
        typer.Option(help="Exit with 1 from this severity on: error, warning, info, style or never.", metavar="LEVEL"),
    ] = "warning",
    context: Annotated[
        Path | None, typer.Option(help="The build context of every Dockerfile.", file_okay=False, exists=True)
    ] = None,
    target: Annotated[str | None, typer.Option(help="The stage that is built; by default the last one.")] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(help="A build argument; without =VALUE taken from the environment.", metavar="NAME=VALUE"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="This configuration file instead of the nearest one.", dir_okay=False, exists=True),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help="Read no configuration file.")] = False,
    format: Annotated[str, typer.Option(help="text, json or github.", metavar="FORMAT")] = "text",
    output: Annotated[
        list[str] | None,
        typer.Option(
            help="FILE gets the report instead of the screen, FORMAT=FILE one more report.", metavar="[FORMAT=]FILE"
        ),
    ] = None,
    stdin_filename: Annotated[
        str, typer.Option(help="The path that standard input stands for.", metavar="PATH")
    ] = "Dockerfile",
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired safely.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: also repairs that want a look.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would change, write nothing, exit with 1 if it is anything.")
    ] = False,
    show_files: Annotated[
        bool, typer.Option("--show-files", help="Show what would be checked, and with which build context, then exit.")
    ] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Count the findings of each rule instead.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line a finding, nothing else.")] = False,
    color: Annotated[str, typer.Option(help="auto, always or never.", metavar="WHEN")] = "auto",
) -> None:
    """Check Dockerfiles and requirements files, and everything that their builds pull in.

    Exits with 0 when there is nothing at or above --fail-on, with 1 when there is, and with 2 when an input, an option
    or the configuration cannot be used.
    """
    import mllint
    from mllint.config import PRESETS, ConfigError

    one_of("--fail-on", fail_on, _FAIL_ON)
    one_of("--format", format, _FORMATS)
    one_of("--color", color, ("auto", "always", "never"))
    if preset is not None:
        one_of("--preset", preset, PRESETS)
    if unsafe_fixes and not (fix or diff):
        raise typer.BadParameter("says which repairs --fix or --diff is to make", param_hint="--unsafe-fixes")
    chosen, hidden = _selectors("--select", select), _selectors("--ignore", ignore)
    outputs = [_output(each, format) for each in output or ()]
    names, given = _inputs(paths or ["."], stdin_filename)
    options = _Options(
        select=chosen,
        ignore=hidden,
        preset=preset,
        context=context,
        target=target,
        build_args=build_args(build_arg or ()),
        config=config,
        no_config=no_config,
        given=given,
    )
    changes: tuple[Change, ...] = ()
    try:
        if show_files:
            _show(mllint.find(names, context=context, config=config, no_config=no_config))
            return
        if fix or diff:
            report, changes = mllint.fix(names, unsafe=unsafe_fixes, write=not diff, **options)
        else:
            with _Progress(format == "text" and not quiet) as progress:
                report = mllint.lint(names, progress=progress, **options)
    except ConfigError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from None
    render = _Renderer(report, statistics, quiet)
    for form, path in outputs:
        render.write(form, path)
    if diff:
        _show_diff(report, changes, color)
    if fix and given:
        _pass_on(given, changes)
    if not any("=" not in each for each in output or ()):
        # Where the repaired text is the output, the report goes beside it.
        stream = sys.stderr if fix and given else sys.stdout
        stream.write(render(format, wants_color(color, stream)))
    if format == "github":
        render.step_summary()
    if not quiet:
        _warn_of_old_tables()
    raise typer.Exit(_exit_code(report, fail_on))


class _Options(TypedDict):
    """The options that linting and repairing share."""

    select: list[str]
    ignore: list[str]
    preset: str | None
    context: Path | None
    target: str | None
    build_args: dict[str, str]
    config: Path | None
    no_config: bool
    given: dict[Path, bytes]


def _show_diff(report: Report, changes: Sequence[Change], color: str) -> NoReturn:
    from mllint.report import diff, text

    sys.stdout.write(diff.render(changes, color=wants_color(color, sys.stdout)))
    sys.stderr.write(text.render_repairs(report, color=wants_color(color, sys.stderr)))
    raise typer.Exit(2 if report.errors else int(bool(changes)))


def _pass_on(given: dict[Path, bytes], changes: Sequence[Change]) -> None:
    """Write what standard input became to standard output."""
    (data,) = given.values()
    sys.stdout.flush()
    sys.stdout.buffer.write(changes[0].after if changes else data)
    sys.stdout.buffer.flush()


def _warn_of_old_tables() -> None:
    from mllint import facts

    if facts.age() > _OLD:
        typer.echo(
            f"mllint: the tables of facts are of {facts.newest()}, {facts.age()} days old; what has been released since"
            " is unknown: update mllint-docker",
            err=True,
        )


def _selectors(option: str, values: Sequence[str] | None) -> list[str]:
    from mllint import catalogue

    found = [each.strip() for value in values or () for each in value.split(",") if each.strip()]
    for each in found:
        if not catalogue.resolve(each):
            near = catalogue.suggest(each)
            raise typer.BadParameter(
                f"{each} names no rule" + (f", did you mean {near}?" if near else ""), param_hint=option
            )
    return found


def _output(value: str, form: str) -> tuple[str, Path]:
    before, equals, after = value.partition("=")
    if equals and before in _FORMATS:
        return before, Path(after)
    return form, Path(value)


def _inputs(paths: Sequence[str], stdin_filename: str) -> tuple[list[str], dict[Path, bytes]]:
    if "-" not in paths:
        return list(paths), {}
    return [stdin_filename if path == "-" else path for path in paths], {Path(stdin_filename): sys.stdin.buffer.read()}


def _exit_code(report: Report, fail_on: str) -> int:
    if report.errors:
        return 2
    if fail_on == "never":
        return 0
    level = Severity(fail_on)
    return int(any(finding.severity.at_least(level) for finding in report.findings if finding.severity))


def _show(found: Found) -> None:
    for target in found.targets:
        root = target.context.inputs.display(target.context.root)
        ignore = next((name for name in target.context.ignore_names if target.context.find(name)), "no ignore file")
        typer.echo(f"{target.context.inputs.display(target.path)}: context {root} ({target.reason}), {ignore}")
    for loose in found.requirements:
        typer.echo(os.path.relpath(loose.path))


class _Renderer:
    """Renders one report in any of the formats."""

    def __init__(self, report: Report, statistics: bool, quiet: bool) -> None:
        self.report = report
        self.statistics = statistics
        self.quiet = quiet

    def __call__(self, form: str, color: bool = False) -> str:
        if form == "json":
            from mllint.report import json

            return json.render(self.report)
        if form == "github":
            from mllint.report import github

            return github.render(self.report, workspace=_workspace(), directory=Path.cwd())
        from mllint.report import text

        return text.render(self.report, color=color, width=_width(), statistics=self.statistics, quiet=self.quiet)

    def write(self, form: str, path: Path) -> None:
        """Write a report to a file; a path that cannot be written is a usage error."""
        try:
            path.write_text(self(form), encoding="utf-8", newline="\n")
        except OSError as error:
            raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--output") from None

    def step_summary(self) -> None:
        """Append the table of findings to the job's summary, where GitHub Actions names a file for it."""
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            from mllint.report import github

            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(github.summary_markdown(self.report))


def _workspace() -> Path | None:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    return Path(workspace) if workspace else None


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 120


class _Progress:
    """A bar on standard error, drawn only on a terminal and only once a run has taken a second."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted and sys.stderr.isatty()
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.begun = time.monotonic()

    def __enter__(self) -> Callable[[int, int], None] | None:
        return self.show if self.wanted else None

    def show(self, done: int, total: int) -> None:
        if self.bar is None or self.task is None:
            if time.monotonic() - self.begun < 1:
                return
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("Checking", total=total)
        self.bar.update(self.task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
