"""ML720: indexes of PyTorch that will not have tomorrow what the image needs."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.edits import replace
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.torch_indexes import Dead, dead, newest_of
from mllint.image.stage import Stage
from mllint.sources.text import Span

_OF_THE_DAY = ("nightly", "dated")


@check("ML720")
def torch_index_nightly_or_dead(subject: Stage | Requirements) -> Iterator[Finding]:
    """torch from an index of nightly builds, or from one that does not have it."""
    seen = set[str]()
    for use in uses_of(subject):
        found = dead(use.stage, use.install)
        if found is None or found.url in seen or (found.why in _OF_THE_DAY and "nightly" in _names(use.stage)):
            continue
        if found.torch in tuple(asked_in(subject, use)):
            seen.add(found.url)
            yield _finding(use, found)


def _finding(use: Use, found: Dead) -> Finding:
    where, call = place_of(use, found.torch)
    place = (Related(Location(*found.extra.place), "the index"),) if found.extra.place else ()
    related = (call, *place) if call else place
    is_strict = found.why in _OF_THE_DAY and "dev" in _names(use.stage)
    return Finding(where, _said(use, found), _repair(found), related, _fix(use, found), is_strict=is_strict)


def _said(use: Use, found: Dead) -> str:
    torch, tool = found.torch, indexed.tool(use.install)
    match found.why:
        case "nightly":
            return (
                f"{torch.name} comes from {found.url}: each build takes that of the day, and the index drops it after"
                " some weeks"
            )
        case "dated":
            return (
                f"{torch.name} {torch.version} is a nightly build, which the index drops after some weeks: then the"
                " build fails"
            )
        case "over":
            instead = "takes one of then, or finds none"
            if found.extra.kind != "only":
                instead = "takes the torch of the package index"
            last = newest_of(found.build)
            return f"no nightly build for {found.build} was made since torch {last} was the newest: {tool} {instead}"
    what = f"PyTorch has no builds for {found.build}"
    if found.why == "lacks":
        what = f"torch {torch.version} has no build for {found.build}"
    if found.extra.kind == "only":
        return f"{what}: {tool} finds no matching torch in {found.url} and the build fails"
    return f"{what}: {tool} takes the torch of the package index, as if {found.url} were not named"


def _repair(found: Dead) -> str:
    if found.why in ("nightly", "dated", "over"):
        return "take a release, from https://download.pytorch.org/whl/ and the build that you need"
    if found.instead:
        return f"name {found.url.replace(found.build, found.instead)}"
    return "name the index of a build that there is: cpu, cu126, cu130"


def _names(stage: Stage) -> str:
    """What the file, its folder and the stage are called, which tells of images that are meant to be of the day."""
    return "/".join((*stage.build.source.path.lower().split("/")[-2:], (stage.name or "").lower()))


def _fix(use: Use, found: Dead) -> Fix | None:
    """The nearest build of the pinned release."""
    if not found.instead or found.extra.place is None or use.install.step.trigger is not None:
        return None
    source, span = found.extra.place
    at = source.slice(span).find(found.build)
    if at < 0 or found.build in (found.torch.version or ""):
        return None
    edit = replace(source, Span(span.start + at, span.start + at + len(found.build)), found.instead)
    return Fix("unsafe", f"take the {found.instead} build of torch", (edit,))
