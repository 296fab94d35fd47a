"""What a build is given in the place of the linted Dockerfile, where that has to be another one."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mllint import edits
from mllint.sources import dockerfile as dockerfiles
from mllint.sources import reference
from mllint.sources.text import Problem, Source
from mllint.sources.words import Word
from mllint.verification.building.failures import is_nowhere
from mllint.verification.engines import answering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.findings import Edit
    from mllint.image.stage import Step
    from mllint.sources.dockerfile import Directive, Dockerfile
    from mllint.verification.engines import Engine
    from mllint.verification.records import Variant


class Staged(NamedTuple):
    """A Dockerfile as it will be built; its context stays where it is."""

    path: Path
    """A copy, or the file itself where it is built as it is."""
    dockerfile: Dockerfile
    """What is in it."""
    notes: tuple[str, ...]
    """What was changed in the copy."""
    lacks_syntax: str | None = None
    """The frontend that it asks for and does not get."""


@contextmanager
def staged(engine: Engine, variant: Variant) -> Iterator[Staged]:
    """The Dockerfile of a variant as the engine can build it: with base images from where the variant says, and
    without a `# syntax=` whose image the engine cannot get. A copy is gone afterwards."""
    moved = _Moved(variant)
    notes = [*moved.notes()]
    lacking, why = _lacking_syntax(engine, variant, moved)
    if lacking is not None:
        notes.append(f"# syntax={lacking.value} is left out, the engine's own frontend reads the file: {why}")
        moved.edits.pop(lacking.span.start, None)
    changes = [*moved.edits.values(), *(_without(lacking, variant) if lacking else ())]
    if not changes:
        yield Staged(variant.path, variant.build.dockerfile, ())
        return
    with tempfile.TemporaryDirectory(prefix="mllint-verify-") as folder:
        source = _edited(variant.build.source, changes)
        copy = Path(folder) / variant.path.name
        copy.write_bytes(source.text.encode("utf-8-sig" if source.has_bom else "utf-8"))
        ignore = variant.path.with_name(f"{variant.path.name}.dockerignore")
        if ignore.is_file():
            shutil.copyfile(ignore, copy.with_name(ignore.name))
        yield Staged(copy, dockerfiles.parse(source), tuple(notes), lacking.value if lacking else None)


class _Moved:
    """The edits that take images from where a variant says, by the place of each."""

    def __init__(self, variant: Variant) -> None:
        self.source = variant.build.source
        self.places: Mapping[str, tuple[str, str]] = {
            _full(name): (name, place) for name, place in variant.base_images.items()
        }
        self.used: dict[str, str] = {}
        self.edits: dict[int, Edit] = {}
        if self.places:
            self._look(variant)

    def place(self, image: str) -> str | None:
        """Where an image is taken from; None for where it stands."""
        name, place = self.places.get(_full(image), ("", None))
        if place is not None:
            self.used[name] = place
        return place

    def notes(self) -> Iterator[str]:
        """What was changed, one line for each image."""
        for name, place in self.used.items():
            yield f"{name} is taken from {place}"

    def _look(self, variant: Variant) -> None:
        for directive in variant.build.dockerfile.directives:
            if directive.name == "syntax" and (place := self.place(directive.value)):
                written = self.source.slice(directive.span)
                self._put(Word(written.replace(directive.value, place), directive.span))
        for stage in variant.build.stages:
            if stage.base.kind == "image" and (place := self.place(stage.base.text)):
                self._put(stage.from_word._replace(text=place))
            for step in stage.steps:
                self._flags(step)

    def _flags(self, step: Step) -> None:
        """The images that COPY --from and RUN --mount name."""
        named = {mount.image for mount in step.mounts} | {step.copy.image if step.copy else None}
        for word in step.instruction.flag_words:
            parts = word.text.split(",")
            for at, part in enumerate(parts):
                name, _, image = part.removeprefix("--mount=").rpartition("from=")
                if image in named and name in ("", "--") and (place := self.place(image)):
                    parts[at] = part.removesuffix(image) + place
            if parts != word.text.split(","):
                self._put(word._replace(text=",".join(parts)))

    def _put(self, word: Word) -> None:
        self.edits[word.span.start] = edits.replace(self.source, word.span, word.text)


def _full(image: str) -> str:
    """The name that all spellings of an image have in common."""
    parsed = reference.parse(image)
    if isinstance(parsed, Problem):
        return image
    return f"{parsed.name}@{parsed.digest}" if parsed.digest else f"{parsed.name}:{parsed.tag or 'latest'}"


def _lacking_syntax(engine: Engine, variant: Variant, moved: _Moved) -> tuple[Directive | None, str]:
    """The `# syntax=` that names an image which the engine has not and cannot pull, and why."""
    from docker.errors import APIError, ImageNotFound

    found = next((each for each in variant.build.dockerfile.directives if each.name == "syntax"), None)
    if found is None:
        return None, ""
    image = moved.place(found.value) or found.value.split()[0]
    with answering():
        try:
            engine.client.images.get(image)
        except ImageNotFound:
            try:
                engine.client.images.get_registry_data(image)
            except APIError as error:
                why = str(error.explanation or error)
                # A frontend that never was is a fault of the file.
                return (None, "") if is_nowhere(why) else (found, why)
    return None, ""


def _without(directive: Directive, variant: Variant) -> Iterator[Edit]:
    """Take a directive out and leave the numbers of the lines behind the directives as they are. A comment in its
    place would end the directives."""
    source, last = variant.build.source, variant.build.dockerfile.directives[-1]
    if directive is last:
        yield edits.replace(source, directive.span, "#")
        return
    line = source.position(directive.span.start)[0]
    yield edits.delete_lines(source, line, line)
    yield edits.insert(source, last.span.end, "\n#")


def _edited(source: Source, changes: list[Edit]) -> Source:
    text = source.text
    for edit in sorted(changes, key=lambda edit: edit.location.span, reverse=True):
        start, end = edit.location.span
        text = text[:start] + edit.text + text[end:]
    return Source(source.path, text, source.has_bom)
