"""Caches of models that the user of a service cannot make."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.content.reach import shut_above
from mllint.image.events import User
from mllint.image.models import hub
from mllint.image.models.caches import hub_cache, is_filled, is_offline
from mllint.image.values import Unknown
from mllint.image.view import Node

if TYPE_CHECKING:
    from mllint.image.models.hub import Wanted
    from mllint.image.stage import Stage


class Denied(NamedTuple):
    """A model that the service downloads, and cannot put anywhere."""

    wanted: Wanted
    cache: str
    above: str
    """The folder in which the cache would have to be made."""


def denied(stage: Stage) -> Denied | None:
    """The first such model; None where there is none, or nobody knows."""
    if is_offline(stage) or not runs_as_stated(stage):
        return None
    for each in sorted(hub.of_service(stage), key=lambda wanted: wanted.is_deferred):
        cache = hub_cache(stage, each.folder)
        if isinstance(cache, Unknown) or is_filled(stage, each.model, cache):
            continue
        above = shut_for_user(stage, cache)
        if above is not None:
            return Denied(each, cache, above)
    return None


def runs_as_stated(stage: Stage) -> bool:
    """Whether the process runs as the user of the stage: no compose file and no command names another."""
    process = stage.process
    if process is None or any(each.user is not None for each in stage.build.services):
        return False
    commands = (*process.commands, *(each for script in process.scripts for each in script.commands))
    return all(each.user is None for each in commands)


def shut_for_user(stage: Stage, path: str) -> str | None:
    """The folder in which a path would have to be made and where the user of a stage surely may not; None where he may,
    or nobody knows."""
    view, user = stage.view, stage.end.user
    uid = view.uid(user)
    if not isinstance(uid, Unknown):
        return shut_above(view, path, uid)
    if isinstance(user, Unknown) or stage.end.account.is_root or not isinstance(view.user(user), User):
        return None
    # The system picks the number of the account, which is not that of root.
    above = shut_above(view, path, user)
    found = view.find(above) if above is not None else None
    return above if isinstance(found, Node) and found.owner == "0" else None
