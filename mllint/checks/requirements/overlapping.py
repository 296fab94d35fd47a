"""ML606: two distributions of one package."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.edits import delete_lines
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing.indexed import Asked
from mllint.image.installing.overlapping import Overlap, overlaps
from mllint.image.stage import Stage
from mllint.sources.generated import compiled_for


@check("ML606")
def package_pair_conflict(subject: Stage | Requirements) -> Iterator[Finding]:
    """A distribution beside another one that writes the same package."""
    seen = set()
    for use in uses_of(subject):
        for each in overlaps(use.stage, use.install):
            if is_own(subject, use, each.later.source) and each.later not in seen:
                seen.add(each.later)
                yield _finding(use, each)


def _finding(use: Use, each: Overlap) -> Finding:
    where, call = place_of(use, each.later)
    others = [Related(Location(one.source, one.span), "another one") for one in each.earlier]
    names = [_placed(one, each.later) for one in each.earlier]
    several = "both" if len(names) == 1 else "all"
    return Finding(
        where,
        f"{', '.join(names)} and {each.later.name} {several} write the package {each.package}: the files of one lie"
        " over those of the other, and the order in which they are installed tells which",
        _repair(each),
        (*others, *((call,) if call else ())),
        fix=_fix(use, each),
    )


def _placed(one: Asked, later: Asked) -> str:
    """A name, and where it stands if that is another line."""
    line, own = one.source.position(one.span.start)[0], later.source.position(later.span.start)[0]
    if one.source is not later.source:
        return f"{one.name} ({one.source.path}:{line})"
    return f"{one.name} (line {line})" if line != own else one.name


def _repair(each: Overlap) -> str:
    plain = _plain(each)
    if plain is None:
        return each.keep
    parents = compiled_for(plain.source, plain.span)
    too = f", which {' and '.join(parents)} {'asks' if len(parents) == 1 else 'ask'} for too" if parents else ""
    return f"leave {plain.name} out{too}"


def _plain(each: Overlap) -> Asked | None:
    """The one of two that is not needed."""
    pair = (each.later, *each.earlier)
    return next((one for one in pair if one.name == each.plain), None) if len(pair) == 2 else None


def _fix(use: Use, each: Overlap) -> Fix | None:
    """Without the line of the one of two that is not needed."""
    plain = _plain(each)
    if plain is None:
        return None
    if plain.source is use.stage.build.source or plain.source.path.endswith(".toml"):
        return None
    first, last = (plain.source.position(at)[0] for at in plain.span)
    edit = delete_lines(plain.source, first, last)
    return Fix("unsafe", f"leave {plain.name} out", (edit,)) if first == last else None
