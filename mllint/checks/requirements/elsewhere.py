"""ML610: requirements that only another operating system can install."""

from collections.abc import Iterator, Mapping

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.asking import Wish, wishes
from mllint.edits import insert
from mllint.engine import Requirements
from mllint.findings import Finding, Fix, Severity
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement, RequirementsFile

_SYSTEMS = {"win32": "Windows", "darwin": "macOS"}


@check("ML610")
def platform_only_requirement(subject: Stage | Requirements) -> Iterator[Finding]:
    """A distribution for Windows or macOS that a Linux image is asked to install."""
    seen = set()
    for wish in wishes(subject):
        row = next(iter(facts.by("platform_only", "name").get(wish.asked.name, ())), None)
        if row is None or wish.asked in seen or _is_for_linux(row, wish):
            continue
        seen.add(wish.asked)
        where, other = wish.place
        system, name = _SYSTEMS[row["system"]], wish.asked.name
        if row["effect"] == "absent":
            message = f"{name} is for {system} alone: {wish.tool} finds no matching distribution and the build fails"
        else:
            message = f"{name} is for {system} alone: {wish.tool} tries to build it and the build fails"
        repair = f'add the marker ; sys_platform == "{row["system"]}", or leave it out'
        severity = Severity.WARNING if row["status"] != "verified" else None
        fix = _marked(subject.file, wish, row["system"]) if isinstance(subject, Requirements) else None
        yield Finding(where, message, repair, (other,) if other else (), fix=fix, severity=severity)


def _is_for_linux(row: Mapping[str, str], wish: Wish) -> bool:
    """Whether the releases that Linux can install are asked for, or may be."""
    if "except" not in row:
        return False
    from packaging.specifiers import SpecifierSet

    version = wish.asked.version
    return version is None or SpecifierSet(row["except"]).contains(version)


def _marked(file: RequirementsFile, wish: Wish, system: str) -> Fix | None:
    """The line with a marker that lets it in on the other system only."""
    line = next((each for each in file.lines if each.span == wish.asked.span), None)
    if not isinstance(line, Requirement) or line.marker is not None or line.variables:
        return None
    last = line.specifier_span or (line.name_span if not line.extras else None)
    if last is None:
        return None
    marker = f'; sys_platform == "{system}"'
    return Fix("safe", f"add the marker {marker}", (insert(file.source, last.end, f" {marker}"),))
