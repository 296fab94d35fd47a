"""What the ignore file keeps out of a build although something asks for it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative

if TYPE_CHECKING:
    from mllint.image.context import Context
    from mllint.image.stage import Stage, Step
    from mllint.sources.text import Source, Span


class Exclusion(NamedTuple):
    """A path of the context with what keeps it out."""

    path: str
    file: str
    """The ignore file, relative to the root of the context."""
    said: str
    """The file with the line, as a message names them."""
    place: tuple[Source, Span] | None


def exclusion(context: Context, path: str) -> Exclusion:
    """What keeps a path out that the ignore file excludes."""
    file = next((each for each in context.ignore_names if context.find(each) is not None), context.ignore_names[-1])
    pattern = context.ignore.match(path) if context.ignore is not None else None
    text = context.inputs.text(context.root / file)
    if pattern is None or text is None:
        return Exclusion(path, file, file, None)
    return Exclusion(path, file, f"{file} (line {pattern.line}: {pattern.text})", (text, pattern.span))


def excluded_origin(stage: Stage, step: Step | None, path: str) -> Exclusion | None:
    """The file of the context that a copy in front of a step (None: all of the stage) would have brought to a path of
    the image, were it not ignored."""
    context = stage.build.context
    for each in stage.steps_before(step):
        if each.copy is None or each.copy.origin != "context":
            continue
        for source in each.copy.sources:
            for match in source.matches(context):
                for place in each.copy.places(source, match.path, match.is_folder):
                    inside = relative(path, place)
                    name = posixpath.join(match.path, inside or "").rstrip("/")
                    if inside is not None and context.find(name) is not None and context.excludes(name):
                        return exclusion(context, name)
    return None
