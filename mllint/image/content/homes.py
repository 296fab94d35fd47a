"""What the process needs and its user cannot get at, as it lies in the home folder of another."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions, python
from mllint.image.content.reach import closed_folder
from mllint.image.events import Distribution, Interpreter
from mllint.image.programs import Program, program
from mllint.image.service import PYTHON
from mllint.image.serving.started import imported, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Cause
    from mllint.image.serving.started import Started
    from mllint.image.stage import Stage, State
    from mllint.image.view import View
    from mllint.sources.text import Span


class Closed(NamedTuple):
    """Something in a folder that the user of the process may not enter."""

    what: str
    """As a message begins, `uvicorn lies in /root/.local/bin`."""
    folder: str
    span: Span
    """What brings it there, else what needs it."""
    started: Started


def closed_needs(stage: Stage, user: str | None = None) -> Iterator[Closed]:
    """What the process and the health check of a stage need and cannot get at, as the stage's user or as another."""
    state = stage.end if user is None else stage.end._replace(user=user)
    uid = _other_than_root(stage, state)
    if uid == "0":
        return
    for each in started(stage):
        found = _of_program(stage, each, uid) or _of_packages(stage, each, uid, state)
        if found is not None:
            yield found


def _other_than_root(stage: Stage, state: State) -> str | None:
    """The number of the user; None for that of a name that is not root's, and 0 where it may be root."""
    user, uid = state.user, stage.view.uid(state.user)
    if isinstance(uid, str):
        return uid
    return None if isinstance(user, str) and not state.account.is_root else "0"


def _of_program(stage: Stage, each: Started, uid: str | None) -> Closed | None:
    view = stage.view
    found = program(view, each.name, each.path, stage.end.directory)
    if not isinstance(found, Program) or found.path is None:
        return None
    name = posixpath.basename(each.name)
    folder = closed_folder(view, found.path, uid)
    if folder is not None:
        place = posixpath.dirname(found.path)
        return Closed(f"{name} lies in {place}", folder, _span(stage, found.cause, each), each)
    return _of_environment(stage, each, uid, posixpath.dirname(found.path))


def _of_environment(stage: Stage, each: Started, uid: str | None, place: str) -> Closed | None:
    """The Python that the virtual environment of a program is made from."""
    if each.executed.runner[:1] == ("uv",):
        place = posixpath.join(stage.end.directory, ".venv", "bin")
    prefix = posixpath.dirname(place)
    found = python.by_prefix(stage.view, prefix)
    if found is None or found.bin != place or found.made_from is None or not found.cause.is_sure:
        return None
    folder = closed_folder(stage.view, found.made_from, uid)
    if folder is None:
        return None
    what = f"the Python of {prefix} lies in {found.made_from}"
    return Closed(what, folder, _span(stage, found.cause, each), each)


def _of_packages(stage: Stage, each: Started, uid: str | None, state: State) -> Closed | None:
    """Packages that were installed for root alone, which another user's Python does not look for."""
    if not PYTHON.fullmatch(each.executed.name) or each.executed.runner:
        return None
    view = stage.view
    found = python.interpreter(view, each.executed.words[0].value, each.path, stage.end.directory)
    if not isinstance(found, Interpreter):
        return None
    seen = python.environment(view, found, state).distributions
    for module in sorted(imported(stage, each.executed)):
        owners = distributions.providers_of_import(module)
        if any(owner in seen for owner in owners):
            continue
        for event in _installed(view, owners):
            folder = closed_folder(view, event.site, uid)
            if folder is not None and event.site.endswith(f"/lib/python{found.minor}/site-packages"):
                what = f"{module.partition('.')[0]} is installed in {event.site}"
                return Closed(what, folder, _span(stage, event.cause, each), each)
    return None


def _installed(view: View, names: tuple[str, ...]) -> Iterator[Distribution]:
    for event in view.behind():
        if isinstance(event, Distribution) and event.name in names and not event.is_removed and event.cause.is_sure:
            yield event


def _span(stage: Stage, cause: Cause | None, each: Started) -> Span:
    own = cause is not None and any(step is cause.step for step in stage.steps_before(None))
    return cause.span if cause is not None and own else each.span
