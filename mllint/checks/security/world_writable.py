"""ML210: trees that every user of a container may change."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.effects.files import split
from mllint.image.modes import changed_mode
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.patterns import regex

_OTHERS_WRITE = 0o002
_STICKY = regex(r"1[0-7]{3}")
# What processes write to, and others may have to: caches, results, what is thrown away.
_FOR_DATA = regex(
    r"/(?:tmp|run|dev|mnt|var/(?:tmp|log|cache|run|spool))(?:/.*)?"
    r"|.*(?:^|[/_.-])(?:tmp|temp|logs?|cache|caches|data|datasets?|outputs?|results?|uploads?|downloads?|run|runs|media"
    r"|storage|shm|spool|checkpoints?|models?|workdir|work|home|static|db|volumes?)",
)
_KEYS = regex(r"(?i)(?:^|[/_.-])(?:certs?|keys?|secrets?|private|ssl|tls)(?:$|[/_.-])")
_REPAIR = (
    "leave it out where the process runs as root or only reads; else give the tree to its user with COPY --chown or"
    " chown -R, or to group 0 with chmod -R g=u where nobody knows the user"
)


@check("ML210")
def world_writable_tree(stage: Stage) -> Iterator[Finding]:
    """A tree of files that every user may write to."""
    for step in stage.steps if stage.is_in_image and _has_own_user(stage) else ():
        if step.copy is not None:
            yield from _copied(stage, step)
        for each in step.commands if step.trigger is None else ():
            opened = _opened(step, each)
            if opened:
                trees = opened[0] + (f" (and {len(opened) - 1} more)" if len(opened) > 1 else "")
                call = " ".join(("chmod -R", split(each)[0][0].value, trees))
                message = f"{call} lets every user and process of the container change what is in there"
                yield Finding(Location(stage.build.source, each.span), message, _REPAIR)


def _has_own_user(stage: Stage) -> bool:
    """Whether the platform runs the image as the user that it names."""
    return stage.build.settings.platform not in ("hf-spaces", "openshift")


def _opened(step: Step, each: Executed) -> list[str]:
    """The trees of code or of the system that a call opens to all, those of keys first."""
    if each.name != "chmod" or not each.is_certain:
        return []
    operands, options = split(each)
    if len(operands) < 2 or {"-R", "--recursive"}.isdisjoint(options) or not _opens(operands[0].value):
        return []
    made = {
        joined(call.directory, word)
        for call in step.commands
        for word in (call.arguments if call.name == "mkdir" else ())
    }
    found = []
    for word in operands[1:]:
        path = joined(each.directory, word.value)
        is_of_keys = isinstance(path, str) and _KEYS.search(path) is not None
        is_code = isinstance(path, str) and path not in made and not _FOR_DATA.fullmatch(path)
        if word.is_literal and (is_code or is_of_keys):
            found.append((not is_of_keys, word.value))
    return [name for _, name in sorted(found, key=lambda each: each[0])]


def _opens(mode: str) -> bool:
    if _STICKY.fullmatch(mode):
        return False
    before, after = 0o755, changed_mode(0o755, mode.removeprefix("0") if mode.isdecimal() else mode)
    return after is not None and bool(after & ~before & _OTHERS_WRITE)


def _copied(stage: Stage, step: Step) -> Iterator[Finding]:
    copy = step.copy
    if copy is None or not isinstance(copy.mode, int) or not copy.mode & _OTHERS_WRITE or step.trigger is not None:
        return
    flag = step.instruction.flag("chmod")
    if (
        flag is None
        or isinstance(copy.destination, Unknown)
        or _FOR_DATA.fullmatch(posixpath.normpath(copy.destination))
    ):
        return
    message = f"--chmod={flag.text} lets every user and process of the container change what is copied"
    repair = "write --chmod=755, or --chown for the user that the process runs as"
    yield Finding(Location(stage.build.source, flag.span), message, repair)
