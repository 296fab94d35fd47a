"""Which images to build and run: the variants of the configuration, else one for each Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.choices import Choices, SettingsLookup, lexical
from mllint.discovery import discover
from mllint.image.build import Build
from mllint.inputs import Inputs
from mllint.patterns import regex
from mllint.verification.configuration import VariantSettings
from mllint.verification.records import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mllint.config import Settings
    from mllint.discovery import Target

_AFFIX = regex(r"(?P<before>.*?)[._-]?(?:docker|container)file(?:[._-](?P<behind>.*))?", re.IGNORECASE)


class PlanError(Exception):
    """There is nothing that could be verified, for which the caller or the configuration is to blame (exit code 2)."""


def plan(
    paths: Sequence[Path | str] = (".",),
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    context: Path | str | None = None,
    config: Path | str | None = None,
    no_config: bool = False,
    cwd: Path | None = None,
) -> tuple[Variant, ...]:
    """The variants that Dockerfiles and folders stand for, in order, with names of their own.

    The arguments are the options of `mllint verify`. Raises PlanError, and `mllint.config.ConfigError` where a
    configuration cannot be used.
    """
    here = (cwd or Path.cwd()).absolute()
    choices = Choices.made(
        here, context=context, target=target, build_args=build_args, config=config, no_config=no_config
    )
    planner = _Planner(here, choices)
    for path in paths:
        planner.take(lexical(here, path))
    planner.name_others()
    if not planner.variants:
        names = ", ".join(planner.inputs.display(lexical(here, path)) for path in paths)
        raise PlanError(f"there is no Dockerfile in {names}")
    return tuple(planner.variants.values())


class _Planner:
    """Gathers variants, each once."""

    def __init__(self, here: Path, choices: Choices) -> None:
        self.choices = choices
        self.lookup = SettingsLookup(choices)
        self.inputs = Inputs(here)
        self.variants: dict[str, Variant] = {}
        self._others: dict[Path, Target] = {}
        self._seen: set[tuple[Path, str | None]] = set()

    def take(self, path: Path) -> None:
        """Add the variants that a path stands for."""
        if self.inputs.kind(path) == "folder" and self._configured(path):
            return
        found = discover([path], self.inputs, self.lookup, self.choices.context).targets
        self._refuse_errors()
        self._others |= {each.path: each for each in found if not self._of_dockerfile(each.settings, each.path)}

    def name_others(self) -> None:
        """Add variants for the Dockerfiles that no configuration names; only beside one another do they get names."""
        others = list(self._others.values())
        for each, name in zip(others, _names(others, self.variants), strict=True):
            settings = each.settings.verify.defaults if each.settings.verify else VariantSettings()
            self._add(name, each, settings, None)

    def _configured(self, folder: Path) -> bool:
        """Add the variants of the configuration of a folder, or those of them whose Dockerfiles lie in it; whether
        there are any."""
        settings = self.lookup(folder / "Dockerfile")
        is_whole = folder == settings.root or self.choices.config is not None
        return self._of_dockerfile(settings, None if is_whole else folder)

    def _of_dockerfile(self, settings: Settings, place: Path | None) -> bool:
        """Add the configured variants whose Dockerfile is a path or lies below it; whether there are any."""
        is_any = False
        for name, variant in settings.verify.variants.items() if settings.verify else ():
            path = lexical(settings.root, variant.dockerfile)
            if place is None or path.is_relative_to(place):
                self._add_configured(name, path, settings, variant)
                is_any = True
        return is_any

    def _add_configured(self, name: str, path: Path, settings: Settings, variant: VariantSettings) -> None:
        found = discover([path], self.inputs, self._with(settings, variant), self.choices.context)
        errors = [f"{error.path}: {error.message}" for error in self.inputs.errors]
        if errors or not found.targets:
            why = "; ".join(errors) or f"{self.inputs.display(path)} is no Dockerfile"
            raise PlanError(f"the variant {name}: {why}")
        # Two configurations may use one name.
        is_other = name in self.variants and (path, name) not in self._seen
        self._add(f"{settings.root.name}-{name}" if is_other else name, found.targets[0], variant, settings.root)

    def _with(self, configured: Settings, variant: VariantSettings) -> Callable[[Path], Settings]:
        """The settings of Dockerfiles with what a variant says, over which the command line wins."""

        def settings_for(path: Path) -> Settings:
            settings = self.lookup(path)
            context = settings.context if variant.context is None else str(configured.root / variant.context)
            build_args = {**settings.build_args, **variant.build_args, **self.choices.build_args}
            target = self.choices.target or variant.target or settings.target
            return settings._replace(context=context, target=target, build_args=build_args)

        return settings_for

    def _add(self, name: str, target: Target, settings: VariantSettings, root: Path | None) -> None:
        key = (target.path, name if root is not None else None)
        if key in self._seen:
            return
        self._seen.add(key)
        build = Build(target.dockerfile, target.context, target.settings, target.services)
        self._check(build, target.path)
        self.variants[name] = Variant(
            name,
            build,
            target.path,
            settings.gpus,
            settings.port,
            settings.health,
            settings.env,
            settings.requests,
            settings.provider,
            settings.root,
            settings.limits,
            settings.base_images,
        )

    def _check(self, build: Build, path: Path) -> None:
        shown = self.inputs.display(path)
        if not build.stages:
            raise PlanError(f"{shown} has no FROM: there is nothing to build")
        if build.final is None:
            stages = ", ".join(stage.name or str(stage.index) for stage in build.stages)
            raise PlanError(f"{shown} has no stage {build.settings.target}, its stages are {stages}")
        if not build.context.root.is_dir():
            raise PlanError(f"the build context of {shown} is no folder: {self.inputs.display(build.context.root)}")

    def _refuse_errors(self) -> None:
        if self.inputs.errors:
            raise PlanError("; ".join(f"{error.path}: {error.message}" for error in self.inputs.errors))


def _names(targets: Sequence[Target], taken: Collection[str]) -> list[str]:
    """A name for each Dockerfile: what its own name adds to the word Dockerfile, else its folder, with the number of
    the Dockerfile where that is the name of another one."""
    affixes = [(target.path.parent, _affix(target.path)) for target in targets]
    folders = {folder for folder, _ in affixes}
    names: list[str] = []
    for folder, affix in affixes:
        plain = "cpu" if (folder, "gpu") in affixes or (folder, "cuda") in affixes else "default"
        # One folder of several tells more than what its Dockerfile is for.
        name = affix or (folder.name if len(folders) > 1 else plain)
        if affix and (name in names or name in taken):
            name = f"{folder.name}-{affix}"
        names.append(name if name not in (*names, *taken) else f"{name}-{len(names) + 1}")
    return names


def _affix(path: Path) -> str:
    """`gpu` of Dockerfile.gpu and gpu.Dockerfile, empty for Dockerfile."""
    match = _AFFIX.fullmatch(path.name)
    return (match["behind"] or match["before"]).lower() if match else path.stem.lower()
