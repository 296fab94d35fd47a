"""Rules about the forms of CMD and ENTRYPOINT, and what becomes of the words between them."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import command_fixes
from mllint.checks.runtime.server import shell_stays
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import service
from mllint.image.service import PYTHON
from mllint.image.shell.commands import Executed
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources import shell

# The words behind the text of `sh -c` are $0, $1 … in it.
_TAKES_WORDS = regex(r"\$(?:[@*0-9#]|\{[@*0-9#])")
_HANDED = "CMD in shell form hands /bin/sh, -c and one text to"


@check("ML340")
def shell_form_arguments(stage: Stage) -> Iterator[Finding]:
    """A CMD that ENTRYPOINT does not get as it is meant."""
    entrypoint, command = stage.step_of(stage.end.entrypoint), stage.step_of(stage.end.command)
    if not stage.is_final or entrypoint is None or command is None or stage.is_windows:
        return
    if any(each.command is not None or each.entrypoint is not None for each in stage.build.services):
        return
    where = Location(stage.build.source, command.instruction.span)
    if not entrypoint.instruction.is_exec_form:
        yield from _dropped(stage, entrypoint, where)
    elif not command.instruction.is_exec_form:
        found = _misread(stage, entrypoint)
        if found is not None:
            message, severity, repair = found
            yield Finding(where, message, repair, fix=_in_exec_form(command, entrypoint), severity=severity)
        elif stage.server is None:
            yield from _left_in_front(stage, entrypoint, command, where)


def _left_in_front(stage: Stage, entrypoint: Step, command: Step, where: Location) -> Iterator[Finding]:
    """A script that nobody can read, which at best runs the shell."""
    name = entrypoint.instruction.words[0].text.rpartition("/")[2] if entrypoint.instruction.words else ""
    is_read = stage.process is not None and stage.process.scripts
    if not name.endswith(".sh") or is_read or any("exec" in each.wrappers for each in _commands(stage)):
        return
    if shell_stays(stage, command):
        message = (
            f"{_HANDED} {name}: where it runs them, the shell stays in front of the program and passes no SIGTERM on"
        )
        repair = "write CMD in exec form, or write exec before the command"
        if "$" in command.instruction.rest.text:
            # In exec form, nothing would put in the value of a variable.
            repair = "write exec before the command"
        yield Finding(where, message, repair, severity=Severity.WARNING)


def _dropped(stage: Stage, entrypoint: Step, where: Location) -> Iterator[Finding]:
    """A shell that does not hand on what stands behind its text."""
    text = entrypoint.instruction.rest.text
    if _TAKES_WORDS.search(text) or not stage.command:
        return
    message = "ENTRYPOINT in shell form takes no arguments: the words of CMD never reach its program"
    related = (Related(Location(stage.build.source, entrypoint.instruction.span), "the shell form is here"),)
    repair = "write ENTRYPOINT in exec form, or put the words of CMD into it"
    yield Finding(where, message, repair, related, severity=Severity.WARNING)


def _misread(stage: Stage, entrypoint: Step) -> tuple[str, Severity | None, str] | None:
    """What becomes of a CMD in shell form behind an ENTRYPOINT that does not run it, how bad that is, and what to write
    instead; None where it is run or nobody can tell."""
    span = entrypoint.instruction.span
    opening = [each for each in _commands(stage) if span.start <= each.words[0].span.start < span.end]
    each = opening[-1] if len(opening) == 1 else None
    if each is None or each.runner:
        return None
    plain = [word for word in each.arguments if not word.startswith("-")]
    if each.name in POSIX_SHELLS and not plain:
        ends = (
            "which runs a shell with nothing to do"
            if "-c" in each.arguments
            else "which cannot read /bin/sh as a script"
        )
        return f"{_HANDED} {each.name}, {ends}: the container ends at once", None, "leave ENTRYPOINT out"
    if PYTHON.fullmatch(each.name) and not plain:
        message = f"{_HANDED} {each.name}, which cannot read /bin/sh as Python: the container ends at once"
        return message, None, "write CMD in exec form, with the arguments of Python alone"
    launch = service.launch(stage, each, stage.build.source)
    if launch is None and not PYTHON.fullmatch(each.name):
        return None
    message = f"{_HANDED} {each.name}, which takes them for arguments of its own"
    return message, Severity.WARNING, f"write CMD in exec form, with the arguments of {each.name} alone"


def _commands(stage: Stage) -> tuple[Executed, ...]:
    return stage.process.commands if stage.process is not None else ()


def _in_exec_form(command: Step, entrypoint: Step) -> Fix | None:
    """The exec form of a CMD that is plain words, none of them the program that ENTRYPOINT names."""
    instruction = command.instruction
    if command.trigger is not None or instruction.comments or len(entrypoint.instruction.words) < 1:
        return None
    program = entrypoint.instruction.words[0].text.rpartition("/")[2]
    words = command_fixes.plain_words(shell.parse(instruction.rest).body, instruction.source)
    is_python = (
        PYTHON.fullmatch(program) and not PYTHON.fullmatch(words[0].value.rpartition("/")[2]) if words else False
    )
    if not is_python:
        return None
    return Fix("safe", "use the exec form", command_fixes.in_exec_form(instruction.source, words))
