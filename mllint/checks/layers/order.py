"""Rules about what is built again with each edit of the source."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.layers.order_fixes import installed_first
from mllint.findings import Finding, Location, Related
from mllint.image.build import Build
from mllint.image.installing.downloads import INSTALLERS, large, requested
from mllint.image.installing.order import Late, late_installs, reads_file, syncs_project
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step


@check("ML401")
def deps_after_code(build: Build) -> Iterator[Finding]:
    """Source is copied before the dependencies are installed."""
    seen: set[Step] = set()
    for stage in build.needed:
        late = late_installs(stage)
        if late is not None and late.copy.step not in seen:
            seen.add(late.copy.step)
            yield _late(stage, late)


def _late(stage: Stage, late: Late) -> Finding:
    install = next(filter(reads_file, late.installs), late.installs[0])
    what, cost, repair = _in_front(stage, install)
    message = f"{late.copy.written} brings the source before {what}: each edit of the source {cost}"
    source = stage.build.source
    related = tuple(Related(Location(source, each.span), "needs none of the source") for each in late.installs)
    where = Location(source, late.copy.step.instruction.span)
    fix = installed_first(stage, late)
    return Finding(where, message, repair, related, fix, is_strict=late.is_rest and not reads_file(install))


def _in_front(stage: Stage, install: Install) -> tuple[str, str, str]:
    """What is installed, what an edit costs, and what to write instead."""
    program = install.manager.name
    if syncs_project(install):
        option = "--no-install-project" if program == "uv" else "--no-root"
        repair = f"copy pyproject.toml and the lock file, run {program} {install.verb} {option}, then copy the source"
        return f"{program} {install.verb}", "installs all dependencies again", repair
    names = [name for name in requested(stage, install) if name not in INSTALLERS]
    if not reads_file(install):
        shown = _listed(names or [word.value for word in install.operands])
        again = "installs them again" if len(names) > 1 else "installs it again"
        return f"{program} installs {shown}", again, f"move the {program} command above it"
    files = _listed([word.value for word in install.files])
    taken = _listed(list(stage.closure(install).files)) or files or "the files that name the dependencies"
    what = f"{program} installs from {files}" if files else f"{program} installs the dependencies"
    return what, _again(names, large(stage, install)), f"copy {taken} alone, install, then copy the source"


def _again(names: Sequence[str], big: str | None) -> str:
    if len(names) < 2:
        return f"installs {names[0] if names else 'all of them'} again"
    return f"installs its {len(names)} packages again" + (f", {big} among them" if big else "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
