"""Rules about what is built again with each edit of the source."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.layers import order_texts
from mllint.checks.layers.order_fixes import installed_first
from mllint.findings import Finding, Location, Related
from mllint.image.build import Build
from mllint.image.installing.downloads import is_large
from mllint.image.installing.order import Late, LateProject, brings_history, late_installs, late_project, reads_file
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
        project = late_project(stage) if late is None else None
        if project is not None and project.copy.step not in seen:
            seen.add(project.copy.step)
            yield _with_project(stage, project)


def _with_project(stage: Stage, late: LateProject) -> Finding:
    """A finding for dependencies that come along with the project itself."""
    program, big = late.install.manager.name, next(filter(is_large, late.names), None)
    also = f", {big} among them" if big else ""
    message = (
        f"{late.copy.written} brings the source before {program} installs the project: each edit of the source installs"
        f" its {len(late.names)} dependencies again{also}"
    )
    repair = f"{order_texts.first(stage, late)}, then copy the source and add --no-deps to this call"
    source = stage.build.source
    related = (Related(Location(source, late.install.span), "installs the project"),)
    return Finding(Location(source, late.copy.step.instruction.span), message, repair, related)


def _late(stage: Stage, late: Late) -> Finding:
    install = next(filter(reads_file, late.installs), late.installs[0])
    what, cost, repair = order_texts.in_front(stage, late, install)
    too, moved = order_texts.beside(stage, late, install)
    brought, change = ("the history", "commit") if brings_history(late.copy) else ("the source", "edit of the source")
    message = f"{late.copy.written} brings {brought} before {what}: each {change} {cost}{too}"
    source = stage.build.source
    related = tuple(Related(Location(source, each.span), "needs none of the source") for each in late.installs)
    where = Location(source, late.copy.step.instruction.span)
    fix = installed_first(stage, late)
    return Finding(where, message, repair + moved, related, fix)
