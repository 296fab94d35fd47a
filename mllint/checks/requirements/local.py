"""ML611: requirements by a path of the machine that wrote the file."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import uses_of
from mllint.edits import replace
from mllint.engine import Requirements
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing import foreign, indexed, offered
from mllint.image.installing.indexed import view_at
from mllint.image.installing.pins import is_for_linux
from mllint.sources.requirements import Editable, Requirement
from mllint.sources.text import Source, Span


@check("ML611")
def local_file_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line that names a file of another machine."""
    source, uses = requirements.file.source, uses_of(requirements)
    if requirements.is_constraints or (requirements.uses and not uses):
        return
    places = [(view_at(use.stage, use.install), use.install.step.mounts) for use in uses]
    related = [Related(Location(use.stage.build.source, use.install.span), "installed here") for use in uses[:1]]
    for line in requirements.file.lines:
        path = foreign.path(line)
        if path is None or not isinstance(line, Requirement | Editable) or line.variables:
            continue
        if isinstance(line, Requirement) and line.marker is not None and not is_for_linux(line.marker):
            continue
        if all(foreign.is_foreign(path, *place) for place in places) and (places or foreign.is_foreign(path)):
            tool = indexed.tool(uses[0].install) if uses else "pip"
            message = (
                f"{path} is a path of the machine that wrote this file: {tool} finds nothing there and the build fails"
            )
            repair = f"write the release, {line.name or 'name'}==<version>: pip list --format=freeze tells it"
            yield Finding(Location(source, _span(line)), message, repair, tuple(related), fix=_fix(source, line))


def _span(line: Requirement | Editable) -> Span:
    return line.url_span or line.span


def _fix(source: Source, line: Requirement | Editable) -> Fix | None:
    """The release that the name of a wheel tells, where the package index has it."""
    if not isinstance(line, Requirement) or line.key is None or line.name_span is None or line.url_span is None:
        return None
    version = line.exact_version
    if version is None or version not in offered.releases(line.key) or line.extras:
        return None
    pin = f"{line.name}=={version}"
    # In front of `@`, or a part of the path.
    span = Span(min(line.name_span.start, line.url_span.start), line.url_span.end)
    return Fix("unsafe", f"pin {pin}", (replace(source, span, pin),))
