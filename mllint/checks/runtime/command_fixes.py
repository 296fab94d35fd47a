"""Repairs of a command in front of which a shell stays."""

import json
import posixpath

from mllint.edits import insert, replace
from mllint.findings import Edit, Fix
from mllint.image import service
from mllint.image.service import Process, Script, Server
from mllint.image.shell.commands import Executed, inner_start, shell_text
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources import shell
from mllint.sources.dockerfile import Instruction
from mllint.sources.shell_tree import Chain, Command, Function, Node, Word
from mllint.sources.text import Logical, Source, Span

# Shells do these themselves, so that exec finds no program.
_NOT_PROGRAMS = frozenset({"command", "time", "exec"})
# They run what they are given as it stands.
INITS = frozenset({"tini", "dumb-init", "catatonit", "nvidia_entrypoint.sh"})
"""Programs that do nothing but start the rest of their words."""
_QUOTED = regex(r"\"[^\"]*\"|'[^']*'|\\.")
_EXPANDING = regex(r"[*?\[{~`$]")


def by_exec(stage: Stage, step: Step, process: Process, server: Server) -> Fix | None:
    """The exec form where the command needs no shell, else `exec` in front of the server; None where the shell has work
    left to do behind it."""
    instruction, started = step.instruction, server.executed
    if step.trigger is not None or service.is_in_background(instruction.source, started):
        return None
    for text in _shell_texts(instruction):
        script = shell.parse(text)
        if script.is_clean and _is_last(script.body, started):
            words = [] if instruction.is_exec_form else plain_words(script.body, instruction.source)
            if words and not _may_mind(stage, step, process):
                return Fix("safe", "use the exec form", in_exec_form(instruction.source, words))
            return _with_exec(instruction.source, started)
    return None


def by_exec_in(script: Script, started: Executed) -> Fix | None:
    """`exec` in front of the last command of a script."""
    parsed = shell.parse(Logical.of(script.source, Span(0, len(script.source.text))))
    # `"$@"` may be one of the functions.
    is_open = any(isinstance(node, Function) for node in parsed.body)
    if not parsed.is_clean or is_open or not _is_last(parsed.body, started):
        return None
    return _with_exec(script.source, started)


def _shell_texts(instruction: Instruction) -> list[Logical]:
    """The text of the shell form, or of the exec form the members that may be one for `sh -c`."""
    if instruction.is_exec_form:
        source = instruction.source
        members = [Word(source.slice(word.span), word.text, True, word.span) for word in instruction.words]
        return [Logical(word.value, (0,), (inner_start(word),)) for word in members if " " in word.value]
    text = shell_text(instruction)
    return [text] if text is not None else []


def _is_last(body: tuple[Node, ...], started: Executed) -> bool:
    """Whether a command is the last thing that a shell does."""
    node = body[-1] if body else None
    while isinstance(node, Chain):
        node = node.parts[-1]
    if not isinstance(node, Command) or node.is_negated or not node.words:
        return False
    return node.words[0].span.start == started.command.words[0].span.start and not _NOT_PROGRAMS & {
        *started.wrappers,
        node.name,
    }


def plain_words(body: tuple[Node, ...], source: Source) -> list[Word]:
    """The words of a text that is one command and needs nothing of a shell; else none."""
    node = body[0] if len(body) == 1 else None
    if not isinstance(node, Command) or node.assignments or node.redirects:
        return []
    for word in node.words:
        is_whole = source.slice(word.span) == word.text
        if not word.is_literal or not is_whole or _EXPANDING.search(_QUOTED.sub("", word.text)):
            return []
    return list(node.words)


def _may_mind(stage: Stage, step: Step, process: Process) -> bool:
    """Whether it makes a difference that the words stand there without a shell in front, or with others behind."""
    if step.before.shell[1:] not in ((), ("-c",)):
        return True
    if step.instruction.keyword == "ENTRYPOINT":
        return bool(stage.command) or any(each.command is not None for each in stage.build.services)
    entrypoint = stage.entrypoint[:1]
    return bool(entrypoint) and posixpath.basename(entrypoint[0]) not in INITS


def in_exec_form(source: Source, words: list[Word]) -> tuple[Edit, ...]:
    """Words of a shell form as those of the exec form, with everything between them as it is."""
    texts = [f"{json.dumps(word.value, ensure_ascii=False)}," for word in words]
    texts[0], texts[-1] = f"[{texts[0]}", f"{texts[-1][:-1]}]"
    if len(words) == 1:
        texts = [f"[{json.dumps(words[0].value, ensure_ascii=False)}]"]
    return tuple(replace(source, word.span, text) for word, text in zip(words, texts, strict=True))


def _with_exec(source: Source, started: Executed) -> Fix | None:
    first = started.command.words[0]
    if not source.text.startswith(first.text, first.span.start):
        return None
    return Fix("safe", f"write exec before {first.text}", (insert(source, first.span.start, "exec "),))
