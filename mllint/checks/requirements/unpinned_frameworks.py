"""ML612: frameworks of machine learning in whatever release is the newest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.calls import is_workshop, of_image
from mllint.checks.requirements.floating import (
    floating_message,
    installs_of,
    is_open_framework,
    open_call,
    open_frameworks,
    open_lines,
    open_words,
    place_of_line,
    with_extras,
)
from mllint.checks.requirements.pins import pinned_file
from mllint.engine import Requirements
from mllint.findings import Finding
from mllint.image.installing import indexed, offered
from mllint.image.installing.clashing import fits
from mllint.image.packages import Install
from mllint.image.releases import version_of
from mllint.image.serving.cuda import cuda_base
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement


@check("ML612")
def unpinned_ml_framework(subject: Stage | Requirements) -> Iterator[Finding]:
    """A framework that takes every later release."""
    if isinstance(subject, Requirements):
        yield from _in_file(subject)
        return
    for install in installs_of(subject):
        floating = open_frameworks(install, open_words(subject, install))
        if floating:
            found = open_call(subject, install, floating)
            yield found._replace(message=f"{found.message}{_turn(floating, [(subject, install)])}")


def _in_file(requirements: Requirements) -> Iterator[Finding]:
    uses = of_image(requirements)
    places = [(use.stage, use.install) for use in uses]
    fix, is_aside = pinned_file(uses), not uses and is_workshop(requirements)
    for line in open_lines(requirements):
        if is_open_framework(None, line):
            message = f"{floating_message([line])}{_turn([line], places)}"
            repair = f"pin the tested release: {with_extras(line)}==<version>"
            yield Finding(place_of_line(requirements, line), message, repair, fix=fix, is_strict=is_aside)


def _turn(floating: Iterable[Requirement], places: Sequence[tuple[Stage, Install]]) -> str:
    """What a release did to those who had left it open: the first one that these requirements and the Python of all
    places let in."""
    found = [indexed.interpreter_of(*each) for each in places]
    minors = [each.minor if each is not None else None for each in found]
    pythons = [minor for minor in minors if isinstance(minor, str)]
    if not pythons or len(pythons) < len(places):
        return ""
    for line in floating:
        row = facts.by("ml_frameworks", "name")[line.key or ""][0]
        is_break = "cuda" not in row or all(_cuda(stage) == row["cuda"] for stage, _ in places)
        if "turn" in row and is_break and _admits(line, row, pythons) and _fits_beside(row, places):
            return f", and {row['name']} {row['turn']} ({row['month']}) {row['then']}"
    return ""


def _fits_beside(row: Mapping[str, str], places: Sequence[tuple[Stage, Install]]) -> bool:
    """Whether the pins of no place shut the release out."""
    return all(fits(row["name"], row["turn"], indexed.asked(*each)) for each in places)


def _cuda(stage: Stage) -> str | None:
    base = cuda_base(stage)
    return base.major if base is not None else None


def _admits(line: Requirement, row: Mapping[str, str], pythons: Iterable[str]) -> bool:
    """Whether a requirement takes releases on both sides of one, which these versions of Python admit."""
    turn = _numbers(row["turn"])
    if any(_numbers(version) >= turn for operator, version in line.clauses if operator.startswith((">", "="))):
        return False
    if "python" in row:
        return all(version_of(python) >= version_of(row["python"]) for python in pythons)
    newest = (offered.newest(line.key or "", python) for python in pythons)
    return all(version is not None and _numbers(version) >= turn for version in newest)


def _numbers(version: str) -> tuple[int, ...]:
    return (*version_of(version), 0, 0, 0)[:3]
