"""ML606: two distributions of one package."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.edits import delete_lines
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing.overlapping import Overlap, overlaps
from mllint.image.stage import Stage


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
    names = [one.name for one in (*each.earlier, each.later)]
    several = "both" if len(names) == 2 else "all"
    return Finding(
        where,
        f"{', '.join(names[:-1])} and {names[-1]} {several} write the package {each.package}: the files of one lie over"
        " those of the other, and the order in which they are installed tells which",
        f"leave {each.plain} out" if each.plain in names and len(names) == 2 else "keep one of them",
        (*others, *((call,) if call else ())),
        fix=_fix(use, each),
    )


def _fix(use: Use, each: Overlap) -> Fix | None:
    """Without the line of the one of two that is not needed."""
    plain = next((one for one in (each.later, *each.earlier) if one.name == each.plain), None)
    if plain is None or len(each.earlier) > 1:
        return None
    if plain.source is use.stage.build.source or plain.source.path.endswith(".toml"):
        return None
    first, last = (plain.source.position(at)[0] for at in plain.span)
    edit = delete_lines(plain.source, first, last)
    return Fix("unsafe", f"leave {plain.name} out", (edit,)) if first == last else None
