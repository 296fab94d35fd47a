"""ML607: releases that do not work together."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.checks.requirements.pins import pinned_below, repinned
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import companions, indexed
from mllint.image.installing.clashing import Clash, clashes
from mllint.image.stage import Stage


@check("ML607")
def known_bad_combination(subject: Stage | Requirements) -> Iterator[Finding]:
    """Pins of one call that shut each other out, or break each other in the running service."""
    seen = set()
    for use in uses_of(subject):
        if not indexed.is_public(use.stage, use.install):
            continue
        # Where the releases of torch and its companions disagree, ML703 tells which torch suits all of the call.
        is_told = any(companions.apart(use.stage, use.install))
        for each in clashes(use.stage, use.install):
            if each.other == "torch" and is_told:
                continue
            if is_own(subject, use, each.pin.source) and (each.pin, each.other) not in seen:
                seen.add((each.pin, each.other))
                yield _finding(use, each)


def _finding(use: Use, each: Clash) -> Finding:
    where, call = place_of(use, each.pin)
    pin, tool = f"{each.pin.name} {each.pin.version}", indexed.tool(use.install)
    # What else comes along may hold the newest back.
    is_open = each.beside is None or each.beside.version is None
    fails = f"{tool} finds no releases that fit together and the build fails"
    beside = f"the newest {each.other} for Python {each.minor}"
    if each.beside and each.beside.version:
        beside = f"{each.other} {each.beside.version}"
    repair = f"change one of the two pins, {each.pin.name} or {each.other}"
    if each.requirement is not None:
        message = f"{pin} requires {each.requirement}, and {beside} is pinned beside it: {fails}"
    elif each.row["effect"] == "resolve":
        message = f"{pin} and {beside} ask for different releases of {each.row['over']}: {fails}"
    else:
        comes = "which comes with it" if is_open else "which is pinned beside it"
        message = f"{pin} does not work with {beside}, {comes}: {each.row['says']}"
        repair = f"ask for {each.row['repair']}{' too' if is_open else ''}, or take a newer {each.pin.name}"
    related = [Related(Location(each.beside.source, each.beside.span), "the other one")] if each.beside else []
    is_mild = is_open or not each.is_read or (bool(each.row) and each.row["status"] != "verified")
    severity = Severity.WARNING if is_mild else None
    return Finding(
        where, message, repair, (*related, *((call,) if call else ())), fix=_fix(use, each), severity=severity
    )


def _fix(use: Use, each: Clash) -> Fix | None:
    """The release of the other one that fits all pins."""
    if each.older is None:
        return None
    if each.beside is None:
        return pinned_below(use, each.pin, each.other, each.older)
    return repinned(each.beside, each.older)
