"""Repairs of where a server listens and of what it runs with: in its command, in variables, and in Python source."""

import re

from mllint.checks.runtime import source_fixes
from mllint.edits import delete, delete_lines, insert, line_above, replace
from mllint.findings import Edit, Fix, Location
from mllint.image.service import Process, Server
from mllint.image.shell.commands import Executed, argv
from mllint.image.stage import Stage, Step
from mllint.image.values import Value
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction
from mllint.sources.shell_tree import Word
from mllint.sources.text import Source, Span

_EVERYWHERE = "0.0.0.0"  # The address by which a server in a container is reached.
# Their option for the address takes the port as well.
_WITH_PORT = frozenset({"gunicorn", "hypercorn"})
_PORT_OPTION = regex(r"(?:--port|-p|--server\.port)(?:=.*)?")
_SWITCHED_ON = regex(r"\w+\s*=\s*True\s*")
_BETWEEN = regex(r"[\s,\\`]*")


def opened(stage: Stage, process: Process, server: Server, is_sure: bool) -> Fix | None:
    """The server told to listen for everybody. *Unsafe* where somebody may rely on how it is, and in Python source."""
    host, place = server.host
    if server.launch.calls:
        fix = _opened_call(server, host) or _opened_variable(stage, process, server)
    elif place is not None:
        fix = _readdressed(stage, place, host)
    else:
        fix = _opened_command(stage, process, server) or _opened_variable(stage, process, server)
    return fix if fix is None or is_sure else fix._replace(applicability="unsafe")


def _readdressed(stage: Stage, place: Location, host: Value) -> Fix | None:
    """An address replaced where it is written."""
    text = place.source.slice(place.span)
    if not isinstance(host, str) or text.count(host) != 1 or not is_written_by_hand(stage, place):
        return None
    at = place.span.start + text.index(host)
    edit = replace(place.source, Span(at, at + len(host)), _EVERYWHERE)
    return Fix("unsafe" if place.source.path.endswith(".py") else "safe", f"listen on {_EVERYWHERE}", (edit,))


def is_written_by_hand(stage: Stage, place: Location) -> bool:
    """Whether a place in the Dockerfile is no ONBUILD of an image above; one in another file always is."""
    if place.source is not stage.build.source:
        return True
    steps = (step for step in stage.steps_before(None) if step.trigger is None)
    return any(_holds(step.instruction, place.span) for step in steps)


def _holds(instruction: Instruction, span: Span) -> bool:
    return instruction.span.start <= span.start and span.end <= instruction.span.end and instruction.keyword != "FROM"


def _opened_command(stage: Stage, process: Process, server: Server) -> Fix | None:
    """The option for the address, in front of that for the port, else at the end."""
    words, source = server.executed.words, server.launch.source
    is_ours = is_written_by_hand(stage, Location(source, words[-1].span))
    if not server.launch.columns("host_options") or not is_ours or any(word.value == "--" for word in words):
        return None
    before = next((word for word in words[1:] if _PORT_OPTION.fullmatch(word.value)), None)
    added = option(server)
    edit = _with_words(process, source, words, added, before)
    return Fix("safe", f"add {' '.join(added)}", (edit,)) if edit is not None else None


def option(server: Server) -> list[str]:
    """The words that tell a server to listen for everybody."""
    name = server.launch.columns("host_options")[0]
    address = f"{_EVERYWHERE}:{server.port or '8000'}" if server.name in _WITH_PORT else _EVERYWHERE
    # Those with a full stop are settings, which want the equals sign.
    return [f"{name}={address}"] if "." in name else [name, address]


def _with_words(
    process: Process, source: Source, words: tuple[Word, ...], added: list[str], before: Word | None
) -> Edit | None:
    """Words put into a command, in the form that it has."""
    members = _members(process)
    near = before or words[-1]
    if not stands_there(source, near):
        return None
    if near.span in members:
        text = ", ".join(f'"{word}"' for word in added)
        return insert(source, near.span.start, f"{text}, ") if before else insert(source, near.span.end, f", {text}")
    text = " ".join(added)
    return insert(source, near.span.start, f"{text} ") if before else insert(source, near.span.end, f" {text}")


def _members(process: Process) -> frozenset[Span]:
    """The places of the words of exec forms."""
    steps = (process.entrypoint, process.command)
    forms = (step.instruction for step in steps if step is not None and step.instruction.is_exec_form)
    return frozenset(word.span for form in forms for word in argv(form))


def stands_there(source: Source, word: Word) -> bool:
    """Whether the place of a word is exact, which it is not behind escapes in a text for `sh -c`."""
    text = source.slice(word.span)
    return text == word.text or text[1:-1] == word.value


def _opened_variable(stage: Stage, process: Process, server: Server) -> Fix | None:
    """The variable of the server set above the instruction that starts it."""
    name = server.launch.row.get("host_env")
    step = process.entrypoint or process.command
    # HOST means many things to many programs.
    if not name or name == "HOST" or step is None or step not in stage.steps or step.trigger is not None:
        return None
    line = f"ENV {name}={_EVERYWHERE}"
    return Fix("safe", f"set {name}", (line_above(stage.build.dockerfile, step.instruction, line),))


def _opened_call(server: Server, host: Value) -> Fix | None:
    """The literal that a call in Python source gives."""
    call, program = server.launch.calls[0], server.launch.program
    if len(server.launch.calls) > 1 or program is None or not isinstance(host, str):
        return None
    keyword = server.launch.row.get("host_keyword", "host")
    span = source_fixes.keyword(program, call, keyword, host)
    if span is None:
        return None
    quote = "'" if program.text[span.start] == "'" else '"'
    return Fix("unsafe", f"listen on {_EVERYWHERE}", (replace(program, span, f"{quote}{_EVERYWHERE}{quote}"),))


def without_aids(stage: Stage, server: Server, place: Location) -> Fix | None:
    """Reloading or debugging switched off where it is switched on."""
    launch = server.launch
    for word, before in zip(launch.executed.words[1:], launch.executed.words, strict=False):
        if place == Location(launch.source, word.span):
            return _without_option(stage, place, word, before, launch.executed)
    if launch.calls and len(launch.calls) == 1 and launch.program is not None:
        for name in launch.columns("reload_keywords"):
            span = source_fixes.keyword(launch.program, launch.calls[0], name, True)
            if span is not None:
                return Fix("unsafe", f"write {name}=False", (replace(launch.program, span, "False"),))
    text = place.source.slice(place.span)
    if place.source.path.endswith(".py") and _SWITCHED_ON.fullmatch(text):
        at = place.span.start + text.rindex("True")
        return Fix("unsafe", "switch it off", (replace(place.source, Span(at, at + len("True")), "False"),))
    for step in stage.steps_before(None):
        if step.instruction.keyword == "ENV" and step.trigger is None and place.source is stage.build.source:
            for index, pair in enumerate(step.instruction.pairs):
                if pair.value.span == place.span and pair.key.text.startswith("FLASK_"):
                    return Fix("unsafe", f"leave {pair.key.text} out", (_without_pair(step, index),))
    return None


def _without_option(stage: Stage, place: Location, word: Word, before: Word, each: Executed) -> Fix | None:
    between = place.source.text[before.span.end : word.span.start]
    # What else is said of reloading would have nothing left to do.
    has_more = any(other.value.startswith("--reload-") for other in each.words)
    if has_more or not between or not _BETWEEN.fullmatch(between) or not is_written_by_hand(stage, place):
        return None
    if not stands_there(place.source, word) or not stands_there(place.source, before):
        return None
    return Fix("safe", f"leave {word.value} out", (delete(place.source, Span(before.span.end, word.span.end)),))


def _without_pair(step: Step, index: int) -> Edit:
    """A variable taken out of an ENV, or the ENV where it has no other."""
    instruction, pairs = step.instruction, step.instruction.pairs
    if len(pairs) == 1:
        return delete_lines(instruction.source, instruction.start_line, instruction.end_line)
    if index:
        return delete(instruction.source, Span(pairs[index - 1].value.span.end, pairs[index].value.span.end))
    return delete(instruction.source, Span(pairs[0].key.span.start, pairs[1].key.span.start))


def run_instead_of_dev(stage: Stage, server: Server) -> Fix | None:
    """`fastapi run` for `fastapi dev`."""
    word = next((word for word in server.executed.words[1:] if word.value == "dev"), None)
    source = server.launch.source
    if server.name != "FastAPI" or word is None or not stands_there(source, word):
        return None
    if not is_written_by_hand(stage, Location(source, word.span)):
        return None
    text = source.slice(word.span)
    return Fix("unsafe", "start fastapi run", (replace(source, word.span, text.replace("dev", "run")),))


def retold(stage: Stage, server: Server, place: Location, port: str) -> Fix | None:
    """The port of the server in the place of the other one, the only one that differs: of two, nobody could tell
    whether the server is wrong."""
    text = place.source.slice(place.span)
    found = list(re.finditer(rf"(?<![\d.-]){re.escape(port)}(?![\d.-])", text))
    is_published = place.source is not stage.build.source and bool(found) and text[found[-1].end() :].strip("\"'") == ""
    if (len(found) != 1 and not is_published) or not is_written_by_hand(stage, place):
        return None
    # Compose writes the port of the container behind that of the host.
    span = Span(place.span.start + found[-1].start(), place.span.start + found[-1].end())
    return Fix("unsafe", f"write port {server.port}", (replace(place.source, span, server.port),))
