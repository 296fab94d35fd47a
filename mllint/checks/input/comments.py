"""ML001: comments that hide nothing."""

from collections.abc import Iterator

from mllint import catalogue
from mllint.checks import check
from mllint.edits import delete, delete_lines, replace
from mllint.engine import Comments
from mllint.findings import Edit, Finding, Fix, Location
from mllint.patterns import regex
from mllint.sources.text import Span
from mllint.suppressions import Selector, Suppression

_OURS = regex(r"(?i)#\s*mllint:")
_PLAIN = 0.9
"""How like a name has to be to the one that was meant."""
_DIRECTIVE = regex(r"#\s*\w+\s*=")


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
        fix = _renamed(suppression, selector, near) if near else None
        yield Finding(where, message, f"did you mean {near}?" if near else "mllint rules lists the rules", fix=fix)
    elif selector in suppression.used or selector.is_about_comments:
        return
    elif not selector.name and catalogue.resolve("default") <= ran:
        fix = _without_comment(suppression)
        yield Finding(where, "this comment hides no finding", "remove it", fix=fix)
    elif selector.rules <= ran:
        message, repair = f"this comment hides no finding of {selector.name}", f"take {selector.name} out of it"
        yield Finding(where, message, repair, fix=_without(suppression, selector))


def _renamed(suppression: Suppression, selector: Selector, near: str) -> Fix | None:
    """The name that was plainly meant. The finding is then hidden, so it wants a look."""
    from difflib import SequenceMatcher

    if "-" not in near or SequenceMatcher(None, selector.name, near).ratio() < _PLAIN:
        return None
    edit = replace(suppression.source, selector.span, near)
    return Fix("unsafe", f"write {near} for {selector.name}", (edit,))


def _without(suppression: Suppression, selector: Selector) -> Fix | None:
    """The comment without one of its names, or no comment where that is the only one."""
    if len(suppression.selectors) == 1:
        return _without_comment(suppression)
    at = suppression.selectors.index(selector)
    # Of two names the comma between them goes with the one that goes.
    if at:
        span = Span(suppression.selectors[at - 1].span.end, selector.span.end)
    else:
        span = Span(selector.span.start, suppression.selectors[1].span.start)
    return Fix("safe", f"take {selector.name} out of the comment", (delete(suppression.source, span),))


def _without_comment(suppression: Suppression) -> Fix | None:
    """The file without the comment, and without its line where nothing else is on it."""
    source = suppression.source
    begin = _OURS.search(source.text, *suppression.span)
    assert begin is not None, "a comment of ours has the word in it"
    number = source.position(begin.start())[0]
    line = source.line_span(number)
    front = source.text[line.start : begin.start()]
    if front.strip():
        start = line.start + len(front.rstrip())
        return Fix("safe", "remove the comment", (delete(source, Span(start, suppression.span.end)),))
    edit = _without_line(suppression, number)
    return Fix("safe", "remove the comment", (edit,)) if edit is not None else None


def _without_line(suppression: Suppression, number: int) -> Edit | None:
    source = suppression.source
    above = source.slice(source.line_span(number - 1)) if number > 1 else ""
    is_last = number >= len(source.line_starts)
    below = "" if is_last else source.slice(source.line_span(number + 1))
    # Without it, the next line would be a directive, or the next but one the rest of the line above.
    if _DIRECTIVE.match(below) or (above.endswith("\\") and not _is_in_dockerfile(suppression)):
        return None
    return delete_lines(source, number, number)


def _is_in_dockerfile(suppression: Suppression) -> bool:
    return not suppression.source.path.endswith((".txt", ".in"))
