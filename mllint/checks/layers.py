"""ML4: what layers cost, and what has to be built again when something changes."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.build import Build
from mllint.image.content.weights import Heavy, late_weights
from mllint.image.installing.downloads import (
    INSTALLERS,
    copies_out_of_cache,
    downloads_little,
    keeps_cache,
    large,
    requested,
)
from mllint.image.installing.order import Late, late_installs, reads_file, syncs_project
from mllint.image.packages import Install
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


def _late(stage: Stage, late: Late) -> Finding:
    install = next(filter(reads_file, late.installs), late.installs[0])
    what, cost, repair = _in_front(stage, install)
    message = f"{late.copy.written} brings the source before {what}: each edit of the source {cost}"
    source = stage.build.source
    related = tuple(Related(Location(source, each.span), "needs none of the source") for each in late.installs)
    where = Location(source, late.copy.step.instruction.span)
    return Finding(where, message, repair, related, is_strict=late.is_rest and not reads_file(install))


def _in_front(stage: Stage, install: Install) -> tuple[str, str, str]:
    """What is installed, what an edit costs, and what to write instead."""
    program = install.manager.name
    if syncs_project(install):
        option = "--no-install-project" if program == "uv" else "--no-root"
        repair = f"copy pyproject.toml and the lock file, run {program} {install.verb} {option}, then copy the source"
        return f"{program} {install.verb}", "installs all dependencies again", repair
    names = [name for name in requested(stage, install) if name not in INSTALLERS]
    if not reads_file(install):
        shown = _listed(names or [word.value for word in install.operands])
        again = "installs them again" if len(names) > 1 else "installs it again"
        return f"{program} installs {shown}", again, f"move the {program} command above it"
    files = _listed([word.value for word in install.files])
    taken = _listed(list(stage.closure(install).files)) or files or "the files that name the dependencies"
    what = f"{program} installs from {files}" if files else f"{program} installs the dependencies"
    return what, _again(names, large(stage, install)), f"copy {taken} alone, install, then copy the source"


def _again(names: Sequence[str], big: str | None) -> str:
    if len(names) < 2:
        return f"installs {names[0] if names else 'all of them'} again"
    return f"installs its {len(names)} packages again" + (f", {big} among them" if big else "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


@check("ML402")
def installer_cache_kept(stage: Stage) -> Iterator[Finding]:
    """pip or uv leaves its download cache in a layer of the image."""
    # A base that is not known may have switched the cache off, and one made for builds often has.
    if not stage.is_in_image or stage.root.base.kind == "unknown":
        return
    for step in stage.steps:
        kept = [each for each in step.installs if each.is_certain and keeps_cache(stage, each)]
        if kept:
            yield _kept(stage, kept)


def _kept(stage: Stage, installs: list[Install]) -> Finding:
    is_small = all(map(downloads_little, installs))
    first = next((each for each in installs if not downloads_little(each)), installs[0])
    where = Location(stage.build.source, first.span)
    big = next(filter(None, (large(stage, each) for each in installs)), None)
    if first.manager.name != "pip":
        is_double = any(map(copies_out_of_cache, installs))
        cost = ": a second copy of all it installs, as its link mode is copy" if is_double else ""
        severity = Severity.WARNING if is_double and big else None
        message = f"uv leaves its cache in this layer of the image{cost}"
        return Finding(where, message, _OFF["uv"], severity=severity, is_strict=is_small)
    cost = f": more than 500 MB with {big}" if big else ""
    message = f"pip leaves the packages that it downloads in this layer of the image{cost}"
    severity = Severity.WARNING if big else None
    return Finding(where, message, _OFF["pip"], severity=severity, is_strict=is_small)


_OFF = {
    "pip": "add --no-cache-dir, set PIP_NO_CACHE_DIR=1 above, or mount a cache over ~/.cache/pip",
    "uv": "add --no-cache, set UV_NO_CACHE=1 above, or mount a cache over ~/.cache/uv",
}


@check("ML403")
def model_after_code(stage: Stage) -> Iterator[Finding]:
    """Weights come into a layer that each edit of the source makes anew."""
    for heavy in late_weights(stage) if stage.is_in_image else ():
        source = stage.build.source
        where = Location(source, heavy.span)
        if heavy.kind == "with":
            yield Finding(where, _beside(heavy), "keep them out by .dockerignore or --exclude, and copy them above")
            continue
        related = (Related(Location(source, heavy.source.step.instruction.span), "brings the source"),)
        message = f"RUN downloads {heavy.what} behind the source: each edit of the source downloads it again"
        if heavy.kind == "behind":
            message = f"{_brought(heavy)} behind the source: each edit of the source uploads them again"
        repair = f"move it above {heavy.source.written}"
        yield Finding(where, message, repair, related, is_strict=not heavy.is_model)


def _beside(heavy: Heavy) -> str:
    return f"{_brought(heavy)} in one layer with the source: each edit of the source uploads them again"


def _brought(heavy: Heavy) -> str:
    size = sum(each.size for each in heavy.files) / 1e6
    copied = heavy.step.copy.written if heavy.step.copy is not None else ""
    return f"{copied} brings {size:.0f} MB of weights ({heavy.files[0].path})"
