"""DF311: copies to wherever the base happens to work."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.edits import line_above
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.sources.words import Word

_FOLDER = "/app"


@check("DF311")
def copy_relative_without_workdir(stage: Stage) -> Iterator[Finding]:
    """A COPY to a relative path in a stage that sets no WORKDIR."""
    if not stage.is_in_image or stage.is_windows or stage.root.base.kind not in ("image", "scratch"):
        return
    copies = list(_relative(stage))
    kept = [each for each in copies if not _is_missing(stage, each) and not _is_removed(stage, each)]
    if not kept:
        return
    directory = stage.root.base.workdir
    base = stage.root.base.text
    if isinstance(directory, Unknown):
        outcome = f"where that is depends on {base}, and a later release of it may change it"
    elif directory == "/" or stage.root.base.kind == "scratch":
        outcome = "what it brings lies in the root folder of the image, beside /etc and /usr"
    else:
        return
    first, *others = kept
    word = _destination(first)
    related = tuple(Related(Location(stage.build.source, _destination(each).span), "so does this") for each in others)
    message = f"{first.instruction.keyword} to {word.text} with no WORKDIR above: {outcome}"
    is_free = _is_free(stage, copies)
    repair = f"write WORKDIR {_FOLDER} above it, or an absolute path"
    if not is_free:
        repair = "write the absolute path of the folder it is to lie in: other lines may count on the present place"
    fix = _with_workdir(stage, copies) if is_free and not isinstance(directory, Unknown) else None
    yield Finding(Location(stage.build.source, word.span), message, repair, related, fix=fix)


def _relative(stage: Stage) -> Iterator[Step]:
    """The copies of a stage to a relative path, in front of its first WORKDIR."""
    if any(step.instruction.keyword == "WORKDIR" for step in stage.steps_before(None)[: -len(stage.steps) or None]):
        return
    for step in stage.steps:
        if step.instruction.keyword == "WORKDIR":
            return
        if step.instruction.keyword not in ("COPY", "ADD") or len(step.instruction.words) < 2 or step.trigger:
            continue
        path = step.before.expand(_destination(step).text)
        if isinstance(path, str) and path and not path.startswith(("/", "\\", "~")) and path[1:2] != ":":
            yield step


def _destination(step: Step) -> Word:
    return step.instruction.words[-1]


def _is_missing(stage: Stage, step: Step) -> bool:
    """Whether the build ends at a copy, as the build context does not have what it names."""
    copy = step.copy
    if copy is None or copy.origin != "context":
        return False
    named = [each for each in copy.sources if each.kind == "path" and not each.has_wildcard]
    return any(isinstance(each.path, str) and not each.matches(stage.build.context) for each in named)


def _is_removed(stage: Stage, step: Step) -> bool:
    """Whether a RUN behind a copy removes all that it brought."""
    names = set(_names(stage, step))
    later = stage.steps[stage.steps.index(step) + 1 :]
    commands = [each for other in later for each in other.commands if each.name == "rm"]
    gone = {posixpath.normpath(word).lstrip("/") for each in commands for word in each.arguments}
    return bool(names) and names <= gone


def _is_free(stage: Stage, copies: Sequence[Step]) -> bool:
    """Whether nothing names by an absolute path what copies bring."""
    texts = [each.source.slice(each.span) for each in stage.build.dockerfile.instructions]
    names = {name.partition("/")[0] for step in copies for name in _names(stage, step)}
    pattern = re.compile(rf"(?<![\w.}}*-])/(?:{'|'.join(map(re.escape, names))})\b|{_FOLDER}\b")
    # What another stage made may know its place by heart: a virtual environment with a link to the source.
    is_made = any(step.copy is None or step.copy.origin != "context" for step in copies)
    return bool(names) and not is_made and not any(pattern.search(text) for text in texts)


def _with_workdir(stage: Stage, copies: Sequence[Step]) -> Fix:
    """A WORKDIR above the first of them."""
    edit = line_above(stage.build.dockerfile, copies[0].instruction, f"WORKDIR {_FOLDER}")
    return Fix("unsafe", f"set WORKDIR {_FOLDER}", (edit,))


def _names(stage: Stage, step: Step) -> Iterator[str]:
    """The path that a copy makes below the working directory, or the first parts of those it makes in that itself."""
    path = posixpath.normpath(_destination(step).text)
    if path != ".":
        yield path
    elif step.copy is not None:
        for source in step.copy.sources:
            for match in source.matches(stage.build.context):
                if match.is_folder:
                    yield from (
                        each.path.removeprefix(match.path).strip("/").partition("/")[0]
                        for each in stage.build.context.files(match.path)
                    )
                else:
                    yield match.name
