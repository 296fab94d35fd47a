"""ML0: the inputs themselves and the comments that steer mllint."""

from collections.abc import Iterator

from mllint import catalogue
from mllint.checks import check
from mllint.engine import Comments, Requirements
from mllint.findings import Finding, Location
from mllint.sources.requirements import Constraint, Editable, Empty, Invalid, Line, Requirement
from mllint.suppressions import Selector, Suppression


@check("ML001")
def unused_suppression(comments: Comments) -> Iterator[Finding]:
    """An ignore comment that hides nothing, or names no rule."""
    for suppression in comments.suppressions:
        if not suppression.is_ours:
            continue
        where = Location(suppression.source, suppression.span)
        if suppression.fault:
            message = f"this comment {suppression.fault} and hides nothing"
            yield Finding(where, message, "write # mllint: ignore[ML601] with the rules that it hides")
        for selector in suppression.selectors:
            yield from _judged(suppression, selector, comments.ran)


def _judged(suppression: Suppression, selector: Selector, ran: frozenset[str]) -> Iterator[Finding]:
    where = Location(suppression.source, selector.span)
    if not selector.rules:
        near = catalogue.suggest(selector.name)
        message = f"{selector.name} names no rule, so that this comment does not hide it"
        yield Finding(where, message, f"did you mean {near}?" if near else "mllint rules lists the rules")
    elif selector in suppression.used or selector.is_about_comments:
        return
    elif not selector.name and catalogue.resolve("default") <= ran:
        yield Finding(where, "this comment hides no finding", "remove it")
    elif selector.rules <= ran:
        yield Finding(where, f"this comment hides no finding of {selector.name}", f"remove {selector.name} from it")


@check("ML002")
def invalid_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that pip refuses."""
    source = requirements.file.source
    lines = [line for line in requirements.file.lines if not isinstance(line, Empty)]
    faults = [(line, *fault) for line in lines if (fault := _fault(line, requirements.is_constraints))]
    broken = [line for line in lines if isinstance(line, Invalid)]
    if len(broken) > 3 and 2 * len(broken) > len(lines):
        message = f"pip refuses {len(broken)} of the {len(lines)} lines: this is no requirements file"
        yield Finding(Location(source, broken[0].at), message, "give pip a requirements file")
        return
    for line, message, at in faults: ...
