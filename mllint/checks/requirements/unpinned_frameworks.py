"""ML612: frameworks of machine learning in whatever release is the newest."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.calls import is_of_library, of_image
from mllint.checks.requirements.floating import (
    floating_message,
    installs_of,
    is_file_aside,
    is_frozen,
    is_open_framework,
    line_fix,
    line_repair,
    line_series,
    minors_of,
    open_call,
    open_frameworks,
    open_lines,
    open_words,
    place_of_line,
)
from mllint.engine import Requirements
from mllint.findings import Finding
from mllint.image.content.written import python_texts
from mllint.image.distributions import closure
from mllint.image.installing import indexed, offered, torch_indexes
from mllint.image.installing.clashing import fits
from mllint.image.installing.offered import Platform
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
    is_library, minors = is_of_library(requirements), minors_of(uses)
    fix, is_aside = line_fix(uses, is_library), is_file_aside(requirements, uses)
    for line in open_lines(requirements):
        if is_open_framework(None, line):
            turn = _turn([line], places)
            yield Finding(
                place_of_line(requirements, line),
                f"{floating_message([line])}{turn}",
                line_repair(line, is_library),
                fix=fix,
                is_strict=is_aside or is_frozen(line, minors),
                series=line_series(line, is_library, turn),
            )


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
        is_admitted = "turn" in row and is_break and _admits(line, row, pythons) and _fits_beside(row, places)
        is_reached = is_admitted and all(_reaches(row, *place) for place in places)
        if is_reached and _concerns(row, places):
            return f", and {row['name']} {row['turn']} ({row['month']}) {row['then']}"
    return ""


def _fits_beside(row: Mapping[str, str], places: Sequence[tuple[Stage, Install]]) -> bool:
    """Whether the pins of no place shut the release out."""
    return all(fits(row["name"], row["turn"], indexed.asked(*each)) for each in places)


def _reaches(row: Mapping[str, str], stage: Stage, install: Install) -> bool:
    """Whether the indexes that a call names may have releases on both sides of the one."""
    return row["name"] != "torch" or torch_indexes.spans(stage, install, row["turn"])


def _concerns(row: Mapping[str, str], places: Sequence[tuple[Stage, Install]]) -> bool:
    """Whether one of the services has what the release broke, as far as that can be told."""
    if "needs" in row:
        return any(_is_required(row["name"], *place) for place in places)
    if "code" not in row:
        return True
    beside = set(row.get("beside", "").split())
    return any(
        any(each.name in beside for each in indexed.named(*place)) or _uses(place[0], row["code"]) for place in places
    )


def _is_required(name: str, stage: Stage, install: Install) -> bool:
    """Whether a pin that is installed with it requires a distribution."""
    pins = [(each.name, each.version) for each in indexed.named(stage, install) if each.version is not None]
    return name in closure(((*pin, frozenset[str]()) for pin in pins), None).via


def _uses(stage: Stage, code: str) -> bool:
    texts = [stage.build.source, *(python_texts(stage.build.final or stage) or ())]
    return any(re.search(code, each.text) for each in texts)


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
    is_new = all(version is not None and _numbers(version) >= turn for version in newest)
    return is_new and all(_has_older(line.key or "", turn, python) for python in pythons)


def _has_older(name: str, turn: tuple[int, ...], python: str) -> bool:
    """Whether a release before one has a wheel for a Python, so that a service can have been made with it."""
    platform = Platform("glibc", None, False)
    older = (offered.offer(name, version) for version in offered.releases(name) if _numbers(version) < turn)
    return any(found is not None and found.has_wheel(python, platform) for found in older)


def _numbers(version: str) -> tuple[int, ...]:
    return (*version_of(version), 0, 0, 0)[:3]
