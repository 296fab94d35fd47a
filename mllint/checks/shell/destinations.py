"""DF311: copies to wherever the base happens to work."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.edits import line_above
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.names import is_moving
from mllint.image.paths import joined
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction
from mllint.sources.words import Word

_FOLDER = "/app"
_SCRIPT = regex(r"[\w./-]+\.(?:py|sh|pl|rb|js|mjs|R|jar)")
_ABOVE = regex(r"[\"']\.\./")
# What only the call that installs from it reads.
_LISTS = regex(
    r".*(?:requirements|constraints|environment)[^/]*\.(?:txt|in|ya?ml)|(?:.*\.)?lock|pyproject\.toml|Pipfile(?:\.lock)?"
    r"|package(?:-lock)?\.json"
)


@check("DF311")
def copy_relative_without_workdir(stage: Stage) -> Iterator[Finding]:
    """A COPY to a relative path in a stage that sets no WORKDIR."""
    if not stage.is_in_image or stage.is_windows or stage.root.base.kind != "image":
        return
    copies = list(_relative(stage))
    kept = [each for each in copies if not _is_list(each) and not _is_harmless(stage, each)]
    if not kept:
        return
    outcome = _outcome(stage, kept)
    if outcome is None:
        return
    first, *others = sorted(kept, key=lambda each: not _is_whole(each))
    word = _destination(first)
    related = tuple(Related(Location(stage.build.source, _destination(each).span), "so does this") for each in others)
    copied = f"{first.instruction.keyword} to {word.text}{f' and {len(others)} more' if others else ''}"
    message = f"{copied} with no WORKDIR above: {outcome}"
    is_known = stage.root.base.workdir == "/"
    is_free = is_known and _is_free(stage, copies)
    repair = f"write WORKDIR {_FOLDER} above it, or an absolute path"
    if not is_free:
        repair = (
            "write the absolute path of the folder it is to lie in, and change with it what counts on the present place"
        )
    fix = _with_workdir(stage, copies) if is_free else None
    is_strict = not (is_known and _is_whole(first))
    yield Finding(Location(stage.build.source, word.span), message, repair, related, fix=fix, is_strict=is_strict)


def _outcome(stage: Stage, copies: Sequence[Step]) -> str | None:
    """What comes of it; None where the folder of the base is known, or nothing depends on which one it is."""
    base = stage.root.base
    if not isinstance(base.workdir, Unknown):
        what = f"what {'they bring' if len(copies) > 1 else 'it brings'}"
        what = "the whole build context" if any(map(_is_whole, copies)) else what
        return f"{what} lies in the root folder of the image, beside /etc and /usr" if base.workdir == "/" else None
    # AWS says where the files of a function are, and its images work there.
    if "lambda" in f"{base.text} {' '.join(stage.end.command.value if stage.end.command else ())}".lower():
        return None
    reference, outcome = base.reference, f"where that is depends on {base.text}"
    if (named := _naming(stage, copies)) is not None:
        line = stage.build.source.position(named.span.start)[0]
        return f"{outcome}, and line {line} counts on one place"
    return f"{outcome}, whose next release may change it" if reference and is_moving(reference) else None


def _is_whole(step: Step) -> bool:
    """Whether a copy brings all that the build context has to the working directory itself."""
    return step.copy is not None and step.copy.takes_all() and posixpath.normpath(_destination(step).text) == "."


def _is_list(step: Step) -> bool:
    """Whether a copy brings nothing but lists of packages, of which nothing is left to do behind the install."""
    return all(_LISTS.fullmatch(posixpath.basename(word.text)) for word in step.instruction.words[:-1])


def _relative(stage: Stage) -> Iterator[Step]:
    """The copies of a stage to a relative path, in front of its first WORKDIR; those of the first such stage alone."""
    above = stage.steps_before(None)[: -len(stage.steps) or None]
    if any(step.instruction.keyword == "WORKDIR" or (_is_relative(step) and not _is_list(step)) for step in above):
        return
    for step in stage.steps:
        if step.instruction.keyword == "WORKDIR":
            return
        if _is_relative(step):
            yield step


def _is_relative(step: Step) -> bool:
    if step.instruction.keyword not in ("COPY", "ADD") or len(step.instruction.words) < 2 or step.trigger:
        return False
    path = step.before.expand(_destination(step).text)
    return isinstance(path, str) and bool(path) and not path.startswith(("/", "\\", "~")) and path[1:2] != ":"


def _destination(step: Step) -> Word:
    return step.instruction.words[-1]


def _is_harmless(stage: Stage, step: Step) -> bool:
    """Whether the build ends at a copy, a RUN removes what it brings, or a WORKDIR enters the folder that it makes."""
    path = posixpath.normpath(_destination(step).text)
    entered = (each.instruction.rest.text for each in stage.steps if each.instruction.keyword == "WORKDIR")
    if path != "." and path in (posixpath.normpath(folder) for folder in entered):
        return True
    return _is_missing(stage, step) or _is_removed(stage, step)


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


def _naming(stage: Stage, copies: Sequence[Step]) -> Instruction | None:
    """The first instruction of the image that names by an absolute path what copies bring."""
    final, names = (
        stage.build.final,
        sorted({name.partition("/")[0] for step in copies for name in _names(stage, step)}),
    )
    pattern = re.compile(rf"(?<![\w.}}*-])/(?:{'|'.join(map(re.escape, names))})(?![\w-])")
    steps = final.steps_before(None) if final is not None and names else ()
    instructions = (step.instruction for step in steps if step not in copies)
    return next((each for each in instructions if pattern.search(each.source.slice(each.span))), None)


def _is_free(stage: Stage, copies: Sequence[Step]) -> bool:
    """Whether nothing counts on the present place of what copies bring."""
    # What another stage made may know its place by heart: a virtual environment with a link to the source.
    is_made = any(step.copy is None or step.copy.origin != "context" for step in copies)
    texts = [each.source.slice(each.span) for each in stage.build.dockerfile.instructions]
    is_taken = any(re.search(rf"(?<![\w.}}*-]){_FOLDER}\b", text) for text in texts)
    has_names = any(True for step in copies for _ in _names(stage, step))
    is_held = is_made or is_taken or _is_started_elsewhere(stage.build.final) or _reaches_up(stage)
    return has_names and not is_held and _naming(stage, copies) is None


def _reaches_up(stage: Stage) -> bool:
    """Whether a source of the context names a file above its own folder, which in the root folder is that itself."""
    context = stage.build.context
    texts = (context.text(each.path) for each in context.files() if each.path.endswith(".py"))
    return any(text is not None and _ABOVE.search(text.text) for text in texts)


def _is_started_elsewhere(final: Stage | None) -> bool:
    """Whether the process is a file at an absolute path, or one that the image does not have: it is mounted there, and
    nobody here knows from where it takes what is copied."""
    if final is None or final.process is None:
        return False
    for each in final.process.commands:
        for word in each.words:
            if _SCRIPT.fullmatch(word.value):
                path = joined(final.end.directory, word.value)
                if word.value.startswith("/") or not isinstance(path, str) or final.view.find(path) is None:
                    return True
    return False


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
