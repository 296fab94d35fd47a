"""Rules about what a COPY brings along that is large."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.context.ignore_fixes import folded, keeping_out, listed_lines
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Fix, Location
from mllint.image.content.training import Unread, unread
from mllint.image.copies import Copy
from mllint.image.stage import Stage
from mllint.wording import enumerated

_HEAVY = 10_000_000
_SHOWN = 3
_MAX_LINES = 20


@check("ML504")
def large_files_in_context(stage: Stage) -> Iterator[Finding]:
    """A COPY brings data sets, checkpoints, archives or a second format of the weights along."""
    if not stage.is_in_image:
        return
    seen: set[str] = set()
    for step in stage.steps:
        if step.copy is None or step.copy.origin != "context":
            continue
        found = [each for each in unread(stage, step.copy) if each.entry.path not in seen]
        seen.update(each.entry.path for each in found)
        if sum(each.entry.size for each in found) >= _HEAVY:
            yield _large(stage, step.copy, found)


def _large(stage: Stage, copy: Copy, found: Sequence[Unread]) -> Finding:
    total = size(sum(each.entry.size for each in found))
    named = [f"{each.entry.path} ({each.what}, {size(each.entry.size)})" for each in found]
    final = stage.build.final
    is_service = final is not None and final.server is not None
    unread = "that inference does not read" if is_service else "of which no source speaks"
    message = f"{copy.written} brings {total} into the image {unread}: {enumerated(named, _SHOWN)}"
    repair = f"add to .dockerignore {listed_lines([each.entry.path for each in found], _SHOWN)}"
    fix = _kept_out(stage, found) if is_service else None
    where = Location(stage.build.source, copy.step.instruction.span)
    return Finding(where, message, repair, fix=fix, is_strict=not is_service)


def _kept_out(stage: Stage, found: Sequence[Unread]) -> Fix | None:
    paths = [each.entry.path for each in found]
    patterns = folded(stage.build.context, paths)
    edits = keeping_out(stage.build, patterns, paths) if len(patterns) <= _MAX_LINES else None
    return Fix("unsafe", f"keep {enumerated(patterns, 3)} out of the build", edits) if edits is not None else None
