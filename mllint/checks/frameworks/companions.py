"""ML703: a companion of torch that is not made for the torch it meets."""

import re
from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.edits import replace
from mllint.engine import Requirements, Use
from mllint.findings import Edit, Finding, Fix, Location, Related, Severity
from mllint.image.installing import indexed
from mllint.image.installing.clashing import fits
from mllint.image.installing.companions import Agreed, Apart, agreed, apart, is_release, names, together
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement
from mllint.sources.text import Span
from mllint.wording import enumerated


@check("ML703")
def torch_companion_mismatch(subject: Stage | Requirements) -> Iterator[Finding]:
    """A companion of torch that is not made for the torch it meets."""
    uses = uses_of(subject)
    for use in uses:
        own, wanted = tuple(asked_in(subject, use)), indexed.asked(use.stage, use.install)
        found = [_among(each, wanted) for each in apart(use.stage, use.install)]
        odd = agreed(wanted, found)
        if odd is not None and odd.torch in own:
            yield _odd(odd, place_of(use, odd.torch)[0], wanted, indexed.tool(use.install))
        for each in found:
            if each.companion in own and (odd is None or each not in odd.found):
                where, call = place_of(use, each.companion)
                related = (_torch(each), call) if call is not None and not each.fails else (_torch(each),)
                yield _finding(each, where, related, indexed.tool(use.install))._replace(fix=_matched(each, uses))
    if isinstance(subject, Requirements) and not subject.uses and indexed.is_public_alone(subject.file):
        yield from _alone(subject)


def _alone(subject: Requirements) -> Iterator[Finding]:
    """What does not fit in a file that nobody is seen to install."""
    wanted = _loose(subject)
    found = [_among(each, wanted) for each in together(wanted, None)]
    odd = agreed(wanted, found)
    if odd is not None:
        yield _odd(odd, Location(odd.torch.source, odd.torch.span), wanted, "pip")
    for each in found:
        if odd is None or each not in odd.found:
            where = Location(each.companion.source, each.companion.span)
            yield _finding(each, where, (_torch(each),), "pip")._replace(fix=_matched(each, ()))


def _among(each: Apart, wanted: Sequence[Asked]) -> Apart:
    """Without the release for this torch where another pin does not take that release, or not this torch."""
    if each.matching is None or not is_release(each.torch):
        return each
    others = [other for other in wanted if other is not each.companion and other.name not in names()]
    is_fit = fits(each.companion.name, each.matching, others) and fits("torch", each.torch.partition("+")[0], others)
    return each if is_fit else each._replace(matching=None)


def _odd(odd: Agreed, where: Location, wanted: Sequence[Asked], tool: str) -> Finding:
    """One finding for a torch that no companion is made for, while they agree on another one."""
    assert odd.torch.version is not None, "only a pin stands alone against others"
    listed = [f"{each.companion.name} {each.release}" for each in odd.found]
    require = f"{enumerated(listed)} {'require' if listed[1:] else 'requires'}"
    message = (
        f"torch {odd.torch.version} is asked for, while {require} torch {odd.release}: {tool} finds no releases that"
        " fit and the build fails"
    )
    related = tuple(
        Related(Location(each.companion.source, each.companion.span), "asked for here") for each in odd.found
    )
    if not fits("torch", odd.release, wanted):
        return Finding(where, message, "pin a torch and companions of it that all other pins take too", related)
    version = odd.release + "".join(re.findall(r"\+[\w.]+", odd.torch.version))
    edit = pinned(odd.torch, version)
    fix = Fix("unsafe", f"take torch {version}, which the others are made for", (edit,)) if edit is not None else None
    return Finding(where, message, f"pin torch=={version}, which the others are made for", related, fix)


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
    if each.matching is None or any(_differs(each, use) for use in uses):
        return None
    version = each.matching + "".join(re.findall(r"\+[\w.]+", each.torch))
    edit = pinned(each.companion, version)
    title = f"take {each.companion.name} {version}, which is made for torch {each.torch}"
    return Fix("unsafe", title, (edit,)) if edit is not None else None


def pinned(asked: Asked, version: str) -> Edit | None:
    """Another exact version of a requirement, or its first; None where it is written in another way."""
    text = asked.source.slice(asked.span)
    if asked.version is None:
        is_bare = not asked.specifier and text == asked.name
        return replace(asked.source, asked.span, f"{text}=={version}") if is_bare else None
    found = [*re.finditer(rf"==\s*({re.escape(asked.version)})(?![\w.*+!-])", text)]
    if len(found) != 1:
        return None
    start = asked.span.start
    return replace(asked.source, Span(start + found[0].start(1), start + found[0].end(1)), version)


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
