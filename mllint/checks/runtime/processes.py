"""Rules about the processes that serve: how many, how long they may be silent, and whether there are any."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime.command_fixes import INITS
from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.names import is_public
from mllint.image.service import PYTHON, Process, Server
from mllint.image.serving import announced, listening, workers
from mllint.image.serving.workers import Load
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex

_TIMEOUT = "120"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_THREAD_LIMIT")
_SETS_THREADS = regex(r"NUM_THREADS|num_threads|intra_op|threadpool_limits|n_jobs|nthread|thread_count")
# They compute with all cores unless told otherwise.
_PARALLEL = frozenset(
    "torch onnxruntime sklearn lightgbm xgboost tensorflow transformers sentence_transformers".split()
)
# Signals that a process cannot catch.
_DEAF = dict.fromkeys(("KILL", "9"), "kills at once") | dict.fromkeys(("STOP", "19"), "halts it, and a kill follows")
# What an entry point that starts its words starts without any.
_ALONE = {"nvidia_entrypoint.sh": ["bash"]}
_HAS_TERMINAL = regex(r"(?m)^\s*(?:tty|stdin_open):\s*(?:true|yes|on)\b")


@check("ML347")
def gunicorn_timeout_kills_model_load(stage: Stage) -> Iterator[Finding]:
    """gunicorn with its 30 seconds, in front of a model that takes longer."""
    process, server = _served(stage)
    if process is None or server is None or server.name != "gunicorn" or _has_timeout(server):
        return
    load = workers.load(stage)
    if load is not None:
        message = (
            f"gunicorn kills a worker that is silent for 30 s, and {_name(load)} loads a model with {load.name}:"
            " where that takes longer, or a request does, no worker ever comes up (WORKER TIMEOUT)"
        )
        repair = f"add --timeout {_TIMEOUT}, or what the model takes"
        fix = _with_timeout(server)
        yield Finding(_where(stage, process), message, repair, _loaded(load), fix)


def _served(stage: Stage) -> tuple[Process | None, Server | None]:
    """The process and its server, unless compose starts something else."""
    is_replaced = any(each.command is not None or each.entrypoint is not None for each in stage.build.services)
    return (stage.process, stage.server) if stage.is_final and not is_replaced else (None, None)


def _where(stage: Stage, process: Process) -> Location:
    return Location(stage.build.source, process.instruction.span)


def _name(load: Load) -> str:
    return load.source.path.rpartition("/")[2]


def _loaded(load: Load) -> tuple[Related, ...]:
    return (Related(Location(load.source, load.source.line_span(load.call.line)), "the model is loaded here"),)


def _has_timeout(server: Server) -> bool:
    """Whether a timeout is set somewhere, or may be; with --preload the model is loaded before there are workers."""
    launch = server.launch
    words = [word.value for word in (*server.executed.words, *launch.preset)]
    if launch.options("--timeout", "-t") or "--preload" in words:
        return True
    if isinstance(launch.variable("GUNICORN_CMD_ARGS"), Unknown):
        return True
    return any(listening.configured(launch, name) is not None for name in ("timeout", "preload_app"))


def _with_timeout(server: Server) -> Fix | None:
    word = server.executed.words[0]
    text = server.launch.source.slice(word.span)
    if text not in ("gunicorn", '"gunicorn"'):
        return None
    added = f', "--timeout", "{_TIMEOUT}"' if text[0] == '"' else f" --timeout {_TIMEOUT}"
    edit = insert(server.launch.source, word.span.end, added)
    return Fix("unsafe", f"add --timeout {_TIMEOUT}", (edit,))


@check("ML348")
def workers_multiply_model(stage: Stage) -> Iterator[Finding]:
    """Several processes, each of which loads the model."""
    process, server = _served(stage)
    count = server.workers if server is not None else None
    if process is None or server is None or not isinstance(count, str) or int(count) < 2:
        return
    if server.name == "gunicorn" and "--preload" in server.executed.arguments:
        return
    load = workers.load(stage)
    if load is not None:
        message = (
            f"{server.name} starts {count} workers, and each loads the model of its own with {load.name} in"
            f" {_name(load)}: {count} times its memory, and on a GPU {count} times the memory of the card"
        )
        repair = "start one worker a container, and more containers where one is not enough"
        yield Finding(_where(stage, process), message, repair, _loaded(load), _with_one(server))


def _with_one(server: Server) -> Fix | None:
    given = server.launch.options("--workers", "-w")
    place = given[-1].place if given else None
    text = place.source.slice(place.span) if place is not None else ""
    digits = text.strip("\"'").rpartition("=")[2]
    if place is None or not digits.isdecimal() or text.count(digits) != 1:
        return None
    return Fix("unsafe", "start one worker", (replace(place.source, place.span, text.replace(digits, "1")),))


@check("ML349")
def omp_threads_unset(stage: Stage) -> Iterator[Finding]:
    """Several processes, each of which computes with a thread for every core."""
    process, server = _served(stage)
    count = server.workers if server is not None else None
    is_set = any(name in stage.end.env or stage.end.may_hold(name) for name in _THREADS)
    if process is None or server is None or not isinstance(count, str) or int(count) < 2 or is_set:
        return
    found = [(module.packages & _PARALLEL, source.text) for source, module in workers.reached(stage)]
    names = sorted(name for packages, _ in found for name in packages)
    if names and not any(_SETS_THREADS.search(text) for _, text in found):
        message = (
            f"{server.name} starts {count} workers, and {names[0]} computes in each with a thread for every core:"
            " they wait for each other, the more so where the container may use few cores"
        )
        repair = "set OMP_NUM_THREADS to the number of cores a worker has for itself"
        yield Finding(_where(stage, process), message, repair)


@check("ML351")
def stopsignal_and_grace(stage: Stage) -> Iterator[Finding]:
    """A signal to stop that no process can answer."""
    setting = stage.end.stop_signal if stage.is_final else None
    instruction = setting.instruction if setting is not None else None
    if setting is None or instruction is None or not isinstance(setting.value, str):
        return
    name = setting.value.upper().removeprefix("SIG")
    if name not in _DEAF:
        return
    who = stage.server.name if stage.server is not None else "the process"
    message = f"STOPSIGNAL {setting.value} {_DEAF[name]}: {who} is cut off with its requests in flight"
    word = instruction.words[0] if instruction.words else None
    step = stage.step_of(setting)
    fix = None
    if word is not None and step is not None and step.trigger is None:
        fix = Fix("unsafe", "stop with SIGTERM", (replace(instruction.source, word.span, "SIGTERM"),))
    where = Location(stage.build.source, instruction.span)
    yield Finding(where, message, "leave it out, for SIGTERM", fix=fix)


@check("ML352")
def server_does_nothing(stage: Stage) -> Iterator[Finding]:
    """An image that says which port it serves, and starts nothing that does."""
    if not stage.is_final or stage.is_windows or announced.is_elsewhere(stage):
        return
    services = stage.build.services
    if any(each.command is not None or each.entrypoint is not None for each in services):
        return
    if any(_HAS_TERMINAL.search(each.source.text) for each in services):
        return
    found = announced.ports(stage)
    if found:
        ports = " or ".join(dict.fromkeys(str(port) for port, _ in found))
        yield from _unserved(stage, Location(stage.build.source, found[0][1]), ports)


def _unserved(stage: Stage, where: Location, ports: str) -> Iterator[Finding]:
    # Who writes CMD ["bash"] makes a place to work in.
    if stage.step_of(stage.end.command) is not None or stage.step_of(stage.end.entrypoint) is not None:
        return
    base, program = stage.root.base, _idle(stage)
    if program is not None:
        message = (
            f"nothing serves port {ports}: no CMD or ENTRYPOINT is set, and the image starts {program}, which ends at"
            " once without a terminal"
        )
        yield Finding(where, message, "add a CMD that starts the server, or drop EXPOSE")
    elif not base.is_process_known and base.reference is not None and is_public(base.reference):
        message = f"no CMD or ENTRYPOINT: {base.text} alone decides whether anything serves port {ports}"
        repair = "add a CMD that starts the server, or drop EXPOSE"
        yield Finding(where, message, repair, severity=Severity.INFO, is_strict=True)


def _idle(stage: Stage) -> str | None:
    """The shell or interpreter that is all an image starts; None where it starts anything else or nobody knows."""
    base = stage.root.base
    if not base.is_process_known:
        return None
    words = [word for word in (*stage.entrypoint, *stage.command) if word not in ("--", "-g")]
    while words and posixpath.basename(words[0]) in INITS:
        words = words[1:] or _ALONE.get(posixpath.basename(words[0]), [])
    if len(words) != 1 or base.server_command or base.server_entrypoint:
        return None
    name = posixpath.basename(words[0])
    # An interpreter in ENTRYPOINT is made to be given arguments.
    is_interpreter = PYTHON.fullmatch(name) is not None and not stage.entrypoint
    return name if name in POSIX_SHELLS or is_interpreter else None
