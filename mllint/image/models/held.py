"""The model files of the build context that an image holds at its end."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.copies import relative
from mllint.image.events import FromContext, FromElsewhere
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import model_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Entry
    from mllint.image.stage import Stage
    from mllint.image.view import View
    from mllint.sources.model_files import ModelFile, ModelKind

_SUFFIXES = frozenset(
    "bin ckpt gguf h5 hdf5 joblib keras mar model msgpack npz onnx onnx_data ort pb pickle pkl pt pth safetensors sav"
    " tflite".split()
)
_PACKED = frozenset({"gz", "z", "bz2", "xz", "lzma"})
_FOR_TESTS = regex(
    r"(?i)(?:^|/)(?:[^/]*[-_])?(?:tests?|testdata|testing|examples?|samples?|fixtures?|demos?|docs?)(?:[-_][^/]*)?/"
)
_MAX_FILES = 200
"""A folder with more of such files is a data set, not a model."""


class Held(NamedTuple):
    """A model file in the image."""

    path: str
    """In the image."""
    entry: Entry
    place: Location
    """The word of the COPY or ADD that brings it."""
    model: ModelFile

    @property
    def kind(self) -> ModelKind:
        """What it is, by its bytes."""
        return self.model.kind

    @property
    def globals(self) -> tuple[str, ...]:
        """The classes and functions that a pickle names."""
        names = self.model.details.get("globals", ())
        return names if isinstance(names, tuple) else ()


_Found = dict[tuple[str, str], tuple[FromContext, "Entry"]]


@lru_cache(maxsize=16)
def models(stage: Stage) -> tuple[Held, ...]:
    """The model files of an image that ends with a stage, without those for tests and examples, in order of their
    paths."""
    found: dict[str, Held] = {}
    for (path, _), (event, entry) in _candidates(stage.view, {}).items():
        if len(found) == _MAX_FILES:
            return ()
        node = stage.view.find(path)
        if path in found or not isinstance(node, Node) or node.kind != "file" or node.origin != entry.path:
            continue
        model = model_files.read(stage.build.context.root / entry.path)
        if model is not None:
            found[path] = Held(path, entry, Location(stage.build.source, event.source.word.span), model)
    return tuple(found[path] for path in sorted(found))


def _candidates(view: View, known: dict[tuple[int, int], _Found]) -> _Found:
    """The files of these names that copies bring, by where they go and what they are, the latest copy first; what comes
    behind may take them away. A stage is asked once, however many copies there are from it."""
    key = id(view.events), view.end
    if key in known:
        return known[key]
    found: _Found = {}
    for event in view.behind():
        if isinstance(event, FromContext):
            for entry, path in _brought(event, view):
                found.setdefault((path, entry.path), (event, entry))
        elif isinstance(event, FromElsewhere) and event.view is not None:
            for (path, name), origin in _candidates(event.view, known).items():
                inside = relative(path, event.path)
                if inside is not None:
                    into = posixpath.basename(path) if event.is_into_folder and not inside else inside
                    found.setdefault((posixpath.normpath(f"{event.target}/{into}"), name), origin)
    known[key] = found
    return found


def _brought(event: FromContext, view: View) -> Iterator[tuple[Entry, str]]:
    for match in event.source.matches(view.context):
        for entry in filter(_is_model, event.source.entries_of(view.context, match)):
            below = str(relative(entry.path, match.path)) if match.is_folder else ""
            yield from ((entry, posixpath.normpath(f"{place}/{below}")) for place in event.places(match))


def _is_model(entry: Entry) -> bool:
    stem, _, suffix = entry.name.lower().rpartition(".")
    if suffix in _PACKED:
        suffix = stem.rpartition(".")[2]
    return suffix in _SUFFIXES and not _FOR_TESTS.search(entry.path)
