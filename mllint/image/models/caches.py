"""Where a service keeps the models that it downloads, and whether anything has put them there before."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.content.rights import downloads_models
from mllint.image.copies import relative
from mllint.image.events import FromElsewhere
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value
from mllint.image.view import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
# The variables that say where the cache of the Hub is, those that win first, with what lies below them.
_HUB = (
    ("HF_HUB_CACHE", ""),
    ("HUGGINGFACE_HUB_CACHE", ""),
    ("HF_HOME", "hub"),
    ("XDG_CACHE_HOME", "huggingface/hub"),
)
_OF_LIBRARIES = ("TRANSFORMERS_CACHE", "SENTENCE_TRANSFORMERS_HOME", "HOME")


def variable(stage: Stage, name: str) -> Value | None:
    """A variable as the process of a stage has it; unknown where a script or a compose file says something else."""
    process = stage.process
    if any(entry.name == name for each in stage.build.services for entry in each.environment):
        return Unknown(f"a compose file sets {name}")
    if process is not None and any(name in script.source.text for script in process.scripts):
        return Unknown(f"the script that starts the service speaks of {name}")
    for each in reversed(process.commands if process is not None else ()):
        if name in each.environment:
            return each.environment[name]
    return stage.end.env.get(name)


def is_offline(stage: Stage) -> bool:
    """Whether the service asks no hub for anything, or may be told not to."""
    values = [variable(stage, name) for name in _OFFLINE]
    return any(isinstance(value, Unknown) or (value or "0").lower() not in ("0", "false", "no") for value in values)


def hub_cache(stage: Stage, folder: Value | None) -> Value:
    """Where the service keeps models of the Hub, for a call that names a folder or none."""
    if folder is not None:
        return joined(stage.end.directory, folder)
    values = {name: variable(stage, name) for name in (*(name for name, _ in _HUB), *_OF_LIBRARIES)}
    open_value = next((value for value in values.values() if isinstance(value, Unknown)), None)
    if open_value is not None or any(values[name] for name in _OF_LIBRARIES[:2]):
        return open_value or Unknown("a library has a cache of its own")
    for name, below in _HUB:
        value = values[name]
        if isinstance(value, str) and value:
            return posixpath.normpath(posixpath.join(stage.end.directory, value, below))
    home = stage.view.home(stage.end)
    return home if isinstance(home, Unknown) else posixpath.join(home, ".cache/huggingface/hub")


def is_chosen(stage: Stage) -> bool:
    """Whether a variable says where the cache of the Hub is."""
    return any(variable(stage, name) for name, _ in _HUB)


def _looks_mounted(stage: Stage, cache: str) -> bool:
    """Whether a variable names a folder that nothing in the image makes, so that a volume is meant for it."""
    home = stage.view.home(stage.end)
    own = ("/tmp", stage.end.directory, *([home] if isinstance(home, str) else []))
    if not is_chosen(stage) or any(folder != "/" and relative(cache, folder) is not None for folder in own):
        return False
    return not any(isinstance(stage.view.find(path), Node) for path in (cache, posixpath.dirname(cache)))


def is_filled(stage: Stage, model: str, cache: Value) -> bool:
    """Whether the build, a copy or a volume may bring a model, or the folder that it is kept in."""
    if any(downloads_models(stage, each.steps) for each in stage.build.needed) or any(_mounted(stage, cache)):
        return True
    if isinstance(cache, Unknown):
        return False
    if _looks_mounted(stage, cache):
        return True
    place = posixpath.join(cache, f"models--{model.replace('/', '--')}")
    return isinstance(stage.view.find(place), Node) or any(
        isinstance(event, FromElsewhere) and _meet(event.target, cache) for event in stage.view.behind()
    )


def _mounted(stage: Stage, cache: Value) -> Iterator[bool]:
    """For each volume whether it may hold a cache."""
    for setting in stage.end.volumes:
        yield isinstance(setting.value, Unknown) or isinstance(cache, Unknown) or _meet(setting.value, cache)
    for service in stage.build.services:
        for volume in service.volumes:
            is_known = not isinstance(cache, Unknown) and volume.target.startswith("/")
            yield not is_known or _meet(volume.target, str(cache))


def _meet(one: str, other: str) -> bool:
    """Whether one of two folders lies in the other."""
    return relative(other, one) is not None or relative(one, other) is not None
