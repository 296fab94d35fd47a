"""ML102: a base whose tag was never published."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, is_first_use
from mllint.findings import Finding, Location
from mllint.image.published import missing_tag
from mllint.image.stage import Stage


@check("ML102")
def base_tag_not_published(stage: Stage) -> Iterator[Finding]:
    """A base whose tag no registry has."""
    reference = stage.base.reference
    if reference is None or reference.digest or not is_first_use(stage):
        return
    missing = missing_tag(reference)
    if missing is None:
        return
    word = stage.instruction.words[0]
    name = f"{stage.base.text} (from {word.text})" if "$" in word.text else stage.base.text
    repair = f"use {reference.familiar}:{missing.nearest}" if missing.nearest else "use a tag that the image has"
    message = f"{name} is not published, so the build fails at FROM: {missing.reason}"
    yield Finding(Location(stage.build.source, word.span), message, repair, tuple(defaults(stage, word.text)))
