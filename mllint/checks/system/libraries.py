"""ML902: shared libraries of the operating system that Python distributions ask for."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.system import fixes
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import libraries
from mllint.image.libraries import Need
from mllint.image.stage import Stage
from mllint.sources import python


@check("ML902")
def missing_system_library(stage: Stage) -> Iterator[Finding]:
    """A distribution of the image that cannot be imported, as a shared library is not there."""
    seen: set[tuple[str, ...]] = set()
    for need in libraries.missing(stage) if stage.is_final else ():
        if need.libraries not in seen and not _is_idle(stage, need):
            seen.add(need.libraries)
            yield _finding(stage, need)


def _is_idle(stage: Stage, need: Need) -> bool:
    """Whether the source is there to read and nothing in it imports what would fail: then nobody notices. What another
    distribution brings is imported by that one, often in a place that bears the error."""
    context = stage.build.context
    if need.name != need.root.name:
        return not need.is_verified
    texts = [context.text(each.path) for each in context.files() if each.path.endswith(".py")]
    modules = [context.inputs.parsed(text, python.parse) for text in texts if text is not None]
    wanted = need.module.partition(".")[0]
    return bool(modules) and all(each is not None and wanted not in each.packages for each in modules)


def _finding(stage: Stage, need: Need) -> Finding:
    root, base = need.root, stage.root.base.text
    lacks = " and ".join(need.libraries)
    asks = need.name if root.name == need.name else f"{need.name}, which {root.name} brings,"
    effect = f"import {need.module} ends in {need.says}"
    message = f"{asks} needs {lacks}, which {base} does not have and nothing installs: {effect}"
    packages = " ".join(need.packages)
    repair = f"apt-get install -y --no-install-recommends {packages}"
    if need.name.startswith("opencv-") and root.name == need.name:
        repair += f", or {need.name}-headless for a service that opens no window"
    related = (Related(Location(*root.place), "it is asked for here"),) if root.place is not None else ()
    where = Location(stage.build.source, root.cause.span)
    severity = None if need.is_verified else Severity.WARNING
    return Finding(where, message, repair, related, _fix(stage, need), severity)


def _fix(stage: Stage, need: Need) -> Fix | None:
    found = fixes.at_step(stage, need.root.cause.step, need.packages)
    return found._replace(applicability="safe") if found is not None and need.is_verified else found
