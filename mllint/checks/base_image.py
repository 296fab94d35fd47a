"""ML1: what an image starts from."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from mllint import facts
from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.stage import Stage
from mllint.sources.reference import Reference


@check("ML101")
def unpinned_base_image(stage: Stage) -> Iterator[Finding]:
    """A base whose name means another image next month."""
    reference = stage.base.reference
    if reference is None or reference.digest or stage not in stage.build.needed:
        return
    where = Location(stage.build.source, stage.instruction.words[0].span)
    written = stage.instruction.words[0].text
    by = f" (from {written})" if "$" in written else ""
    related = tuple(_defaults(stage, written))
    if reference.tag is None:
        message = f"{stage.base.text}{by} has no tag: it is :latest, another image from one build to the next"
        yield Finding(where, message, "name an exact version, as in python:3.11.15-slim-bookworm", related)
    elif re.fullmatch(_moving(), reference.tag):
        message = f"{stage.base.text}{by} follows a moving tag: another image from one build to the next"
        yield Finding(where, message, "name an exact version instead of the moving tag", related)
    elif missing := _floating_parts(reference):
        message = f"{stage.base.text}{by} names no {' and no '.join(missing)}: it changes under an unchanged Dockerfile"
        yield Finding(where, message, f"add the {' and the '.join(missing)} to the tag", related)
    else:
        message = f"{stage.base.text}{by} has no digest: whoever can push the tag can change the image"
        yield Finding(where, message, "add @sha256:… behind the tag", related, is_strict=True)


@cache
def _moving() -> re.Pattern[str]:
    return re.compile(facts.table("image_tags")["moving"])


def _floating_parts(reference: Reference) -> list[str]:
    """What the tag of a known image leaves open."""
    for row in facts.rows("image_tags"):
        if fnmatchcase(reference.familiar, row["image"]):
            return [part["what"] for part in row["parts"] if not re.search(part["pattern"], reference.tag or "")]
    return []


def _defaults(stage: Stage, written: str) -> Iterator[Related]:
    """The ARG lines above the first FROM that the name was put together from."""
    used = set(re.findall(r"\$\{?(\w+)", written))
    for instruction in stage.build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            return
        for word in instruction.words if instruction.keyword == "ARG" else ():
            if word.text.partition("=")[0] in used:
                yield Related(Location(stage.build.source, word.span), "its default")
