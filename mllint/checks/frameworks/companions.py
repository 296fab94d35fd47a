"""ML703: a companion of torch that is not made for the torch it meets."""

import re
from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.edits import replace
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import indexed
from mllint.image.installing.companions import Apart, apart, together
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement
from mllint.sources.text import Span


@check("ML703")
def torch_companion_mismatch(subject: Stage | Requirements) -> Iterator[Finding]:
    """A companion of torch that is not made for the torch it meets."""
    uses = uses_of(subject)
    for use in uses:
        own = tuple(asked_in(subject, use))
        for each in apart(use.stage, use.install):
            if each.companion in own:
                where, call = place_of(use, each.companion)
                related = (_torch(each), call) if call is not None and not each.fails else (_torch(each),)
                yield _finding(each, where, related, indexed.tool(use.install))._replace(fix=_matched(each, uses))
    if isinstance(subject, Requirements) and not subject.uses and indexed.is_public_alone(subject.file):
        for each in together(_loose(subject), None):
            where = Location(each.companion.source, each.companion.span)
            yield _finding(each, where, (_torch(each),), "pip")._replace(fix=_matched(each, ()))


def _finding(each: Apart, where: Location, related: Sequence[Related], tool: str) -> Finding:
    name = f"{each.companion.name} {each.release}"
    is_newest = each.companion.version is None and not each.fails
    who = f"{name}, the newest," if is_newest else name
    if each.fails:
        effect = f"while torch {each.torch} is asked for: {tool} finds no releases that fit and the build fails"
    elif each.replaces:
        effect = f"so {tool} replaces torch {each.torch}, which was installed before, with gigabytes once more"
    else:
        effect = f"so {tool} puts it beside torch {each.torch}, for which it is not compiled: its import fails"
    limit = f"requires torch {each.requires.removeprefix('==')}" if each.requires else "names no torch"
    repair = f"pin {each.companion.name}=={each.matching}, which is made for torch {each.torch}"
    if each.matching is None:
        repair = f"pin a torch and a {each.companion.name} that are made for each other, in one call"
    severity = None if each.fails else Severity.WARNING
    return Finding(where, f"{who} {limit}, {effect}", repair, tuple(related), severity=severity)


def _torch(each: Apart) -> Related:
    assert each.torch_place is not None, "a torch that is known was asked for somewhere"
    return Related(Location(*each.torch_place), "torch is asked for here")


def _matched(each: Apart, uses: Sequence[Use]) -> Fix | None:
    """The release that is made for this torch, of the same build."""
    companion = each.companion
    if each.matching is None or any(_differs(each, use) for use in uses):
        return None
    text = companion.source.slice(companion.span)
    version = each.matching + "".join(re.findall(r"\+[\w.]+", each.torch))
    title = f"take {companion.name} {version}, which is made for torch {each.torch}"
    if companion.version is None:
        if companion.specifier or text != companion.name:
            return None
        edit = replace(companion.source, companion.span, f"{text}=={version}")
    else:
        found = [*re.finditer(rf"==\s*({re.escape(companion.version)})(?![\w.*+!-])", text)]
        if len(found) != 1:
            return None
        start = companion.span.start
        edit = replace(companion.source, Span(start + found[0].start(1), start + found[0].end(1)), version)
    return Fix("unsafe", title, (edit,))


def _differs(each: Apart, use: Use) -> bool:
    """Whether another use of the same line meets another torch."""
    if each.companion not in indexed.asked(use.stage, use.install):
        return False
    others = (other for other in apart(use.stage, use.install) if other.companion == each.companion)
    return [other.matching for other in others] != [each.matching]


def _loose(subject: Requirements) -> list[Asked]:
    lines = (line for line in subject.file.lines if isinstance(line, Requirement) and line.key and line.url is None)
    source = subject.file.source
    return [
        Asked(line.key, line.exact_version, line.specifier, source, line.span)
        for line in lines
        if line.key and line.marker is None
    ]
