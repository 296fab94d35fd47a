"""ML002: lines of requirements files that pip refuses."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import delete_lines, replace
from mllint.engine import Requirements
from mllint.findings import Finding, Fix, Location
from mllint.patterns import regex
from mllint.sources.hidden import hidden
from mllint.sources.pip_encoding import without_nuls
from mllint.sources.requirements import Editable, Empty, Invalid, Line, Requirement, parse_requirement
from mllint.sources.text import Logical, Source, Span

_QUOTES = str.maketrans("\u201c\u201d\u201e\u2018\u2019", '"""\'\'')
# What people write, and what pip reads.
_SLIPS = (
    (r"(?<![=!<>~])=(?![=<>~])", "=="),
    (r"=>(?!=)", ">="),
    (r"=<(?!=)", "<="),
    (r"(?<=[\w.*])\s+(?=(?:[<>!~]=|==|[<>])\s*\d)", ","),
)
_SAID_BY_PIP = regex(r"\[notice\] |(?:WARNING|DEPRECATION|NOTICE): ")


@check("ML002")
def invalid_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that pip refuses."""
    source = requirements.file.source
    if without_nuls(source.text) is not None:
        return
    lines = [line for line in requirements.file.lines if not isinstance(line, Empty) and hidden(source, line) is None]
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
            yield Finding(Location(source, span), message, fix=_removed(source, line) or _corrected(source, line))


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


def _removed(source: Source, line: Line) -> Fix | None:
    """Without a line that pip printed and did not mean for the file."""
    if not isinstance(line, Invalid) or _SAID_BY_PIP.match(source.slice(line.span)) is None:
        return None
    first, last = source.position(line.span.start)[0], source.position(line.span.end)[0]
    return Fix("safe", "remove what pip said", (delete_lines(source, first, last),))


def _corrected(source: Source, line: Line) -> Fix | None:
    """The requirement with the one slip in it corrected: a single `=`, a bound turned round, a lost comma, quotation
    marks of a word processor."""
    if not isinstance(line, Invalid):
        return None
    end = line.comment.span.start if line.comment is not None else line.span.end
    text = source.text[line.span.start : end].rstrip()
    plain = text.translate(_QUOTES)
    for found in (plain, *(re.sub(pattern, meant, plain) for pattern, meant in _SLIPS)):
        read = parse_requirement(Logical(found, (0,), (0,)))
        if found != text and isinstance(read, Requirement) and read.url is None and read.clauses:
            edit = replace(source, Span(line.span.start, line.span.start + len(text)), found)
            return Fix("unsafe", f"write {_shown(found)}", (edit,))
    return None
