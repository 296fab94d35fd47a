"""Models of kinds that transformers did not know yet when it was released, by the table `transformers_models`."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.models.held import models
from mllint.image.models.installed import Release, release
from mllint.image.models.served import served
from mllint.image.paths import joined
from mllint.image.releases import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.models.served import Served
    from mllint.image.stage import Stage

_CONFIGURATION = "config.json"
_LITERAL = re.compile(r"[\"']([^\"'\n]+)[\"']")


class Unknown(NamedTuple):
    """A model of a kind that the transformers of the image does not know."""

    model: Held
    configuration: str
    """The file of the build context that tells the kind."""
    kind: str
    release: Release
    first: str
    """The first release that knows it."""


def unknown_kinds(stage: Stage) -> Iterator[Unknown]:
    """The models that the service loads and its transformers does not know, one for each folder."""
    found = {posixpath.dirname(each.path): each for each in reversed(models(stage))} if stage.is_final else {}
    service = served(stage) if found else None
    there = release(stage, service, "transformers") if service is not None else None
    if service is None or there is None or "transformers" not in service.imports:
        return
    named = _named(service)
    for folder, model in sorted(found.items()):
        configuration = posixpath.join(posixpath.dirname(model.entry.path), _CONFIGURATION)
        kind = _kind(stage, configuration) if folder in named else None
        for row in facts.by("transformers_models", "model_type").get(kind or "", ()):
            if version_of(there.version) <= version_of(row["without"]):
                yield Unknown(model, configuration, row["model_type"], there, row["first"])


def _named(service: Served) -> frozenset[str]:
    """The paths that the source writes out and that variables hold."""
    texts = [match for source, _ in service.sources for match in _LITERAL.findall(source.text)]
    texts += [value for value in service.use.state.env.values() if isinstance(value, str)]
    paths = (joined(service.use.executed.directory, text.rstrip("/")) for text in texts)
    return frozenset(posixpath.normpath(path) for path in paths if isinstance(path, str))


def _kind(stage: Stage, configuration: str) -> str | None:
    """The kind of model that a configuration names; None where it brings its own code."""
    import json

    text = stage.build.context.text(configuration)
    try:
        content = json.loads(text.text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or "auto_map" in content:
        return None
    kind = content.get("model_type")
    return kind if isinstance(kind, str) else None
