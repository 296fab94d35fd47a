"""ML366: images of servers that are given what they do not take."""

import posixpath
from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.service import PYTHON, Process
from mllint.image.serving import modules
from mllint.image.shell.commands import Executed
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage, Step

_NEEDS_SERVER = frozenset({"pull", "create", "run", "list", "show"})


@check("ML366")
def serving_image_misuse(stage: Stage) -> Iterator[Finding]:
    """A server that is started, or spoken to in the build, in a way that its image does not allow."""
    process = stage.process if stage.is_final else None
    if process is not None:
        yield from _doubled(stage, process)
        yield from _leaving(stage, process)
    for step in stage.steps:
        yield from _pulling(stage, step)


def _doubled(stage: Stage, process: Process) -> Iterator[Finding]:
    """CMD names a program though the entry point of the base is the server, which takes all of it for arguments."""
    base, command = stage.root.base, process.command
    if process.entrypoint is not None or not base.server_entrypoint or command is None or not stage.command:
        return
    server, first = base.server_entrypoint[0], posixpath.basename(stage.command[0])
    rows = (row for row in facts.rows("servers") if modules.runs_applications(row["server"]))
    known = {row["program"] for row in rows if "program" in row}
    if first not in known | {server} | POSIX_SHELLS and not PYTHON.fullmatch(first):
        return
    starts = " ".join(base.server_entrypoint)
    form = f"CMD begins with {first}" if command.instruction.is_exec_form else "CMD in shell form begins with a shell"
    message = (
        f"{form}, and {base.text} starts {starts} with all of CMD for its arguments: the server ends with an error"
    )
    repair = f"give CMD the arguments of {starts} alone, in exec form, or set ENTRYPOINT []"
    yield Finding(Location(stage.build.source, command.instruction.span), message, repair)


def _leaving(stage: Stage, process: Process) -> Iterator[Finding]:
    """TorchServe, which goes to the background unless it is told not to. The entry point of its own images waits."""
    last = process.commands[-1]
    is_waited_for = process.scripts or (process.entrypoint is None and stage.root.base.entrypoint)
    if last.name != "torchserve" or is_waited_for or "--start" not in last.arguments:
        return
    if "--foreground" not in last.arguments:
        message = "torchserve --start goes to the background without --foreground: the container ends with its command"
        yield Finding(Location(stage.build.source, process.instruction.span), message, "add --foreground")


def _pulling(stage: Stage, step: Step) -> Iterator[Finding]:
    """Commands of ollama in a RUN that ask its server, which nothing starts there."""
    commands = step.commands if step.instruction.keyword == "RUN" else ()
    asking = next((each for each in commands if _asks_server(each)), None)
    if asking is None or not asking.is_certain or any(_starts_server(each) for each in commands):
        return
    verb = asking.arguments[0]
    message = f"ollama {verb} asks the server of ollama, and nothing starts it in this RUN: the build fails"
    repair = f"start it in the same RUN: ollama serve & sleep 5 && ollama {' '.join(asking.arguments)}"
    yield Finding(Location(stage.build.source, asking.span), message, repair)


def _asks_server(each: Executed) -> bool:
    return each.name == "ollama" and each.arguments[:1] != () and each.arguments[0] in _NEEDS_SERVER


def _starts_server(each: Executed) -> bool:
    return (each.name == "ollama" and each.arguments[:1] == ("serve",)) or each.name.endswith(".sh")
