"""Programs of a project that a container starts and that EXPOSE or their imports call servers, though nobody knows how
they serve."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.service import PYTHON, interpreted, source_of
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python

if TYPE_CHECKING:
    from mllint.image.service import Process, Server
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.text import Span

# Ports of what runs beside a job: SSH, TensorBoard; and of notebooks and dashboards, which a script may start.
_ASIDE = frozenset({22, 2222, 6006})
_PERHAPS_ASIDE = frozenset({4040, 8265, 8787, 8888, 8889})
_JOB = regex(r"(?i)(?:^|[./_-])(?:pre)?(?:train\w*|finetun\w*|fine_tun\w*|eval\w*|bench\w*|notebook)(?:$|[./_-])")
_PACKAGE_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun"})
_SCRIPT = regex(r"[\w./-]+\.(?:sh|bash)")
# Parts of a path that tell that nobody serves others with an image; platforms with commands and probes of their own.
_OWN_USE = regex(r"(?i)(?:^|[./_-])(?:dev|devel|develop|development|debug|local|tests?|testing|bench\w*)(?:$|[./_-])")
# The port of TensorFlow Serving that answers HTTP; the other one is for gRPC.
_REST = regex(r"\btensorflow_model_server\b[^&|;]*--rest_api_port[= ](\d+)")
# What Python imports to serve HTTP; the names of packages that have clients too.
_FRAMEWORKS = (
    "fastapi flask starlette uvicorn gradio sanic quart litestar bottle falcon dash aiohttp.web comps.MicroService"
    " comps.register_microservice"
).split()
_ASIDE_OF_USE = regex(r"(?i)(?:^|[./_-])(?:tests?|testing|archived?|deprecated|legacy)(?:$|[./_-])")
_STAND_IN = regex(r"(?i)(?:^|[./_-])(?:mock|fake|helm|charts?|[a-z]+-test)(?:$|[./_-])")
_KUBERNETES = regex(r"(?i)(?:^|[./_-])(?:helm|charts?|k8s|kubernetes|kustomize)(?:$|[./_-])")
_PROBE = regex(r"(?m)^\s*(?:- )?(?:readiness|liveness|startup)(?:_probe|Probe):")
# One of several for as many releases of Python.
_VARIANT = regex(r"(?i)python[23]\.?\d+[\w.-]*\.dockerfile|dockerfile[._-]python[23]\.?\d+[\w.-]*")
_PLATFORM = regex(r"(?i)sagemaker|azureml|kserve")


class Announced(NamedTuple):
    """A program, and the port that it is to serve."""

    program: str
    port: int | None
    """None where only its imports call it a server."""
    is_python: bool
    """Whether it is Python of the project, and no script that may start anything."""
    framework: str = ""
    """What it imports to serve with, where it names no port."""
    is_tensorflow: bool = False
    """Whether the file has it start TensorFlow Serving."""


def by(stage: Stage, process: Process) -> Announced | None:
    """The program of the project that is to serve a port of EXPOSE; None where there is none, and for jobs, shells and
    what a platform starts that has probes of its own."""
    if is_elsewhere(stage):
        return None
    name, is_python = next((found for each in reversed(process.commands) if (found := _own(each))[0]), ("", False))
    aside = frozenset() if is_python else _PERHAPS_ASIDE
    port = next((port for port, _ in ports(stage) if port not in aside), None)
    is_shell = process.commands[-1].name in POSIX_SHELLS and len(process.commands[-1].words) == 1
    if not name or is_shell or any(each.search(name) for each in (_JOB, _OWN_USE, _PLATFORM)):
        return None
    if port is None:
        return _importing(stage, process)
    rest = _REST.search(stage.build.source.text)
    if rest is not None and any(rest[1] == str(other) for other, _ in ports(stage)):
        return Announced(name, int(rest[1]), is_python, is_tensorflow=True)
    return Announced(name, port, is_python)


def _importing(stage: Stage, process: Process) -> Announced | None:
    """The Python of the project that imports what one serves HTTP with."""
    for each in reversed(process.all_commands):
        name, is_python = _own(each)
        source = source_of(stage, each) if name and is_python and each.is_certain else None
        module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
        known = {*module.packages, *module.imports} if module is not None else set()
        framework = next((found for found in _FRAMEWORKS if found in known), None)
        if framework is not None:
            return Announced(name, None, True, framework.partition(".")[0])
    return None


def is_for_kubernetes(stage: Stage) -> bool:
    """Whether the path of the Dockerfile says that Kubernetes runs the image."""
    return _KUBERNETES.search("/".join(_path(stage))) is not None


def _path(stage: Stage) -> list[str]:
    """The name of the Dockerfile and of the folders right above it: what lies further up is where somebody keeps it."""
    return stage.build.source.path.rsplit("/", 6)[-6:]


def has_probe_beside(stage: Stage) -> bool:
    """Whether a manifest in the folder of the Dockerfile has Kubernetes, or a platform on top of it, probe the
    containers."""
    context, path = stage.build.context, stage.build.context.inputs.cwd / stage.build.source.path
    if not path.is_relative_to(context.root):
        return False
    folder = "/".join(path.parent.parts[len(context.root.parts) :])
    names = (each.path for each in context.tree.children(folder) if each.path.endswith((".yaml", ".yml")))
    texts = (context.inputs.text(context.root / name) for name in names)
    return any(text is not None and _PROBE.search(text.text) for text in texts)


def is_stand_in(stage: Stage) -> bool:
    """Whether the folder of the Dockerfile says that its server stands in for another one, or that a chart of Helm runs
    it, which has probes of its own."""
    return _STAND_IN.search("/".join(_path(stage)[:-1])) is not None


def is_out_of_use(stage: Stage) -> bool:
    """Whether the folder of the Dockerfile says that the image is there for tests, or for those who have it already, or
    its names say that it is for those who work on it."""
    return _ASIDE_OF_USE.search("/".join(_path(stage)[:-1])) is not None or _is_for_own_use(stage)


def _is_for_own_use(stage: Stage) -> bool:
    return _OWN_USE.search("/".join([*_path(stage), stage.name or ""])) is not None


def is_to_build_from(stage: Stage, process: Process) -> bool:
    """Whether others put their application into the image: all of its process is its base's, and its file is named for
    the release of Python that it is a variant for."""
    is_own = process.step is not None or any(each.instruction is not None for each in stage.end.exposed)
    return not is_own and _VARIANT.fullmatch(stage.build.source.path.rpartition("/")[2]) is not None


def is_grpc_alone(stage: Stage, server: Server) -> bool:
    """Whether nothing in the file or the entry script has a server answer HTTP that otherwise does not."""
    option = server.launch.row.get("http_option")
    texts = (stage.build.source.text, server.launch.source.text)
    return option is not None and not any(option.lstrip("-") in text for text in texts)


def is_elsewhere(stage: Stage) -> bool:
    """Whether nobody serves others with the image, as names say, or a platform starts it in a way of its own."""
    source = stage.build.source
    if _is_for_own_use(stage) or stage.build.platform is not None:
        return True
    return _PLATFORM.search(source.path) is not None or _PLATFORM.search(source.text) is not None


def ports(stage: Stage) -> list[tuple[int, Span]]:
    """The ports that EXPOSE says are served, and where; without those of SSH and TensorBoard."""
    return [
        (each.value.first, each.span)
        for each in stage.end.exposed
        if each.instruction is not None
        and each.span is not None
        and not isinstance(each.value, Unknown)
        and each.value.protocol == "tcp"
        and each.value.first not in _ASIDE
    ]


def _own(each: Executed) -> tuple[str, bool]:
    """The program of the project that a command runs, empty for any other, and whether it is Python."""
    if PYTHON.fullmatch(each.name):
        name, _, is_module = interpreted(each)
        return name if is_module else posixpath.basename(name) if name.endswith(".py") else "", True
    if each.name.endswith(".py"):
        return each.name, True
    if each.name in POSIX_SHELLS:
        scripts = [word for word in each.arguments if not word.startswith("-")][:1]
        return posixpath.basename(scripts[0]) if scripts and _SCRIPT.fullmatch(scripts[0]) else "", False
    if each.name in _PACKAGE_MANAGERS:
        return " ".join((each.name, *each.arguments[:2])) if each.arguments else "", False
    return each.name if _SCRIPT.fullmatch(each.words[0].value) else "", False


def preview(stage: Stage, process: Process) -> Executed | None:
    """The command that shows the build of a web page with Vite: `vite preview`, or the script that its templates give
    that name."""
    for each in reversed(process.commands):
        words = [word for word in (each.name, *each.arguments) if word not in ("run", "exec", "npx")]
        if words[:2] == ["vite", "preview"] or words[:3] == ["npx", "vite", "preview"]:
            return each
        if words[:2] == [each.name, "preview"] and each.name in _PACKAGE_MANAGERS and _has_vite(stage):
            return each
    return None


def _has_vite(stage: Stage) -> bool:
    folder = stage.end.directory
    return any(isinstance(stage.view.find(f"{folder}/vite.config.{ending}"), Node) for ending in ("ts", "js", "mjs"))
