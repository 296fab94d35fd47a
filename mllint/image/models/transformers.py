"""The release of transformers in an image, and what of its former ways the image relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location, Related
from mllint.image import python
from mllint.image.installing.indexed import asked
from mllint.image.releases import version_of
from mllint.image.serving import sources as running
from mllint.image.serving.cuda import call_of, packages
from mllint.image.serving.cuda_users import release_of
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.dockerfile import Pair

_NAME = "transformers"
# Release 5 has neither the variables nor the classes: https://github.com/huggingface/transformers/releases/tag/v5.0.0
_WITHOUT = (5,)
_VARIABLES = ("TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE")
_LATER_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME")
_CLASS = regex(r"(?P<prefix>TF|Flax)[A-Z]\w+")
_FRAMEWORKS = {"TF": "TensorFlow", "Flax": "Flax"}


class Installed(NamedTuple):
    """transformers from release 5 on."""

    version: str
    is_pinned: bool
    """Whether the files ask for it; otherwise it is the newest release that the table knows."""
    stage: Stage
    call: Install
    asked: Asked | None
    """What asks for it by name."""

    @property
    def shown(self) -> str:
        """As messages name it."""
        how = "" if self.is_pinned else ", the newest release, as nothing pins it,"
        return f"{_NAME} {self.version}{how}"

    @property
    def related(self) -> tuple[Related, ...]:
        """Where it is asked for."""
        if self.asked is None:
            return ()
        return (Related(Location(self.asked.source, self.asked.span), f"asks for {_NAME}"),)


def installed(stage: Stage) -> Installed | None:
    """The release that an image gets, from 5 on; None for an older one, and where nobody knows."""
    found = packages(stage)
    event = found.get(_NAME) if found is not None else None
    call = call_of(stage, event) if event is not None else None
    version = release_of(event, call) if event is not None else None
    if found is None or event is None or call is None or version is None or version_of(version) < _WITHOUT:
        return None
    is_pinned = isinstance(event.version, str)
    others = [each for each in found.values() if each is not event]
    if not is_pinned and python.brought_by(others, None).brings(_NAME) == "present":
        # What brings it along may hold it back.
        return None
    named = next((each for each in asked(*call) if each.name == _NAME), None)
    return Installed(version, is_pinned, *call, named)


def ignored_variables(stage: Stage) -> Iterator[Pair]:
    """The variables of an image that release 5 does not read, where none stands beside that it does."""
    env = stage.end.env
    if any(env.get(name) for name in _LATER_VARIABLES):
        return
    for step in stage.steps_before(None):
        for pair in step.instruction.pairs if step.instruction.keyword == "ENV" and step.trigger is None else ():
            if pair.key.text in _VARIABLES and env.get(pair.key.text):
                yield pair


class Dropped(NamedTuple):
    """An import of classes that release 5 does not have."""

    place: Location
    name: str
    """The first of them."""
    framework: str
    is_deferred: bool
    """Whether it does not surely happen as soon as the service starts."""


def dropped_imports(stage: Stage) -> Iterator[Dropped]:
    """The imports of the source that the container runs which fail with release 5."""
    for file in running.loaded(stage):
        for each in file.module.statements:
            names = [match for name in each.names if (match := _CLASS.fullmatch(name))]
            if each.name == _NAME and not each.level and not each.condition and names:
                place = Location(file.source, file.source.line_span(each.line))
                framework = _FRAMEWORKS[names[0]["prefix"]]
                yield Dropped(place, names[0][0], framework, each.line not in file.lines)
