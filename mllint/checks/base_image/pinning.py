"""ML101: a base whose name means another image next month."""

import re
from collections.abc import Iterator
from typing import Any

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.retagging import retagged
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.build import Build
from mllint.image.names import common_name, fits, is_built_here
from mllint.image.published import exact_tag
from mllint.image.stage import Stage
from mllint.sources.reference import Reference


@check("ML101")
def unpinned_base_image(stage: Stage) -> Iterator[Finding]:
    """A base whose name means another image next month."""
    reference = stage.base.reference
    if reference is None or reference.digest or is_built_here(reference) or not is_first_use(stage):
        return
    where = Location(stage.build.source, stage.instruction.words[0].span)
    written = stage.instruction.words[0].text
    name = f"{stage.base.text} (from {written})" if "$" in written else stage.base.text
    related = tuple(defaults(stage, written))
    if reference.tag is None:
        message = f"{name} has no tag, which means :latest: a rebuild can start from another image"
        yield Finding(where, message, _exactly(stage, reference), related)
    elif any(re.fullmatch(row["moving"], reference.tag) for row in _rows(reference, "moving")):
        message = f"{name} follows a moving tag: a rebuild can start from another image"
        yield Finding(where, message, _exactly(stage, reference), related)
    elif missing := [row for row in _rows(reference, "what") if not re.search(row["pattern"], reference.tag)]:
        parts = " and no ".join(row["what"] for row in missing)
        message = f"{name} names no {parts}: a rebuild can start from another image"
        yield Finding(where, message, _exactly(stage, reference), related, _pinned(stage, reference))
    else:
        message = f"{name} has no digest: whoever can push the tag can change the image"
        repair = "add the digest behind the tag: docker buildx imagetools inspect shows it"
        yield Finding(where, message, repair, related, is_strict=True)


def _pinned(stage: Stage, reference: Reference) -> Fix | None:
    """The newest image that the tag can mean, named exactly: that of today, unless apt would fail in it."""
    # Such a tag has images for Windows too, until it names a release of Debian.
    if not all(step.has_posix_shell for step in stage.steps):
        return None
    lost = _suites_that_lack(stage.build)

    def tag_of(each: Reference) -> str | None:
        return exact_tag(each, lost)

    edits = retagged(stage, tag_of)
    return Fix("unsafe", f"pin to {reference.familiar}:{tag_of(reference)}", edits) if edits else None


def _suites_that_lack(build: Build) -> frozenset[str]:
    """The releases of a distribution in which apt does not find all that the file installs."""
    calls = (call for stage in build.stages for step in stage.steps for call in step.installs)
    names = {word.value for call in calls if call.manager.name == "apt" for word in call.operands}
    rows = [row for name in names for row in facts.by("apt_names", "name").get(name, ()) if row["status"] == "verified"]
    return frozenset(suite for row in rows for column in ("gone", "many") for suite in row.get(column, "").split())


def _exactly(stage: Stage, reference: Reference) -> str:
    exact = exact_tag(reference, _suites_that_lack(stage.build))
    example = exact or next((row["as_in"] for row in _rows(reference, "as_in")), None)
    if example is None:
        return "name an exact version in the tag, or the digest"
    return f"name the exact version, as in {reference.familiar}:{example}"


def _rows(reference: Reference, column: str) -> Iterator[dict[str, Any]]:
    name = common_name(reference)
    return (row for row in facts.rows("image_tags") if column in row and fits(name, row["image"]))


def is_first_use(stage: Stage) -> bool:
    """Whether the image needs the stage, and none above it has the same variable for its base: one edit mends all."""
    written = stage.instruction.words[0].text
    needed = stage.build.needed
    return stage in needed and not any(
        "$" in written and other.index < stage.index and other.instruction.words[0].text == written for other in needed
    )


def defaults(stage: Stage, written: str) -> Iterator[Related]:
    """The ARG lines above the first FROM that the name was put together from."""
    used = set(re.findall(r"\$\{?(\w+)", written))
    for instruction in stage.build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            return
        for word in instruction.words if instruction.keyword == "ARG" else ():
            if word.text.partition("=")[0] in used:
                yield Related(Location(stage.build.source, word.span), "its default")
