"""ML102: a base whose tag was never published."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, is_first_use
from mllint.checks.base_image.retagging import retagged
from mllint.findings import Finding, Fix, Location
from mllint.image.published import exact_tag, missing_tag
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.sources import reference as references
from mllint.sources.reference import Reference


@check("ML102")
def base_tag_not_published(stage: Stage) -> Iterator[Finding]:
    """A base whose tag no registry has."""
    reference = stage.base.reference
    if reference is None or reference.digest or not is_first_use(stage):
        return
    missing = missing_tag(reference)
    if missing is None:
        return
    word = stage.from_word
    name = f"{stage.base.text} (from {word.text})" if "$" in word.text else stage.base.text
    repair = f"use {reference.familiar}:{missing.nearest}" if missing.nearest else "use a tag that the image has"
    message = f"{name} is not published, so the build fails at FROM: {missing.reason}"
    where = Location(stage.build.source, word.span)
    yield Finding(where, message, repair, tuple(defaults(stage, word.text)), _published(stage, reference))


def _published(stage: Stage, reference: Reference) -> Fix | None:
    """The published tag that says the same."""
    tag = _same(reference)
    edits = retagged(stage, _same) if tag is not None else None
    return Fix("unsafe", f"use {reference.familiar}:{tag}", edits) if edits else None


def _same(reference: Reference) -> str | None:
    """The nearest tag, exact where the table tells, if it has the version but for its patch and the distribution."""
    missing = missing_tag(reference)
    tag, nearest = reference.tag, missing.nearest if missing is not None else None
    if tag is None or nearest is None or version_of(tag)[:2] != version_of(nearest)[:2]:
        return None
    if tag.partition("-")[2] and tag.rpartition("-")[2] != nearest.rpartition("-")[2]:
        return None
    found = references.parse(f"{reference.familiar}:{nearest}")
    return (exact_tag(found) if isinstance(found, Reference) else None) or nearest
