"""Copies of a few files taken out of one that brings more, and where a copy puts what it brings."""

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from mllint.image.copies import Copy, CopySource, relative
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex

_PLAIN = regex(r"[\w.+/@-]+")


class Split(NamedTuple):
    """A copy of what installs read, out of one that goes down."""

    line: str
    files: tuple[str, ...]
    """Paths in the context."""
    folder: str
    """Where it goes in the image."""
    taken: tuple[CopySource, ...]
    """The sources that nothing is left of for the copy below."""


def split(copy: Copy, source: CopySource, folder: str, names: list[str]) -> Split | None:
    """A copy of some files alone, which a source of a copy brings into a folder of the image; None where it cannot be
    written."""
    instruction = copy.step.instruction
    written = instruction.words[-1].text
    if instruction.is_exec_form or source.pivot is not None or not isinstance(copy.destination, str):
        return None
    if not all(map(_PLAIN.fullmatch, names)) or instruction.flag("from") is not None:
        return None
    below = relative(folder, copy.destination.rstrip("/") or "/")
    if below is None:
        return None
    target = written if written in (".", "./") else f"{written.rstrip('/')}/"
    if below:
        target = f"{below}/" if written == "." else f"{target}{below}/"
    elif len(names) > 1 and written == ".":
        target = "./"
    start, given, paths = "", source.word.text, names
    if "$" in given and isinstance(source.path, str) and all(relative(path, source.path) for path in paths):
        paths = [posixpath.join(given, str(relative(path, source.path))) for path in paths]
    elif given.startswith("./"):
        start = "./"
    flags = [word.text for word in instruction.flag_words if not word.text.startswith("--exclude=")]
    keyword = instruction.source.slice(instruction.keyword_span)
    line = " ".join([keyword, *flags, *(f"{start}{path}" for path in paths), target])
    taken = tuple(each for each in copy.sources if each.path in names)
    return Split(line, tuple(names), folder, taken)


def places(stage: Stage, copy: Copy, path: str) -> Iterator[tuple[int, str]]:
    """Where a copy puts a file of the context, with the index of the source that brings it."""
    for index, source in enumerate(copy.sources):
        for match in source.matches(stage.build.context):
            inside = relative(path, match.path)
            if inside is None or source.leaves_out(match, path) or stage.build.context.excludes(path):
                continue
            place = copy.places(source, match.path, match.is_folder)[:1]
            yield from ((index, posixpath.join(each, inside) if inside else each) for each in place)


def origin(stage: Stage, copy: Copy, path: str) -> str | None:
    """The file or folder of the context that a copy puts at a path."""
    context = stage.build.context
    for source in copy.sources:
        for match in source.matches(context):
            for place in copy.places(source, match.path, match.is_folder):
                inside = relative(path, place)
                name = posixpath.join(match.path, inside or "").rstrip("/")
                if inside is not None and context.find(name) is not None and not context.excludes(name):
                    return name
    return None


def has(stage: Stage, copy: Copy, path: str) -> bool:
    """Whether a copy brings, or may bring, something to a path."""
    return isinstance(copy.destination, Unknown) or origin(stage, copy, path) is not None
