"""Rules about layers that hold once more what lies in one below."""

from collections.abc import Iterator

from mllint import edits
from mllint.checks import check
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.content.rewritten import Rewritten, rewritten
from mllint.image.events import Cause, Owned
from mllint.image.stage import Stage
from mllint.patterns import regex

_PLAIN_OWNER = regex(r"[\w.-]+(?::[\w.-]+)?")


@check("ML408")
def chown_duplicates_large_layer(stage: Stage) -> Iterator[Finding]:
    """A recursive chown or chmod of large files of an earlier layer."""
    for each in rewritten(stage) if stage.is_in_image else ():
        what, cause = _reached(each)
        program = "chown" if isinstance(each.change, Owned) else "chmod"
        message = f"{program} -R writes {each.change.path} into a layer of its own: {what}"
        repair = f"run {program} in the RUN that installs, or leave it to root"
        if each.package is None:
            repair = f"use COPY --{program}=... instead"
        where = Location(stage.build.source, each.change.cause.span)
        related = (Related(Location(stage.build.source, cause.span), "brings it"),) if cause.step is not None else ()
        yield Finding(where, message, repair, related, _while_copying(stage, each))


def _reached(each: Rewritten) -> tuple[str, Cause]:
    """What is written once more, and what brought it."""
    if each.package is not None:
        return f"{each.package.name} and what it requires are in the image twice", each.package.cause
    first = max(each.copied, key=lambda copied: copied.size)
    total = sum(copied.size for copied in each.copied)
    return f"{size(total)} are in the image twice, {first.files[0].path} among them", first.event.cause


def _while_copying(stage: Stage, each: Rewritten) -> Fix | None:
    """Let the only COPY to that folder give the files to their owner, where the RUN does nothing else."""
    step, change = each.change.cause.step, each.change
    if step is None or len(step.commands) != 1 or not isinstance(change, Owned) or len(each.copied) != 1:
        return None
    copy, words = each.copied[0].event.copy, [word for word in step.commands[0].words if not word.value.startswith("-")]
    is_whole = isinstance(copy.destination, str) and (copy.destination.rstrip("/") or "/") == change.path
    if not is_whole or copy.owner is not None or copy.step not in stage.steps or copy.step.trigger is not None:
        return None
    owner = words[1]
    name = owner.value.partition(":")[0]
    is_known = isinstance(stage.view_before(copy.step).uid(name), str)
    if len(words) != 3 or not owner.is_literal or not _PLAIN_OWNER.fullmatch(owner.value) or not is_known:
        return None
    source, instruction = stage.build.source, copy.step.instruction
    flag = edits.insert(source, instruction.span.start + len(instruction.keyword), f" --chown={owner.value}")
    gone = edits.delete_lines(source, step.instruction.start_line, step.instruction.end_line)
    return Fix("unsafe", f"copy with --chown={owner.value}", (flag, gone))
