"""What a caller chooses for one run, laid over the configuration of each file."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mllint import catalogue, config
from mllint.config import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Choices(NamedTuple):
    """The options of the command line; what is None or empty leaves the configuration as it is."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    preset: str | None = None
    context: Path | None = None
    target: str | None = None
    build_args: Mapping[str, str] = MappingProxyType({})
    config: Path | None = None
    """This file instead of the nearest one of each input."""
    no_config: bool = False

    @classmethod
    def made(
        cls,
        here: Path,
        *,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        preset: str | None = None,
        context: Path | str | None = None,
        target: str | None = None,
        build_args: Mapping[str, str] | None = None,
        config: Path | str | None = None,
        no_config: bool = False,
    ) -> Choices:
        """The choices of a caller in the folder `here`, which paths are relative to."""
        return cls(
            tuple(select),
            tuple(ignore),
            preset,
            lexical(here, context) if context is not None else None,
            target,
            build_args or {},
            lexical(here, config) if config is not None else None,
            no_config,
        )


def lexical(here: Path, path: Path | str) -> Path:
    """An absolute path without `.` and `..`, links left as they are."""
    return Path(os.path.normpath(here / path))


class SettingsLookup:
    """The settings of each file: its nearest configuration with the choices of the run on top."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self._found: dict[Path, Path | None] = {}
        self._loaded: dict[Path, Settings] = {}

    def __call__(self, path: Path) -> Settings:
        """The settings for a file. Raises ConfigError where its configuration cannot be used."""
        settings = self._configured(path.parent)
        if settings.dockerfiles and path.is_relative_to(settings.root):
            settings = settings.for_dockerfile(path.relative_to(settings.root).as_posix())
        return self._with_choices(settings)

    def _configured(self, folder: Path) -> Settings:
        if self.choices.no_config:
            return Settings(folder)
        if self.choices.config is not None:
            return self._load(self.choices.config)
        if folder not in self._found:
            self._found[folder] = config.find(folder)
        file = self._found[folder]
        return Settings(folder) if file is None else self._load(file)

    def _load(self, file: Path) -> Settings:
        if file not in self._loaded:
            names = [name for rule in catalogue.rules().values() for name in (rule.id, rule.name)]
            self._loaded[file] = config.load(file, lambda selector: bool(catalogue.resolve(selector)), names)
        return self._loaded[file]

    def _with_choices(self, settings: Settings) -> Settings:
        choices = self.choices
        return settings._replace(
            select=choices.select or settings.select,
            extend_select=() if choices.select else settings.extend_select,
            ignore={**settings.ignore, **dict.fromkeys(choices.ignore, "")},
            preset=choices.preset or settings.preset,
            target=choices.target or settings.target,
            build_args={**settings.build_args, **choices.build_args},
        )
