"""Repairs of health checks: asking with what the image has, and a check for a server that has none."""

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

from mllint.checks import placing
from mllint.checks.runtime import asking, command_fixes
from mllint.checks.runtime.asking import Asked
from mllint.checks.runtime.listening_fixes import stands_there
from mllint.edits import delete, replace
from mllint.findings import Fix
from mllint.image import programs, python
from mllint.image.events import Interpreter
from mllint.image.programs import Program
from mllint.image.service import Process, Server
from mllint.image.serving import routes
from mllint.image.serving.uses import Use
from mllint.image.shell.commands import Executed, inner_start
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources import compose, shell
from mllint.sources.dockerfile import Instruction
from mllint.sources.shell_tree import Chain, Command, Node, Word
from mllint.sources.text import Logical, Source, Span
from mllint.sources.words import Word as Member

_TITLE = "ask with urllib.request"
_PATH = regex(r"'http://[^/]+(/[^?]*)?(?:\?.*)?'")
_VARIABLE = regex(r"\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<default>:-\d+)?\})")
# A server with one of these answers no plain HTTP at a port.
_NO_HTTP = regex(r"unix:|--uds|--fd|--unix-socket|--certfile|--keyfile|--ssl|--https|--http-socket|--socket")
_REACHED = ("0.0.0.0", "::", "[::]", "*", "127.0.0.1", "localhost")
_PYTHONS = ("python", "python3")
_ENDS = ("exit 1", "exit 127", "false")


class Test(NamedTuple):
    """Where a health check is written."""

    source: Source
    members: tuple[Span, ...]
    """The places of the words of a list, with their quotes."""
    texts: tuple[Logical, ...]
    """What may be a text for a shell."""
    instruction: Instruction | None
    """None for one of compose."""


def of_instruction(instruction: Instruction) -> Test:
    """The test of a HEALTHCHECK."""
    source, words = instruction.source, instruction.words[1:]
    if not instruction.is_exec_form:
        at = instruction.rest.text.index(words[0].text, len(instruction.words[0].text))
        return Test(source, (), (instruction.rest.part(at, len(instruction.rest.text)),), instruction)
    return Test(source, tuple(word.span for word in words), _texts(source, words), instruction)


def of_compose(service: compose.Service, test: compose.Command) -> Test:
    """The test of a health check of compose."""
    return Test(service.source, tuple(value.span for value in test.values), _texts(service.source, test.values), None)


def _texts(source: Source, words: Sequence[compose.Value | Member]) -> tuple[Logical, ...]:
    members = [Word(source.slice(word.span), word.text, True, word.span) for word in words]
    return tuple(Logical(word.value, (0,), (inner_start(word),)) for word in members if " " in word.value)


def with_standard_library(stage: Stage, use: Use, test: Test) -> Fix | None:
    """The code behind -c as one that needs no package."""
    words = use.executed.words
    at = next((at for at, word in enumerate(words) if word.value == "-c"), len(words)) + 1
    written = test.source.slice(words[at].span) if at < len(words) else ""
    if written[:1] not in ("'", '"') or written[-1:] != written[0] or set(written[1:-1]) & {written[0], *"\\`\n"}:
        return None
    asked = asking.by_python(written[1:-1])
    # Only a shell of the image replaces variables.
    is_plain = "$" not in written or (test.instruction is not None and not test.members and written[0] == '"')
    if asked is None or not is_plain or use.source is not test.source:
        return None
    text = f"{written[0]}{asking.code(asked)}{written[0]}"
    return Fix(applicability(stage, asked), _TITLE, (replace(test.source, words[at].span, text),))


def applicability(stage: Stage, asked: Asked) -> Literal["safe", "unsafe"]:
    """A check that passed with any answer passes with the new one where the path is known to answer."""
    match = _PATH.fullmatch(asked.url)
    path = (match[1] or "/") if match else None
    known = {*routes.answered(stage), stage.server.health if stage.server is not None else ""}
    return "safe" if asked.is_strict or path in known else "unsafe"


def with_python(stage: Stage, use: Use, test: Test) -> Fix | None:
    """Python in the place of curl and wget."""
    asked, name = asking.by_tool(use.executed), _python(stage)
    is_ours = use.source is test.source and all(stands_there(test.source, word) for word in use.executed.words)
    if asked is None or name is None or not is_ours or ("$" in asked.url and test.instruction is None):
        return None
    words, how = use.executed.words, applicability(stage, asked)
    span = Span(words[0].span.start, words[-1].span.end)
    if words[0].span in test.members:
        if "$" in asked.url or "\n" in test.source.slice(span):
            return None
        return Fix(how, _TITLE, (replace(test.source, span, _members(name, asked)),))
    parts = next((found for text in test.texts if (found := _parts(text, use.executed))), ())
    if not parts:
        return None
    whole = _whole(test, parts)
    if whole is not None and "$" not in asked.url:
        limit = _limit(test.instruction) if asked.timeout is None else asked.timeout
        text = f"[{_members(name, asked._replace(timeout=limit))}]"
        return Fix(how, _TITLE, (replace(test.source, whole, text),))
    text = f'{name} -c "{asking.code(asked)}"'
    return Fix(how, _TITLE, (replace(test.source, span, _quoted(test, span, text)),))


def _python(stage: Stage) -> str | None:
    """The Python that the container surely finds by its name: the name that the file uses, if any."""
    path, process = stage.end.env.get("PATH"), stage.process
    started = process.all_commands if process else ()
    built = (each for step in reversed(stage.steps_before(None)) for each in step.commands)
    used = [each.words[0].value for each in (*started, *built)]
    known = _PYTHONS if has_plain_name(stage) else _PYTHONS[::-1]
    names = dict.fromkeys((*(name for name in used if name in _PYTHONS), *known))
    return next((name for name in names if isinstance(programs.program(stage.view, name, path), Program)), None)


def has_plain_name(stage: Stage) -> bool:
    """Whether `python` is surely a name of the Python that the container finds. That of an operating system may have
    only the name `python3`, and so may that of a base of which only pip was seen."""
    found = python.interpreter(stage.view, "python", stage.end.env.get("PATH"))
    if not isinstance(found, Interpreter) or found.kind == "system":
        return False
    return found.kind != "image" or "python" in stage.view.base.row or not isinstance(stage.view.base.python, Unknown)


def _members(program: str, asked: Asked) -> str:
    return ", ".join(json.dumps(word) for word in (program, "-c", asking.code(asked)))


def _parts(text: Logical, executed: Executed) -> tuple[Node, ...]:
    """The commands of a text, joined by `&&` and `||`, one of which is that command; none where its output is used."""
    script = shell.parse(text)
    node = script.body[0] if len(script.body) == 1 and script.is_clean else None
    parts = node.parts if isinstance(node, Chain) else (node,) if node is not None else ()
    starts = [part.words[0].span.start for part in parts if isinstance(part, Command) and part.words]
    is_plain = len(starts) == len(parts) and not any(isinstance(part, Command) and part.is_negated for part in parts)
    return parts if is_plain and executed.command.words[0].span.start in starts else ()


def _whole(test: Test, parts: tuple[Node, ...]) -> Span | None:
    """The place of a test in shell form that is one command, at most with `|| exit 1` behind it."""
    instruction = test.instruction
    if instruction is None or test.members or instruction.comments or len(parts) > 2:
        return None
    first, *behind = parts
    if not isinstance(first, Command) or first.assignments or first.words[0].value not in ("curl", "wget"):
        return None
    ends = [" ".join(word.value for word in each.words) for each in behind if isinstance(each, Command)]
    return instruction.words[1].span if all(end in _ENDS for end in ends) else None


def _limit(instruction: Instruction | None) -> str | None:
    """A second less than Docker waits, where the file says how long that is."""
    flag = instruction.flag("timeout") if instruction is not None else None
    seconds = flag.text.removesuffix("s") if flag is not None else ""
    return str(int(seconds) - 1) if seconds.isdecimal() and int(seconds) > 1 else None


def _quoted(test: Test, span: Span, text: str) -> str:
    """A text as the string around it needs it."""
    around = next((each for each in test.members if each.start <= span.start and span.end <= each.end), None)
    mark = test.source.text[around.start] if around is not None else ""
    return {'"': text.replace('"', '\\"'), "'": text.replace("'", "''")}.get(mark, text)


def without_shell(stage: Stage, instruction: Instruction) -> Fix | None:
    """The exec form of a test in shell form that is one plain command."""
    test = of_instruction(instruction)
    body = shell.parse(test.texts[0]).body if test.texts else ()
    behind: Span | None = None
    if len(body) == 1 and isinstance(body[0], Chain) and _whole_of(body[0]):
        behind = Span(body[0].parts[0].span.end, instruction.words[1].span.end)
        body = body[0].parts[:1]
    words = command_fixes.plain_words(body, test.source) if body and not instruction.comments else []
    path = stage.end.env.get("PATH")
    if not words or not isinstance(programs.program(stage.view, words[0].value, path), Program):
        return None
    edits = command_fixes.in_exec_form(test.source, words)
    return Fix("safe", "use the exec form", (*edits, *([delete(test.source, behind)] if behind else [])))


def _whole_of(chain: Chain) -> bool:
    ends = [" ".join(word.value for word in each.words) for each in chain.parts[1:] if isinstance(each, Command)]
    return chain.operators == ("||",) and all(end in _ENDS for end in ends)


def added(stage: Stage, process: Process, server: Server) -> Fix | None:
    """A HEALTHCHECK for a server whose port and path are known, in an image that has Python."""
    test, first = _of_server(stage, process, server), _first_of_process(stage)
    if test is None or first is None:
        return None
    tree = stage.build.dockerfile
    lines = [
        f"HEALTHCHECK --interval=30s --timeout=5s --start-period={server.start_period} --retries=3 {tree.escape}",
        f"  CMD {test}",
    ]
    path = routes.health(stage, server)
    return Fix("unsafe", f"add a HEALTHCHECK that asks {path}", (placing.above(tree, first, *lines),))


def asking_server(stage: Stage, instruction: Instruction) -> Fix | None:
    """The test of a HEALTHCHECK as one that asks the server."""
    process, server = stage.process, stage.server
    test = _of_server(stage, process, server) if process is not None and server is not None else None
    if test is None or server is None or instruction.comments or len(instruction.words) < 2:
        return None
    start = instruction.words[1].span.start
    if instruction.is_exec_form:
        start = instruction.source.text.rindex("[", instruction.span.start, start)
    edit = replace(instruction.source, Span(start, instruction.span.end), test)
    return Fix("unsafe", f"ask {routes.health(stage, server)}", (edit,))


def _of_server(stage: Stage, process: Process, server: Server) -> str | None:
    """A test that asks a server whose port and path are known."""
    path, name, at = routes.health(stage, server), _python(stage), port(stage, server)
    if path is None or name is None or not _is_reached(server) or _awaits_options(stage, process, server):
        return None
    url = f"'http://127.0.0.1:{at}{path}'"
    if at.isdecimal():
        return f"[{_members(name, Asked(url, '4', True))}]"
    return f'{name} -c "{asking.code(Asked(url, "4", True))}"' if _is_set(stage, server, at) else None


def port(stage: Stage, server: Server) -> str:
    """The port as the health check has it: with the variable that the server takes it from, where platforms or the
    file set that one."""
    name = server.launch.row.get("port_env")
    is_default = server.port.isdecimal() and server.launch.is_port_open
    if name is None or not is_default or name in server.executed.environment:
        return server.port
    if name != "PORT" and name not in stage.end.env:
        return server.port
    return f"${{{name}:-{server.port}}}"


def _awaits_options(stage: Stage, process: Process, server: Server) -> bool:
    """Whether an ENTRYPOINT is so short that it is made to be given arguments, a port among them."""
    is_own = process.command is None and server.launch.source is stage.build.source
    is_short = is_own and len(server.executed.words) <= 1 + len(server.launch.columns("verb"))
    ports = [setting.value for setting in stage.end.exposed]
    return is_short and not any(not isinstance(each, Unknown) and str(each.first) == server.port for each in ports)


def _is_reached(server: Server) -> bool:
    host = server.host.value
    words = " ".join(word.value for word in server.executed.words)
    return (isinstance(host, Unknown) or host in _REACHED) and not _NO_HTTP.search(words)


def _is_set(stage: Stage, server: Server, port: str) -> bool:
    """Whether a shell of the health check sees the variable for the port as the server does."""
    match = _VARIABLE.fullmatch(port)
    if match is None or programs.program(stage.view, "/bin/sh", None) is None:
        return False
    if port != server.port or (match["name"] or match["braced"]) in stage.end.env:
        return True
    return server.launch.source is stage.build.source


def _first_of_process(stage: Stage) -> Instruction | None:
    """The CMD or ENTRYPOINT of a stage, or the first of both where they stand together."""
    found: Instruction | None = None
    for step in reversed(stage.steps):
        if step.instruction.keyword in ("CMD", "ENTRYPOINT") and step.trigger is None:
            found = step.instruction
        elif found is not None:
            break
    return found
