"""What to write as the health check of a server that has none."""

import posixpath

from mllint.image import programs, python, service
from mllint.image.events import Interpreter
from mllint.image.programs import Program
from mllint.image.service import Server
from mllint.image.serving import routes
from mllint.image.serving.announced import Announced, is_for_kubernetes
from mllint.image.stage import Stage
from mllint.patterns import regex

_OWN = regex(r"health[_-]?check\.(?:py|sh)")
_TENSORFLOW = "TensorFlow Serving"
_PROBES = "; Kubernetes does not read it and wants a readinessProbe and a livenessProbe in the manifest"


def asked(stage: Stage, server: Server) -> str:
    """The check of a server that mllint knows."""
    return _asked(stage, server) + (_PROBES if is_for_kubernetes(stage) else "")


def _asked(stage: Stage, server: Server) -> str:
    if server.name == "gRPC":
        return "HEALTHCHECK CMD and a program that asks the health service of gRPC, like grpc_health_probe"
    path = _models(stage) if server.name == _TENSORFLOW else routes.health(stage, server)
    path = path or next(iter(routes.answered(stage)), None)
    own = _script(stage) if path is None else None
    if own is not None:
        return own
    port = server.port or ("$PORT" if "PORT" in stage.end.env else "PORT")
    url = f"http://127.0.0.1:{port}{path or '/PATH'}"
    told = {"PORT": "the port that it listens on", "/PATH": "a path that it answers"}
    said = [f"{name} being {what}" for name, what in told.items() if url.endswith(name) or f":{name}/" in url]
    whose = f", {' and '.join(said)}" if said else ""
    if server.is_native:
        command = f"CMD and a command that fails unless {url} answers"
        return f"HEALTHCHECK --start-period={server.start_period} {command}{whose}"
    name = server.executed.name if service.PYTHON.fullmatch(server.executed.name) else _python(stage)
    probe = f"import urllib.request as r; r.urlopen('{url}', timeout=3)"
    return f'HEALTHCHECK --start-period={server.start_period} CMD {name} -c "{probe}"{whose}'


def _python(stage: Stage) -> str:
    """Python as the health check finds it: Debian and Ubuntu have no `python`, or one of 2.7."""
    path = stage.end.env.get("PATH")
    found = python.interpreter(stage.view, "python", path)
    if isinstance(found, Interpreter):
        return "python3" if str(found.version).startswith("2.") else "python"
    is_there = isinstance(programs.program(stage.view, "python", path), Program)
    return "python3" if stage.root.base.family in ("debian", "ubuntu") and not is_there else "python"


def announced(stage: Stage, found: Announced) -> str:
    """The check of a program of which only its port is known."""
    path = f" {_models(stage)}" if found.is_tensorflow else ""
    wanted = f"port {found.port} answers{path} as it does when all is well"
    repair = _script(stage) or f"HEALTHCHECK CMD and a command that fails unless {wanted}"
    return repair + (_PROBES if is_for_kubernetes(stage) else "")


def _models(stage: Stage) -> str:
    """The path at which TensorFlow Serving tells the state of a model."""
    base = stage.root.base.reference
    is_named = "MODEL_NAME" in stage.end.env or (base is not None and base.familiar.endswith("tensorflow/serving"))
    return f"/v1/models/{'$MODEL_NAME' if is_named else 'NAME'}"


def _script(stage: Stage) -> str | None:
    """The check that the build context has ready."""
    files = (entry.path for entry in stage.build.context.files() if not entry.is_folder)
    found = next((path for path in files if _OWN.fullmatch(posixpath.basename(path))), None)
    return f"HEALTHCHECK CMD and {found} of the build context, if it asks this server" if found else None
