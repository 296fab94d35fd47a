"""ML330 and ML331: what a server needs beside the packages that it imports."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import installed_fixes
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing.downloads import is_large
from mllint.image.serving import extras
from mllint.image.serving.extras import Need
from mllint.image.stage import Stage

_ENDS = "the container ends as soon as it starts"


@check("ML330")
def fastapi_multipart_missing(stage: Stage) -> Iterator[Finding]:
    """A route of FastAPI that takes a form, without the package that reads forms."""
    need = extras.forms(stage) if stage.is_final else None
    if need is not None:
        message = f"a route of {need.file.name} takes {need.named}, for which FastAPI needs {need.distribution}"
        yield _finding(stage, need, message)


@check("ML331")
def implied_extra_missing(stage: Stage) -> Iterator[Finding]:
    """A call, import or field that needs a distribution which its own does not bring."""
    for need in extras.needs(stage) if stage.is_final else ():
        yield _finding(stage, need, f"{need.file.name} uses {need.named}, which needs {need.distribution}")


def _finding(stage: Stage, need: Need, message: str) -> Finding:
    assert stage.process is not None
    outcome = _ENDS if need.is_at_start else need.fails
    place = Location(need.file.source, need.file.source.line_span(need.line))
    return Finding(
        Location(stage.build.source, stage.process.instruction.span),
        f"{message}, and nothing installs that: {outcome}",
        f"install {need.asks or need.distribution}",
        (Related(place, "it is needed here"),),
        _fix(stage, need),
        None if need.is_at_start and need.is_verified else Severity.WARNING,
    )


def _fix(stage: Stage, need: Need) -> Fix | None:
    if need.asks:
        return None
    # Which build of a framework is wanted, nobody knows.
    return installed_fixes.required(stage, need.distribution, "unsafe" if is_large(need.distribution) else "safe")
