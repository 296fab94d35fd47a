"""DF103 and DF104: instructions that the shell gets to read as they stand."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import delete, replace
from mllint.findings import Finding, Fix, Location
from mllint.image.shell.commands import executed
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.dockerfile import KEYWORDS, Instruction
from mllint.sources.shell_tree import Word
from mllint.sources.text import Source, Span

_IN_SHELL = frozenset({"RUN", "CMD", "ENTRYPOINT"})
# An array whose first member is in quotes that JSON does not know; a test of the shell has a blank behind its bracket.
_ARRAY = regex(r"\[(?:['\u2018\u2019\u201c\u201d\u201e\u00ab]|\s*[\u2018\u2019\u201c\u201d\u201e\u00ab]).*\]\s*")
_QUOTES = str.maketrans(dict.fromkeys("'\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb", '"'))
_TYPOGRAPHIC = regex(r"[\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb]")


@check("DF103")
def swallowed_instruction(stage: Stage) -> Iterator[Finding]:
    """A line that begins with an instruction and continues the one above."""
    for step in stage.steps:
        instruction = step.instruction
        is_long = instruction.end_line > instruction.start_line and instruction.keyword in _IN_SHELL
        if not is_long or instruction.is_exec_form or instruction.heredocs or step.trigger is not None:
            continue
        found = next(_swallowed(step), None)
        if found is not None:
            word, is_program = found
            above, line = instruction.keyword, stage.build.source.position(word.span.start)[0]
            role = "the name of a program" if is_program else "an argument of a command"
            last = _line_above(instruction, line)
            message = (
                f"line {last} ends in a backslash: this {word.text} is {role} in the {above} that begins in line"
                f" {instruction.start_line}"
            )
            repair = f"end line {last} without the backslash"
            fix = _ended(instruction, line)
            yield Finding(Location(stage.build.source, word.span), message, repair, fix=fix)


def _swallowed(step: Step) -> Iterator[tuple[Word, bool]]:
    """The words of commands that begin a line as an instruction does, and whether they stand for a program."""
    source = step.instruction.source
    for each in executed(step.instruction, step.before):
        for at, word in enumerate(each.words):
            if word.text not in KEYWORDS or source.slice(word.span) != word.text:
                continue
            start = source.line_starts[source.position(word.span.start)[0] - 1]
            rest = source.text[word.span.end : word.span.end + 1]
            if not source.text[start : word.span.start].strip() and rest in (" ", "\t"):
                yield word, at == 0


def _line_above(instruction: Instruction, line: int) -> int:
    """The last line above one that holds a part of the instruction."""
    comments = {each.line for each in instruction.comments}
    source = instruction.source
    line -= 1
    while line in comments or not source.slice(source.line_span(line)).strip():
        line -= 1
    return line


def _ended(instruction: Instruction, line: int) -> Fix | None:
    """The line above without its backslash, where a command ends there."""
    source = instruction.source
    span = source.line_span(_line_above(instruction, line))
    text = source.slice(span).rstrip()
    kept = text[:-1].rstrip()
    if not text.endswith(("\\", "`")) or kept.endswith(("&&", "||", "|", ";", "&")):
        return None
    cut = Span(span.start + len(kept), span.start + len(text))
    return Fix("unsafe", f"end the {instruction.keyword} above", (delete(source, cut),))


@check("DF104")
def exec_form_no_json(stage: Stage) -> Iterator[Finding]:
    """An array in quotes that JSON does not know, which the shell gets as it stands."""
    for step in stage.steps:
        instruction = step.instruction
        if instruction.keyword not in _IN_SHELL or instruction.is_exec_form or step.trigger is not None:
            continue
        text = instruction.rest.text
        if instruction.heredocs or not _ARRAY.fullmatch(text) or stage.is_windows:
            continue
        what = "typographic" if _TYPOGRAPHIC.search(text) else "single"
        outcome = "the build stops here" if instruction.keyword == "RUN" else "the container does not start"
        message = (
            f"{instruction.keyword} is in {what} quotes and so no JSON: the shell looks for a program named"
            f" {_program(text)}, and {outcome}"
        )
        where = Location(stage.build.source, instruction.rest.span(0, len(text)))
        yield Finding(
            where, message, 'write the members in double quotes: ["..."]', fix=_as_json(where.source, where.span)
        )


def _program(text: str) -> str:
    """What the shell takes for the program: the first word, without the quotes that it knows."""
    return text.split()[0].replace("'", "")


def _as_json(source: Source, span: Span) -> Fix | None:
    import json

    written = source.slice(span)
    meant = written.translate(_QUOTES)
    try:
        members = json.loads(meant)
    except ValueError:
        return None
    if '"' in written or not all(isinstance(each, str) for each in members):
        return None
    return Fix("safe", f"write {meant}", (replace(source, span, meant),))
