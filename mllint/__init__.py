"""Lints, repairs and verifies the Dockerfiles and requirements files of machine-learning services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mllint.findings import Edit, Finding, Fix, InputError, Location, Related, Report, Severity, Undecided

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Edit", "Finding", "Fix", "InputError", "Location", "Related", "Report", "Severity", "Undecided", "lint"]

__version__ = "0.1.0"


def lint(
    paths: Sequence[Path | str] = (".",),
    *,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    preset: str | None = None,
    context: Path | None = None,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    config: Path | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
    given: Mapping[Path, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check files and folders and give what was found.

    The arguments are the options of `mllint check`; `cwd` is the folder that paths are relative to and reports name
    them by, `given` holds contents to use instead of the files (standard input, an unsaved buffer), `progress` is told
    how many of how many Dockerfiles are done. Raises `mllint.config.ConfigError` for a configuration that cannot be used.
    """
    from mllint import engine
    from mllint.choices import Choices, SettingsLookup
    from mllint.discovery import discover
    from mllint.inputs import Inputs

    here = (cwd or Path.cwd()).absolute()
    inputs = Inputs(here)
    for path, data in (given or {}).items():
        inputs.give(_lexical(here / path), data)
    choices = Choices(
        tuple(select or ()),
        tuple(ignore),
        preset,
        _lexical(here / context) if context else None,
        target,
        build_args or {},
        here / config if config else None,
        no_config,
    )
    found = discover([_lexical(here / path) for path in paths], inputs, SettingsLookup(choices), choices.context)
    return engine.run(found, inputs, progress)


def _lexical(path: Path) -> Path:
    """An absolute path without `.` and `..`, links left as they are."""
    import os

    return Path(os.path.normpath(path))
