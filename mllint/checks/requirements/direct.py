"""ML617: code that is installed from an address which another day leads to other code."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.requirements.calls import is_workshop, of_image
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related
from mllint.image.compiling import is_put_aside
from mllint.image.installing import refs
from mllint.image.installing.indexed import interpreter_of, written_by
from mllint.image.installing.own import is_own
from mllint.image.installing.pins import is_for_linux
from mllint.image.packages import Install
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.sources.requirements import Editable, Requirement, parse_requirement
from mllint.sources.text import Logical, Source

_FROZEN = "pip freeze in the tested image tells it"
_OF_ITS_DAY = "the one that was the newest when the tested image was built"
# The first Python of a system whose pip is 20.1 or newer.
_WITH_RECORD = (3, 9)
_PIP_OF_SYSTEM = ("python3-pip", "python-pip")
# With these a pip of before 2023 notes no address.
_UNRECORDED = ("--global-option", "--install-option", "--build-option")


class _Address(NamedTuple):
    url: str
    where: Location
    related: tuple[Related, ...] = ()
    told: str = _FROZEN
    """What tells the commit that the tested image has."""


@check("ML617")
def vcs_or_url_without_commit(subject: Stage | Requirements) -> Iterator[Finding]:
    """A requirement by the address of a branch."""
    if isinstance(subject, Stage):
        found, builds, is_aside = _of_stage(subject), [subject.build], is_put_aside(subject.build.source.path)
    else:
        uses = of_image(subject)
        found, builds = _of_file(subject, uses), [use.stage.build for use in uses]
        is_aside = (not uses and is_workshop(subject)) or is_put_aside(subject.file.source.path)
    for each in dict.fromkeys(found):
        moving = refs.repository(each.url) or refs.archive(each.url) or refs.file(each.url)
        # A project that installs itself follows its own branch on purpose.
        if moving is not None and not any(is_own(build, moving.place) for build in builds):
            what = f"from {moving.ref}, which is no commit" if moving.ref else "without a commit"
            message = f"{moving.place} is installed {what}: the next build may install other code"
            yield Finding(each.where, message, _repair(each, moving.ref), each.related, is_strict=is_aside)


def _repair(address: _Address, ref: str | None) -> str:
    url = address.url
    if not url.startswith("git+"):
        return f"put the full commit in the place of {ref or 'the branch'}: git ls-remote tells it"
    what = f"the full commit in the place of {ref}" if ref else "@ and the full commit behind the repository"
    end = ", before the #" if "#" in url and not ref else ""
    return f"put {what}{end}: {address.told}"


def _told(stage: Stage, install: Install) -> str:
    """What tells the commit of a clone: pip notes it since release 20.1, which systems with a Python of 3.8 or older do
    not have yet."""
    if install.manager.name == "uv pip":
        return f"uv {_FROZEN}"
    python = interpreter_of(stage, install)
    minor = python.minor if python is not None and python.kind == "system" else None
    is_old = isinstance(minor, str) and version_of(minor) < _WITH_RECORD and _has_pip_of_system(stage, install)
    return _OF_ITS_DAY if is_old or install.has(*_UNRECORDED) else _FROZEN


def _has_pip_of_system(stage: Stage, install: Install) -> bool:
    """Whether pip is that of a package of the distribution, which nothing has brought up to date before a call."""
    before = [each for step in stage.steps_before(install.step) for each in step.installs]
    words = {word.value for each in before for word in each.operands if not each.manager.language}
    lines = (line for each in before for line in each.requirements if isinstance(line, Requirement))
    is_plain = stage.root.base.is_plain
    return is_plain and not words.isdisjoint(_PIP_OF_SYSTEM) and all(line.key != "pip" for line in lines)


def _of_file(requirements: Requirements, uses: list[Use]) -> Iterator[_Address]:
    if requirements.is_constraints or (requirements.uses and not uses):
        return
    source = requirements.file.source
    related = tuple(Related(Location(use.stage.build.source, use.install.span), "installed here") for use in uses[:1])
    for line in requirements.file.lines:
        if isinstance(line, Editable):
            yield _Address(line.url, Location(source, line.url_span), related)
        elif isinstance(line, Requirement) and (line.marker is None or is_for_linux(line.marker)):
            told = _told(uses[0].stage, uses[0].install) if uses else _FROZEN
            if any(option.name in _UNRECORDED for option in line.options):
                told = _OF_ITS_DAY
            yield from _of_requirement(source, line, related, told)


def _of_requirement(
    source: Source, line: Requirement, related: tuple[Related, ...] = (), told: str = _FROZEN
) -> Iterator[_Address]:
    if line.url is not None and line.url_span is not None and not line.pinned:
        yield _Address(line.url, Location(source, line.url_span), related, told)


def _of_stage(stage: Stage) -> Iterator[_Address]:
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.manager.name in ("pip", "uv pip"):
                yield from _of_words(stage, install)
            if install.manager.language == "python":
                yield from _of_projects(stage, install)


def _of_words(stage: Stage, install: Install) -> Iterator[_Address]:
    source = stage.build.source
    for line in install.requirements:
        if isinstance(line, Requirement):
            yield from _of_requirement(source, line, told=_told(stage, install))
    for word in install.values("-e", "--editable"):
        yield _Address(word.value, Location(source, word.span))


def _of_projects(stage: Stage, install: Install) -> Iterator[_Address]:
    """What a `pyproject.toml` asks for by address, where no lock file tells the commit."""
    call = Location(stage.build.source, install.span)
    for source, span in written_by(stage, install):
        if source.path.endswith("pyproject.toml"):
            line = parse_requirement(Logical.of(source, span))
            for each in _of_requirement(source, line) if isinstance(line, Requirement) else ():
                yield _Address(each.url, call, (Related(each.where, "asked for here"),))
