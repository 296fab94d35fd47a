"""Putting more commands at the end of a RUN, in the way that its lines are written."""

from collections.abc import Sequence

from mllint.edits import insert
from mllint.findings import Edit
from mllint.image.shell.commands import from_text
from mllint.patterns import regex
from mllint.sources.dockerfile import Dockerfile, Instruction
from mllint.sources.text import Logical

_STOPS_AT_FAILURE = regex(r"(?:^|[\s;&(])set\s+(?:-\w*\s+)*-\w*e")
_CLOSES = regex(r"\s*(?:fi|done|esac|[)}])(?![\w-])")
_ONLY_HEREDOC = regex(r"\d*<<-?\s*\S+")


def ended_with(dockerfile: Dockerfile, instruction: Instruction, commands: Sequence[str]) -> Edit | None:
    """The edit that has a RUN in shell form run some commands last, if all before them succeeds; None where that cannot
    be written at its end."""
    if instruction.is_exec_form:
        return None
    if instruction.heredocs:
        return _in_heredoc(instruction, commands)
    text, lines, added = instruction.rest, _lines(dockerfile, instruction), ""
    for command in commands:
        joint = _joint(text.text + added, lines, dockerfile.escape)
        if joint is None:
            return None
        added += joint + command
    if not _run_last(text.text, added.replace(f"{dockerfile.escape}\n", " "), commands):
        return None
    return insert(instruction.source, text.offset(len(text.text)), added)


def _lines(dockerfile: Dockerfile, instruction: Instruction) -> list[str]:
    """The lines with parts of the command, without the mark of their continuation."""
    source = instruction.source
    comments = {each.line for each in instruction.comments}
    numbers = range(instruction.start_line, instruction.end_line + 1)
    texts = (source.slice(source.line_span(number)).rstrip() for number in numbers if number not in comments)
    return [text.removesuffix(dockerfile.escape).rstrip() for text in texts if text.strip(f" \t{dockerfile.escape}")]


def _joint(text: str, lines: Sequence[str], escape: str) -> str | None:
    """What stands between the last command so far and the new one: `&&`, or `;` where the shell stops at a failure by
    itself, at the place of the line where this RUN has it."""
    if text.endswith(("&", "|", escape)):
        return None
    is_listed = _STOPS_AT_FAILURE.search(text) is not None and any(line.endswith(";") for line in lines)
    if text.endswith(";") and not is_listed:
        return None
    if len(lines) == 1:
        return " " if text.endswith(";") else " && "
    mark = ";" if is_listed else "&&"
    leading = [line for line in lines if line.lstrip().startswith(mark)]
    if leading:
        return f" {escape}\n{_place(leading, lines[-1])}{mark} "
    begun = [lines[at + 1] for at, line in enumerate(lines[:-1]) if line.endswith(mark)]
    if begun:
        written = "" if text.endswith(";") else mark if is_listed else f" {mark}"
        return f"{written} {escape}\n{_place(begun, lines[-1])}"
    return f" {escape}\n{_place(lines[1:2], lines[-1])}&& "


def _place(begun: Sequence[str], last: str) -> str:
    """The indentation of a new command below lines that begin one: that of the last of them, unless they lie in
    something that ends at the last line of all."""
    if _CLOSES.match(last):
        return min(map(_indentation, (*begun, last)), key=len)
    return _indentation(begun[-1])


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _run_last(text: str, added: str, commands: Sequence[str]) -> bool:
    """Whether a shell that is given a text with something added runs that as so many more commands, and surely."""
    before = list(from_text(Logical(text, (0,), (0,))))
    after = list(from_text(Logical(text + added, (0,), (0,))))
    new = after[len(before) :]
    written = [" ".join((*each.wrappers, *(word.text for word in each.words))) for each in new]
    return written == list(commands) and all(each.is_sure for each in new)


def _in_heredoc(instruction: Instruction, commands: Sequence[str]) -> Edit | None:
    """Lines before the one that ends the script."""
    body = instruction.heredocs[0].body
    if len(instruction.heredocs) > 1 or not body.text.strip() or not _ONLY_HEREDOC.fullmatch(instruction.rest.text):
        return None
    lines = [line for line in body.text.split("\n") if line.strip()]
    if not _STOPS_AT_FAILURE.search(body.text) or lines[-1].endswith("\\"):
        return None
    if not _run_last(body.text, "".join(f"{each}\n" for each in commands), commands):
        return None
    added = "".join(f"{_indentation(lines[0])}{each}\n" for each in commands)
    return insert(instruction.source, body.offset(len(body.text)), added)
