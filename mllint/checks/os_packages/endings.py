"""Putting one more command at the end of a RUN, in the way that its lines are written."""

from collections.abc import Sequence

from mllint.edits import insert
from mllint.findings import Edit
from mllint.image.shell.commands import from_text
from mllint.patterns import regex
from mllint.sources.dockerfile import Dockerfile, Instruction
from mllint.sources.text import Logical

_STOPS_AT_FAILURE = regex(r"(?:^|[\s;&(])set\s+(?:-\w*\s+)*-\w*e")
_ONLY_HEREDOC = regex(r"\d*<<-?\s*\S+")


def ended_with(dockerfile: Dockerfile, instruction: Instruction, command: str) -> Edit | None:
    """The edit that has a RUN in shell form run a command last, if all before it succeeds; None where that cannot be
    written at its end."""
    if instruction.is_exec_form:
        return None
    if instruction.heredocs:
        return _in_heredoc(instruction, command)
    text = instruction.rest
    joint = _joint(text.text, _lines(dockerfile, instruction), dockerfile.escape)
    if joint is None or not _runs_last(text.text, joint.replace(f"{dockerfile.escape}\n", " ") + command, command):
        return None
    return insert(instruction.source, text.offset(len(text.text)), joint + command)


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
        return f" {escape}\n{_indentation(leading[-1])}{mark} "
    ends = [at for at, line in enumerate(lines[:-1]) if line.endswith(mark)]
    if ends:
        written = "" if text.endswith(";") else mark if is_listed else f" {mark}"
        return f"{written} {escape}\n{_indentation(lines[ends[-1] + 1])}"
    return f" {escape}\n{_indentation(lines[1]) or '    '}&& "


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _runs_last(text: str, added: str, command: str) -> bool:
    """Whether a shell that is given a text with something added runs that as one more command, and surely."""
    before = list(from_text(Logical(text, (0,), (0,))))
    after = list(from_text(Logical(text + added, (0,), (0,))))
    last = after[-1] if after else None
    is_there = last is not None and " ".join((*last.wrappers, *(word.text for word in last.words))) == command
    return is_there and len(after) == len(before) + 1 and last is not None and last.is_sure


def _in_heredoc(instruction: Instruction, command: str) -> Edit | None:
    """A line before the one that ends the script."""
    body = instruction.heredocs[0].body
    if len(instruction.heredocs) > 1 or not body.text.strip() or not _ONLY_HEREDOC.fullmatch(instruction.rest.text):
        return None
    lines = [line for line in body.text.split("\n") if line.strip()]
    if not _STOPS_AT_FAILURE.search(body.text) or lines[-1].endswith("\\"):
        return None
    if not _runs_last(body.text, f"{command}\n", command):
        return None
    return insert(instruction.source, body.offset(len(body.text)), f"{_indentation(lines[0])}{command}\n")
