"""ML362 and ML363: how the platform that an image is for starts it, and as whom."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.runtime.platform_asks import told
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.content.homes import closed_needs
from mllint.image.events import Unsure, User
from mllint.image.models import caches, hub
from mllint.image.platforms import Platform
from mllint.image.programs import program
from mllint.image.service import Process, Server
from mllint.image.serving import lookalikes, modules, ports
from mllint.image.shell.commands import argv
from mllint.image.stage import Stage
from mllint.image.view import Node

# An account that no image has: what it may do, every other may.
_ANYBODY = "1000660000"
_FIRST_OPEN_PORT = 1024
_CACHE_OF_ROOT = "/root/.cache/huggingface/hub"
_TASK_ROOT = "/var/task"
_ADAPTERS = "/opt/extensions"
# Those whose command line refuses an argument that they do not know.
_STRICT = frozenset({"uvicorn", "FastAPI", "hypercorn"})


@check("ML362")
def platform_uid_refused(stage: Stage) -> Iterator[Finding]:
    """A process that cannot run as the user that its platform gives it."""
    platform = stage.build.platform if stage.is_final and stage.process is not None else None
    user = platform.row.get("user", "root") if platform is not None else "root"
    if platform is None or stage.process is None or user == "root":
        return
    who = f"{platform.title} runs the image as {_WHO[user]}"
    severity = None if platform.row["status"] == "verified" else Severity.WARNING
    opened = [port for port in ports.listened(stage, stage.process) if int(port) < _FIRST_OPEN_PORT]
    if user == "any" and opened and stage.server is not None:
        message = f"{who}, who may not listen on ports below 1024: {stage.server.name} ends when it opens {opened[0]}"
        where = Location(stage.build.source, stage.process.instruction.span)
        yield Finding(where, message, "listen on a port from 1024 on, such as 8080", severity=severity)
    yield from _of_cache(stage, who, user)
    if any(closed_needs(stage)):
        return
    for need in closed_needs(stage, _ANYBODY if user != "1000" else user):
        message = f"{who}, and {need.what}, where only root may enter: the container does not start"
        needed = Related(Location(stage.build.source, need.started.span), "needs it")
        repair = f"install it outside of {need.folder}, as in a virtual environment in /opt/venv"
        yield Finding(Location(stage.build.source, need.span), message, repair, (needed,), severity=severity)
        return


def _of_cache(stage: Stage, who: str, user: str) -> Iterator[Finding]:
    """A model that is downloaded to a home folder which nobody made: without an account the folder is /."""
    view = stage.view
    has_account = any(isinstance(event, User) and event.uid == user for event in view.behind())
    if user == "own" or has_account or not stage.end.account.is_root or not view.base.is_plain:
        return
    if caches.variable(stage, "HOME") is not None or caches.is_offline(stage):
        return
    for each in sorted(hub.of_service(stage), key=lambda wanted: wanted.is_deferred):
        cache = caches.hub_cache(stage, each.folder)
        if each.folder is not None or cache != _CACHE_OF_ROOT or caches.is_filled(stage, each.model, cache):
            continue
        ends = "it fails when it is called" if each.is_deferred else "the container does not start"
        message = f"{who}, without a home folder in it, and {each.where} downloads {each.model} to /.cache: {ends}"
        last = stage.process.instruction if stage.process is not None else stage.instruction
        related = (Related(each.place, f"loads {each.model}"),)
        severity = Severity.WARNING if each.is_deferred else None
        yield Finding(Location(stage.build.source, last.span), message, _HOMES[user], related, severity=severity)
        return


_HOMES = {
    "1000": "make the user: RUN useradd --create-home --uid 1000 user, and USER user below it",
    "any": "set HF_HOME to a folder that the group of root may write to: RUN mkdir /opt/hf && chmod g=u /opt/hf",
}
_WHO = {"any": "an arbitrary user", "1000": "user 1000", "own": "a user without rights"}


@check("ML363")
def platform_entry_refused(stage: Stage) -> Iterator[Finding]:
    """An image that its platform starts in a way that it is not made for."""
    process = stage.process if stage.is_final else None
    platform = stage.build.platform
    if process is not None:
        yield from _handler_alone(stage, process)
    if platform is None or process is None:
        return
    refused = _by_lambda(stage, platform, process) or _by_argument(stage, platform, process)
    if refused is not None:
        where = Location(stage.build.source, process.instruction.span)
        yield Finding(where, refused.message, refused.repair, told(stage, platform))


def _handler_alone(stage: Stage, process: Process) -> Iterator[Finding]:
    """A handler of AWS Lambda that CMD names on a base without the entry point that takes it."""
    base, words = stage.root.base, stage.command
    match = modules.HANDLER.fullmatch(words[0]) if words and len(words) == 1 else None
    platform = stage.build.platform
    is_taken = platform is not None and platform.command is not None
    is_taken = is_taken or process.entrypoint is not None or bool(base.entrypoint) or not base.is_process_known
    if match is None or is_taken or any(each.entrypoint or each.command for each in stage.build.services):
        return
    path = f"{stage.end.directory}/{match['module']}.py"
    if not isinstance(stage.view.find(path), Node) or _has_program(stage, words[0]):
        return
    message = (
        f"CMD names the handler {words[0]}, and {base.text} has no entry point that takes it: it is run as a program"
    )
    repair = (
        'start from public.ecr.aws/lambda/python, or add awslambdaric and ENTRYPOINT ["python", "-m", "awslambdaric"]'
    )
    where = Location(stage.build.source, process.instruction.span)
    yield Finding(where, f"{message} that is not there", repair, severity=Severity.WARNING)


class _Refused(NamedTuple):
    """Why a platform cannot start an image, and what to write instead."""

    message: str
    repair: str


def _by_argument(stage: Stage, platform: Platform, process: Process) -> _Refused | None:
    """What is wrong where a platform puts an argument in the place of CMD."""
    argument, server = platform.row.get("argument"), stage.server
    if argument is None or server is None:
        return None
    starts = f"{platform.title} starts the image with {argument} in the place of CMD"
    repair = f"start the server in ENTRYPOINT by a script that takes the argument {argument}"
    if process.entrypoint is None:
        base = stage.root.base
        if not base.is_process_known or base.entrypoint or _has_program(stage, argument):
            return None
        message = f"{starts}, and the image has neither an ENTRYPOINT nor a program of that name: it does not start"
        return _Refused(message, f"{repair}, or put a script of that name into a folder of PATH")
    if _is_given_all(process, server):
        return _Refused(f"{starts}, and {server.name} ends with an error at an argument that it does not know", repair)
    return None


def _has_program(stage: Stage, name: str) -> bool:
    """Whether a folder of PATH may have a program of this name."""
    base, found = stage.root.base, program(stage.view, name, stage.end.env.get("PATH"))
    # No plain image has one whose name the tables do not know.
    is_open_of_base = base.is_plain and found == base.program(name) and stage.view.doubt("programs") is None
    return found is not None and not is_open_of_base


def _is_given_all(process: Process, server: Server) -> bool:
    """Whether ENTRYPOINT is the server itself, which then gets all that stands behind it."""
    step = process.entrypoint
    if step is None or not step.instruction.is_exec_form or server.name not in _STRICT or server.launch.calls:
        return False
    return [word.span for word in argv(step.instruction)][:1] == [server.executed.words[0].span]


def _by_lambda(stage: Stage, platform: Platform, process: Process) -> _Refused | None:
    """What is wrong with what AWS Lambda is to start."""
    if platform.name != "lambda":
        return None
    if modules.takes_handler(stage):
        return None if platform.command is not None else _by_entry_of_base(stage, process)
    server = stage.server
    if server is None or server.is_notebook or stage.view.find(_ADAPTERS) is not None:
        return None
    message = (
        f"AWS Lambda gives requests to a client of its runtime API, and the image starts {server.name} alone: every"
        " invocation ends in a timeout"
    )
    repair = (
        "add the Lambda Web Adapter, COPY --from=public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1 /lambda-adapter"
        " /opt/extensions/lambda-adapter, or start python -m awslambdaric with a handler"
    )
    return _Refused(message, repair)


def _by_entry_of_base(stage: Stage, process: Process) -> _Refused | None:
    """What is wrong with CMD, which the entry point of AWS's images takes for the name of a handler."""
    if process.command is None:
        return None
    if len(stage.command) != 1:
        form = "in shell form" if not process.command.instruction.is_exec_form else f"of {len(stage.command)} words"
        message = (
            f"the entry point of {stage.root.base.text} takes the name of the handler as its one argument, and CMD"
            f" {form} gives it another: every invocation ends with exit status 142"
        )
        return _Refused(message, 'name module and function in exec form, CMD ["app.handler"]')
    return _by_handler(stage, process)


def _by_handler(stage: Stage, process: Process) -> _Refused | None:
    """What is wrong with the handler that CMD names."""
    folder, target = stage.end.directory, next(modules.targets(stage, process), None)
    if target is None or folder != _TASK_ROOT:
        return None
    found = modules.module_of(stage, target)
    if found is not None and target.attribute not in found[0].names:
        file = found[1].path.rpartition("/")[2]
        message = f"CMD names the handler {stage.command[0]}, and {file} gives nothing the name {target.attribute}"
        return _Refused(f"{message}: every invocation fails", f"name a function of {file}")
    name = target.module.rpartition(".")[2]
    path = f"{folder}/{target.module.replace('.', '/')}"
    # What does not lie there may be a distribution.
    if (
        lookalikes.may_be_brought(stage, folder)
        or _may_be_there(stage, path)
        or not _is_of_project(stage, f"{name}.py")
    ):
        return None
    message = f"CMD names the handler {stage.command[0]}, and the image has no {path}.py: every invocation fails"
    return _Refused(message, f"copy {name}.py to ${{LAMBDA_TASK_ROOT}}")


def _may_be_there(stage: Stage, path: str) -> bool:
    """Whether the build brings a module to a folder that is empty in the base."""
    places = (path, f"{path}.py")
    for event in stage.view.behind():
        if isinstance(event, Unsure) and "files" in event.about:
            return True
        if any(stage.view.made(event, place) is not None for place in places):
            return True
    return False


def _is_of_project(stage: Stage, name: str) -> bool:
    """Whether the build context has a file of this name."""
    return any(entry.name == name for entry in stage.build.context.files())
