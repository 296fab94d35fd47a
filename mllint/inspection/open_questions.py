"""The questions that an inspection leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.values import Unknown
from mllint.inspection.origins import of_base, of_instruction
from mllint.inspection.records import Known, Open, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.inspection.records import Inspection

_SETTINGS = {
    "user": "USER",
    "uid": "USER",
    "home": "USER",
    "directory": "WORKDIR",
    "stop_signal": "STOPSIGNAL",
    "entrypoint": "ENTRYPOINT",
    "command": "CMD",
    "process": "CMD",
    "healthcheck": "HEALTHCHECK",
}


def undecided(stage: Stage, made: Inspection) -> tuple[Open, ...]:
    """Every unknown of an inspection with the line it hangs on, in the order of the lines; the same reason at the same
    line once."""
    found: dict[tuple[Origin, str], Open] = {}
    for question, value, origin in _asked(stage, made):
        if isinstance(value, Unknown):
            found.setdefault((origin, value.reason), Open(question, value.reason, origin))
    return tuple(sorted(found.values(), key=lambda each: (each.origin.path, each.origin.line)))


def _asked(stage: Stage, made: Inspection) -> Iterator[tuple[str, object, Origin]]:
    base = of_base(stage)
    for name, value in made.base._asdict().items():
        yield f"base.{name}", value, base
    for name, keyword in _SETTINGS.items():
        step = stage.last(keyword)
        yield name, getattr(made, name), of_instruction(step.instruction) if step is not None else base
    yield "python", made.python, base
    process = made.process.value if isinstance(made.process, Known) else None
    if process is not None and process.server is not None and isinstance(made.process, Known):
        for name, value in process.server._asdict().items():
            yield f"process.server.{name}", value, made.process.origin
    yield "variables", made.more_variables, base
    for variable in made.variables:
        yield f"variables.{variable.name}", variable.value, _line_of(stage, variable.name) or base
    for port in made.ports:
        yield "ports", port, _last(stage, "EXPOSE")
    for volume in made.volumes:
        yield "volumes", volume, _last(stage, "VOLUME")
    for label in made.labels:
        yield f"labels.{label.name}", label.value, _last(stage, "LABEL")
    for environment in made.environments:
        yield "environments", environment.prefix, environment.origin
        yield "environments", environment.version, environment.origin
        for reason in environment.doubts:
            yield "environments", Unknown(reason), environment.origin
        for package in environment.packages:
            yield f"packages.{package.name}", package.version, package.origin
    yield "packages", made.packages_unknown, base
    for program in made.programs:
        yield f"programs.{program.name}", program.path, base
    for files in made.files:
        for answered in (*files.sources, files.destination, files.owner):
            yield "files", answered, files.origin
    yield "accelerator.cuda", made.accelerator.cuda, base
    yield "download", made.download, base


def _last(stage: Stage, keyword: str) -> Origin:
    step = stage.last(keyword)
    return of_instruction(step.instruction) if step is not None else of_base(stage)


def _line_of(stage: Stage, name: str) -> Origin | None:
    from mllint.inspection.configuration import setter

    return setter(stage, name)
