"""ML902: shared libraries of the operating system that Python distributions ask for."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.system import fixes
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import libraries
from mllint.image.libraries import Need
from mllint.image.stage import Stage
from mllint.sources import python
from mllint.sources.generated import is_generated


@check("ML902")
def missing_system_library(stage: Stage) -> Iterator[Finding]:
    """A distribution of the image that cannot be imported, as a shared library is not there."""
    seen: set[tuple[str, ...]] = set()
    for need in libraries.missing(stage) if stage.is_final else ():
        is_idle = _is_idle(stage, need)
        if need.libraries in seen or (is_idle and not _is_asked_for(need)):
            continue
        seen.add(need.libraries)
        yield _idle(stage, need) if is_idle else _finding(stage, need)


def _is_idle(stage: Stage, need: Need) -> bool:
    """Whether the source is there to read and nothing in it imports what would fail: then nobody notices. What another
    distribution brings is imported by that one, often in a place that bears the error."""
    context = stage.build.context
    if need.name != need.root.name:
        return not need.is_verified
    found = [context.text(each.path) for each in context.files() if each.path.endswith(".py")]
    texts = [each for each in found if each is not None]
    wanted = need.module.partition(".")[0]
    # Who does not name it does not import it, and a project has many files.
    modules = (context.inputs.parsed(each, python.parse) for each in texts if wanted in each.text)
    return bool(texts) and all(each is not None and wanted not in each.packages for each in modules)


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


def _is_asked_for(need: Need) -> bool:
    """Whether somebody wrote it down, and not a program that lists what others require."""
    is_own = need.name == need.root.name
    return is_own and not (need.root.place is not None and is_generated(need.root.place[0]))


def _idle(stage: Stage, need: Need) -> Finding:
    """What nobody imports, and nobody could."""
    root, lacks = need.root, " and ".join(need.libraries)
    message = (
        f"no file here imports {need.module}, for which {need.name} is installed, and none could: it needs {lacks},"
        f" which {stage.root.base.text} does not have and nothing installs"
    )
    place = root.place if root.place is not None and root.place[0] is not stage.build.source else None
    related = (Related(Location(*place), "it is asked for here"),) if place is not None else ()
    where = Location(stage.build.source, root.cause.span)
    repair = f"leave {need.name} out, or apt-get install -y --no-install-recommends {' '.join(need.packages)}"
    return Finding(where, message, repair, related, severity=Severity.WARNING, is_strict=True)


def _fix(stage: Stage, need: Need) -> Fix | None:
    found = fixes.at_step(stage, need.root.cause.step, need.packages)
    return found._replace(applicability="safe") if found is not None and need.is_verified else found
