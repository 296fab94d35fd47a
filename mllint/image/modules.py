"""Which Python file or module a container starts, and whether the image has it."""

from __future__ import annotations

import posixpath
import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions, listening, service
from mllint.image.events import Distribution, Installed
from mllint.image.paths import joined
from mllint.image.service import PYTHON, interpreted
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.sources import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.commands import Executed
    from mllint.image.service import Process
    from mllint.image.stage import Stage
    from mllint.image.view import View
    from mllint.sources.python import Module
    from mllint.sources.text import Source

# Servers that import an application, and their option for the folder to do that from.
_FOLDER_OPTIONS = {
    "uvicorn": ("--app-dir",),
    "gunicorn": ("--chdir",),
    "granian": ("--working-dir",),
    "hypercorn": (),
    "daphne": (),
}
_RUNS_FILES = frozenset({"Streamlit", "Chainlit", "FastAPI"})
# What gives a module names that nobody can read off its text.
_DYNAMIC = frozenset({"globals", "exec", "setattr", "vars", "locals", "import_module", "importlib.import_module"})


class Target(NamedTuple):
    """What a command asks Python for."""

    executed: Executed
    by: str
    """The server or program that asks."""
    source: Source
    """The text that the command stands in."""
    module: str
    """A dotted name; empty for a file."""
    attribute: str
    """What is taken from the module; empty where nothing is."""
    path: str
    """The file as written; empty for a module."""
    folders: tuple[Value, ...]
    """Where a module is looked for."""
    is_run: bool = False
    """Whether a package needs a __main__."""

    @property
    def wanted(self) -> str:
        """The name of the file."""
        return posixpath.basename(self.path) or self.module.rpartition(".")[2] + ".py"

    @property
    def place(self) -> Value:
        """Where the file lies, or would."""
        return joined(self.executed.directory, self.path)


def targets(stage: Stage, process: Process) -> Iterator[Target]:
    """The Python files and modules that the process surely starts."""
    texts = [(stage.build.source, process.commands), *process.scripts]
    for source, commands in texts:
        for each in commands:
            if each.is_sure and all(word.is_literal for word in each.words[:1]):
                yield from _targets(stage, each, source)


def _targets(stage: Stage, each: Executed, source: Source) -> Iterator[Target]:
    launch = service.launch(stage, each, source)
    if launch is not None and launch.row["server"] in _FOLDER_OPTIONS and not launch.calls:
        yield from _application(stage, launch)
    elif launch is not None and launch.row["server"] in _RUNS_FILES and not launch.calls:
        verb = launch.row.get("verb", "")
        words = [word for word in each.words if word.value.endswith(".py") and word.is_literal]
        if verb in each.arguments and len(words) == 1:
            yield Target(each, launch.row["server"], source, "", "", words[0].value, ())
    elif PYTHON.fullmatch(each.name):
        name, _, is_module = interpreted(each)
        if is_module and name.partition(".")[0] not in sys.stdlib_module_names:
            yield Target(each, each.name, source, name, "", "", _search(stage, each, each.directory), True)
        elif name.endswith(".py"):
            yield Target(each, each.name, source, "", "", name, ())


def _application(stage: Stage, launch: listening.Launch) -> Iterator[Target]:
    word = listening.application(launch)
    if word is None:
        return
    each = launch.executed
    given = listening.option_values(each, _FOLDER_OPTIONS[launch.row["server"]])
    beside = listening.option_values(each, ("--pythonpath",))
    if any(not value.is_literal for value in (*given, *beside)):
        return
    folder = joined(each.directory, given[-1].value) if given else each.directory
    # Python itself looks in the working directory for -m.
    added = [each.directory] if given and PYTHON.fullmatch(each.name) else []
    added += [joined(folder, path) for value in beside for path in value.value.split(",")]
    module, _, attribute = word.value.partition(":")
    search = (*_search(stage, each, folder), *added)
    name = attribute.partition("(")[0].partition(".")[0]
    yield Target(each, launch.row["server"], launch.source, module, name, "", search)


def _search(stage: Stage, each: Executed, folder: Value) -> tuple[Value, ...]:
    """A folder, and those of PYTHONPATH."""
    path = each.environment.get("PYTHONPATH", stage.end.env.get("PYTHONPATH"))
    if path is None:
        return (folder,)
    if isinstance(path, Unknown):
        return (folder, path)
    return (folder, *(joined(each.directory, entry) for entry in path.split(":") if entry))


def is_missing(stage: Stage, target: Target) -> bool:
    """Whether the image surely lacks the file or module of a target."""
    view = stage.view
    if target.path:
        return isinstance(target.place, str) and view.find(target.place) is None
    head = target.module.partition(".")[0]
    found = [_in_folder(view, folder, target) for folder in target.folders]
    if None in found or True in found:
        return False
    has_head = any(
        isinstance(view.find(f"{folder}/{head}"), Node) for folder in target.folders if isinstance(folder, str)
    )
    return has_head or not _may_be_installed(stage, head)


def _in_folder(view: View, folder: Value, target: Target) -> bool | None:
    """Whether a folder has a module; None where nobody knows."""
    if isinstance(folder, Unknown):
        return None
    place = posixpath.join(folder, target.module.replace(".", "/"))
    package = view.find(place)
    if isinstance(package, Node) and target.is_run:
        package = view.find(f"{place}/__main__.py")
    for found in (view.find(f"{place}.py"), package):
        if found is not None:
            return True if isinstance(found, Node) else None
    beside = view.find(posixpath.dirname(place))
    return _has_compiled(view, beside, posixpath.basename(place)) if isinstance(beside, Node) else False


def _has_compiled(view: View, folder: Node, name: str) -> bool | None:
    """Whether a module may lie there in another form than source."""
    if folder.origin is None:
        return False
    names = [entry.name for entry in view.context.tree.children(folder.origin)]
    return any(each.startswith(f"{name}.") and each.endswith((".so", ".pyc", ".pyx")) for each in names) and None


def _may_be_installed(stage: Stage, head: str) -> bool:
    """Whether a distribution may provide a module."""
    view = stage.view
    if view.doubt("distributions") is not None or not view.base.is_plain or distributions.providers_of_import(head):
        return True
    for event in view.behind():
        if isinstance(event, Installed) and not event.is_complete:
            return True
        if isinstance(event, Distribution):
            known = distributions.imports(event.name, event.version)
            if head == distributions.guess_import(event.name) or (not isinstance(known, Unknown) and head in known):
                return True
    return False


def module_of(stage: Stage, target: Target) -> tuple[Module, Source] | None:
    """The module of the build context that a target takes its attribute from, if all its names can be read off it."""
    for folder in target.folders if target.attribute else ():
        place = posixpath.join(folder, target.module.replace(".", "/")) if isinstance(folder, str) else ""
        for path in (f"{place}/__init__.py", f"{place}.py") if place else ():
            node = stage.view.find(path)
            source = stage.build.context.text(node.origin) if isinstance(node, Node) and node.origin else None
            if source is not None:
                return _readable(stage, source, target.attribute)
    return None


def _readable(stage: Stage, source: Source, attribute: str) -> tuple[Module, Source] | None:
    module = stage.build.context.inputs.parsed(source, python.parse)
    if (
        module is None
        or not (module.assigned | module.functions | module.classes)
        or "*" in module.imported
        or "__getattr__" in module.functions
    ):
        return None
    if f"global {attribute}" in source.text or any(call.name in _DYNAMIC for call in module.calls):
        return None
    return module, source
