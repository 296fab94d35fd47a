"""ML904 and ML905: what has to be compiled where the image has nothing to compile with, or no wheel fits."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, obtained, place_of, uses_of
from mllint.checks.system import fixes
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import indexed
from mllint.image.installing.fitting import Place, lacks_compiler, place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.unbuilt import SourceOnly, WithoutMusl, is_without_musl, source_only, without_musl
from mllint.image.stage import Stage
from mllint.wording import enumerated


@check("ML904")
def source_only_package_no_compiler(subject: Stage | Requirements) -> Iterator[Finding]:
    """A distribution that is published as source alone, installed where there is no compiler."""
    for use, each in obtained(subject):
        where = place(use.stage, use.install)
        only = source_only(each, where) if where is not None else None
        if only is not None and lacks_compiler(use.stage, use.install):
            yield _source_only(use, each, only)


def _source_only(use: Use, each: Asked, found: SourceOnly) -> Finding:
    location, other = place_of(use, each)
    base = use.stage.root.base
    message = (
        f"{found.release} is published as source alone, and there is no compiler in {base.text}:"
        f" {indexed.tool(use.install)} cannot build it and the build fails"
    )
    twin = f"use {found.row['twin']}, or " if "twin" in found.row else ""
    repair = f"{twin}install {found.row['packages']} first, best in a stage that only builds"
    is_read = found.row["status"] == "verified" and base.is_verified("gcc")
    severity = None if is_read else Severity.WARNING
    return Finding(location, message, repair, (other,) if other else (), _with_compiler(use, found), severity)


def _with_compiler(use: Use, found: SourceOnly) -> Fix | None:
    """The packages to build with, for a Python that has its headers."""
    stage, install = use.stage, use.install
    interpreter = indexed.interpreter_of(stage, install)
    own = next((step for step in stage.steps if step is install.step), None)
    has_headers = interpreter is not None and stage.root.base.family in ("debian", "ubuntu")
    if own is None or interpreter is None or not has_headers or interpreter.kind == "system":
        return None
    return fixes.with_packages(stage, own, found.row["packages"].split(), install.span.start)


@check("ML905")
def alpine_without_musl_wheels(subject: Stage | Requirements) -> Iterator[Finding]:
    """A distribution on musl of which no release has a wheel for it."""
    for use in uses_of(subject):
        where = place(use.stage, use.install)
        if where is None or where.platform.libc != "musl" or not indexed.is_public(use.stage, use.install):
            continue
        for each in asked_in(subject, use):
            found = tuple(without_musl(each, where))
            if found:
                yield _on_musl(use, each, found, where.minor)
    if isinstance(subject, Stage):
        yield from _locked_on_musl(subject)


def _locked_on_musl(stage: Stage) -> Iterator[Finding]:
    """What a lock file has for glibc alone, once for each call."""
    found: dict[Place, list[Asked]] = {}
    for use, each in obtained(stage):
        where = place(use.stage, use.install)
        if where is not None and each.locked is not None and is_without_musl(each, where):
            found.setdefault(where, []).append(each)
    for where, packages in found.items():
        yield _lock_without_musl(where, packages)


def _lock_without_musl(found: Place, packages: list[Asked]) -> Finding:
    stage, install = found.stage, found.install
    names = [f"{each.name} {each.version}" for each in packages]
    has = "have no wheel" if len(names) > 1 else "has no wheel"
    lost = [each for each in packages if each.locked is not None and each.locked.sdist is None]
    effect = "builds from source, which takes minutes to hours and needs compilers"
    if lost:
        effect = f"has no source of {lost[0].name} either and ends the build"
    base, file = stage.root.base.text, packages[0].source.path.rpartition("/")[2]
    what = f"{enumerated(names, 3)} {has} for musl"
    message = f"{what}, the C library of {base}, in {file}: {indexed.tool(install)} {effect}"
    related = tuple(Related(Location(each.source, each.span), "locked here") for each in packages[:3])
    where = Location(stage.build.source, install.span)
    repair = f"start from an image with glibc, such as python:{found.minor}-slim"
    return Finding(where, message, repair, related, severity=Severity.ERROR if lost else None)


def _on_musl(use: Use, each: Asked, found: tuple[WithoutMusl, ...], minor: str) -> Finding:
    location, other = place_of(use, each)
    names = sorted(one.name for one in found)
    tool, base = indexed.tool(use.install), use.stage.root.base.text
    lost = sorted(one.name for one in found if one.fails)
    asks = "" if names == [each.name] else f"{each.name} brings "
    has = "which have no wheel" if len(names) > 1 else "which has no wheel"
    subject = f"{asks}{', '.join(names)}, {has}" if asks else f"{each.name} has no wheel"
    effect = f"{tool} builds from source, which takes minutes to hours and needs compilers"
    if lost:
        effect = f"{tool} finds no matching distribution of {lost[0]} and the build fails"
    message = f"{subject} for musl, the C library of {base}: {effect}"
    repair = f"start from an image with glibc, such as python:{minor}-slim"
    return Finding(location, message, repair, (other,) if other else ())
