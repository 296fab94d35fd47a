"""ML317: a command that an ENTRYPOINT of Python takes for a script."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import delete, insert, replace
from mllint.findings import Edit, Finding, Fix, Location, Related
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.service import PYTHON
from mllint.image.shell.commands import argv
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.shell_tree import Word
from mllint.sources.text import Span

MODULES = frozenset("uvicorn gunicorn hypercorn streamlit flask fastapi celery daphne".split())
"""Programs that `python -m` starts too, under their own name."""
_PLAIN = regex(r"[\w./:=@%+,-]+(?: +[\w./:=@%+,-]+)*")


@check("ML317")
def distroless_python_misuse(stage: Stage) -> Iterator[Finding]:
    """An image whose ENTRYPOINT is Python, or that has no shell, with a command for another."""
    if not stage.is_final:
        return
    end, base = stage.end, stage.root.base
    opening, closing = stage.step_of(end.entrypoint), stage.step_of(end.command)
    if opening is not None and base.family == "distroless" and not opening.instruction.is_exec_form:
        if base.program("sh") == "absent" and opening.instruction.keyword == "ENTRYPOINT":
            yield _without_shell(stage, opening)
        return
    words = tuple(word.value for word in argv(opening.instruction)) if opening is not None else base.entrypoint
    if (
        closing is None
        or closing.trigger is not None
        or len(words) != 1
        or not PYTHON.fullmatch(words[0].rpartition("/")[2])
    ):
        return
    if not closing.instruction.is_exec_form:
        yield _shell_form(stage, closing, opening, words[0])
    elif closing.instruction.words:
        found = _program(stage, closing, opening, words[0])
        if found is not None:
            yield found


def _without_shell(stage: Stage, opening: Step) -> Finding:
    base = stage.root.base.text
    message = f"ENTRYPOINT in shell form runs /bin/sh, which {base} does not have: the container does not start"
    repair = 'write the exec form, as in ENTRYPOINT ["/usr/bin/python3", "main.py"]'
    return Finding(Location(stage.build.source, opening.instruction.span), message, repair)


def _shell_form(stage: Stage, closing: Step, opening: Step | None, python: str) -> Finding:
    message = (
        f"CMD in shell form becomes arguments of {_says(stage, opening, python)}, which takes /bin/sh for a script of"
        " Python: the container does not start"
    )
    repair = "write the exec form, with what is to stand behind python alone"
    where = Location(stage.build.source, closing.instruction.span)
    return Finding(where, message, repair, _related(stage, opening), _exec_form(stage, closing))


def _program(stage: Stage, closing: Step, opening: Step | None, python: str) -> Finding | None:
    word = argv(closing.instruction)[0]
    if not _is_program(stage, word.value):
        return None
    name = word.value.rpartition("/")[2]
    given = f"CMD gives {word.value} to {_says(stage, opening, python)}"
    message = f"{given}, which takes it for a script: the container does not start"
    repair = f'begin CMD with "-m", as in ["-m", "{name}", ...]'
    is_python = PYTHON.fullmatch(name) is not None
    if is_python:
        repair = "leave it out: write what stands behind it"
    where = Location(stage.build.source, word.span)
    return Finding(where, message, repair, _related(stage, opening), _as_argument(stage, closing, word, is_python))


def _is_program(stage: Stage, text: str) -> bool:
    """Whether a first argument is the name of a program, and of no file that Python could run."""
    name = text.rpartition("/")[2]
    if text.startswith("-") or "$" in text or not name:
        return False
    if name != text:
        return PYTHON.fullmatch(name) is not None
    folder = stage.end.directory
    return not folder.startswith(UNKNOWN_FOLDER) and stage.view.find(posixpath.join(folder, text)) is None


def _says(stage: Stage, opening: Step | None, python: str) -> str:
    return f"ENTRYPOINT {python}" if opening is not None else f"{python}, the ENTRYPOINT of {stage.root.base.text}"


def _related(stage: Stage, opening: Step | None) -> tuple[Related, ...]:
    instruction = opening.instruction if opening is not None else stage.root.instruction
    return (Related(Location(stage.build.source, instruction.span), "its ENTRYPOINT"),)


def _as_argument(stage: Stage, closing: Step, word: Word, is_python: bool) -> Fix | None:
    source, words = stage.build.source, argv(closing.instruction)
    edits: tuple[Edit, ...]
    if is_python and len(words) > 1:
        edits = (delete(source, Span(word.span.start, words[1].span.start)),)
        return Fix("unsafe", f"leave {word.value} out, which ENTRYPOINT is", edits)
    name = word.value
    if name not in MODULES or source.slice(word.span) != f'"{name}"':
        return None
    edits = (insert(source, word.span.start, '"-m", '),)
    return Fix("unsafe", f"start it as python -m {name}", edits)


def _exec_form(stage: Stage, closing: Step) -> Fix | None:
    """The words behind `python` as a list, where they are plain."""
    source, instruction = stage.build.source, closing.instruction
    text = source.slice(instruction.span)
    body = text[len("CMD") :].strip()
    words = body.split()
    if not text.upper().startswith("CMD ") or not _PLAIN.fullmatch(body) or len(words) < 2:
        return None
    if not PYTHON.fullmatch(words[0].rpartition("/")[2]):
        return None
    start = instruction.span.start + text.index(body)
    listed = ", ".join(f'"{each}"' for each in words[1:])
    edit = replace(source, Span(start, start + len(body)), f"[{listed}]")
    return Fix("unsafe", "give python its arguments in the exec form", (edit,))
