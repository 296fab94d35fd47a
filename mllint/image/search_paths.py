"""Variables that list folders to search, as the ENV instructions of an image set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from mllint.image.stage import Stage, Step
    from mllint.image.values import Value
    from mllint.sources.text import Source, Span

LIBRARIES = "LD_LIBRARY_PATH"
PRELOAD = "LD_PRELOAD"
_DEPENDS = regex(r"\$\{\w+:?[-+?]")
_VARIABLE = regex(r"\$\{?(\w+)")
# What shells set and no image: a base of which nothing is known does not have them either.
_OF_SHELLS = frozenset({"PWD", "OLDPWD"})


class Listed(NamedTuple):
    """A search path that an ENV sets."""

    step: Step
    name: str
    source: Source
    span: Span
    """The value in the source."""
    text: str
    """As it is written."""
    value: Value
    before: Value | None
    """What it was; None where it was surely not set."""

    @property
    def mentions(self) -> tuple[str, ...]:
        """The variables that the value names."""
        return tuple(dict.fromkeys(_VARIABLE.findall(self.text)))

    @property
    def is_plain(self) -> bool:
        """Whether the source has the value in just these characters, without a continuation."""
        return self.source.slice(self.span) == self.text

    @property
    def folders(self) -> tuple[str, ...] | None:
        """Its elements; None where they are not known."""
        return tuple(self.value.split(":")) if isinstance(self.value, str) else None

    @property
    def is_continued(self) -> bool:
        """Whether the value goes on with what it was."""
        return self.name in self.mentions

    def unset(self) -> Iterator[str]:
        """The variables in it that are surely empty."""
        for name in self.mentions:
            value = self.step.before.get(name)
            if value in (None, "") or (name in _OF_SHELLS and isinstance(value, Unknown)):
                yield name


def search_paths(stage: Stage, names: Container[str] = (LIBRARIES, "PATH", "PYTHONPATH")) -> Iterator[Listed]:
    """The search paths that the instructions of a stage set."""
    for step in stage.steps:
        if step.instruction.keyword != "ENV" or step.trigger is not None:
            continue
        for pair in step.instruction.pairs:
            if pair.key.text in names:
                name, value = pair.key.text, pair.value
                source = step.instruction.source
                before = step.before.env.get(name)
                if before is None and step.before.may_hold(name):
                    before = Unknown(f"what {stage.root.base.text} sets {name} to is not known")
                yield Listed(step, name, source, value.span, value.text, step.before.expand(value.text), before)


def has_empty(path: Listed) -> bool:
    """Whether it has an empty element that it did not have before; never where it depends on whether a variable
    is set."""
    if _DEPENDS.search(path.text):
        return False
    if path.is_continued and isinstance(path.before, str) and path.before and "" in path.before.split(":"):
        return False
    if path.folders is not None:
        return len(path.folders) > 1 and "" in path.folders
    text = path.text
    for name in path.unset():
        text = regex(rf"\$(?:\{{{name}\}}|{name}(?!\w))").sub("", text)
    return has_gap(text)


def has_gap(text: str) -> bool:
    """Whether a value as it is written has an empty element, whatever its variables are."""
    bare = text.strip("\"'")
    return bare.startswith(":") or bare.endswith(":") or "::" in bare
