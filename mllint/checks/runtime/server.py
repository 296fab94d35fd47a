"""Rules about the server that a container runs."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import command_fixes, probe_fixes, probe_texts
from mllint.findings import Finding, Location, Related
from mllint.image import service
from mllint.image.service import Process, Script, Server
from mllint.image.serving import announced
from mllint.image.serving.announced import Announced
from mllint.image.shell.commands import Executed, argv
from mllint.image.stage import Stage, Step

_BLIND = "Docker reports it as running while it still loads and when it hangs"


@check("ML301")
def missing_healthcheck(stage: Stage) -> Iterator[Finding]:
    """A server without a HEALTHCHECK."""
    build = stage.build
    decided = stage.healthcheck is not None or stage.last("HEALTHCHECK") is not None
    if not stage.is_final or decided:
        return
    process, server = stage.process, stage.server
    if process is None or any(each.healthcheck is not None for each in build.services):
        return
    if announced.is_to_build_from(stage, process) or (server is not None and announced.is_grpc_alone(stage, server)):
        return
    if (
        announced.is_stand_in(stage)
        or announced.has_probe_beside(stage)
        or (build.platform is not None and build.platform.has_own_probes)
    ):
        # What decides there is a probe of the platform; HEALTHCHECK is not read.
        return
    where = Location(build.source, process.instruction.span)
    if server is None:
        yield from _announced(stage, announced.by(stage, process), where)
    elif not server.is_notebook:
        message = f"{server.name} serves without a HEALTHCHECK: {_BLIND}"
        is_strict = announced.is_for_kubernetes(stage) or announced.is_out_of_use(stage)
        repair = probe_texts.asked(stage, server)
        yield Finding(where, message, repair, fix=probe_fixes.added(stage, process, server), is_strict=is_strict)


def _announced(stage: Stage, found: Announced | None, where: Location) -> Iterator[Finding]:
    """What a program of the project listens with is not known, but EXPOSE or its imports say that it does."""
    if found is not None:
        what = f" and exposes port {found.port}"
        if found.port is None:
            what = f", a server by its import of {found.framework},"
        message = f"the image starts {found.program}{what} without a HEALTHCHECK: {_BLIND}"
        is_strict = announced.is_for_kubernetes(stage) or announced.is_out_of_use(stage)
        yield Finding(where, message, probe_texts.announced(stage, found), is_strict=is_strict)


@check("ML303")
def shell_form_server(stage: Stage) -> Iterator[Finding]:
    """A server below a shell that passes no signal on."""
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    if process is None or server is None or server.is_notebook or "exec" in server.executed.wrappers:
        return
    if _signals_group(process):
        return
    script, started = _without_exec(process, server)
    step = _named_by(process, server)
    if script is not None and started is not None:
        yield _below_script(stage, process, server, script, started)
    elif step is not None and shell_stays(stage, step):
        yield _below_shell(stage, step, process, server)


def _below_shell(stage: Stage, step: Step, process: Process, server: Server) -> Finding:
    instruction = step.instruction
    form = "by way of sh -c" if instruction.is_exec_form else "in shell form"
    message = (
        f"{instruction.keyword} {form} leaves a shell in front of {server.name} that passes no SIGTERM on:"
        " docker stop waits, then kills it with its requests in flight"
    )
    exec_form = f'use the exec form, {instruction.keyword} ["{server.executed.name}", ...], or '
    # Without a shell nobody would replace the variables.
    repair = ("" if "$" in instruction.rest.text else exec_form) + "write exec before the command"
    fix = command_fixes.by_exec(stage, step, process, server)
    return Finding(Location(stage.build.source, instruction.span), message, repair, fix=fix)


def _below_script(stage: Stage, process: Process, server: Server, script: Script, started: Executed) -> Finding:
    name = script.source.path.rpartition("/")[2]
    message = (
        f"{name} runs {server.name} without exec, so its shell stays in front and passes no SIGTERM on:"
        " docker stop waits, then kills it with its requests in flight"
    )
    related = (Related(Location(script.source, started.span), "the server is started here"),)
    where = Location(stage.build.source, process.instruction.span)
    repair = f"write exec {started.words[0].text} in {name}"
    return Finding(where, message, repair, related, command_fixes.by_exec_in(script, started))


def _without_exec(process: Process, server: Server) -> tuple[Script, Executed] | tuple[None, None]:
    """The script whose shell waits for the server, and the command that starts it: its own or `"$@"`, the CMD. One that
    starts it in the background or sets a trap may stop it well."""
    for script in process.scripts:
        if any(each.name == "trap" for each in script.commands):
            continue
        for each in script.commands:
            starts = each is server.executed or (each.is_certain and each.words[0].value == "$@")
            in_background = service.is_in_background(script.source, each)
            if starts and not in_background and "exec" not in each.wrappers:
                return script, each
    return None, None


def _named_by(process: Process, server: Server) -> Step | None:
    """The instruction that the server's command stands in; None where the base brings it."""
    at = server.executed.words[0].span.start
    for step in (process.command, process.entrypoint):
        if step is not None and step.instruction.span.start <= at < step.instruction.span.end:
            return step
    return None


def shell_stays(stage: Stage, step: Step) -> bool:
    """Whether dash, the /bin/sh of Debian and Ubuntu, runs the server: bash and busybox replace themselves by the last
    command they are given with -c (tried with dash 0.5.12 and bash 5.2)."""
    shell = step.instruction.words[0].text if step.instruction.is_exec_form else "".join(step.before.shell[:1])
    if shell.rpartition("/")[2] not in ("sh", "dash"):
        return False
    return stage.root.base.family in ("debian", "ubuntu") or any(
        install.manager.name == "apt" for each in stage.lineage for step in each.steps for install in step.installs
    )


def _signals_group(process: Process) -> bool:
    """Whether process 1 passes signals to the whole process group, so that a shell in between does no harm."""
    if process.entrypoint is None or not process.entrypoint.instruction.is_exec_form:
        return False
    words = [word.value for word in argv(process.entrypoint.instruction)]
    program = "".join(words[:1]).rpartition("/")[2]
    return program == "dumb-init" or (program == "tini" and "-g" in words)
