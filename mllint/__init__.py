"""Lints, repairs and verifies the Dockerfiles and requirements files of machine-learning services."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.findings import Edit, Finding, Fix, InputError, Location, Related, Report, Severity, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mllint.choices import Choices
    from mllint.discovery import Found
    from mllint.image.build import Build
    from mllint.inputs import Inputs

__all__ = [
    "Edit",
    "Finding",
    "Fix",
    "InputError",
    "InspectError",
    "Location",
    "Related",
    "Report",
    "Severity",
    "Undecided",
    "find",
    "inspect",
    "lint",
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
    choices = Choices(
        select=tuple(select),
        ignore=tuple(ignore),
        preset=preset,
        context=_lexical(here, context) if context is not None else None,
        target=target,
        build_args=build_args or {},
        config=_lexical(here, config) if config is not None else None,
        no_config=no_config,
    )
    inputs = _inputs(here, given)
    return engine.run(_found(paths, inputs, choices), inputs, progress)


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
    choices = Choices(
        context=_lexical(here, context) if context is not None else None,
        config=_lexical(here, config) if config is not None else None,
        no_config=no_config,
    )
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
    from mllint.choices import Choices
    from mllint.inspection.selection import chosen

    here = (cwd or Path.cwd()).absolute()
    choices = Choices(
        context=_lexical(here, context) if context is not None else None,
        target=target,
        build_args=build_args or {},
        config=_lexical(here, config) if config is not None else None,
        no_config=no_config,
    )
    inputs = _inputs(here, None)
    return chosen(_lexical(here, path), _found([path], inputs, choices), inputs)


def _inputs(here: Path, given: Mapping[Path, bytes] | None) -> Inputs:
    from mllint.inputs import Inputs

    inputs = Inputs(here)
    for path, data in (given or {}).items():
        inputs.give(_lexical(here, path), data)
    return inputs


def _found(paths: Sequence[Path | str], inputs: Inputs, choices: Choices) -> Found:
    from mllint.choices import SettingsLookup
    from mllint.discovery import discover

    return discover([_lexical(inputs.cwd, path) for path in paths], inputs, SettingsLookup(choices), choices.context)


def _lexical(here: Path, path: Path | str) -> Path:
    """An absolute path without `.` and `..`, links left as they are."""
    return Path(os.path.normpath(here / path))
