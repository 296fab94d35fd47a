"""Virtual environments whose packages the process needs and does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions, python
from mllint.image.events import Distribution, Interpreter
from mllint.image.packages import BUILD_TOOLS
from mllint.image.paths import joined, search_path
from mllint.image.programs import Program, program
from mllint.image.service import PYTHON
from mllint.image.serving.started import imported, started
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.distributions import Brought
    from mllint.image.serving.started import Started
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.view import View

# What an environment has from its making.


class Bypassed(NamedTuple):
    """An environment that a program of the process does not use."""

    environment: Interpreter
    started: Started
    what: str
    """As a message begins: `flask is installed in /opt/venv alone, and python is that of /usr/local/bin`."""


def bypassed(stage: Stage) -> Iterator[Bypassed]:
    """The environments that have what the process needs, and that its programs do not come from."""
    environments = list(_environments(stage.view))
    for each in started(stage) if environments else ():
        if each.executed.runner or "/" in each.name or isinstance(each.path, Unknown):
            continue
        for environment in environments:
            if environment.bin not in search_path(each.path):
                what = _missed(stage, each, environment)
                if what is not None:
                    yield Bypassed(environment, each, what)


def _environments(view: View) -> Iterator[Interpreter]:
    for event in view.behind():
        if not isinstance(event, Interpreter) or event.kind != "venv" or not event.cause.is_sure:
            continue
        if python.by_prefix(view, event.prefix) is event and _packages(view, event):
            yield event


def shadowed(stage: Stage) -> Iterator[Bypassed]:
    """The interpreters of the image that have what the process needs, while it runs another one: that of apt beside
    that of the image, or one version beside another."""
    view = stage.view
    others = [
        event
        for event in view.behind()
        if isinstance(event, Interpreter) and event.kind != "venv" and event.cause.is_sure and _packages(view, event)
    ]
    for each in started(stage) if others else ():
        if each.executed.runner or isinstance(each.path, Unknown) or not PYTHON.fullmatch(each.executed.name):
            continue
        for other in others:
            used = python.interpreter(view, each.name, each.path)
            if isinstance(used, Interpreter) and used.kind != "venv" and used.cause.is_sure:
                what = _missed_module(stage, each, other)
                if what is not None:
                    yield Bypassed(other, each, what)


def _packages(view: View, environment: Interpreter) -> list[Distribution]:
    return [
        event
        for event in view.behind()
        if isinstance(event, Distribution) and event.site == environment.site and event.name not in BUILD_TOOLS
    ]


def _missed(stage: Stage, each: Started, environment: Interpreter) -> str | None:
    if PYTHON.fullmatch(each.executed.name):
        return _missed_module(stage, each, environment)
    view = stage.view
    there = program(view, f"{environment.bin}/{each.name}", None)
    if isinstance(there, Program) and _is_nowhere(view, each):
        return f"{each.name} is in {environment.bin}, which is not on PATH"
    return None


def _is_nowhere(view: View, each: Started) -> bool:
    """Whether PATH leads to no program of this name. What only the tables of a plain image do not list counts as
    absent, since the program is one of a Python distribution."""
    found = program(view, each.name, each.path)
    is_of_python = bool(distributions.providers_of_script(each.name))
    return found is None or (is_of_python and view.base.is_plain and found == view.base.program(each.name))


def _missed_module(stage: Stage, each: Started, environment: Interpreter) -> str | None:
    """A module that the program imports, which the environment has and its own Python has not."""
    view = stage.view
    used = python.interpreter(view, each.name, each.path)
    if not isinstance(used, Interpreter) or used.site == environment.site:
        return None
    seen = python.environment(view, used, stage.end)
    if seen.unknown is not None:
        return None
    ours, theirs = seen.brought(), python.environment(view, environment, stage.end).brought()
    for module in sorted(imported(stage, each.executed)):
        owners = distributions.providers_of_import(module)
        if _brings(theirs, owners) and all(ours.brings(owner) == "absent" for owner in owners):
            name = module.partition(".")[0]
            place = environment.site if used.prefix == environment.prefix else environment.prefix
            return f"{name} is installed in {place} alone, and {each.name} is that of {used.bin}"
    return None


def _brings(brought: Brought, owners: tuple[str, ...]) -> bool:
    return any(brought.brings(owner) == "present" for owner in owners)


def lost_activation(stage: Stage, step: Step) -> tuple[Executed, str] | None:
    """The activation of an environment that a RUN ends with, so that it has no effect, and the folder."""
    last = step.commands[-1] if step.commands else None
    if last is None or not last.is_sure or last.words[0].value not in (".", "source") or not last.arguments:
        return None
    if not last.arguments[0].endswith("/bin/activate"):
        return None
    folder = joined(last.directory, last.arguments[0].removesuffix("/bin/activate"))
    path = stage.end.env.get("PATH")
    if not isinstance(folder, str) or isinstance(path, Unknown) or f"{folder}/bin" in search_path(path):
        return None
    return last, folder
