"""What compiles in a container while it serves, and whether there is a compiler for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import programs
from mllint.image.compiling import is_for_development, is_service
from mllint.image.events import Distribution
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_COMPILERS = ("gcc", "cc", "clang")
_COMPILED = regex(r"(?m)^(?:[^#\n\"']*\b|\s*@)(torch\.compile|(?:torch\.utils\.)?cpp_extension\.load(?:_inline)?)\b")
_ASIDE = regex(r"(?:^|[/_-])(?:train|bench|tests?|eval|finetun|export|setup)", 0)
_MAX_BYTES = 300_000


class Compiler(NamedTuple):
    """What starts a compiler at run time."""

    name: str
    """A distribution, or the function that is called."""
    event: Distribution | None
    """None for a call."""
    place: tuple[Source, Span] | None
    """The call in the source; None for a distribution."""


def without_compiler(stage: Stage) -> Compiler | None:
    """What compiles while the image serves, where that surely has no compiler."""
    if not stage.is_final or not is_service(stage) or is_for_development(stage):
        return None
    found = _distribution(stage) or _call(stage)
    return found if found is not None and _lacks_compiler(stage) else None


def _lacks_compiler(stage: Stage) -> bool:
    path = stage.end.env.get("PATH")
    return all(programs.program(stage.view, name, path) is None for name in _COMPILERS)


def _distribution(stage: Stage) -> Compiler | None:
    wanted = {row["name"] for row in facts.rows("compiling") if row.get("serves") == "yes"}
    there: dict[str, Distribution] = {}
    for event in stage.log.events:
        if isinstance(event, Distribution) and event.name in wanted and event.cause.is_sure:
            there[event.name] = event
    return next((Compiler(name, event, None) for name, event in there.items() if not event.is_removed), None)


def _call(stage: Stage) -> Compiler | None:
    """A call in the Python that is copied into the image from the context."""
    context = stage.build.context
    if not any(isinstance(event, Distribution) and event.name == "torch" for event in stage.log.events):
        return None
    copies = [step.copy for each in stage.lineage for step in each.steps if step.copy is not None]
    for copy in copies:
        for source in copy.sources if copy.origin == "context" else ():
            for entry in source.entries(context):
                if not entry.name.endswith(".py") or entry.size > _MAX_BYTES or _ASIDE.search(entry.path):
                    continue
                text = context.text(entry.path)
                match = _COMPILED.search(text.text) if text is not None else None
                if text is not None and match is not None:
                    return Compiler(match[1], None, (text, Span(match.start(1), match.end(1))))
    return None
