"""ML368: users and groups that are made a second time."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.content.taken_accounts import Taken, taken
from mllint.image.stage import Stage


@check("ML368")
def account_taken(stage: Stage) -> Iterator[Finding]:
    """A useradd or groupadd of what the image has already."""
    seen: set[str] = set()
    for each in taken(stage) if stage in stage.build.needed else ():
        # A user and his group have one number: one fault.
        if (each.owner or each.what) not in seen:
            seen.add(each.owner or each.what)
            yield _finding(stage, each)


def _finding(stage: Stage, each: Taken) -> Finding:
    name, where = each.executed.name, Location(stage.build.source, each.executed.span)
    repair = "leave the command out, or take another name"
    fix = None
    if name == "groupadd" and not each.owner:
        repair, fix = "write groupadd --force, which takes the group that is there", _forced(stage, each)
    elif each.owner:
        repair = f"take another number, or remove that user first: userdel --remove {each.owner}"
    if each.others:
        message = f"{name} fails where {stage.root.base.text} has {each.what}, as {each.others} have"
        return Finding(where, message, repair, fix=fix, severity=Severity.INFO, is_strict=True)
    taken_by = f"the user {each.owner} has {each.what}" if each.owner else f"{each.what} is there already"
    message = f"{taken_by}: {name} fails, and the build with it"
    return Finding(where, message, repair, fix=fix, severity=None if each.is_verified else Severity.WARNING)


def _forced(stage: Stage, each: Taken) -> Fix | None:
    """The option that leaves a group as it is; a number that is asked for would be another one."""
    source, word = stage.build.source, each.executed.words[0]
    if source.slice(word.span) != word.value or {"-g", "--gid"}.intersection(each.executed.arguments):
        return None
    return Fix("safe", "write groupadd --force", (insert(source, word.span.end, " --force"),))
