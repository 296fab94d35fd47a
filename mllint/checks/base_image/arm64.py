"""ML109: packages without wheels for a processor that the image is built for."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import obtained, place_of
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import targets
from mllint.image.installing import indexed
from mllint.image.installing.fitting import Place, place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.locked import files_of
from mllint.image.stage import Stage

_MACHINES = ("platform_machine", "TARGETARCH", "TARGETPLATFORM", "aarch64", "arm64")


@check("ML109")
def arm64_no_wheel(subject: Stage | Requirements) -> Iterator[Finding]:
    """A pinned release without a wheel for 64-bit ARM in an image that is built for it too."""
    for use, each in obtained(subject):
        where = place(use.stage, use.install)
        if where is None or not _lacks_wheel(use, each, where):
            continue
        target = targets.arm64(use.stage.build)
        if target is not None:
            yield _finding(use, each, target)


def _lacks_wheel(use: Use, each: Asked, where: Place) -> bool:
    """Whether there is a wheel for x86-64 and none for ARM, and nothing there tells the two apart."""
    found = files_of(each)
    # What FROM says of the platform is asked by the rule of missing wheels; a lock file takes others for each machine.
    if found is None or each.locked is not None or use.stage.platform is not None or not use.install.executed.is_sure:
        return False
    intel = where.platform._replace(is_arm=False, libc_version=None)
    if not found.has_wheel(where.minor, intel) or found.has_wheel(where.minor, intel._replace(is_arm=True)):
        return False
    start = each.source.text.rfind("\n", 0, each.span.start) + 1
    end = each.source.text.find("\n", each.span.end)
    line = each.source.text[start : end if end >= 0 else None]
    return not any(machine in line for machine in _MACHINES)


def _finding(use: Use, each: Asked, target: Location) -> Finding:
    where, other = place_of(use, each)
    found, tool = files_of(each), indexed.tool(use.install)
    has_source = found is not None and found.has_sdist
    effect = f"{tool} builds it from source there" if has_source else f"{tool} finds no matching distribution there"
    message = (
        f"{each.name} {each.version} has no wheel for 64-bit ARM, which {target.path} builds the image for: {effect}"
    )
    repair = "take a release or a package that has one, or ask for it with the marker platform_machine == 'x86_64'"
    related = (Related(target, "the platforms"), *((other,) if other is not None else ()))
    return Finding(where, message, repair, related, severity=Severity.WARNING if has_source else None)
