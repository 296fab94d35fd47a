"""ML906: shared libraries that only a stage in front of the last one has."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.system import fixes
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import libraries
from mllint.image.libraries import Need
from mllint.image.packages import Install
from mllint.image.stage import Stage


@check("ML906")
def libs_only_in_builder(stage: Stage) -> Iterator[Finding]:
    """Packages are copied from a stage, and the libraries that it installed for them are not."""
    seen: set[tuple[str, ...]] = set()
    for need in libraries.missing(stage) if stage.is_final else ():
        builder = _builder(stage, need)
        if builder is not None and need.libraries not in seen:
            seen.add(need.libraries)
            yield _finding(stage, builder, need)


def _builder(stage: Stage, need: Need) -> Stage | None:
    """The stage that the distribution is copied from, where that one asks for the libraries and has them. A compiler
    there brings some as well; of what nobody asked for ML902 speaks."""
    for other in stage.build.needed:
        is_made_there = any(step is need.root.cause.step for step in other.steps) and other not in stage.lineage
        if is_made_there and any(_calls(other, need)):
            is_complete = all(libraries.presence(other.view, name) == "present" for name in need.libraries)
            return other if is_complete else None
    return None


def _finding(stage: Stage, builder: Stage, need: Need) -> Finding:
    source = stage.build.source
    asks = need.name if need.root.name == need.name else f"{need.name}, which {need.root.name} brings,"
    lacks, packages = " and ".join(need.libraries), " ".join(need.packages)
    where = f"stage {builder.name or builder.index}"
    effect = f"import {need.module} works there and ends in {need.says} in the image"
    message = f"{asks} needs {lacks}, which only {where} has: {effect}"
    repair = f"install them in the last stage too: apt-get install -y --no-install-recommends {packages}"
    what = "installs them for this stage alone"
    related = tuple(Related(Location(source, call.span), what) for call in _calls(builder, need))
    fix = fixes.at_step(stage, need.root.cause.step, need.packages)
    if fix is not None and need.is_verified:
        fix = fix._replace(applicability="safe")
    severity = None if need.is_verified else Severity.WARNING
    return Finding(Location(source, need.root.cause.span), message, repair, related, fix, severity)


def _calls(builder: Stage, need: Need) -> Iterator[Install]:
    """The calls of apt that name what brings the libraries."""
    for call in (call for step in builder.steps for call in step.installs if call.manager.name == "apt"):
        if not {word.value.partition("=")[0] for word in call.operands}.isdisjoint(need.packages):
            yield call
