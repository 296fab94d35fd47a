"""The models that the source of a service loads, so that each of its processes has one of its own."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.content import written
from mllint.image.serving import loading, modules
from mllint.sources import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.python import Call, Import, Module
    from mllint.sources.text import Source


class Load(NamedTuple):
    """A call that loads a large model."""

    source: Source
    call: Call

    @property
    def name(self) -> str:
        """The last part of what is called."""
        return self.call.name.rpartition(".")[2]


def load(stage: Stage) -> Load | None:
    """The first call in what a service imports that loads a model with one of the large frameworks; None where there is
    none, or too much source to be read."""
    for source, module in reached(stage):
        call = loading.call(module)
        if call is not None:
            return Load(source, call)
    return None


def reached(stage: Stage) -> Iterator[tuple[Source, Module]]:
    """The Python source that the container starts, and what it imports of the same project."""
    texts = {each.path: each for each in written.python_texts(stage) or ()}
    waiting = [source for source, _ in modules.entry_modules(stage)]
    seen: set[str] = set()
    while waiting:
        source = waiting.pop(0)
        module = stage.build.context.inputs.parsed(source, python.parse)
        if source.path in seen or module is None:
            continue
        seen.add(source.path)
        yield source, module
        names = {name for each in module.statements for name in _files(source, each)}
        waiting += [text for path, text in texts.items() if any(f"/{path}".endswith(name) for name in names)]


def _files(source: Source, imported: Import) -> Iterator[str]:
    """How the paths end of the files that an import may read."""
    folder = posixpath.dirname(source.path)
    for _ in range(imported.level - 1):
        folder = posixpath.dirname(folder)
    start = f"/{folder}/" if imported.level and folder else "/"
    path = imported.name.replace(".", "/")
    if path:
        yield from (f"{start}{path}.py", f"{start}{path}/__init__.py")
    for name in imported.names:
        yield f"{start}{path}/{name}.py" if path else f"{start}{name}.py"
