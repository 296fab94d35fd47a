"""Which Dockerfile and stage are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint import InspectError
from mllint.discovery import is_attached_name
from mllint.image.build import Build
from mllint.sources.file_names import is_dockerfile_name, is_requirements_name

if TYPE_CHECKING:
    from pathlib import Path

    from mllint.discovery import Found
    from mllint.inputs import Inputs


def chosen(path: Path, found: Found, inputs: Inputs) -> Build:
    """The build of the one Dockerfile that a path stands for, of what was found there. Raises InspectError."""
    shown = inputs.display(path)
    if inputs.errors:
        raise InspectError("; ".join(f"{error.path}: {error.message}" for error in inputs.errors))
    posix = path.as_posix()
    if not is_dockerfile_name(path.name) and (is_requirements_name(posix) or is_attached_name(posix)):
        raise InspectError(f"{shown} is no Dockerfile")
    if not found.targets:
        raise InspectError(f"{shown} holds no Dockerfile")
    if len(found.targets) > 1:
        names = "\n".join(f"  {inputs.display(each.path)}" for each in found.targets)
        raise InspectError(f"{shown} holds {len(found.targets)} Dockerfiles, name one of them:\n{names}")
    (target,) = found.targets
    build = Build(target.dockerfile, target.context, target.settings, target.services)
    if not build.stages:
        raise InspectError(f"{inputs.display(target.path)} is no Dockerfile: it has no FROM")
    if build.final is None:
        stages = ", ".join(stage.name or str(stage.index) for stage in build.stages)
        raise InspectError(
            f"{inputs.display(target.path)} has no stage {build.settings.target}, its stages are {stages}"
        )
    return build
