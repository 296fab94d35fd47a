"""ML3: how the container starts, serves, stays healthy and stops."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image import service
from mllint.image.stage import Stage
from mllint.sources.dockerfile import Instruction

# What decides there whether a container is healthy is a probe of the platform; HEALTHCHECK is not read.
_OWN_PROBES = frozenset(
    {"kubernetes", "openshift", "kserve", "knative", "sagemaker", "vertex", "cloud-run", "lambda", "azure-ml", "hf-spaces"}
)


@check("ML301")
def missing_healthcheck(stage: Stage) -> Iterator[Finding]:
    """A server without a HEALTHCHECK."""
    if not stage.is_final or stage.build.settings.platform in _OWN_PROBES or stage.last("HEALTHCHECK") is not None:
        return
    server = service.server(stage)
    process = service.process(stage)
    if server is None or process is None:
        return
    message = f"{server.name} serves without a HEALTHCHECK: a hung or still loading model counts as up"
    port = server.port or "8000"
    repair = (
        "HEALTHCHECK --start-period=60s CMD python -c \"import urllib.request as r;"
        f" r.urlopen('http://127.0.0.1:{port}/health', timeout=3)\""
    )
    yield Finding(Location(stage.build.source, process.step.instruction.span), message, repair)


@check("ML303")
def shell_form_server(stage: Stage) -> Iterator[Finding]:
    """A server below a shell that passes no signal on."""
    process = service.process(stage) if stage.is_final else None
    server = service.server(stage) if process else None
    if process is None or server is None or not _shell_stays(stage) or _signals_group(process):
        return
    step = next(each for each in (process.command, process.entrypoint) if each and _runs(each.instruction, server))
    instruction = step.instruction
    by_shell = not instruction.is_exec_form or instruction.words[0].text.rpartition("/")[2] in ("sh", "dash")
    if not by_shell or "exec" in server.executed.wrappers:
        return
    form = "by way of sh -c" if instruction.is_exec_form else "in shell form"
    message = (
        f"{instruction.keyword} {form} keeps /bin/sh as process 1, which passes no SIGTERM on:"
        f" {server.name} is killed after the grace period and requests in flight are lost"
    )
    repair = f'use the exec form, {instruction.keyword} ["{server.executed.name}", …], or put exec in front of the command'
    yield Finding(Location(stage.build.source, instruction.span), message, repair)


def _runs(instruction: Instruction, server: service.Server) -> bool:
    return instruction.span.start <= server.executed.span.start < instruction.span.end


def _shell_stays(stage: Stage) -> bool:
    """Whether the shell is dash, the /bin/sh of Debian and Ubuntu: bash and busybox replace themselves by the last
    command (tried with dash 0.5.12 and bash 5.2)."""
    shell = stage.end.shell[0] if stage.end.shell else ""
    if shell.rpartition("/")[2] not in ("sh", "dash"):
        return False
    return stage.root.base.family in ("debian", "ubuntu") or any(
        install.manager.name == "apt" for each in stage.lineage for step in each.steps for install in step.installs
    )


def _signals_group(process: service.Process) -> bool:
    """Whether process 1 passes signals to the whole process group, so that a shell in between does no harm."""
    if process.entrypoint is None or not process.entrypoint.instruction.is_exec_form:
        return False
    words = [word.text for word in process.entrypoint.instruction.words]
    name = words[0].rpartition("/")[2]
    return name == "dumb-init" or (name == "tini" and "-g" in words)
