"""The repair of a release without a wheel: a base with the Python that all pins have wheels for."""

import re

from mllint.checks.base_image.retagging import retagged
from mllint.findings import Fix
from mllint.image.installing.fitting import Misfit
from mllint.image.names import common_name
from mllint.image.published import exact_tag
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.sources import reference as references
from mllint.sources.reference import Reference


def with_older_python(stage: Stage, found: Misfit, minor: str) -> Fix | None:
    """The same image with that Python, where nothing else in the file names the one that it has now."""
    python, base = found.python, stage.root.base.reference
    if python is None or base is None or _names_elsewhere(stage, minor):
        return None

    def tag_of(reference: Reference) -> str | None:
        return _with_python(reference, python, minor)

    edits = retagged(stage.root, tag_of)
    return Fix("unsafe", f"start from {base.familiar}:{tag_of(base)}", edits) if edits else None


def _with_python(reference: Reference, python: str, minor: str) -> str | None:
    """The exact tag of an image of Python with another minor release, for the same distribution."""
    tag = reference.tag
    if tag is None or common_name(reference) != "python" or version_of(tag)[:2] != version_of(minor):
        return None
    behind = "".join(tag.partition("-")[1:])
    found = references.parse(f"{reference.familiar}:{python}{behind}")
    return exact_tag(found) if isinstance(found, Reference) else None


def _names_elsewhere(stage: Stage, minor: str) -> bool:
    """Whether a path or an option speaks of the Python that there is: `python3.13`, `cp313`."""
    version = re.compile(rf"(?:python|cp|py|--python[ =]){minor.replace('.', '[.]?')}(?!\d)")
    own = (each.instruction.span for each in stage.build.stages)
    starts = [(span.start, span.end) for span in own]
    matches = version.finditer(stage.build.source.text)
    return any(not any(start <= match.start() < end for start, end in starts) for match in matches)
