"""Rules about bytes that a later layer only hides."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.copies import relative
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.view import Node
from mllint.patterns import regex

_LARGE = 1_000_000
"""Bytes from which on a copied file counts."""
_INERT = frozenset({"cd", "df", "du", "echo", "ls", "pwd", "rm", "rmdir", "set", "true"})
_CLEANERS = {
    "conda": ("clean",),
    "mamba": ("clean",),
    "micromamba": ("clean",),
    "pip": ("cache",),
    "pip3": ("cache",),
    "uv": ("cache",),
}
# What is there for a while only; the lists of apt are the concern of DF201.
_FOR_A_WHILE = regex(
    r"/(?:var/)?tmp/.*|/var/cache/.*|.*\.(?:whl|deb|rpm|tgz|zip|tar(?:\.\w+)?|run)"
    r"|(?:/root|~|\$HOME|/home/[^/]+)/(?:\*|\.cache(?:/(?:\*|pip|uv|torch|huggingface|npm|yarn|pypoetry|bazel).*)?/?)"
)


@check("ML405")
def removed_in_later_layer(stage: Stage) -> Iterator[Finding]:
    """Files are removed in a layer behind the one that holds them."""
    for step in stage.steps if stage.is_in_image and stage.build.final is not None else ():
        if step.instruction.keyword != "RUN" or step.trigger is not None:
            continue
        is_cleaning = bool(step.commands) and all(each.name in _INERT or _cleans(each) for each in step.commands)
        found = _large_copy(stage, step) or (_hidden(stage, step) if is_cleaning else None)
        if found is not None:
            yield found


def _cleans(each: Executed) -> bool:
    return each.arguments[:1] != () and each.arguments[0] in _CLEANERS.get(each.name, ())


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
        message = f"rm only hides {written}: its {size(entry.size)} stay in the layer of the COPY that brought it"
        repair = "mount it for this RUN alone: RUN --mount=type=bind,source=FILE,target=FILE"
        related = (Related(Location(stage.build.source, node.cause.span), "brings it"),)
        return Finding(Location(stage.build.source, each.span), message, repair, related)
    return None


def _hidden(stage: Stage, step: Step) -> Finding | None:
    """A RUN that does nothing but remove what earlier ones made."""
    for each, written, path in _removed(step):
        if not relative(path, "/var/lib/apt") and (
            _FOR_A_WHILE.fullmatch(written) or _is_made_before(stage, step, path)
        ):
            return _only_hides(stage, each, written)
    cleaner = next((each for each in step.commands if _cleans(each)), None)
    return None if cleaner is None or step.mounts else _only_hides(stage, cleaner, "the cache")


def _only_hides(stage: Stage, each: Executed, what: str) -> Finding:
    message = (
        f"a RUN of its own only hides {what}: the bytes stay in the image, in the layer of the RUN that wrote them"
    )
    repair = "remove it at the end of the RUN that makes it, or make it in a builder stage"
    return Finding(Location(stage.build.source, each.span), message, repair, severity=Severity.INFO)


def _is_made_before(stage: Stage, step: Step, path: str) -> bool:
    node = stage.view_before(step).find(posixpath.normpath(path)) if "*" not in path else None
    made = node.cause.step if isinstance(node, Node) else None
    return made is not None and made.instruction.keyword == "RUN" and made is not step
