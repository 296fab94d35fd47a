"""ML6: what is installed, and whether the next build installs the same."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.engine import Requirements
from mllint.findings import Finding, Location, Severity
from mllint.image.packages import Install, closure
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement


@check("ML601")
def unpinned_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that takes whatever release is the newest."""
    file = requirements.file
    if requirements.is_constraints or file.source.path.endswith(".in") or _is_settled(requirements):
        return
    pinned = _pinned_elsewhere(requirements)
    for line in file.lines:
        if not isinstance(line, Requirement) or line.url is not None or line.pinned or line.key in pinned:
            continue
        assert line.name_span is not None
        message = f"{line.name}{line.specifier} is not pinned: the next build may install another release"
        yield Finding(
            Location(file.source, line.specifier_span or line.name_span),
            message,
            f"pin the release that was tested: {line.name}==…",
            is_strict=line.has_upper_bound,
        )


def _is_settled(requirements: Requirements) -> bool:
    """Whether every install of the file has its releases settled in a way that these lines do not show."""
    uses = requirements.uses
    return bool(uses) and all(_takes_unknown_constraints(install) or "--require-hashes" in read.options for install, read in uses)


def _takes_unknown_constraints(install: Install) -> bool:
    state = install.step.before
    named = {"PIP_CONSTRAINT", "UV_CONSTRAINT"} & {*state.env, *state.args, *install.executed.assignments}
    return bool(named) or install.has("--require-hashes")


def _pinned_elsewhere(requirements: Requirements) -> frozenset[str]:
    """The names that the constraints of every install pin; with a constraints file nobody can find, all of them."""
    pins = [read.pins for _, read in requirements.uses]
    for install, read in requirements.uses:
        if install.constraints and not read.constraints:
            pins.append(frozenset(line.key for _, line in read.lines() if line.key))
    own = {line.key for line in requirements.file.lines if isinstance(line, Requirement) and line.pinned and line.key}
    return frozenset.intersection(*pins) | own if pins else frozenset(own)


@check("ML602")
def unpinned_pip_install(stage: Stage) -> Iterator[Finding]:
    """A RUN that installs whatever release is the newest."""
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.manager.name in ("pip", "uv pip") and not install.constraints and not _takes_unknown_constraints(install):
                yield from _unpinned(stage, install)


def _unpinned(stage: Stage, install: Install) -> Iterator[Finding]:
    floating = [
        each
        for each in install.requirements
        if isinstance(each, Requirement) and each.key and each.url is None and not each.pinned
    ]
    in_files = {line.key for _, line in closure(stage, install).lines() if line.pinned}
    frameworks = {row["name"] for row in facts.rows("ml_frameworks")}
    serious = [each for each in floating if each.key in frameworks and not each.has_upper_bound and each.key not in in_files]
    chosen = serious or floating
    if not chosen:
        return
    names = [f"{each.name}" for each in chosen]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    verb = "is" if len(names) == 1 else "are"
    message = f"{listed} {verb} installed without a version: the next build may install another release"
    yield Finding(
        Location(stage.build.source, chosen[0].span),
        message,
        f'pin what was tested: {install.manager.name} install "{names[0]}==…"',
        severity=None if serious else Severity.INFO,
        is_strict=not serious,
    )
