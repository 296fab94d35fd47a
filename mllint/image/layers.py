"""What makes a builder carry an instruction out anew instead of taking its layer from the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Context, Entry
    from mllint.image.stage import Step

_VARIABLE = regex(r"\$\{?(\w+)")


class Inputs(NamedTuple):
    """What the cache of an instruction depends on beside its own text, its base and the instructions before it."""

    arguments: tuple[str, ...]
    """Build arguments. For a RUN these are all that are declared in front of it: they are in its environment."""
    files: tuple[Entry, ...]
    """Files of the build context, by their content and mode."""
    stages: tuple[int, ...]
    """Other stages it reads from, by index."""
    elsewhere: tuple[str, ...]
    """Images, named contexts and addresses it reads from."""


def makes_layer(step: Step) -> bool:
    """Whether BuildKit writes a layer for an instruction."""
    if step.instruction.keyword == "WORKDIR":
        return step.after.directory != "/"
    return step.instruction.keyword in ("RUN", "COPY", "ADD")


def inputs(step: Step, context: Context) -> Inputs:
    """What the cache of a step depends on."""
    files = {entry.path: entry for entry in _files(step, context)}
    stages, elsewhere = [], []
    if step.copy is not None:
        stages.append(step.copy.stage)
        elsewhere.append(step.copy.image)
        elsewhere += [source.word.text for source in step.copy.sources if source.is_remote]
    for mount in step.mounts:
        stages.append(mount.stage)
        elsewhere.append(mount.image if mount.kind == "bind" else None)
    return Inputs(
        _arguments(step),
        tuple(files[path] for path in sorted(files)),
        tuple(dict.fromkeys(stage for stage in stages if stage is not None)),
        tuple(dict.fromkeys(name for name in elsewhere if name is not None)),
    )


def _arguments(step: Step) -> tuple[str, ...]:
    if step.instruction.keyword == "RUN":
        return tuple(step.before.args)
    instruction = step.instruction
    text = " ".join(word.text for word in (*instruction.flag_words, *instruction.words))
    return tuple(dict.fromkeys(name for name in _VARIABLE.findall(text) if name in step.before.args))


def _files(step: Step, context: Context) -> Iterator[Entry]:
    copy = step.copy
    if copy is not None and copy.origin == "context":
        for source in copy.sources:
            yield from source.entries(context)
    for mount in step.mounts:
        if mount.is_from_context and not isinstance(mount.source, Unknown):
            entry = context.find(mount.source)
            if entry is not None and entry.is_folder:
                yield from context.files(mount.source)
            elif entry is not None and not context.excludes(mount.source):
                yield entry
