"""ML601 and ML602: requirements that leave the release open, and what pins them."""

from collections.abc import Iterator, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.pins import pinned_call, pinned_file
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Severity
from mllint.image.installing.lists import BUILD_TOOLS
from mllint.image.installing.pins import Settled, is_for_linux, settled, settled_alone
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

# In the name of a file or of its folder: what is not there for the service that runs.
_WORKSHOP = regex(r"(?:^|[-_./])(?:dev|develop|development|tests?|testing|docs?|lint|linting|typing|ci)[-_./]")


@check("ML601")
def unpinned_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that takes whatever release is the newest."""
    file, uses = requirements.file, _of_image(requirements)
    if requirements.is_constraints or (requirements.uses and not uses):
        return
    if not uses and file.source.path.endswith(".in"):
        return
    places = [settled(use.stage, use.install, use.read) for use in uses] or [settled_alone(file)]
    is_aside = not uses and _is_workshop(requirements)
    fix = pinned_file(uses)
    for line in file.lines:
        if isinstance(line, Requirement) and any(_floats(line, place) for place in places):
            assert line.name_span is not None
            where = Location(file.source, line.specifier_span or line.name_span)
            repair = f"pin the tested release: {_with_extras(line)}==<version>"
            yield Finding(where, _floating_message(line), repair, fix=fix, is_strict=line.has_upper_bound or is_aside)


def _of_image(requirements: Requirements) -> list[Use]:
    """The installs that decide what the image holds."""
    is_workshop = _is_workshop(requirements)
    return [
        use
        for use in requirements.uses
        if use.stage in use.stage.build.needed and (use.install.is_certain or not is_workshop)
    ]


def _is_workshop(requirements: Requirements) -> bool:
    folder_and_name = requirements.file.source.path.lower().split("/")[-2:]
    return _WORKSHOP.search("/".join(folder_and_name)) is not None


def _floats(line: Requirement, place: Settled) -> bool:
    if line.key is None or line.url is not None or line.pinned or line.key in place:
        return False
    return line.marker is None or is_for_linux(line.marker)


def _floating_message(line: Requirement) -> str:
    named = f"{line.name}{line.specifier}"
    if line.has_upper_bound:
        return f"{named} admits more than one release: the next build may install another one"
    if line.specifier:
        return f"{named} admits every later release: the next build may install another one"
    return f"{named} has no version: the next build may install another release"


def _with_extras(line: Requirement) -> str:
    return f"{line.name}[{','.join(line.extras)}]" if line.extras else f"{line.name}"


@check("ML602")
def unpinned_pip_install(stage: Stage) -> Iterator[Finding]:
    """A RUN that installs whatever release is the newest."""
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.manager.name in ("pip", "uv pip"):
                yield from _unpinned_words(stage, install)


def _unpinned_words(stage: Stage, install: Install) -> Iterator[Finding]:
    place = settled(stage, install, stage.closure(install))
    asked = [each for each in install.requirements if isinstance(each, Requirement)]
    floating = [each for each in asked if _floats(each, place) and each.key not in BUILD_TOOLS]
    frameworks = {row["name"] for row in facts.rows("ml_frameworks")}
    wants_newest = install.has("--pre", "--prerelease")
    serious = [each for each in floating if each.key in frameworks and not each.has_upper_bound and not wants_newest]
    others = [each for each in floating if each not in serious]
    if serious:
        yield _unpinned_call(stage, install, serious)
    if others:
        yield _unpinned_call(stage, install, others, is_strict=True)


def _unpinned_call(stage: Stage, install: Install, floating: Sequence[Requirement], is_strict: bool = False) -> Finding:
    first = floating[0]
    if len(floating) == 1:
        message = _floating_message(first)
    else:
        names = [f"{each.name}{each.specifier}" for each in floating]
        shown = names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"]
        message = f"{', '.join(shown[:-1])} and {shown[-1]} are not pinned: the next build may install other releases"
    repair = f'pin the tested release: "{_with_extras(first)}==<version>"'
    severity = Severity.INFO if is_strict else None
    fix = pinned_call(stage, install)
    where = Location(stage.build.source, first.span)
    return Finding(where, message, repair, fix=fix, severity=severity, is_strict=is_strict)
