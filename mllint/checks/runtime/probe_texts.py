"""What to write as the health check of a server that has none."""

import posixpath

from mllint.checks.runtime import probe_fixes
from mllint.image import programs, python, service
from mllint.image.events import Interpreter
from mllint.image.programs import Program
from mllint.image.service import Server
from mllint.image.serving import routes
from mllint.image.serving.announced import Announced, is_for_kubernetes
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex

_OWN = regex(r"health[_-]?check\.(?:py|sh)")
_TENSORFLOW = "TensorFlow Serving"
_PYTHONS = frozenset({"python", "python3", "pip", "pip3"})
_OF_NODE = ("npm", "yarn", "pnpm")
_PROBES = "; Kubernetes does not read it and wants a readinessProbe and a livenessProbe in the manifest"


def asked(stage: Stage, server: Server) -> str:
    """The check of a server that mllint knows."""
    return _asked(stage, server) + (_PROBES if is_for_kubernetes(stage) else "")


def _asked(stage: Stage, server: Server) -> str:
    if server.name == "gRPC":
        return "HEALTHCHECK CMD with a program that asks the health service of gRPC, like grpc_health_probe"
    path = _models(stage, server) if server.name == _TENSORFLOW else routes.health(stage, server)
    path = path or next(iter(routes.answered(stage)), None)
    own = _script(stage) if path is None else None
    if own is not None:
        return own
    url = f"http://127.0.0.1:{_port(stage, server)}{path or '/PATH'}"
    used = server.executed.name
    name = used if service.PYTHON.fullmatch(used) and not _is_old(stage, used) else _python(stage)
    if server.is_native or name is None:
        return f"HEALTHCHECK --start-period={server.start_period} {_by_curl(stage, url)}{_told(url)}"
    # Behind a proxy uWSGI speaks a protocol of its own.
    condition = " where it speaks HTTP" if server.name == "uWSGI" and not server.port else ""
    return f"HEALTHCHECK --start-period={server.start_period} {_asking(name, url)}{condition}{_told(url)}"


def _port(stage: Stage, server: Server) -> str:
    """The port as a health check in shell form has it: as the variable that the server, or the script of its base,
    takes it from."""
    name, written = server.launch.row.get("port_env"), probe_fixes.port(stage, server)
    if name is not None and name in stage.end.env and written != server.port:
        return f"${name}"
    is_of_base = name is not None and isinstance(server.launch.variable(name), Unknown)
    if not written and is_of_base and server.launch.is_port_open and "arguments_env" not in server.launch.row:
        return f"${{{name}:-{server.launch.row['port']}}}"
    if not written and stage.process is not None and stage.process.step is None:
        written = stage.root.base.row.get("server_port", "")
    return written or ("$PORT" if "PORT" in stage.end.env else "PORT")


def _by_curl(stage: Stage, url: str) -> str:
    has_curl = isinstance(programs.program(stage.view, "curl", stage.end.env.get("PATH")), Program)
    return f"CMD curl -f {url}{'' if has_curl else ', with curl in the image'}"


def _asking(python: str, url: str) -> str:
    return f"CMD {python} -c \"import urllib.request as r; r.urlopen('{url}', timeout=3)\""


def _told(url: str) -> str:
    """What the words in capitals stand for."""
    told = {"PORT": "the port that it listens on", "/PATH": "a path that it answers"}
    said = [f"{name} being {what}" for name, what in told.items() if url.endswith(name) or f":{name}/" in url]
    return f", {' and '.join(said)}" if said else ""


def _python(stage: Stage) -> str | None:
    """Python 3 as the health check finds it: by the name that the file calls, else by that which also Debian, Ubuntu
    and Red Hat have, which bring no `python`, or one of 2.7; None where there is surely no other."""
    path, called = stage.end.env.get("PATH"), _called(stage)
    names = [name for name in ("python", "python3") if programs.program(stage.view, name, path) is not None]
    names = [name for name in names if not _is_old(stage, name)]
    if not names:
        return None
    known = names if probe_fixes.has_plain_name(stage) else names[::-1]
    return next((name for name in names if name in called), known[0])


def _called(stage: Stage) -> set[str]:
    """The programs that the file runs by their names, in the build and as the process."""
    started = stage.process.all_commands if stage.process is not None else ()
    built = (each for step in stage.steps_before(None) for each in step.commands)
    return {each.words[0].value for each in (*started, *built)}


def _is_old(stage: Stage, name: str) -> bool:
    """Whether a program name starts Python 2, which has no urllib.request."""
    found = python.interpreter(stage.view, name, stage.end.env.get("PATH"))
    return isinstance(found, Interpreter) and str(found.version).startswith("2.")


def announced(stage: Stage, found: Announced) -> str:
    """The check of a program of which only its port is known, or that it serves HTTP."""
    repair = _script(stage) or _by_program(stage, found)
    return repair + (_PROBES if is_for_kubernetes(stage) else "")


def _by_program(stage: Stage, found: Announced) -> str:
    if found.program.partition(" ")[0] in _OF_NODE:
        ask = f"fetch('http://127.0.0.1:{found.port}/').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
        return f'HEALTHCHECK --start-period=60s CMD node -e "{ask}", from Node.js 18 on'
    url, name = f"http://127.0.0.1:{found.port or 'PORT'}/PATH", _python(stage)
    if found.is_tensorflow:
        return f"HEALTHCHECK --start-period=60s {_by_curl(stage, url.replace('/PATH', _models(stage)))}"
    interpreter = python.interpreter(stage.view, name or "python", stage.end.env.get("PATH"))
    has_python = found.is_python or isinstance(interpreter, Interpreter) or not _called(stage).isdisjoint(_PYTHONS)
    if not has_python or name is None:
        what = f"port {found.port} answers" if found.port is not None else "it answers"
        return f"HEALTHCHECK --start-period=60s with a command that fails unless {what}"
    condition = " where it speaks HTTP" if not found.framework else ""
    return f"HEALTHCHECK --start-period=60s {_asking(name, url)}{condition}{_told(url)}"


def _models(stage: Stage, server: Server | None = None) -> str:
    """The path at which TensorFlow Serving tells the state of a model."""
    named = server.launch.options("--model_name") if server is not None else []
    if named and named[-1].is_literal:
        return f"/v1/models/{named[-1].value}"
    base = stage.root.base.reference
    is_named = "MODEL_NAME" in stage.end.env or (base is not None and base.familiar.endswith("tensorflow/serving"))
    return f"/v1/models/{'$MODEL_NAME' if is_named else 'NAME'}"


def _script(stage: Stage) -> str | None:
    """The check that the build context has ready."""
    files = (entry.path for entry in stage.build.context.files() if not entry.is_folder)
    found = next((path for path in files if _OWN.fullmatch(posixpath.basename(path))), None)
    return f"HEALTHCHECK CMD with {found} of the build context, if it asks this server" if found else None
