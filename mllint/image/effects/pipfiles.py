"""Installs of Pipenv, from its lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import environments
from mllint.image.effects.declared import Folder
from mllint.image.effects.targets import Gap, applies, finish, is_set, note, target_of
from mllint.image.events import Interpreter
from mllint.image.values import Unknown, Value
from mllint.sources import pipfile_lock

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.packages import Install


def install(work: Work, call: Install) -> None:
    """`pipenv install` takes the lock file beside the Pipfile, whichever of the two commands asks."""
    each = call.executed
    is_system = call.has("--system") or is_set(work.variable(each, "PIPENV_SYSTEM"))
    found = environments.interpreter_of(work, each, "python") if is_system else _environment(work, call)
    if not isinstance(found, Interpreter):
        work.unsure(each, "which environment Pipenv installs into is not known", "distributions", "programs")
        return
    target = target_of(found)
    lock = Folder(work, call, "Pipfile.lock")
    source = Folder(work, call, ".").text("Pipfile.lock")
    locked = pipfile_lock.packages(source, with_dev=call.has("-d", "--dev")) if source is not None else None
    for package in locked or ():
        if package.marker is None or applies(package.marker, target.minor):
            version: Value = package.version or Unknown(f"{package.name} is not pinned")
            place = (package.source, package.span)
            note(work, call, target, package.name, version, package.extras, place, brings_more=False)
    finish(work, each, target, [] if locked is not None else [Gap(f"{lock.shown} is not known")])


def _environment(work: Work, call: Install) -> Interpreter | Unknown | None:
    """Where the environment is active already, or lies in the folder of the project."""
    active = work.variable(call.executed, "VIRTUAL_ENV")
    if isinstance(active, str) and active:
        return python.by_prefix(work.view, active)
    if not is_set(work.variable(call.executed, "PIPENV_VENV_IN_PROJECT")):
        return Unknown("Pipenv names the folder of the environment itself")
    path = work.path(call.executed, ".venv")
    if isinstance(path, Unknown):
        return path
    if python.by_prefix(work.view, path) is None:
        base = environments.interpreter_of(work, call.executed, "python")
        environments.make(work, call.executed, path, base, True, False)
    return python.by_prefix(work.view, path)
