"""What COPY and ADD bring, and where a file of the image comes from."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from mllint.image.expansion import expand
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Context, Entry
    from mllint.image.stage import Stage, Step
    from mllint.sources.words import Word

_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@|[^/]+\.git(?:#|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CopySource:
    """One source of a COPY; `path` is cleaned and relative to the root it is taken from, empty for the root itself."""

    word: Word
    path: Value
    is_remote: bool

    @property
    def has_wildcard(self) -> bool:
        """Whether it is a pattern."""
        return isinstance(self.path, str) and any(mark in self.path for mark in "*?[")

    def entries(self, context: Context) -> Iterator[Entry]:
        """The files of the context that it brings."""
        if isinstance(self.path, Unknown) or self.is_remote:
            return
        for entry in self._matching(context):
            if entry.is_folder:
                yield from context.files(entry.path)
            elif not context.excludes(entry.path):
                yield entry

    def _matching(self, context: Context) -> list[Entry]:
        assert isinstance(self.path, str)
        if not self.has_wildcard:
            entry = context.find(self.path)
            return [entry] if entry else []
        return list(_glob(context, self.path.split("/"), ""))


def _glob(context: Context, parts: list[str], folder: str) -> Iterator[Entry]:
    pattern = _go_match(parts[0])
    for entry in context.tree.children(folder):
        if pattern.fullmatch(entry.name):
            if len(parts) == 1:
                yield entry
            elif entry.is_folder:
                yield from _glob(context, parts[1:], entry.path)


@cache
def _go_match(pattern: str) -> re.Pattern[str]:
    """Go's filepath.Match for one part of a path."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        close = pattern.find("]", at + 2) if char == "[" else -1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif close > 0:
            out.append("[" + pattern[at + 1 : close].replace("\\", "\\\\") + "]")
            at = close
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(char))
        at += 1
    return re.compile("".join(out), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY or ADD carried out: its sources, where they come from and where they go."""

    step: Step
    origin: Literal["context", "stage", "elsewhere"]
    """`elsewhere`: another image, a named context, or a source only the build knows."""
    stage: int | None
    sources: tuple[CopySource, ...]
    destination: Value
    """Absolute where it is known; a trailing slash is kept."""

    @property
    def is_into_folder(self) -> bool:
        """Whether the destination is a folder for sure."""
        return len(self.sources) > 1 or (isinstance(self.destination, str) and self.destination.endswith("/"))

    def takes_all(self) -> bool:
        """Whether it brings the whole context."""
        return self.origin == "context" and any(source.path == "" for source in self.sources)


def read(step: Step) -> Copy | None:
    """What a step copies; None for another instruction, and for one without source and destination."""
    from mllint.image.build import joined

    instruction = step.instruction
    if instruction.keyword not in ("COPY", "ADD") or len(instruction.words) < 2:
        return None
    *words, last = instruction.words
    origin, stage = _origin(step)
    written = expand(last.text, step.before)
    destination = joined(step.before.directory, written)
    if isinstance(destination, str) and isinstance(written, str) and written.endswith(("/", ".")):
        destination = destination.rstrip("/") + "/"
    sources = tuple(
        CopySource(word, _clean(expand(word.text, step.before)), bool(_REMOTE.match(word.text)))
        for word in words
        if not re.match(r"<<-?\S", word.text)
    )
    return Copy(step, origin, stage, sources, destination)


def _origin(step: Step) -> tuple[Literal["context", "stage", "elsewhere"], int | None]:
    word = step.instruction.flag("from")
    if word is None:
        return "context", None
    name = expand(word.text, step.before)
    if isinstance(name, Unknown):
        return "elsewhere", None
    if name.isdecimal() and int(name) < len(step.earlier):
        return "stage", int(name)
    for stage in reversed(step.earlier):
        if stage.name == name.lower():
            return "stage", stage.index
    return "elsewhere", None


def _clean(path: Value) -> Value:
    if isinstance(path, Unknown):
        return path
    cleaned = posixpath.normpath("/" + path).lstrip("/")
    return "" if cleaned == "." else cleaned


def context_path(stage: Stage, before: Step | None, path: str) -> str | None:
    """The file of the context that a file of the image is, as the copies and mounts in front of a step (None: at the
    end of the stage) brought it there; None where nobody can tell."""
    steps = [step for each in stage.lineage for step in each.steps]
    if before is not None:
        for target, source in _mounts(before):
            found = _below(path, target, source, stage.build.context)
            if found is not None:
                return found
        steps = steps[: next((i for i, step in enumerate(steps) if step is before), len(steps))]
    for step in reversed(steps):
        copy = step.copy
        if copy is None or isinstance(copy.destination, Unknown):
            continue
        for source in copy.sources:
            found = _through(copy, source, path, stage)
            if found is not None:
                return found
    return None


def _through(copy: Copy, source: CopySource, path: str, stage: Stage) -> str | None:
    assert isinstance(copy.destination, str)
    if isinstance(source.path, Unknown) or source.is_remote:
        return None
    if copy.origin == "stage" and copy.stage is not None:
        inside = _relative(path, copy.destination.rstrip("/") or "/")
        if inside is None:
            return None
        origin = "/" + source.path
        return context_path(stage.build.stages[copy.stage], None, posixpath.join(origin, inside) if inside else origin)
    if copy.origin != "context":
        return None
    context = stage.build.context
    if source.has_wildcard:
        name = path.rpartition("/")[2]
        matches = [entry.path for entry in source.entries(context) if entry.name == name]
        return matches[0] if matches and _relative(path, copy.destination.rstrip("/") or "/") == name else None
    entry = context.find(source.path)
    target = copy.destination
    if entry is not None and not entry.is_folder and copy.is_into_folder:
        target = posixpath.join(target, entry.name)
    return _below(path, target.rstrip("/") or "/", source.path, context)


def _below(path: str, target: str, source: str, context: Context) -> str | None:
    inside = _relative(path, target)
    if inside is None:
        return None
    found = posixpath.join(source, inside) if inside else source
    return found if context.find(found) is not None and not context.excludes(found) else None


def _relative(path: str, folder: str) -> str | None:
    if path == folder:
        return ""
    prefix = folder if folder.endswith("/") else folder + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _mounts(step: Step) -> Iterator[tuple[str, str]]:
    """Target and source of each bind mount from the context."""
    from mllint.image.build import joined

    for word in step.instruction.flag_words:
        if not word.text.startswith("--mount="):
            continue
        options = dict(part.partition("=")[::2] for part in word.text[8:].split(","))
        if options.get("type", "bind") != "bind" or "from" in options:
            continue
        target = joined(step.before.directory, options.get("target", options.get("dst", options.get("destination", ""))))
        source = _clean(options.get("source", options.get("src", "")))
        if isinstance(target, str) and isinstance(source, str):
            yield target, source
