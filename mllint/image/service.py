"""What the image runs: the command of its process, and whether that serves a network port."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image.copies import context_path
from mllint.image.paths import joined
from mllint.image.serving import listening
from mllint.image.serving.listening import Launch
from mllint.image.shell.commands import Executed, argv, from_argv, from_text, shell_text
from mllint.image.shell.scope import Scope
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.patterns import regex
from mllint.sources import python
from mllint.sources.shell_tree import Word
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.findings import Location
    from mllint.image.serving.listening import Said
    from mllint.image.stage import Stage, Step
    from mllint.image.values import Value
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.python import Call, Module
    from mllint.sources.text import Source

PYTHON = regex(r"python[0-9.]*|pypy[0-9.]*")
SHELL_SCRIPT = regex(rf"#!\s*\S*?(?:/env\s+)?\b(?:{'|'.join(sorted(POSIX_SHELLS))})\b")
"""The first line of a script for a shell."""
_SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Script(NamedTuple):
    """A shell script of the context that the process runs."""

    source: Source
    commands: tuple[Executed, ...]


class Process(NamedTuple):
    """What `docker run` starts. `commands` are the programs, wrappers removed; the last one is what stays."""

    entrypoint: Step | None
    command: Step | None
    commands: tuple[Executed, ...]
    scripts: tuple[Script, ...]
    instruction: Instruction
    """Where the program is named: CMD, else ENTRYPOINT, else the FROM of the image that brings it."""

    @property
    def step(self) -> Step | None:
        """CMD, else ENTRYPOINT; None where the base brings both."""
        return self.command or self.entrypoint

    @property
    def all_commands(self) -> tuple[Executed, ...]:
        """With those of the entry scripts."""
        return (*self.commands, *(each for script in self.scripts for each in script.commands))

    def started(self, dockerfile: Source) -> Iterator[tuple[Source, Executed]]:
        """Every command of the instruction and of the entry scripts, with the file that it stands in."""
        yield from ((dockerfile, each) for each in self.commands)
        for script in self.scripts:
            yield from ((script.source, each) for each in script.commands)


class Server(NamedTuple):
    """A network server that the image starts: what the table knows of it and the command that runs it."""

    name: str
    executed: Executed
    port: str
    """A number, or a variable as written; empty where it is not known."""
    health: str
    """The path that answers a health check, empty where the application decides."""
    is_native: bool
    """Comes without Python."""
    is_notebook: bool
    """Serves its user, who sees whether it is up."""
    launch: Launch
    """How it is started."""

    @property
    def start_period(self) -> str:
        """How long it may load before a health check counts, as HEALTHCHECK writes it."""
        return self.launch.row.get("start_period", "60s")

    @property
    def host(self) -> Said:
        """The address it listens on, and where that is said."""
        return listening.host(self.launch)

    @property
    def app(self) -> Word | None:
        """The `module:attribute` that its command names."""
        return listening.application(self.launch)

    @property
    def workers(self) -> Value:
        """How many processes serve, a number in digits."""
        return listening.workers(self.launch)

    @property
    def development(self) -> Location | None:
        """Where its reloading or debugging is switched on."""
        return listening.development(self.launch)


def process(stage: Stage) -> Process | None:
    """The process of a stage's image, as far as this file sets it, or a server that the base is known to start."""
    base, end = stage.root.base, stage.end
    entrypoint, command = stage.step_of(end.entrypoint), stage.step_of(end.command)
    # As for BuildKit, an ENTRYPOINT takes away the CMD of the base.
    inherited = base.server_command if entrypoint is None else ()
    opening = python_of_base(stage) or _inherited(stage, base.server_entrypoint)
    if entrypoint is not None:
        opening = argv(entrypoint.instruction)
    closing = _inherited(stage, inherited) if command is None else argv(command.instruction)
    commands = _commands(entrypoint, opening, command, closing, end.directory)
    if not commands:
        return None
    step = command or entrypoint
    instruction = step.instruction if step is not None else stage.root.instruction
    scripts = tuple(script for each in commands if (script := _entry_script(stage, each)))
    return Process(entrypoint, command, commands, scripts, instruction)


def _commands(
    entrypoint: Step | None, opening: tuple[Word, ...], command: Step | None, closing: tuple[Word, ...], directory: str
) -> tuple[Executed, ...]:
    """What ENTRYPOINT with CMD behind it runs, and then CMD by itself, which entry scripts run in the end."""

    def run(words: tuple[Word, ...]) -> tuple[Executed, ...]:
        return tuple(from_argv(words, Scope(None, directory)))

    def by_shell(instruction: Instruction) -> tuple[Executed, ...]:
        text = shell_text(instruction)
        return tuple(from_text(text, Scope(None, directory))) if text is not None else ()

    if entrypoint is not None and not entrypoint.instruction.is_exec_form:
        # The shell form takes no arguments: CMD is without effect.
        return by_shell(entrypoint.instruction)
    if command is not None and not command.instruction.is_exec_form:
        return (*run(opening), *by_shell(command.instruction))
    is_handed_on = opening and closing and not _is_python(opening[0].value)
    return (*run((*opening, *closing)), *(run(closing) if is_handed_on else ()))


def python_of_base(stage: Stage) -> tuple[Word, ...]:
    """The ENTRYPOINT of the base where that is a Python, which takes CMD for its arguments, and this file sets none."""
    words, command = stage.root.base.entrypoint, stage.step_of(stage.end.command)
    if not words or command is None or stage.step_of(stage.end.entrypoint) is not None:
        return ()
    span = command.instruction.span
    return tuple(Word(text, text, True, span) for text in words) if _is_python(words[0]) else ()


def _is_python(program: str) -> bool:
    return PYTHON.fullmatch(posixpath.basename(program)) is not None


def _inherited(stage: Stage, words: Sequence[str]) -> tuple[Word, ...]:
    span = stage.root.instruction.span
    return tuple(Word(text, text, True, span) for text in words)


def _entry_script(stage: Stage, each: Executed) -> Script | None:
    """The shell script of the context that a command runs, by itself or through a shell."""
    paths = [each.words[0].value]
    if each.name in POSIX_SHELLS:
        paths = [word.value for word in each.words[1:] if not word.value.startswith("-")][:1]
    elif "/" not in paths[0]:
        paths = [f"{folder}/{paths[0]}" for folder in _SEARCH_PATH]
    for path in paths:
        source = file_of_image(stage, path)
        if source is not None and (SHELL_SCRIPT.match(source.text) or path.endswith(".sh")):
            text = Logical.of(source, Span(0, len(source.text)))
            return Script(source, tuple(from_text(text, Scope(None, each.directory))))
    return None


def server(stage: Stage, process: Process) -> Server | None:
    """The network server a stage's process is, None where it is none or nobody can tell."""
    for each in reversed(process.commands):
        if made := server_of(stage, each, stage.build.source):
            return made
    for script in process.scripts:
        for each in reversed(script.commands):
            if each.is_certain and (made := server_of(stage, each, script.source)):
                return made
    return None


def is_in_background(source: Source, each: Executed) -> bool:
    """Whether `&` stands behind a command."""
    behind = source.text[each.span.end :].lstrip(" \t")
    return behind.startswith("&") and not behind.startswith("&&")


def servers(stage: Stage, process: Process) -> list[Server]:
    """All network servers that the process may start."""
    texts = [(stage.build.source, process.commands), *process.scripts]
    made = (server_of(stage, each, source) for source, commands in texts for each in commands)
    return [each for each in made if each is not None]


def server_of(stage: Stage, each: Executed, source: Source) -> Server | None:
    """The network server that a command in a text starts, None where it starts none."""
    made = launch(stage, each, source)
    if made is None:
        return None
    row = made.row
    kind, port = row.get("kind", ""), listening.port(made)
    return Server(row["server"], each, port, row.get("health", ""), kind == "native", kind == "notebook", made)


def launch(stage: Stage, each: Executed, source: Source) -> Launch | None:
    """How a command starts a server; None where it starts none that the table knows."""
    row = _by_command(each) or _by_copy(stage, each)
    if row is not None:
        return Launch(stage, row, each, source)
    program = source_of(stage, each)
    module = stage.build.context.inputs.parsed(program, python.parse) if program is not None else None
    row, calls = _served_by(module) if module is not None else (None, ())
    return Launch(stage, row, each, source, program, calls) if row is not None else None


def _by_command(each: Executed) -> dict[str, str] | None:
    if not PYTHON.fullmatch(each.name):
        return _row("program", each.name, each.arguments)
    name, rest, is_module = interpreted(each)
    return _row("module", name, rest) if is_module else _row("program", name.rpartition("/")[2], rest)


def _by_copy(stage: Stage, each: Executed) -> dict[str, str] | None:
    """A script that the Dockerfile copies out of the package of a server, where it is a module that serves."""
    name = posixpath.basename(_script(each) or "")
    for row in facts.rows("servers") if name else ():
        path = row.get("module", "").replace(".", "/") + ".py"
        if "/" in path and posixpath.basename(path) == name and path in stage.build.source.text:
            return row
    return None


def source_of(stage: Stage, each: Executed) -> Source | None:
    """The Python of the context that a command runs, as a script or a module."""
    path = _script(each)
    return _program(stage, path) if path is not None else None


def interpreted(each: Executed) -> tuple[str, Sequence[str], bool]:
    """The script or module that a `python` command runs (empty for none), its arguments, and whether it is a module."""
    rest = each.arguments
    while rest and rest[0].startswith("-"):
        if rest[0] == "-m":
            return (rest[1], rest[2:], True) if len(rest) > 1 else ("", (), True)
        if rest[0] in ("-c", "-"):
            return "", (), False
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    return (rest[0], rest[1:], False) if rest else ("", (), False)


def _row(column: str, name: str, rest: Sequence[str]) -> dict[str, str] | None:
    rows = (row for row in facts.rows("servers") if row.get(column) == name)
    return next((row for row in rows if _has_verb(rest, row.get("verb", "").split())), None)


def _has_verb(rest: Sequence[str], verb: list[str]) -> bool:
    """Whether the operands begin with the words of a sub-command, for which an option in front may take one word away
    (`flask --app main run`)."""
    plain = [word for word in rest if not word.startswith("-")]
    starts = (0, 1) if rest and rest[0].startswith("-") else (0,)
    return any(plain[at : at + len(verb)] == verb for at in starts)


def _script(each: Executed) -> str | None:
    if not PYTHON.fullmatch(each.name):
        return each.words[0].value if each.name.endswith(".py") else None
    name, _, is_module = interpreted(each)
    return name.replace(".", "/") + ".py" if is_module and name else name or None


def file_of_image(stage: Stage, path: str) -> Source | None:
    """The text of a file of the image by its path as the process sees it; None where the context did not bring it."""
    target = joined(stage.end.directory, path)
    found = context_path(stage, None, target) if isinstance(target, str) else None
    return stage.build.context.text(found) if found else None


def _program(stage: Stage, path: str) -> Source | None:
    source = file_of_image(stage, path)
    if source is None and path.endswith(".py"):
        source = file_of_image(stage, path[:-3] + "/__main__.py")
    return source


def _served_by(module: Module) -> tuple[dict[str, Any] | None, tuple[Call, ...]]:
    """The server that a module starts, and the calls that do."""
    for row in facts.rows("servers"):
        wanted = row.get("import_call", "")
        if wanted.partition(".")[0] not in module.packages:
            continue
        calls = tuple(call for call in module.calls if call.name == wanted or _is_method(module, call.name, wanted))
        if calls:
            return row, calls
    return None, ()


def _is_method(module: Module, called: str, wanted: str) -> bool:
    """`flask.Flask().run` also stands for `app = Flask(…)` with `app.run(…)` somewhere in the module, and
    `gradio.launch` for the method of any of Gradio's interfaces."""
    made, mark, method = wanted.rpartition("().")
    if not mark:
        made, _, method = wanted.rpartition(".")
        if made != "gradio":
            return False
    owner, _, name = called.rpartition(".")
    if name != method or not owner or owner.partition(".")[0] in module.packages - {made}:
        return False
    return not mark or any(call.name == made for call in module.calls)
