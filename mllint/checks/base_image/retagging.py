"""Repairs of the tag of a base, also of one that is put together from arguments with defaults."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mllint.edits import replace
from mllint.findings import Edit
from mllint.image.build import Build
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.reference import Reference
from mllint.sources.text import Span
from mllint.sources.words import Word

_PIECE = regex(r"\$(?:(\w+)|\{(\w+)\})|[^$]+|\$")
_VERSION = regex(r"\d[\d.]*")
_DEEPEST = 5
TagOf = Callable[[Reference], str | None]


class _Piece(NamedTuple):
    """A part of the expanded name, and where its text stands."""

    start: int
    end: int
    origin: int
    variables: tuple[str, ...]
    """The arguments that it comes from: the one in the FROM, the one in the default of that …"""
    is_version: bool
    """Whether it is the whole default of an argument, and a version alone."""


def retagged(stage: Stage, tag_of: TagOf) -> tuple[Edit, ...] | None:
    """The edits that give an image another tag, in all stages that start from it; None where something else rests on
    what they would change."""
    build = stage.build
    edits: dict[Span, Edit] = {}
    touched: set[str] = set()
    changed: set[int] = set()
    while waiting := [each for each in _alike(stage, touched) if each.index not in changed]:
        for each in waiting:
            changed.add(each.index)
            found = _of_stage(each, tag_of)
            if found is None:
                return None
            for variables, edit in found:
                if edits.setdefault(edit.location.span, edit) != edit:
                    return None
                touched |= variables
    if _is_used_elsewhere(build, touched, changed):
        return None
    return tuple(sorted(edits.values(), key=lambda edit: edit.location.span))


def _alike(stage: Stage, touched: set[str]) -> list[Stage]:
    """The stages that start from the same image, or from one named by the same arguments."""
    return [
        each
        for each in stage.build.stages
        if each.base.reference is not None
        and (each.base.text == stage.base.text or touched & _variables(each.from_word.text))
    ]


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\$\{?(\w+)", text))


def _of_stage(stage: Stage, tag_of: TagOf) -> list[tuple[frozenset[str], Edit]] | None:
    """The edits for one FROM, each with the arguments whose value it changes."""
    reference = stage.base.reference
    tag = tag_of(reference) if reference is not None else None
    pieces = _pieces(stage)
    if reference is None or reference.tag_span is None or tag is None or pieces is None:
        return None
    found: list[tuple[frozenset[str], Edit]] = []
    for span, text in _changes(reference.text[slice(*reference.tag_span)], tag):
        start, end = (reference.tag_span.start + at for at in span)
        piece = next((each for each in reversed(pieces) if each.start <= start and end <= each.end), None)
        if piece is None:
            return None
        place = Span(piece.origin + start - piece.start, piece.origin + end - piece.start)
        if start == end and piece.is_version:
            # An argument that is a version stays one.
            behind = stage.from_word.span.end
            piece, place = piece._replace(variables=()), Span(behind, behind)
        found.append((frozenset(piece.variables), replace(stage.build.source, place, text)))
    return found


def _changes(old: str, new: str) -> Iterator[tuple[Span, str]]:
    """What to write over which part of a tag, part by part as dashes divide it, and what to put behind it."""
    before, after = old.split("-"), new.split("-")
    if len(after) < len(before):
        yield _fewer(before, after)
        return
    at = 0
    for part, text in zip(before, after, strict=False):
        if part != text:
            yield Span(at, at + len(part)), text
        at += len(part) + 1
    if len(after) > len(before):
        yield Span(len(old), len(old)), "".join(f"-{part}" for part in after[len(before) :])


def _fewer(before: list[str], after: list[str]) -> tuple[Span, str]:
    """What to write in the place of the parts that a shorter tag does not share."""
    # One part stays on either side, so that no dash is left over.
    head = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(after) - 1)
    pairs = zip(reversed(before[head:]), reversed(after[head + 1 :]), strict=False)
    tail = next((at for at, (old, new) in enumerate(pairs) if old != new), len(after) - head - 1)
    start = len("-".join(before[:head])) + bool(head)
    old = "-".join(before[head : len(before) - tail])
    return Span(start, start + len(old)), "-".join(after[head : len(after) - tail])


def _pieces(stage: Stage) -> list[_Piece] | None:
    """What the name of the image is put together from; None where that is not plain text and the plain defaults of
    arguments."""
    found: list[_Piece] = []
    if not _take_apart(stage.build, stage.from_word, (), found):
        return None
    source = stage.build.source
    name = "".join(source.text[each.origin : each.origin + each.end - each.start] for each in found)
    return found if name == stage.base.text else None


def _take_apart(build: Build, word: Word, variables: tuple[str, ...], found: list[_Piece]) -> bool:
    """Add the pieces of a text; False where it has others than these."""
    if build.source.slice(word.span) != word.text or len(variables) > _DEEPEST:
        return False
    for match in _PIECE.finditer(word.text):
        name = match[1] or match[2]
        default = _default(build, name) if name else None
        if default is not None:
            if not _take_apart(build, default, (*variables, name), found):
                return False
        elif name:
            return False
        else:
            at = found[-1].end if found else 0
            is_version = bool(variables) and _VERSION.fullmatch(word.text) is not None
            origin = word.span.start + match.start()
            found.append(_Piece(at, at + len(match[0]), origin, variables, is_version))
    return True


def _default(build: Build, name: str) -> Word | None:
    """The default of an argument above the first FROM, where it is plain text and decides."""
    if name in build.settings.build_args:
        return None
    words = [word for word in _global_arguments(build) if word.text.partition("=")[0] == name]
    if len(words) != 1 or build.source.slice(words[0].span) != words[0].text:
        return None
    match = re.fullmatch(r"\w+=(?:([\"']?)([\w./:${}-]*)\1)", words[0].text)
    if match is None:
        return None
    start = words[0].span.start + match.start(2)
    return Word(match[2], Span(start, start + len(match[2])))


def _global_arguments(build: Build) -> Iterator[Word]:
    for instruction in build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            return
        if instruction.keyword == "ARG":
            yield from instruction.words


def _is_used_elsewhere(build: Build, touched: set[str], changed: set[int]) -> bool:
    """Whether the file names an argument anywhere but where they get their defaults and in the FROM of the stages."""
    own = [build.stages[index].from_word.span for index in changed]
    own += [word.span for word in _global_arguments(build) if word.text.partition("=")[0] in touched]
    return any(
        not any(span.start <= match.start() < span.end for span in own)
        for name in touched
        for each in build.dockerfile.instructions
        for match in re.compile(rf"\b{name}\b").finditer(build.source.text, *each.span)
    )
