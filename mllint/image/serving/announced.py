"""Programs of a project that a container starts and that EXPOSE calls servers, though nobody knows what they serve
with."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.service import PYTHON, interpreted
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.service import Process
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
_TESTS = regex(r"(?i)(?:^|[./_-])(?:tests?|testing)(?:$|[./_-])")
_KUBERNETES = regex(r"(?i)(?:^|[./_-])(?:helm|charts?|k8s|kubernetes|kustomize)(?:$|[./_-])")
_PLATFORM = regex(r"(?i)sagemaker|azureml|kserve")


class Announced(NamedTuple):
    """A program, and the port that it is to serve."""

    program: str
    port: int
    is_python: bool
    """Whether it is Python of the project, and no script that may start anything."""
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
    if not name or port is None or is_shell or any(each.search(name) for each in (_JOB, _OWN_USE, _PLATFORM)):
        return None
    rest = _REST.search(stage.build.source.text)
    if rest is not None and any(rest[1] == str(other) for other, _ in ports(stage)):
        return Announced(name, int(rest[1]), is_python, is_tensorflow=True)
    return Announced(name, port, is_python)


def is_for_kubernetes(stage: Stage) -> bool:
    """Whether the path of the Dockerfile says that Kubernetes runs the image."""
    return _KUBERNETES.search("/".join(stage.build.source.path.rsplit("/", 6)[-6:])) is not None


def is_for_tests(stage: Stage) -> bool:
    """Whether the folder of the Dockerfile says that the image is there for tests."""
    return _TESTS.search("/".join(stage.build.source.path.rsplit("/", 6)[-6:-1])) is not None


def is_elsewhere(stage: Stage) -> bool:
    """Whether nobody serves others with the image, as names say, or a platform starts it in a way of its own."""
    source = stage.build.source
    names = [*source.path.rsplit("/", 6)[-6:], stage.name or ""]
    if _OWN_USE.search("/".join(names)) or stage.build.platform is not None:
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
