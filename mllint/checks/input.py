"""ML0: the inputs themselves and the comments that steer mllint."""

from collections.abc import Iterator

from mllint import catalogue
from mllint.checks import check
from mllint.engine import Comments, Requirements
from mllint.findings import Finding, Location
from mllint.sources.requirements import Invalid


@check("ML001")
def unused_suppression(comments: Comments) -> Iterator[Finding]:
    """An ignore comment that hides nothing, or names no rule."""
    for suppression in comments.suppressions:
        if not suppression.is_ours:
            continue
        if not suppression.selectors and not suppression.used:
            where = Location(suppression.source, suppression.span)
            yield Finding(where, "this ignore comment hides no finding", "remove it")
        for selector, span in suppression.selectors:
            named = catalogue.resolve(selector)
            where = Location(suppression.source, span)
            if not named and selector.lower() != "all":
                near = catalogue.suggest(selector)
                yield Finding(where, f"{selector} names no rule", f"did you mean {near}?" if near else "mllint rules lists them")
            elif selector not in suppression.used and named <= comments.ran:
                yield Finding(where, f"nothing here breaks {selector}: this ignore hides no finding", "remove it")


@check("ML002")
def invalid_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that pip refuses."""
    for line in requirements.file.lines:
        if isinstance(line, Invalid):
            yield Finding(Location(requirements.file.source, line.at), f"pip stops here: {line.message}")
