"""ML631: calls that Poetry no longer takes."""

from collections.abc import Iterator, Mapping

from mllint.checks import check
from mllint.checks.commands import with_packages
from mllint.edits import delete, replace
from mllint.findings import Finding, Fix, Location
from mllint.image.installing.poetry import NEWEST, Refused, refused
from mllint.image.stage import Stage
from mllint.sources.text import Span


@check("ML631")
def poetry_option_removed(stage: Stage) -> Iterator[Finding]:
    """A call of Poetry with a command or an option that its release does not have."""
    for step in stage.steps if stage in stage.build.needed else ():
        for found in refused(stage, step):
            row = found.row
            gone = row.get("option") or row["command"]
            which = "the newest Poetry" if found.release == NEWEST else f"Poetry {found.release}"
            message = f"poetry {row['command']} fails: {which} has no {gone}, which went with 2.0"
            if "option" in row:
                message = f"poetry {row['command']} {gone} fails: {which} has no {gone}, which went with 2.0"
            where = Location(stage.build.source, found.word.span)
            yield Finding(where, message, _repair(row), fix=_fix(stage, found))


def _repair(row: Mapping[str, str]) -> str:
    if "plugin" in row:
        return f"install {row['plugin']} beside Poetry, or pin poetry<2"
    return f"write {row['instead']}" if row["instead"] else f"leave out {row['option']}, as that is what it does"


def _fix(stage: Stage, found: Refused) -> Fix | None:
    row, source, word = found.row, stage.build.source, found.word
    if "plugin" in row:
        edit = with_packages(stage, found.asked, [row["plugin"]]) if found.asked is not None else None
        is_ours = found.asked is not None and found.asked.step in stage.steps and found.asked.manager.name == "pip"
        return Fix("safe", f"install {row['plugin']}", (edit,)) if edit is not None and is_ours else None
    if source.slice(word.span) != word.value:
        return None
    if row["instead"]:
        return Fix("safe", f"write {row['instead']}", (replace(source, word.span, row["instead"]),))
    before = max(each.span.end for each in found.executed.words if each.span.end < word.span.end)
    is_plain = not source.slice(Span(before, word.span.start)).strip(" ")
    gone = delete(source, Span(before, word.span.end))
    return Fix("safe", f"leave out {row['option']}", (gone,)) if is_plain else None
