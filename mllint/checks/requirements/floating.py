"""ML601 and ML602: requirements that leave the release open, and what pins them."""

import re
from collections.abc import Iterator, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.calls import is_link, is_of_library, is_workshop, of_image
from mllint.checks.requirements.pins import pinned_call, pinned_file
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Series, Severity
from mllint.image import end_of_life
from mllint.image.compiling import is_for_development, is_put_aside
from mllint.image.installing import indexed, offered
from mllint.image.installing.development import unused
from mllint.image.installing.downloads import INSTALLERS
from mllint.image.installing.pins import Settled, is_for_linux, settled, settled_alone
from mllint.image.packages import BUILD_TOOLS, Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source, Span
from mllint.wording import enumerated

# What compiles, packs and tests packages; the service runs none of it.
_BUILD_HELPERS = frozenset(
    "cmake cython flit-core hatchling maturin meson meson-python ninja packaging pdm pdm-backend pip-tools poetry-core"
    " pybind11 scikit-build scikit-build-core setuptools-rust setuptools-scm versioneer virtualenv"
    " editables expecttest hypothesis lintrunner".split()
)

# In the path of a Dockerfile: what is made for those who work on a project.
_WORKSHOP = regex(r"(?:^|/|__)(?:tests?|testing|ci|\.?github|\.devcontainer)(?:/|__)")
_VARIABLE = regex(r"\$(?:\w+|\{[^}]*\})")
_COPIED = regex(r"\s*#+\s*(?:copied|taken|synced) from\b", re.IGNORECASE)
_OPEN = "are not pinned: the next build may install other releases"
# A comment that says what is wanted.
_NEWEST = regex(r"\b(?:latest|newest|nightly)\b", re.IGNORECASE)
_ADVISORY = regex(r"\b(?:CVEs?|GHSA|vulnerab\w+|advisor\w+)\b", re.IGNORECASE)


@check("ML601")
def unpinned_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that takes whatever release is the newest."""
    uses = of_image(requirements)
    is_library, minors = is_of_library(requirements), minors_of(uses)
    fix, is_aside = line_fix(uses, is_library), is_file_aside(requirements, uses)
    for line in open_lines(requirements):
        is_mild = _is_tool(line) or line.has_upper_bound or is_frozen(line, minors)
        is_hint = is_aside or is_mild
        yield Finding(
            place_of_line(requirements, line),
            floating_message([line]),
            line_repair(line, is_library),
            fix=fix,
            severity=Severity.INFO if is_hint else None,
            is_strict=is_hint,
            series=line_series(line, is_library),
        )


def line_repair(line: Requirement, is_library: bool, is_one: bool = True) -> str:
    """How to settle the release of a line, alone or as the first of several; others may install the project."""
    pin = f"{with_extras(line)}==<version>"
    if is_library:
        return (
            f"install with -c and a file of the tested releases ({pin}): a pin here binds all who install the project"
        )
    return f"pin the tested release: {pin}" if is_one else f"pin each to the tested release, as in {pin}"


def line_series(line: Requirement, is_library: bool, outcome: str = "") -> Series:
    """What is said of all open lines of a file."""
    return Series(f"{line.name}{line.specifier}", _OPEN, line_repair(line, is_library, is_one=False), outcome)


def line_fix(uses: Sequence[Use], is_library: bool) -> Fix | None:
    """The pins of all open lines of a file; None where they would bind others."""
    return None if is_library else pinned_file(uses)


def is_file_aside(requirements: Requirements, uses: Sequence[Use]) -> bool:
    """Whether a requirements file is for those who work on a project, no more read, or a copy of another project's."""
    is_for_them = is_workshop(requirements, is_by_name=bool(uses))
    source = requirements.file.source
    return is_for_them or is_put_aside(source.path) or _COPIED.match(source.text) is not None


def _is_tool(line: Requirement) -> bool:
    """Whether it builds or tests, so that the service does not run it."""
    return line.key in INSTALLERS | _BUILD_HELPERS or line.key in facts.by("development_tools", "name")


def open_lines(requirements: Requirements) -> Iterator[Requirement]:
    """The lines of a requirements file that leave the release open, in one of the installs that decide what the image
    holds."""
    file, uses = requirements.file, of_image(requirements)
    if requirements.is_constraints or (requirements.uses and not uses):
        return
    if not uses and file.source.path.endswith(".in"):
        return
    places = [(settled(use.stage, use.install, use.read), _minor(use.stage, use.install)) for use in uses]
    places = places or [(settled_alone(file), None)]
    for line in file.lines:
        if isinstance(line, Requirement) and any(_floats(line, *place) for place in places):
            yield line


def _minor(stage: Stage, install: Install) -> str | None:
    """The Python that a call installs for; None where that is not known."""
    found = indexed.interpreter_of(stage, install)
    return found.minor if found is not None and isinstance(found.minor, str) else None


def place_of_line(requirements: Requirements, line: Requirement) -> Location:
    """Where to report a line that leaves the release open."""
    span = line.specifier_span or line.name_span
    assert span is not None, "only a line with a name is open"
    return Location(requirements.file.source, span)


def _floats(line: Requirement, place: Settled, minor: str | None) -> bool:
    if line.key is None or line.url is not None or line.pinned or line.key in place or _has_no_next(line.key):
        return False
    if offered.is_closed(line.key, line.clauses) or (
        end_of_life.is_python_long_ended(minor) and not offered.goes_on(line.key, minor)
    ):
        return False
    return line.marker is None or is_for_linux(line.marker)


def minors_of(uses: Sequence[Use]) -> list[str | None]:
    """The Pythons that a file is installed for; None for one that is not known."""
    return [_minor(use.stage, use.install) for use in uses]


def is_frozen(line: Requirement, minors: Sequence[str | None]) -> bool:
    """Whether the newest release of a distribution is for no Python that a file is installed for: another one comes
    with a newer Python alone."""
    return bool(minors) and not any(_goes_on(line, minor) for minor in minors)


def _goes_on(line: Requirement, minor: str | None) -> bool:
    """Whether releases of a distribution may come for a Python: while that has fixes itself, some makers give them."""
    return minor in end_of_life.supported() or offered.goes_on(line.key or "", minor)


def _has_no_next(name: str) -> bool:
    """Whether no release of a distribution is to come, or none of use: the matter of other rules."""
    stubs = facts.by("import_names", "name").get(name, ())
    return name in facts.by("ended_packages", "name") or any(row["effect"] in ("refuses", "absent") for row in stubs)


def floating_message(floating: Sequence[Requirement]) -> str:
    """What is open, and that the next build may install something else."""
    names = [f"{each.name}{each.specifier}" for each in floating]
    if len(names) == 1 and floating[0].has_upper_bound:
        return f"{names[0]} names no single release: the next build may install another one"
    if len(names) == 1 and floating[0].specifier:
        return f"{names[0]} admits every later release: the next build may install another one"
    return listed(names)


def listed(names: Sequence[str]) -> str:
    """The same of names without a version."""
    if len(names) == 1:
        return f"{names[0]} has no version: the next build may install another release"
    return f"{enumerated(names, 3)} {_OPEN}"


def with_extras(line: Requirement) -> str:
    """The name of a requirement as it is written before a version."""
    extras = ",".join(line.extras) if len(line.extras) < 4 else "..."
    return f"{line.name}[{extras}]" if extras else f"{line.name}"


@check("ML602")
def unpinned_pip_install(stage: Stage) -> Iterator[Finding]:
    """A RUN that installs whatever release is the newest."""
    for install in installs_of(stage):
        floating = open_words(stage, install)
        serious = open_frameworks(install, floating)
        others = _without_unused(stage, install, [each for each in floating if each not in serious])
        hints = [each for each in others if _is_hint(stage, install, each)]
        plain = [each for each in others if each not in hints]
        for group in filter(None, (serious, plain)):
            yield open_call(stage, install, group)
        if hints:
            yield open_call(stage, install, hints)._replace(severity=Severity.INFO, is_strict=True)


def _without_unused(stage: Stage, install: Install, floating: list[Requirement]) -> list[Requirement]:
    """Without those that the image has no use for, which is the matter of another rule."""
    if not any(each.key in facts.by("development_tools", "name") for each in floating):
        return floating
    names = unused(stage, install)
    return [each for each in floating if each.key not in names]


def _is_hint(stage: Stage, install: Install, line: Requirement) -> bool:
    """Whether a name is left open in part, or on purpose, or brings nothing that the service runs."""
    wants_newest = install.has("--pre", "--prerelease") or is_floor(stage, install, line)
    is_settled = _is_tool(line) or not _goes_on(line, _minor(stage, install))
    is_other = is_settled or _is_aside(stage, install) or not stage.is_in_image
    return line.has_upper_bound or wants_newest or is_other


def _is_aside(stage: Stage, install: Install) -> bool:
    """Whether a Dockerfile is for those who work on a project, no more built, or one of a chain of images, or a comment
    says that the newest is wanted."""
    path = stage.build.source.path.lower()
    above = stage.build.source.comment_above(install.step.instruction.span.start)
    is_for_them = _WORKSHOP.search(path) is not None or is_for_development(stage) or is_put_aside(path)
    return is_for_them or is_link(stage) or _NEWEST.search(above) is not None


def is_floor(stage: Stage, install: Install, line: Requirement) -> bool:
    """Whether a lower bound is one against a hole in the releases below: with `--upgrade`, or by a comment."""
    if not line.specifier:
        return False
    instruction = install.step.instruction
    above = stage.build.source.comment_above(instruction.span.start)
    comments = [above, *(each.text for each in instruction.comments)]
    return install.has("-U", "--upgrade") or any(_ADVISORY.search(each) for each in comments)


def installs_of(stage: Stage) -> Iterator[Install]:
    """The calls of pip and uv that the image is made with."""
    if stage in stage.build.needed:
        installs = (install for step in stage.steps for install in step.installs)
        yield from (each for each in installs if each.manager.name in ("pip", "uv pip"))


def open_words(stage: Stage, install: Install) -> list[Requirement]:
    """What a command names and leaves the release of open."""
    place, minor = settled(stage, install, stage.closure(install)), _minor(stage, install)
    asked = (each for each in install.requirements if isinstance(each, Requirement))
    return [each for each in asked if _floats(each, place, minor) and each.key not in BUILD_TOOLS]


def open_frameworks(install: Install, floating: Sequence[Requirement]) -> list[Requirement]:
    """Those of a command's words that take every later release of a framework."""
    return [each for each in floating if is_open_framework(install, each)]


def is_open_framework(install: Install | None, line: Requirement) -> bool:
    """Whether a requirement takes every later release of a framework of machine learning, and nobody asks for that."""
    wants_newest = install is not None and install.has("--pre", "--prerelease")
    return bool(facts.by("ml_frameworks", "name").get(line.key or "")) and not line.has_upper_bound and not wants_newest


def _is_redirected(source: Source, line: Requirement) -> bool:
    """Whether the shell takes the bound behind a name for a redirection."""
    return source.text[line.span.end : line.span.end + 1] in ("<", ">")


def open_call(stage: Stage, install: Install, floating: Sequence[Requirement]) -> Finding:
    """A finding for what a call leaves open, at the first of it."""
    first, source = floating[0], stage.build.source
    is_bound = all(is_floor(stage, install, each) for each in floating)
    if len(floating) == 1:
        what = f"the tested release{', at or above that bound' if is_bound else ''}:"
    else:
        what = f"each to the tested release{', at or above its bound' if is_bound else ''}, as in"
    repair = f'pin {what} "{with_extras(first)}==<version>"'
    message = floating_message(floating)
    if install.has("--pre"):
        message = f"{message}, even a pre-release"
    if len(floating) == 1 and _is_redirected(source, first):
        reason = f"as the shell takes the {source.text[first.span.end]} for a redirection"
        message = f"{first.name} is not pinned, {reason}: the next build may install another release"
    elif unquoted := next((each for each in floating if _is_redirected(source, each)), None):
        repair += f", and quote {unquoted.name}, whose bound the shell takes for a redirection"
    where = first.span
    # The length of a value tells nothing of quotes around its variable.
    if written := _VARIABLE.match(source.text, where.start - source.text.startswith("$", where.start - 1)):
        where = Span(*written.span())
        message = f"{first.name} (from {written[0]}){message.removeprefix(str(first.name))}"
        repair = f"{repair}, where {written[0]} gets its value"
    minor = _minor(stage, install)
    going_on = [each for each in floating if _goes_on(each, minor)]
    is_aside = _is_aside(stage, install) or all(is_floor(stage, install, each) for each in going_on)
    return Finding(Location(source, where), message, repair, fix=pinned_call(stage, install), is_strict=is_aside)
