"""DF207: caches of apt that two builds would open at once."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.edits import insert, replace
from mllint.findings import Edit, Finding, Fix, Location, Related
from mllint.image.build import Build
from mllint.image.copies import relative
from mllint.image.mounts import Mount
from mllint.image.stage import Stage, Step
from mllint.sources.text import Source
from mllint.sources.words import Word
from mllint.wording import enumerated

_APT = frozenset({"apt", "apt-get", "aptitude"})
_LOCKED = ("/var/lib/apt/lists", "/var/cache/apt/archives")
"""The folders that hold a lock file of apt."""
_SHARED = "sharing=shared"


@check("DF207")
def cache_mount_not_locked(build: Build) -> Iterator[Finding]:
    """Cache mounts of apt's folders that builds share while apt locks them."""
    found = [each for stage in build.stages for each in _of_stage(stage)]
    # Another target may be what builds the stages that the last one does not need.
    first, _, word = next((each for stage in build.needed for each in _of_stage(stage)), (None, None, None))
    if first is None or word is None:
        return
    targets = [str(mount.target) for step, mount, _ in found if step is first]
    them = "it" if len(targets) == 1 else "each"
    message = (
        f"builds share {' and '.join(targets)} while apt needs {them} for itself: of two at the same time the second"
        f" may end with Could not get lock{_others([step for step, _, _ in found if step is not first])}"
    )
    count = {1: "the mount", 2: "both mounts"}.get(len(found), f"all {len(found)} mounts")
    repair = f"add sharing=locked to {count}"
    others = [other for _, _, other in found if other.span != word.span]
    related = tuple(Related(Location(build.source, other.span), "nor is this one locked") for other in others)
    edits = [_locked(build.source, each) for _, _, each in found]
    fix = Fix("safe", "add sharing=locked", tuple(each for each in edits if each is not None)) if all(edits) else None
    yield Finding(Location(build.source, word.span), message, repair, related, fix=fix)


def _of_stage(stage: Stage) -> Iterator[tuple[Step, Mount, Word]]:
    for step in stage.steps:
        if step.trigger is None and any(each.name in _APT for each in step.commands):
            yield from ((step, mount, word) for mount, word in _open(step))


def _others(steps: Sequence[Step]) -> str:
    """The other RUNs that apply it, by their lines."""
    lines = [str(line) for line in dict.fromkeys(step.instruction.start_line for step in steps)]
    if not lines:
        return ""
    return f"; so {'do the RUNs in lines' if len(lines) > 1 else 'does the RUN in line'} {enumerated(lines)}"


def _open(step: Step) -> Iterator[tuple[Mount, Word]]:
    """The caches with one of the locks that several builds may have at the same time; none where a RUN waits for
    another of them."""
    words = [word for word in step.instruction.flag_words if word.text.startswith("--mount=")]
    pairs = list(zip(step.mounts, words, strict=True))
    caches = [(mount, word) for mount, word in pairs if mount.kind == "cache" and _has_lock(mount)]
    if all(mount.sharing == "shared" for mount, _ in caches):
        yield from caches


def _has_lock(mount: Mount) -> bool:
    target = mount.target
    return isinstance(target, str) and any(relative(folder, target) is not None for folder in _LOCKED)


def _locked(source: Source, word: Word) -> Edit | None:
    written = source.slice(word.span)
    if not written.startswith("--mount=type") or "\n" in written:
        return None
    if "sharing=" not in written:
        return insert(source, word.span.end, ",sharing=locked")
    return replace(source, word.span, written.replace(_SHARED, "sharing=locked")) if _SHARED in written else None
