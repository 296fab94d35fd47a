"""Lints, repairs and verifies the Dockerfiles and requirements files of machine-learning services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import (
    Edit,
    Finding,
    Fix,
    InputError,
    Location,
    NewFile,
    Refused,
    Related,
    Report,
    Severity,
    Undecided,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mllint.choices import Choices
    from mllint.discovery import Found
    from mllint.fixing import Change
    from mllint.image.build import Build
    from mllint.inputs import Inputs
    from mllint.verification.records import Outcome

__all__ = [
    "Edit",
    "Finding",
    "Fix",
    "InputError",
    "InspectError",
    "Location",
    "NewFile",
    "Refused",
    "Related",
    "Report",
    "Severity",
    "Undecided",
    "find",
    "fix",
    "inspect",
    "lint",
    "verify",
]

__version__ = "0.1.0"


class InspectError(Exception):
    """There is no one image to inspect; str() says why."""


def lint(
    paths: Sequence[Path | str] = (".",),
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    preset: str | None = None,
    context: Path | str | None = None,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
    given: Mapping[Path, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check files and folders and give what was found.

    The arguments are the options of `mllint check`; `cwd` is the folder that paths are relative to and reports name
    them by, `given` holds contents to use instead of the files (standard input, an unsaved buffer), `progress` is told
    how many of how many Dockerfiles are done. Raises `mllint.config.ConfigError` where a configuration cannot be used.
    """
    from mllint import engine
    from mllint.choices import Choices

    here = (cwd or Path.cwd()).absolute()
    choices = Choices.made(
        here,
        select=select,
        ignore=ignore,
        preset=preset,
        context=context,
        target=target,
        build_args=build_args,
        config=config,
        no_config=no_config,
    )
    inputs = _inputs(here, given)
    return engine.run(_found(paths, inputs, choices), inputs, progress)


class Fixed(NamedTuple):
    """What `fix` did."""

    report: Report
    """What is left, with what was repaired and what was not to be."""
    changes: tuple[Change, ...]
    """The files as they were and as they are now."""


def fix(
    paths: Sequence[Path | str] = (".",),
    *,
    unsafe: bool = False,
    write: bool = True,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    preset: str | None = None,
    context: Path | str | None = None,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
    given: Mapping[Path, bytes] | None = None,
) -> Fixed:
    """Repair files and folders: apply the safe fixes of what `lint` finds, and with `unsafe` those that want a look.

    The other arguments are those of `lint`. Without `write` the files stay as they are; of those in `given` only these
    are repaired, and never written. What cannot be written is among the errors of the report. Raises
    `mllint.config.ConfigError` where a configuration cannot be used.
    """
    from mllint import fixing, writing
    from mllint.choices import Choices, lexical

    here = (cwd or Path.cwd()).absolute()
    choices = Choices.made(
        here,
        select=select,
        ignore=ignore,
        preset=preset,
        context=context,
        target=target,
        build_args=build_args,
        config=config,
        no_config=no_config,
    )
    places = [lexical(here, path) for path in paths]
    contents = {lexical(here, path): data for path, data in (given or {}).items()}
    report, changes = fixing.fix(places, here, choices, contents, unsafe)
    failed = writing.write(changes) if write and not contents else []
    return Fixed(report._replace(errors=(*report.errors, *failed)), changes)


def find(
    paths: Sequence[Path | str] = (".",),
    *,
    context: Path | str | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
) -> Found:
    """What `lint` would check: Dockerfiles, each with its build context and why that one, and requirements files."""
    from mllint.choices import Choices

    here = (cwd or Path.cwd()).absolute()
    choices = Choices.made(here, context=context, config=config, no_config=no_config)
    return _found(paths, _inputs(here, None), choices)


def inspect(
    path: Path | str = ".",
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    context: Path | str | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
) -> Build:
    """Carry a Dockerfile out on paper: `build.final` is the stage that the image is made of.

    `path` is the Dockerfile, or a folder that holds one and no more; the other arguments are the options of `mllint
    inspect`. `mllint.inspection.inspection(build.final)` tells what the image will be like. Raises InspectError where
    there is no such file, it is no Dockerfile, there are several, or the target is none of its stages;
    `mllint.config.ConfigError` where a configuration cannot be used.
    """
    from mllint.choices import Choices, lexical
    from mllint.inspection.selection import chosen

    here = (cwd or Path.cwd()).absolute()
    choices = Choices.made(
        here, context=context, target=target, build_args=build_args, config=config, no_config=no_config
    )
    inputs = _inputs(here, None)
    return chosen(lexical(here, path), _found([path], inputs, choices), inputs)


def verify(
    paths: Sequence[Path | str] = (".",),
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    context: Path | str | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    no_cache: bool = False,
    cwd: Path | None = None,
) -> tuple[Outcome, ...]:
    """Build images on the Docker engine, run them, and tell whether they do what they should; then remove them.

    The arguments are the options of `mllint verify`. This runs the build steps and the service of the files. Raises
    `mllint.verification.plan.PlanError` where there is nothing to verify, `mllint.config.ConfigError` where a
    configuration cannot be used, and `mllint.verification.records.VerifyError` where no engine can be used; what keeps
    one variant from being verified stands in its outcome.
    """
    from mllint.verification import verifying
    from mllint.verification.engines import connect
    from mllint.verification.plan import plan
    from mllint.verification.session import Session

    variants = plan(
        paths,
        target=target,
        build_args=build_args,
        context=context,
        config=config,
        no_config=no_config,
        cwd=cwd,
    )
    engine = connect()
    with Session(engine.client) as session:
        return verifying.verify(variants, engine, session, no_cache=no_cache)


def _inputs(here: Path, given: Mapping[Path, bytes] | None) -> Inputs:
    from mllint.choices import lexical
    from mllint.inputs import Inputs

    return Inputs(here, {lexical(here, path): data for path, data in (given or {}).items()})


def _found(paths: Sequence[Path | str], inputs: Inputs, choices: Choices) -> Found:
    from mllint.choices import SettingsLookup, lexical
    from mllint.discovery import discover

    return discover([lexical(inputs.cwd, path) for path in paths], inputs, SettingsLookup(choices), choices.context)
