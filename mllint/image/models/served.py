"""Which model files the service of an image loads, as far as its source, its variables and its command say so."""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.events import Distribution, Interpreter
from mllint.image.models import held
from mllint.image.python import environment
from mllint.image.serving import absence, modules, uses
from mllint.image.serving import sources as running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.events import Distribution, Interpreter
    from mllint.image.models.held import Held
    from mllint.image.serving.uses import Use
    from mllint.image.stage import Stage
    from mllint.sources.python import Module
    from mllint.sources.text import Source

_MAX_SOURCES = 100
_SAVING = frozenset(
    {"joblib.dump", "pickle.dump", "cloudpickle.dump", "dill.dump", "torch.save", "onnx.save", "onnx.save_model"}
)


class Served(NamedTuple):
    """What a container starts, with the Python behind it."""

    use: Use
    interpreter: Interpreter
    packages: Mapping[str, Distribution]
    folder: str | None
    """Where modules are looked for first; None where nobody knows."""
    sources: tuple[tuple[Source, Module], ...]
    """The source that the build context brought, the one that is started first."""

    @property
    def imports(self) -> frozenset[str]:
        """The top-level packages that the source imports."""
        return frozenset[str]().union(*(module.packages for _, module in self.sources))

    @property
    def saves(self) -> bool:
        """Whether the source saves models too: then those that it loads may be its own."""
        return any(call.name in _SAVING for _, module in self.sources for call in module.calls)

    def loads(self, model: Held) -> bool:
        """Whether the source, a variable or the command names a model file."""
        name = re.escape(model.entry.name)
        in_source = re.compile(rf"(?m)^[^#\n]*[\"'](?:[^\"'\n]*[/\\])?{name}[\"']")
        if any(in_source.search(source.text) for source, _ in self.sources):
            return True
        values = (*self.use.state.env.values(), *self.use.executed.arguments)
        said = re.compile(rf"(?:.*[/=])?{name}")
        return any(isinstance(value, str) and said.fullmatch(value) for value in values)


@lru_cache(maxsize=16)
def served(stage: Stage) -> Served | None:
    """What the container of a stage starts with Python; None where that is not known, or it is no Python."""
    if not stage.is_final:
        return None
    brought = sources(stage)
    for use in reversed([*uses.of_process(stage)]):
        found = absence.interpreter(use) if brought else None
        if found is not None:
            packages = environment(use.view, found, use.state).distributions
            return Served(use, found, packages, _folder(stage), brought)
    return None


@lru_cache(maxsize=16)
def sources(stage: Stage) -> tuple[tuple[Source, Module], ...]:
    """The Python source of the build context that the container of a stage starts or imports, the one that is started
    first."""
    return tuple((each.source, each.module) for each in running.loaded(stage))


def loaded(stage: Stage) -> Iterator[tuple[Served, Held]]:
    """The model files that the image holds and its service names."""
    found = held.models(stage) if stage.is_final else ()
    service = served(stage) if found else None
    if service is not None and not service.saves:
        yield from ((service, model) for model in found if service.loads(model))


def _folder(stage: Stage) -> str | None:
    for target in modules.targets(stage, stage.process) if stage.process is not None else ():
        if target.path:
            return posixpath.dirname(target.file) if isinstance(target.file, str) else None
        first = target.folders[0] if target.folders else None
        return first if isinstance(first, str) else None
    return None
