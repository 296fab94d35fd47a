"""ML702 and ML706: builds of torch for a CUDA, and the index that they come from."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.edits import insert, replace
from mllint.engine import Requirements, Use
from mllint.findings import Edit, Finding, Fix, Location, Related
from mllint.image.installing import builds, indexed
from mllint.image.installing.builds import Outrun, builds_of, outrun
from mllint.image.installing.indexed import Asked
from mllint.image.packages import Install
from mllint.image.serving.torch_hosts import driver_for
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement
from mllint.sources.text import Span
from mllint.wording import enumerated

_INDEX = "https://download.pytorch.org/whl"


@check("ML702")
def extra_index_mixes_cuda_builds(subject: Stage | Requirements) -> Iterator[Finding]:
    """An extra index of PyTorch whose builds are older than what the package index has."""
    for use in uses_of(subject):
        found = outrun(use.stage, use.install)
        if found is None or found.torch not in tuple(asked_in(subject, use)):
            continue
        there = f"whose newest is {found.newest}" if found.newest else "which has no such release"
        message = (
            f"pip takes torch {found.taken} for CUDA {found.cuda} from the package index, as the highest version of all"
            f" indexes counts, and not from {found.extra.url}, {there}: {_outcome(found)}"
        )
        family = [each for each in sorted(builds.FAMILY) if each in {asked.name for asked in asked_in(subject, use)}]
        repair = f"name {found.extra.url} with --index-url in a call of its own for {enumerated(family)}"
        repair += ", or pin a torch that is there"
        where, call = place_of(use, found.torch)
        place = (Related(Location(*found.extra.place), "the index"),) if found.extra.place else ()
        yield Finding(where, message, repair, (call, *place) if call else place, _alone(use, found))


def _outcome(found: Outrun) -> str:
    """What another CUDA than the one that the index is for means."""
    meant, taken = (found.extra.build or "")[2:], found.cuda.partition(".")[0]
    needed = driver_for(taken)
    if needed is not None and meant[:-1] != taken:
        return f"on hosts with a driver older than {needed} it finds no GPU"
    return f"the image gets CUDA {found.cuda} instead of {meant[:-1]}.{meant[-1]}"


def _alone(use: Use, found: Outrun) -> Fix | None:
    """The index in the place of the public one, for a call that asks for torch and its companions only."""
    install, index = use.install, found.extra
    names = {line.key for line in install.requirements if isinstance(line, Requirement)}
    is_whole = len(install.requirements) == len(install.operands) and not install.files
    if not found.newest or index.place is None or not is_whole or not names <= builds.FAMILY:
        return None
    source = use.stage.build.source
    spans = [word.span for word in install.executed.words if word.text.startswith("--extra-index-url")]
    if use.stage.build.source is not index.place[0] or len(spans) != 1 or install.step.trigger is not None:
        return None
    span = Span(spans[0].start, spans[0].start + len("--extra-index-url"))
    if source.slice(span) != "--extra-index-url":
        return None
    return Fix("unsafe", f"take torch from {index.url} alone", (replace(source, span, "--index-url"),))


@check("ML706")
def torch_local_version_without_index(subject: Stage | Requirements) -> Iterator[Finding]:
    """A local version, which the package index never has, and no other index."""
    for use in uses_of(subject):
        if not indexed.is_public(use.stage, use.install):
            continue
        locals_ = [each for each in indexed.asked(use.stage, use.install) if each.version and "+" in each.version]
        for each in asked_in(subject, use):
            if each in locals_:
                yield _without_index(use, each)._replace(fix=_with_index(use, locals_) if each is locals_[0] else None)


def _without_index(use: Use, each: Asked) -> Finding:
    assert each.version is not None, "only exact versions have a local part"
    public, _, build = each.version.partition("+")
    tool = indexed.tool(use.install)
    message = (
        f"{each.name} {each.version} is a local build, which the package index never has, and no other index is named:"
        f" {tool} finds no matching distribution and the build fails"
    )
    is_of_pytorch = build == "cpu" or build in builds_of(public)
    url = f"{_INDEX}/{build}" if each.name in builds.FAMILY and is_of_pytorch else "…"
    repair = f"name the index that has it: --extra-index-url {url}".replace(" …", " URL")
    where, call = place_of(use, each)
    return Finding(where, message, repair, (call,) if call else ())


def _with_index(use: Use, pins: list[Asked]) -> Fix | None:
    """PyTorch's index of the build, where all local versions of a call of pip are of one build."""
    built = {(each.version or "").partition("+")[2] for each in pins}
    torch = next((each.version or "" for each in pins if each.name == "torch"), "")
    build = built.pop() if len(built) == 1 else ""
    is_there = build == "cpu" or build in builds_of(torch)
    if not torch or not is_there or indexed.tool(use.install) != "pip" or not {p.name for p in pins} <= builds.FAMILY:
        return None
    edit = _option(use.stage, use.install, pins[0], f"--extra-index-url {_INDEX}/{build}")
    return Fix("safe", f"name PyTorch's index of {build} builds", (edit,)) if edit is not None else None


def _option(stage: Stage, install: Install, pin: Asked, option: str) -> Edit | None:
    """The option in the file that asks, on a line of its own above, or behind the words of the call."""
    if pin.source is not stage.build.source:
        if pin.source.path.endswith(".toml"):
            return None
        return insert(pin.source, pin.source.line_starts[pin.source.position(pin.span.start)[0] - 1], f"{option}\n")
    executed = install.executed
    if not executed.is_sure or executed.wrappers or install.step.trigger is not None:
        return None
    return insert(stage.build.source, executed.words[-1].span.end, f" {option}")
