"""ML608: wheels built for NumPy 1 beside NumPy 2."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, place_of, uses_of
from mllint.checks.requirements.pins import pinned_below
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Severity
from mllint.image.installing.numpy_abi import Broken, broken
from mllint.image.stage import Stage


@check("ML608")
def numpy2_abi_break(subject: Stage | Requirements) -> Iterator[Finding]:
    """A release from before NumPy 2, where nothing holds NumPy below 2."""
    seen = set()
    for use in uses_of(subject):
        for each in broken(use.stage, use.install):
            if is_own(subject, use, each.asked.source) and each.asked not in seen:
                seen.add(each.asked)
                yield _finding(use, each)


def _finding(use: Use, each: Broken) -> Finding:
    where, other = place_of(use, each.asked)
    release = f"{each.asked.name} {each.asked.version}"
    beside = f"numpy {each.numpy} is installed beside it" if each.is_pinned else "nothing here holds numpy below 2"
    is_sure = each.is_verified and each.is_certain
    return Finding(
        where,
        f"{release} is built for NumPy 1, and {beside}: importing it fails",
        "ask for numpy<2 too, or take a newer release",
        (other,) if other else (),
        fix=_fix(use, each),
        severity=None if is_sure else Severity.WARNING,
        is_strict=not each.is_certain,
    )


def _fix(use: Use, each: Broken) -> Fix | None:
    """NumPy 1 on a line of its own below the one that needs it."""
    return pinned_below(use, each.asked, "numpy", each.older) if each.older is not None else None
