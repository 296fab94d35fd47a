"""Rules about bytes that a later layer only hides."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.content.emptied import has_reason, is_volume, left_in
from mllint.image.events import Cause, Put, Unsure
from mllint.image.packages import Install
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.view import Node, covers
from mllint.patterns import regex

_LARGE = 1_000_000
"""Bytes from which on a copied file counts."""
_INERT = frozenset({"cd", "df", "du", "echo", "ls", "pwd", "rm", "rmdir", "set", "true"})
_PRINTS = _INERT - {"rm", "rmdir"}
_CONDAS = frozenset({"conda", "mamba", "micromamba"})
# Folders that are emptied to save space and for nothing else: temporary files, caches of any kind, the home of root.
_DISPOSABLE = regex(
    r"(?:/var)?/tmp(?:/(?:\*|tmp.*|pip-.*|uv.*)?)?|/root(?:/\*?)?|(?:/root|/home/\w+)/\.cache(?:/\*?)?"
    r"|/var/cache(?:/.*)?|/usr/share/(?:doc|man|info|locale)(?:/.*)?"
)
# Commands that write much: what others make may be a few bytes.
_WRITES_MUCH = frozenset({"aria2c", "curl", "gdown", "git", "hf", "huggingface-cli", "tar", "unzip", "wget"})


@check("ML405")
def removed_in_later_layer(stage: Stage) -> Iterator[Finding]:
    """Files are removed in a layer behind the one that holds them."""
    for step in stage.steps if stage.is_in_image and stage.build.final is not None else ():
        if step.instruction.keyword != "RUN" or step.trigger is not None:
            continue
        is_cleaning = bool(step.commands) and all(each.name in _INERT or _cleans(each) for each in step.commands)
        found = _large_copy(stage, step) or (_hidden(stage, step) if is_cleaning else None)
        if found is None and _empties(stage, step):
            found = _emptied(stage, step)
        if found is not None:
            yield found


def _cleans(each: Executed) -> bool:
    return each.name in _CONDAS and each.arguments[:1] == ("clean",)


def _removed(step: Step) -> Iterator[tuple[Executed, str, str]]:
    """The removals of a RUN that leave no file in a mount: the command, the path as written and the whole path."""
    for each in step.commands:
        for word in each.words[1:] if each.name in ("rm", "rmdir") and each.is_certain else ():
            path = joined(each.directory, word.value)
            is_path = not word.value.startswith("-") and isinstance(path, str)
            if is_path and not any(mount.covers(str(path)) in (True, None) for mount in step.mounts):
                yield each, word.value, str(path)


def _large_copy(stage: Stage, step: Step) -> Finding | None:
    """The first removal of a large file that a COPY brought."""
    for each, written, path in _removed(step):
        node = stage.view_before(step).find(path) if "*" not in path else None
        entry = stage.build.context.find(node.origin) if isinstance(node, Node) and node.origin else None
        if entry is None or entry.size < _LARGE or not isinstance(node, Node) or node.cause.step is step:
            continue
        kept = f"its {size(entry.size)} stay in the layer of the COPY that brought it"
        message = f"rm in a later layer frees nothing of {written}: {kept}"
        repair = "mount it for this RUN alone: RUN --mount=type=bind,source=FILE,target=FILE"
        related = (Related(Location(stage.build.source, node.cause.span), "brings it"),)
        return Finding(Location(stage.build.source, each.span), message, repair, related)
    return None


def _hidden(stage: Stage, step: Step) -> Finding | None:
    """A RUN that does nothing but remove what an earlier one surely wrote."""
    for each, written, path in _removed(step):
        made = _made_before(stage, step, path)
        if made is not None:
            return _frees_nothing(stage, each, made, written)
    cleaner = next((each for each in step.commands if _cleans(each)), None)
    filler = _fills_conda(stage, step) if cleaner is not None and not step.mounts else None
    if cleaner is None or filler is None:
        return None
    return _frees_nothing(stage, cleaner, Cause(filler.step, filler.span), "the package cache")


def _frees_nothing(stage: Stage, each: Executed, made: Cause, what: str) -> Finding:
    message = f"{each.name} in a later layer frees nothing: {what} stays in the layer of the RUN that wrote it"
    repair = "remove it at the end of that RUN, or make it in a builder stage"
    related = (Related(Location(stage.build.source, made.span), "writes it"),)
    return Finding(Location(stage.build.source, each.span), message, repair, related, severity=Severity.INFO)


def _empties(stage: Stage, step: Step) -> bool:
    """Whether a RUN behind another removes things and does nothing else."""
    has_earlier = any(other.instruction.keyword == "RUN" for other in stage.steps_before(step))
    calls = [each for each in step.commands if each.name not in _PRINTS]
    return has_earlier and bool(calls) and all(each.name in ("rm", "rmdir") or _finds(each) for each in calls)


def _emptied(stage: Stage, step: Step) -> Finding | None:
    """A RUN that does nothing but empty folders of no use to an image, of what an earlier instruction wrote there."""
    for each in step.commands if not has_reason(step) else ():
        words = each.words[1:2] if _finds(each) else each.words[1:] if each.name == "rm" else ()
        for word in words:
            path = joined(each.directory, word.value)
            if not isinstance(path, str) or is_volume(stage, step, path):
                continue
            if any(mount.covers(path) in (True, None) for mount in step.mounts):
                continue
            found = left_in(stage, step, path)
            if found is None or found.step is None:
                continue
            if _DISPOSABLE.fullmatch(path) or (found.step.copy is not None and _is_folder(stage, step, path)):
                # What `clean all` leaves of a cache is less than what else such a call names.
                is_cache = found.step.copy is None and path.startswith("/var/cache/") and len(words) > 1
                return _kept(stage, each, "all that it names" if is_cache else word.value, found.step, found, path)
    return None


def _is_folder(stage: Stage, step: Step, path: str) -> bool:
    node = stage.view_before(step).find(path)
    return isinstance(node, Node) and node.kind == "folder"


def _kept(stage: Stage, each: Executed, written: str, writer: Step, cause: Cause, path: str) -> Finding:
    what = f"what earlier layers hold of {written} stays in the image"
    message = f"{each.name} in a RUN of its own frees nothing: {what}"
    repair = "remove things at the end of the RUN that writes them, and leave this RUN out"
    if writer.copy is not None:
        repair = "mount it (RUN --mount=type=bind) instead of the COPY, and leave out the COPY and this RUN"
        if "*" in path:
            repair = f"{repair}; what RUNs write there themselves, they remove themselves"
    related = (Related(Location(writer.instruction.source, cause.span), "writes there"),)
    where = Location(stage.build.source, each.span)
    return Finding(where, message, repair, related, severity=Severity.INFO, is_strict=True)


def _finds(each: Executed) -> bool:
    """Whether a call of find removes what it finds."""
    return each.name == "find" and ("-delete" in each.arguments or "rm" in each.arguments)


def _made_before(stage: Stage, step: Step, path: str) -> Cause | None:
    """The command that wrote much of what is there and goes with a path or pattern."""
    earlier = {id(each): each for each in stage.steps_before(step)}
    view = stage.view_before(step)
    for event in stage.log.events:
        written = event.path if isinstance(event, Put) else event.below if isinstance(event, Unsure) else None
        writer = earlier.get(id(event.cause.step)) if written is not None and event.cause.is_sure else None
        if written is None or writer is None or not covers(path, written):
            continue
        commands = (each for each in writer.commands if each.span == event.cause.span)
        is_much = any(each.name in _WRITES_MUCH and each.is_sure for each in commands)
        # What is unpacked has other names than its archive: where the RUN removes anything, it may be that.
        is_left = all(each.name != "rm" for each in writer.commands) and written != "/"
        if is_much and (is_left if isinstance(event, Unsure) else isinstance(view.find(written), Node)):
            return event.cause
    return None


def _fills_conda(stage: Stage, step: Step) -> Install | None:
    """An earlier install of conda whose RUN leaves the cache."""
    for other in stage.steps_before(step):
        if other.mounts or any(_cleans(each) for each in other.commands):
            continue
        for install in other.installs:
            if install.manager.name in _CONDAS and install.executed.is_sure:
                return install
    return None
