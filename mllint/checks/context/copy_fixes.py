"""Repairs of a COPY that names what is not there, or lacks what an install reads."""

import posixpath
import re

from mllint.edits import insert, line_above, replace
from mllint.findings import Edit, Fix
from mllint.image.content.missing import near_path
from mllint.image.copies import Copy, CopySource, relative
from mllint.image.installing.order import brings_source
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction
from mllint.sources.text import Span

_PLAIN = regex(r"[\w.+/@-]+")
_DIGITS = regex(r"\d+")
_MOST_SLIPS = 2
"""Characters of a name that may be wrong, missing or too many for it to be a slip of the keys."""
_METADATA = frozenset({"pyproject.toml", "setup.py"})
_USING = frozenset({"CMD", "ENTRYPOINT", "ENV", "HEALTHCHECK", "RUN"})


def copied_too(stage: Stage, install: Install, path: str, origin: str) -> Fix | None:
    """The fix that brings a file of the context to where an install looks for it: as one more source of a COPY that
    goes there, else by a COPY of its own above the install."""
    step, entry = install.step, stage.build.context.find(origin)
    is_own = any(each is step for each in stage.steps)
    if not is_own or step.trigger is not None or entry is None or not _PLAIN.fullmatch(origin):
        return None
    # A project is more than the files that describe it.
    if entry.name in _METADATA and install.manager.name in ("pip", "uv pip"):
        return None
    if entry.name.lower().startswith("readme") and not _has_source(stage, step):
        return None
    title = f"copy {origin} in front of the install"
    if entry.is_folder:
        target = f"{_seen_from(step, path)}/"
        return Fix("unsafe", title, (line_above(stage.build.dockerfile, step.instruction, f"COPY {origin} {target}"),))
    if posixpath.basename(path) != entry.name:
        return None
    for each in reversed(stage.steps[: stage.steps.index(step)]):
        if each.copy is not None and _goes_to(stage, each.copy, posixpath.dirname(path)):
            return Fix("unsafe", title, _one_more(each.copy.step.instruction, origin))
    folder = _seen_from(step, posixpath.dirname(path))
    target = folder if folder == "." else f"{folder.rstrip('/')}/"
    return Fix("unsafe", title, (line_above(stage.build.dockerfile, step.instruction, f"COPY {origin} {target}"),))


def _has_source(stage: Stage, step: Step) -> bool:
    return any(each.copy is not None and brings_source(stage, each.copy) for each in stage.steps_before(step))


def _seen_from(step: Step, path: str) -> str:
    """A path as it is written in the working directory of a step."""
    inside = relative(path, step.before.directory)
    return path if inside is None else inside or "."


def _goes_to(stage: Stage, copy: Copy, folder: str) -> bool:
    """Whether a COPY brings files into a folder, and could bring one more."""
    instruction = copy.step.instruction
    if copy.origin != "context" or copy.step.trigger is not None or instruction.is_exec_form or instruction.heredocs:
        return False
    if any(source.pivot is not None or source.is_remote for source in copy.sources) or instruction.keyword != "COPY":
        return False
    written = instruction.words[-1].text
    is_folder = written == "." or written.endswith("/")
    matches = [match for source in copy.sources for match in source.matches(stage.build.context)]
    is_of_files = bool(matches) and not any(match.is_folder for match in matches)
    return is_folder and is_of_files and str(copy.destination).rstrip("/") == folder.rstrip("/")


def _one_more(instruction: Instruction, origin: str) -> tuple[Edit, ...]:
    *sources, target = instruction.words
    source = instruction.source
    more = insert(source, sources[-1].span.end, f" {origin}")
    # With several sources the folder has to end in a slash.
    return (more, replace(source, target.span, "./")) if target.text == "." else (more,)


def renamed(stage: Stage, step: Step, source: CopySource) -> Fix | None:
    """The fix for the name of a file that differs in case, or by a slip of the keys, from the only one like it; None
    where it may be another file that is meant."""
    context, copy = stage.build.context, step.copy
    near = near_path(context, str(source.path))
    if near is None or copy is None or step.trigger is not None or not _is_slip(stage, str(source.path), near):
        return None
    old, new = posixpath.basename(str(source.path)), posixpath.basename(near)
    text, span = step.instruction.source, source.word.span
    end = span.end - text.slice(span).endswith(("'", '"'))
    start = end - len(old)
    if context.excludes(near) or not _PLAIN.fullmatch(new) or text.text[start:end] != old:
        return None
    edits = [replace(text, Span(start, end), new)]
    if posixpath.basename(step.instruction.words[-1].text) != old:
        others = _mentions(stage, step, old)
        if others is None:
            return None
        edits += [replace(text, each, new) for each in others]
    return Fix("unsafe", f"write {near}", tuple(edits))


def _is_slip(stage: Stage, path: str, near: str) -> bool:
    """Whether one name is a slip for the other, and no second one is as near."""
    folder, _, name = path.rpartition("/")
    beside = [entry.name for entry in stage.build.context.tree.children(folder)]
    close = [each for each in beside if _slips(each, name) <= _MOST_SLIPS]
    is_near = posixpath.dirname(near) == folder and close == [posixpath.basename(near)]
    return is_near and _DIGITS.findall(name) == _DIGITS.findall(close[0])


def _slips(one: str, other: str) -> int:
    """How many characters have to be written otherwise, whatever their case."""
    from difflib import SequenceMatcher

    codes = SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).get_opcodes()
    return sum(max(end - start, last - first) for tag, start, end, first, last in codes if tag != "equal")


def _mentions(stage: Stage, step: Step, name: str) -> list[Span] | None:
    """Where the rest of the stage speaks of a file by its name; None where it does so in another way."""
    spans: list[Span] = []
    stem = name.partition(".")[0]
    plain = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)")
    module = re.compile(rf"(?:-m\s+|[\"'\s]){re.escape(stem)}(?::\w|[\"'\s]|$)")
    for each in stage.steps[stage.steps.index(step) + 1 :]:
        instruction = each.instruction
        text = instruction.text
        if instruction.keyword in _USING and each.trigger is None:
            start = instruction.span.start
            spans += [Span(start + match.start(), start + match.end()) for match in plain.finditer(text)]
        if name.endswith(".py") and instruction.keyword in _USING and module.search(text):
            return None
    is_taken = any(
        plain.search(other.instruction.rest.text)
        for later in stage.build.stages[stage.index + 1 :]
        for other in later.steps
        if other.copy is not None and other.copy.stage == stage.index
    )
    return None if is_taken else spans
