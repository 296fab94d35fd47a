"""ML0: the inputs themselves and the comments that steer mllint."""

from collections.abc import Iterator

from mllint import catalogue
from mllint.checks import check
from mllint.engine import Comments, Requirements
from mllint.findings import Finding, Location
from mllint.sources.requirements import Editable, Empty, Invalid, Line, Requirement
from mllint.sources.text import Span
from mllint.suppressions import Selector, Suppression


@check("ML001")
def unused_suppression(comments: Comments) -> Iterator[Finding]:
    """An ignore comment that hides nothing, or names no rule."""
    for suppression in comments.suppressions:
        if not suppression.is_ours:
            continue
        if suppression.fault:
            where = Location(suppression.source, suppression.span)
            message = f"this comment {suppression.fault} and hides nothing"
            yield Finding(where, message, "name the rules it hides in brackets: # mllint: ignore[ML601]")
        for selector in suppression.selectors:
            yield from _judged(suppression, selector, comments.ran)


def _judged(suppression: Suppression, selector: Selector, ran: frozenset[str]) -> Iterator[Finding]:
    where = Location(suppression.source, selector.span)
    if not selector.rules:
        near = catalogue.suggest(selector.name)
        message = f"{selector.name} names no rule, so that this comment hides nothing by it"
        yield Finding(where, message, f"did you mean {near}?" if near else "mllint rules lists the rules")
    elif selector in suppression.used or selector.is_about_comments:
        return
    elif not selector.name and catalogue.resolve("default") <= ran:
        yield Finding(where, "this comment hides no finding", "remove it")
    elif selector.rules <= ran:
        yield Finding(where, f"this comment hides no finding of {selector.name}", f"take {selector.name} out of it")


@check("ML002")
def invalid_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that pip refuses."""
    source = requirements.file.source
    lines = [line for line in requirements.file.lines if not isinstance(line, Empty)]
    broken = [line for line in lines if isinstance(line, Invalid)]
    if len(broken) > 3 and 3 * len(broken) > 2 * len(lines):
        message = f"pip cannot read {len(broken)} of the {len(lines)} lines: this is no requirements file"
        repair = "a requirements file names one distribution a line: pip freeze writes such a file"
        yield Finding(Location(source, broken[0].at), message, repair)
        return
    for line in lines:
        span, reason = _fault(line, _is_for_pip_constraints(requirements))
        if reason:
            message = f"pip refuses {_shown(source.slice(span))}, so that the install fails: {reason}"
            yield Finding(Location(source, span), message)


def _is_for_pip_constraints(requirements: Requirements) -> bool:
    managers = {use.install.manager.name for use in requirements.uses}
    return requirements.is_constraints and (not managers or "pip" in managers)


def _fault(line: Line, is_constraint: bool) -> tuple[Span, str]:
    """What pip says of a line; for constraints as in `check_invalid_constraint_type` of `pip/_internal/req`."""
    if isinstance(line, Invalid):
        return line.at, line.message
    if is_constraint and isinstance(line, Editable):
        return line.url_span, "Editable requirements are not allowed as constraints"
    if is_constraint and isinstance(line, Requirement):
        if line.name is None and not line.variables:
            return line.span, "Unnamed requirements are not allowed as constraints"
        if line.extras:
            return line.span, "Constraints cannot have extras"
    return line.span, ""


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
