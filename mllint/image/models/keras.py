"""Models that the Keras of an image does not load."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.models.held import models
from mllint.image.models.installed import Release, release
from mllint.image.models.served import loaded, served
from mllint.image.paths import joined
from mllint.image.releases import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.models.served import Served
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_TENSORFLOW = ("tensorflow", "tensorflow-cpu")
_FIRST = (2, 16)
"""The first TensorFlow whose Keras is the third."""
_SAVED_MODEL = "saved_model.pb"
_LEGACY = "TF_USE_LEGACY_KERAS"


class Folder(NamedTuple):
    """A SavedModel that Keras 3 is asked to load."""

    path: str
    """As the source names it."""
    model: Held
    release: Release
    source: Source
    line: int


class Newer(NamedTuple):
    """A file of Keras 3 that the service loads with Keras 2."""

    model: Held
    saved: str
    release: Release


def saved_models(stage: Stage) -> Iterator[Folder]:
    """The SavedModels that the service gives to `load_model` of Keras 3, which loads none."""
    there = {held.path: held for held in models(stage) if held.entry.name == _SAVED_MODEL} if stage.is_final else {}
    service = served(stage) if there else None
    if service is None or _is_legacy(service):
        return
    for source, module in service.sources:
        for call in module.calls:
            head, _, function = call.name.rpartition(".")
            path = joined(service.use.executed.directory, call.argument) if call.argument else ""
            model = there.get(posixpath.join(path, _SAVED_MODEL)) if isinstance(path, str) else None
            if function == "load_model" and model is not None and call.argument:
                found = _third(stage, service, head.partition(".")[0])
                if found is not None:
                    yield Folder(call.argument, model, found, source, call.line)


def newer_files(stage: Stage) -> Iterator[Newer]:
    """The files of Keras 3 that the service loads with a TensorFlow whose Keras is the second."""
    for service, model in loaded(stage):
        saved = model.model.details.get("keras_version") if model.kind == "keras" else None
        found = release(stage, service, *_TENSORFLOW) if isinstance(saved, str) else None
        if found is None or not isinstance(saved, str) or not saved.startswith("3.") or "keras" in service.packages:
            continue
        if version_of(found.version) < _FIRST:
            yield Newer(model, saved, found)


def _is_legacy(service: Served) -> bool:
    """Whether Keras 2 may be asked for in the place of the third."""
    is_said = any(_LEGACY in source.text for source, _ in service.sources)
    return is_said or service.use.state.env.get(_LEGACY, "0") not in ("", "0")


def _third(stage: Stage, service: Served, package: str) -> Release | None:
    """What brings Keras 3 to the package that a call is one of."""
    found = release(stage, service, *(("keras",) if package == "keras" else ()), *_TENSORFLOW)
    if package not in ("keras", "tensorflow") or found is None:
        return None
    least = (3,) if found.event.name == "keras" else _FIRST
    return found if version_of(found.version) >= least else None
