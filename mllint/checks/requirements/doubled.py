"""ML613: requirements of one call that speak of the same distribution."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, uses_of
from mllint.checks.requirements.floating import with_extras
from mllint.checks.requirements.pins import repinned
from mllint.edits import delete_lines
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import indexed
from mllint.image.installing.again import again
from mllint.image.installing.doubled import Line, are_apart, is_needless, lines_alone, lines_of, pairs
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.sources.generated import is_generated


@check("ML613")
def duplicate_or_conflicting_requirements(subject: Stage | Requirements) -> Iterator[Finding]:
    """Two lines for one distribution, which shut each other out or of which one says nothing more."""
    seen = set[Location]()
    for use, lines in _lists(subject):
        for line, other in pairs(lines):
            found = _judged(line, other, indexed.tool(use.install) if use is not None else "pip")
            if found is None or found.location in seen:
                continue
            if use is None or is_own(subject, use, found.location.source):
                seen.add(found.location)
                yield found

    if isinstance(subject, Stage):
        yield from _again(subject)


def _again(stage: Stage) -> Iterator[Finding]:
    """What a call installs that an earlier one has installed."""
    for use in uses_of(stage):
        for each in again(stage, use.install)[:1]:
            number = each.source.position(each.span.start)[0]
            where = f"line {number}" if each.source is stage.build.source else f"{each.source.path}:{number}"
            message = f"{each.line.text} is in place already, by {where}: to install it again changes nothing"
            related = (Related(Location(each.source, each.span), "installed before"),)
            place = Location(stage.build.source, each.line.span)
            yield Finding(place, message, "leave it out", related, None, Severity.INFO, is_strict=True)


def _lists(subject: Stage | Requirements) -> Iterator[tuple[Use | None, list[Line]]]:
    """What the calls of pip and uv read, or a file for itself that none of them reads."""
    for use in uses_of(subject):
        yield use, lines_of(use.stage, use.install)
    if isinstance(subject, Requirements) and not subject.uses and not subject.is_constraints:
        yield None, lines_alone(subject.file)


def _judged(line: Line, other: Line, tool: str) -> Finding | None:
    one, two = line.requirement, other.requirement
    if are_apart(one.specifier, two.specifier):
        return _conflict(line, other, tool)
    if other.is_limit or is_generated(line.source):
        return None
    if is_needless(one, two):
        return _needless(line, other)
    return _needless(other, line) if is_needless(two, one) and line.source is other.source else None


def _conflict(line: Line, other: Line, tool: str) -> Finding:
    fails = f"{tool} finds no matching release and the build fails"
    if other is line:
        message = f"{_written(line)} asks for what no release can be: {fails}"
        return Finding(_place(line), message, "take one of the two bounds out")
    held = "is limited to" if other.is_limit else "is asked for beside"
    message = f"{_written(line)} {held} {_written(other)} ({_where(other, line)}): {fails}"
    repair = f"change one of them, here or in {_where(other, line)}"
    return Finding(_place(line), message, repair, (Related(_place(other), "the other one"),), _as_limited(line, other))


def _needless(line: Line, other: Line) -> Finding:
    same = line.requirement.specifier == other.requirement.specifier
    again = "stands in" if same else f"is asked for as {_written(other)} in"
    message = f"{_written(line)} {again} {_where(other, line)} already: this line adds nothing to it"
    is_file = line.source.path.endswith((".txt", ".in"))
    first, last = (line.source.position(at)[0] for at in line.requirement.span)
    fix = None
    if is_file and first == last:
        fix = Fix("safe", f"leave the second {line.requirement.name} out", (delete_lines(line.source, first, last),))
    related = (Related(_place(other), "the other one"),)
    is_apart = line.source is not other.source
    return Finding(_place(line), message, "leave it out", related, fix, Severity.INFO, is_strict=is_apart)


def _place(line: Line) -> Location:
    return Location(line.source, line.requirement.span)


def _where(other: Line, line: Line) -> str:
    number = other.source.position(other.requirement.span.start)[0]
    return f"line {number}" if other.source is line.source else f"{other.source.path}:{number}"


def _written(line: Line) -> str:
    return f"{with_extras(line.requirement)}{line.requirement.specifier}"


def _as_limited(line: Line, other: Line) -> Fix | None:
    """The release of a constraint, which holds for every other list, too."""
    each, version = line.requirement, other.requirement.exact_version
    if not other.is_limit or version is None or each.exact_version is None or is_generated(line.source):
        return None
    return repinned(Asked(each.key or "", each.exact_version, each.specifier, line.source, each.span), version)
