"""Rules about what the ignore file keeps out although the image needs it."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.context.ignore_fixes import let_in
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.content.ignored import Exclusion, excluded_origin, exclusion
from mllint.image.content.missing import is_plain
from mllint.image.copies import Copy, CopySource
from mllint.image.serving import sources
from mllint.image.serving.lookalikes import may_be_brought
from mllint.image.stage import Stage
from mllint.sources.python import Opened
from mllint.sources.text import Source


@check("ML505")
def dockerignore_excludes_needed_file(stage: Stage) -> Iterator[Finding]:
    """The ignore file keeps out what a COPY names or the service opens."""
    context = stage.build.context
    if stage not in stage.build.needed or context.ignore is None:
        return
    for step in stage.steps:
        for source in step.copy.sources if step.copy and step.copy.origin == "context" else ():
            if step.copy and is_plain(source) and (path := _ignored(stage, source)):
                yield _copied(stage, step.copy, source, path)
    if stage.is_final:
        seen: set[str] = set()
        for file in sources.loaded(stage):
            for opened in file.module.opened:
                found = _opened(stage, opened)
                if found is not None and found.path not in seen:
                    seen.add(found.path)
                    yield _silent(stage, file.source, opened, found)


def _ignored(stage: Stage, source: CopySource) -> str | None:
    """The path that a source of a COPY names, where it is there and nothing of it is sent."""
    context = stage.build.context
    for match in source.matches(context):
        if match.path and context.excludes(match.path) and not (match.is_folder and context.files(match.path)):
            return match.path
    return None


def _copied(stage: Stage, copy: Copy, source: CopySource, path: str) -> Finding:
    found = exclusion(stage.build.context, path)
    keyword = copy.step.instruction.keyword
    message = f"{path} is kept out of the build by {found.said}: {keyword} fails as if it were missing"
    where = Location(stage.build.source, source.word.span)
    repair = f"add the line !{path} to {found.file}"
    return Finding(where, message, repair, _related(found), let_in(stage.build, found))


def _opened(stage: Stage, opened: Opened) -> Exclusion | None:
    """The file of the context that would lie where a literal path leads, were it not ignored."""
    path = stage.view.resolve(opened.path, stage.end)
    if not isinstance(path, str) or "://" in opened.path or stage.view.find(path) is not None:
        return None
    if may_be_brought(stage, path):
        return None
    found = excluded_origin(stage, None, path)
    # A lone Path of a folder may well be one that the service makes.
    entry = stage.build.context.find(found.path) if found is not None else None
    is_unread = opened.function.endswith("Path") and entry is not None and entry.is_folder
    return None if is_unread else found


def _silent(stage: Stage, text: Source, opened: Opened, found: Exclusion) -> Finding:
    step = stage.last("CMD", "ENTRYPOINT")
    script = posixpath.basename(text.path)
    message = f"{script} reads {opened.path}, which {found.said} keeps out of the image: the service fails to read it"
    where = Location(stage.build.source, step.instruction.span if step is not None else stage.instruction.span)
    place = Related(Location(text, text.line_span(opened.line)), "is read here")
    repair = f"add the line !{found.path} to {found.file}"
    related = (place, *_related(found))
    return Finding(where, message, repair, related, let_in(stage.build, found), Severity.WARNING)


def _related(found: Exclusion) -> tuple[Related, ...]:
    return (Related(Location(*found.place), "keeps it out"),) if found.place is not None else ()
