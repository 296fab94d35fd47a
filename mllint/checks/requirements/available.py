"""ML603 and ML604: releases that the package index does not have, or not for the interpreter."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, obtained, place_of, uses_of
from mllint.checks.requirements.older_python import with_older_python
from mllint.checks.requirements.pins import released
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.installing import indexed, offered
from mllint.image.installing.fitting import Misfit, lacks_compiler, misfit, place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.old_glibc import is_too_new
from mllint.image.installing.unbuilt import is_without_musl
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement


@check("ML603")
def pin_no_such_release(subject: Stage | Requirements) -> Iterator[Finding]:
    """A pin on a release that the package index does not have."""
    uses = uses_of(subject)
    for use in uses:
        for each in asked_in(subject, use):
            if (
                each.version
                and offered.is_missing(each.name, each.version)
                and indexed.is_public(use.stage, use.install)
            ):
                finding = _missing_release(each, *place_of(use, each), tool=indexed.tool(use.install))
                yield finding._replace(fix=released(subject, uses, each))
    if isinstance(subject, Requirements) and not subject.uses and indexed.is_public_alone(subject.file):
        for line in subject.file.lines:
            if isinstance(line, Requirement) and line.key and line.url is None and line.marker is None:
                pin = Asked(line.key, line.exact_version, line.specifier, subject.file.source, line.span)
                if pin.version and offered.is_missing(pin.name, pin.version):
                    finding = _missing_release(pin, Location(pin.source, line.specifier_span or line.span))
                    yield finding._replace(fix=released(subject, (), pin))


def _missing_release(each: Asked, where: Location, other: Related | None = None, tool: str = "pip") -> Finding:
    assert each.version is not None
    near = offered.nearest(each.name, each.version)
    hint = f" ({near[0]} is)" if near[0].startswith(each.version) else ""
    message = (
        f"{each.name} {each.version} is not on the package index{hint}: {tool} finds no matching distribution and the"
        " build fails"
    )
    repair = f"pin {' or '.join(f'{each.name}=={version}' for version in near)}"
    return Finding(where, message, repair, (other,) if other else ())


@check("ML604")
def no_wheel_for_python(subject: Stage | Requirements) -> Iterator[Finding]:
    """A release without a wheel for the interpreter that it is installed for."""
    for use, each in obtained(subject):
        where = place(use.stage, use.install)
        found = misfit(each, where) if where is not None else None
        if where is None or found is None or is_too_new(each, where):
            continue
        if not (each.locked and is_without_musl(each, where)):
            fix = with_older_python(use.stage, found, where.minor)
            yield _without_wheel(use, each, found)._replace(fix=fix)


def _without_wheel(use: Use, each: Asked, found: Misfit) -> Finding:
    location, other = place_of(use, each)
    tool, base = indexed.tool(use.install), use.stage.root.base.text
    severity = None if found.fails and found.is_certain else Severity.WARNING
    if found.fails and each.locked is not None:
        effect = f"{each.source.path.rpartition('/')[2]} has no source of it either, and {tool} ends the build"
    elif found.fails:
        effect = f"{tool} finds no matching distribution and the build fails"
    elif lacks_compiler(use.stage, use.install):
        effect = f"{tool} builds it from source, and there is no compiler in {base}"
    else:
        effect = f"{tool} builds it from source"
    message = f"{found.release} {found.reason}: {effect}"
    return Finding(location, message, found.repair, (other,) if other else (), severity=severity)
