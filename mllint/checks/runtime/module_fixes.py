"""Repairs of the name by which a command asks for Python source."""

import posixpath
import re

from mllint.checks.runtime.listening_fixes import is_written_by_hand
from mllint.edits import replace
from mllint.findings import Fix
from mllint.image.copies import relative
from mllint.image.serving import lookalikes, modules
from mllint.image.serving.modules import Target
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.text import Span

_DOTTED = regex(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def renamed(stage: Stage, target: Target, application: str | None) -> Fix | None:
    """The name of the only file that it can mean, or of the application that the module has."""
    asked = target.path or target.module
    source = target.place.source
    named = _file(stage, target) if modules.is_missing(stage, target) else None
    if application is not None:
        asked, named = f"{target.module}:{target.attribute}", f"{target.module}:{application}"
    if named is None or source.path.endswith(".py") or not is_written_by_hand(stage, target.place):
        return None
    pattern = re.compile(rf"(?<![\w./-]){re.escape(asked)}(?![\w./-])")
    words = [word.span for word in target.executed.words[1:]]
    found = [(span, match) for span in words for match in pattern.finditer(source.slice(span))]
    if len(found) != 1:
        return None
    span, match = found[0]
    inside = Span(span.start + match.start(), span.start + match.end())
    return Fix("unsafe", f"start {named}", (replace(source, inside, named),))


def _file(stage: Stage, target: Target) -> str | None:
    """What to ask for instead of a file or module that is not there."""
    near = lookalikes.named(stage, target.wanted)
    alike = [entry for entry in stage.build.context.files() if entry.name == target.wanted]
    if near is None or not near.is_in_image or len(alike) != 1:
        return None
    if target.path:
        directory = target.executed.directory
        inside = relative(near.path, directory) if isinstance(directory, str) else None
        return near.path if inside is None or target.path.startswith("/") else inside
    folders = [folder for folder in target.folders if isinstance(folder, str)]
    inside = next((found for folder in folders if (found := relative(near.path, folder))), None)
    name = posixpath.splitext(inside)[0].replace("/", ".") if inside is not None else ""
    return name if _DOTTED.fullmatch(name) else None
