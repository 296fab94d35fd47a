"""ML307: a server that nothing installs."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import installed_fixes
from mllint.findings import Finding, Severity
from mllint.image.distributions import providers_of_import, providers_of_script
from mllint.image.interpreter import servers
from mllint.image.programs import Program
from mllint.image.service import PYTHON, interpreted
from mllint.image.serving import absence, uses
from mllint.image.serving.absence import Absence
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage

_ENDS = "the container ends as soon as it starts"
# Options of servers whose values need a distribution that the server does not bring along: the module of each value.
_MODULES = {
    ("uvicorn", "--loop"): {"uvloop": "uvloop"},
    ("uvicorn", "--http"): {"httptools": "httptools"},
    ("uvicorn", "--ws"): {"websockets": "websockets", "wsproto": "wsproto"},
    ("gunicorn", "-k"): {"gevent": "gevent", "eventlet": "eventlet", "tornado": "tornado"},
    ("gunicorn", "--worker-class"): {"gevent": "gevent", "eventlet": "eventlet", "tornado": "tornado"},
    ("hypercorn", "-k"): {"uvloop": "uvloop", "trio": "trio"},
    ("hypercorn", "--worker-class"): {"uvloop": "uvloop", "trio": "trio"},
}


@check("ML307")
def server_not_installed(stage: Stage) -> Iterator[Finding]:
    """A command of the container that is a Python server, and that nothing installs."""
    process = stage.process if stage.is_final and absence.has_installs(stage.view) else None
    seen: set[str] = set()
    for use in uses.of_process(stage) if process is not None else ():
        by = process.instruction.keyword if process is not None else "CMD"
        for message, owner, missing in (*_itself(use, by), *_its_parts(use, by)):
            if owner not in seen and not absence.is_elsewhere(use, owner):
                seen.add(owner)
                word = use.executed.words[0]
                severity = None if missing.is_verified else Severity.WARNING
                fix = installed_fixes.required(stage, owner)
                yield Finding(use.where(word), message, f"install {owner}", use.related(word), fix, severity)


def _itself(use: Use, by: str) -> Iterator[tuple[str, str, Absence]]:
    """The server: a program on PATH, or a module that Python runs."""
    each = use.executed
    name, _, is_module = interpreted(each) if PYTHON.fullmatch(each.name) else (each.words[0].value, (), False)
    owners = providers_of_import(name) if is_module else providers_of_script(name)
    if not owners or not (is_module or name in servers()):
        return
    if is_module:
        found = absence.interpreter(use)
        folder = each.directory if isinstance(each.directory, str) else None
        missing = absence.of_module(use, found, name, folder) if found is not None else None
        if missing is not None:
            yield f"{by} runs python -m {name}, and nothing installs {owners[0]}: {_ENDS}", owners[0], missing
    elif isinstance(use.look_up("python3"), Program):
        missing = absence.of_server(use, name)
        if missing is not None:
            owner = "fastapi[standard]" if name == "fastapi" else owners[0]
            yield f"{by} runs {name}, which nothing installs: {_ENDS}", owner, missing


def _its_parts(use: Use, by: str) -> Iterator[tuple[str, str, Absence]]:
    """What the server imports because of its options: event loops, classes of workers, its command line."""
    each = use.executed
    server, arguments = each.name, each.arguments
    if PYTHON.fullmatch(server):
        server, rest, is_module = interpreted(each)
        arguments = tuple(rest) if is_module else ()
    found = absence.interpreter(use) if server in ("uvicorn", "gunicorn", "hypercorn", "fastapi") else None
    for option, module in _needed(server, arguments) if found is not None else ():
        folder = each.directory if isinstance(each.directory, str) else None
        missing = absence.of_module(use, found, module, folder) if found is not None else None
        if missing is not None:
            owner = "fastapi[standard]" if server == "fastapi" else next(iter(providers_of_import(module)), module)
            what = f"{server} {option}".rstrip()
            yield f"{by} runs {what}, which needs {owner}, and nothing installs that: {_ENDS}", owner, missing


def _needed(server: str, arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if server == "fastapi":
        yield "", "fastapi_cli"
    for index, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        modules = _MODULES.get((server, option))
        if modules is None:
            continue
        value = value if equals else next(iter(arguments[index + 1 : index + 2]), "")
        # A class of workers by its dotted name lies in a package of that name.
        is_class = server == "gunicorn" and "." in value
        module = modules.get(value, value.partition(".")[0] if is_class else server)
        if module != server and providers_of_import(module):
            yield f"{option} {value}", module
