"""Which Python file or module a container starts, and whether the image has it."""

from __future__ import annotations

import posixpath
import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image import distributions, service
from mllint.image.events import Distribution, Installed
from mllint.image.paths import joined
from mllint.image.service import PYTHON, interpreted
from mllint.image.serving import listening
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.service import Process
    from mllint.image.serving.listening import Launch
    from mllint.image.shell.commands import Executed
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
_DOTTED = regex(r"[A-Za-z_][\w.]*")
_APPLICATION = regex(rf"(?P<module>{_DOTTED.pattern})(?::(?P<attribute>{_DOTTED.pattern})(?:\(.*\))?)?")
LAMBDA = "AWS Lambda"
_LAMBDA_ENTRY = ("/lambda-entrypoint.sh",)
HANDLER = regex(r"(?P<module>[\w./-]+)\.(?P<name>[A-Za-z_]\w*)")
# Settings of gunicorn's file that say what is looked for, and where.
_SETTINGS = ("chdir", "pythonpath", "wsgi_app")
# What may lead a script to modules elsewhere.
_ELSEWHERE = ("sys.path", "chdir")
# What gives a module names that nobody can read off its text.
_DYNAMIC = frozenset({"globals", "exec", "setattr", "vars", "locals", "import_module", "importlib.import_module"})


class Target(NamedTuple):
    """What a command asks Python for."""

    executed: Executed
    by: str
    """The server or program that asks."""
    place: Location
    """Where it is asked for."""
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
    is_script: bool = False
    """Whether it is run as a file, which belongs to no package."""

    @property
    def wanted(self) -> str:
        """The name of the file."""
        return posixpath.basename(self.path) or self.module.removesuffix(".py").rpartition(".")[2] + ".py"

    @property
    def file(self) -> Value:
        """Where the file lies, or would."""
        return joined(self.executed.directory, self.path)


def targets(stage: Stage, process: Process) -> Iterator[Target]:
    """The Python files and modules that the process surely starts."""
    texts = [(stage.build.source, process.commands), *process.scripts]
    for source, commands in texts:
        for each in commands:
            if each.is_sure and all(word.is_literal for word in each.words[:1]):
                yield from _targets(stage, each, source)


def takes_handler(stage: Stage) -> bool:
    """Whether CMD is for the entry point of AWS's images for Lambda, which takes the name of a function."""
    return stage.root.base.entrypoint == _LAMBDA_ENTRY and stage.step_of(stage.end.entrypoint) is None


def runs_applications(server: str) -> bool:
    """Whether a server of this name serves source that its command names."""
    return server in _FOLDER_OPTIONS or server in _RUNS_FILES or server == "Flask"


def _targets(stage: Stage, each: Executed, source: Source) -> Iterator[Target]:
    place = Location(source, each.words[0].span)
    handler = HANDLER.fullmatch(each.words[0].value) if len(each.words) == 1 and takes_handler(stage) else None
    if handler is not None:
        module = handler["module"].replace("/", ".")
        yield Target(each, LAMBDA, place, module, handler["name"], "", (stage.end.directory,))
        return
    launch = service.launch(stage, each, source)
    server = launch.row["server"] if launch is not None and not launch.calls else ""
    if launch is not None and server in _FOLDER_OPTIONS:
        yield from _application(stage, launch, place)
    elif launch is not None and server == "Flask":
        yield from _of_flask(stage, launch, place)
    elif launch is not None and server in _RUNS_FILES:
        words = [word for word in each.words if word.value.endswith(".py") and word.is_literal]
        if launch.row.get("verb", "") in each.arguments and len(words) == 1:
            yield Target(each, server, place, "", "", words[0].value, (), is_script=server == "Streamlit")
    elif PYTHON.fullmatch(each.name):
        name, _, is_module = interpreted(each)
        if is_module and name.partition(".")[0] not in sys.stdlib_module_names:
            yield Target(each, each.name, place, name, "", "", _search(stage, each, each.directory), is_run=True)
        elif name.endswith(".py"):
            yield Target(each, each.name, place, "", "", name, (), is_script=True)
        if launch is not None and launch.row.get("import_call") == "uvicorn.run" and name:
            folder = each.directory if is_module else _folder(joined(each.directory, name))
            yield from _called(stage, launch, folder)


def _folder(path: Value) -> Value:
    return posixpath.dirname(path) if isinstance(path, str) else path


def _application(stage: Stage, launch: Launch, place: Location) -> Iterator[Target]:
    """What a server is given as `module:attribute`."""
    each, server = launch.executed, launch.row["server"]
    settings = {name: _setting(launch, name) for name in _SETTINGS} if server == "gunicorn" else {}
    word = listening.application(launch)
    named = word.value if word is not None else settings.get("wsgi_app")
    match = _APPLICATION.fullmatch(named) if isinstance(named, str) else None
    given = launch.options(*_FOLDER_OPTIONS[server])
    beside = launch.options("--pythonpath")
    is_open = any(isinstance(value, Unknown) for value in settings.values())
    if match is None or is_open or not all(option.is_literal for option in (*given, *beside)):
        return
    chosen = given[-1].value if given else settings.get("chdir")
    folder = joined(each.directory, chosen) if isinstance(chosen, str) else each.directory
    # Python itself looks in the working directory for -m.
    added = [each.directory] if chosen and PYTHON.fullmatch(each.name) else []
    more: list[object] = [*(option.value for option in beside)] or [settings.get("pythonpath")]
    added += [joined(folder, path) for value in more if isinstance(value, str) for path in value.split(",")]
    # gunicorn takes the name application where none is given.
    attribute = (match["attribute"] or "application").partition(".")[0]
    yield Target(each, server, place, match["module"], attribute, "", (*_search(stage, each, folder), *added))


def _setting(launch: Launch, name: str) -> object:
    found = listening.configured(launch, name)
    return found.value if found is not None else None


def _of_flask(stage: Stage, launch: Launch, place: Location) -> Iterator[Target]:
    """What `flask --app` or FLASK_APP names, else the app.py that Flask looks for."""
    each, view = launch.executed, stage.view
    given = launch.options("--app", "-A")
    named = given[-1].value if given else launch.variable("FLASK_APP")
    if isinstance(named, Unknown) or not isinstance(each.directory, str) or not all(one.is_literal for one in given):
        return
    if named is None:
        others = [view.find(posixpath.join(each.directory, name)) for name in (".env", ".flaskenv", "wsgi.py")]
        if all(found is None for found in others):
            yield Target(each, "Flask", place, "", "", "app.py", ())
        return
    path, _, attribute = named.partition(":")
    attribute = attribute.partition("(")[0].partition(".")[0].strip()
    module, folder = path, each.directory
    if path.endswith(".py"):
        yield Target(each, "Flask", place, "", "", path, ())
        module, folder = posixpath.basename(path)[:-3], posixpath.dirname(posixpath.join(folder, path))
    if _DOTTED.fullmatch(module) and (attribute or not path.endswith(".py")):
        yield Target(each, "Flask", place, module, attribute, "", _search(stage, each, folder))


def _called(stage: Stage, launch: Launch, folder: Value) -> Iterator[Target]:
    """What `uvicorn.run("main:app")` names in the Python source that is started."""
    call, program = launch.calls[0], launch.program
    match = _APPLICATION.fullmatch(call.argument or "")
    if len(launch.calls) > 1 or match is None or not match["attribute"] or {"app_dir", "**"} & call.computed:
        return
    place = launch.calling(call)
    if place is None or program is None or any(text in program.text for text in _ELSEWHERE):
        return
    added = call.keywords.get("app_dir")
    search = _search(stage, launch.executed, folder)
    if isinstance(added, str):
        search = (joined(launch.executed.directory, added), *search)
    yield Target(launch.executed, "uvicorn", place, match["module"], match["attribute"].partition(".")[0], "", search)


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
        return isinstance(target.file, str) and view.find(target.file) is None
    head = target.module.partition(".")[0]
    found = [_in_folder(view, folder, target) for folder in target.folders]
    if None in found or True in found:
        return False
    # A file of the name of the package stands in front of any that is installed, and holds no modules.
    heads = (head, f"{head}.py") if "." in target.module else (head,)
    has_head = any(
        isinstance(view.find(f"{folder}/{name}"), Node)
        for folder in target.folders
        if isinstance(folder, str)
        for name in heads
    )
    return has_head or not may_be_installed(stage, head)


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


def may_be_installed(stage: Stage, head: str) -> bool:
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


def source_of(stage: Stage, target: Target) -> Source | None:
    """The text of what a target names; None where the build context did not bring it."""
    if target.path:
        return _text(stage, target.file)
    for folder in target.folders:
        place = posixpath.join(folder, target.module.replace(".", "/")) if isinstance(folder, str) else ""
        inside = "__main__" if target.is_run else "__init__"
        for path in (f"{place}/{inside}.py", f"{place}.py") if place else ():
            found = _text(stage, path)
            if found is not None:
                return found
    return None


def _text(stage: Stage, path: Value) -> Source | None:
    node = stage.view.find(path) if isinstance(path, str) else None
    return stage.build.context.text(node.origin) if isinstance(node, Node) and node.origin else None


def entry_modules(stage: Stage) -> Iterator[tuple[Source, Module]]:
    """The Python sources that the container starts: scripts, and the modules that servers are given (`main:app`)."""
    for target in targets(stage, stage.process) if stage.process is not None else ():
        source = source_of(stage, target)
        module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
        if source is not None and module is not None:
            yield source, module


def module_of(stage: Stage, target: Target) -> tuple[Module, Source] | None:
    """The module of the build context that a target takes its attribute from, if all its names can be read off it."""
    source = source_of(stage, target) if target.attribute else None
    return _readable(stage, source, target.attribute) if source is not None else None


def homeless_import(stage: Stage, target: Target) -> tuple[Source, int] | None:
    """The first relative import of what a target names that surely leaves the package it is started in, or has none
    around it: the source and the line."""
    if target.path and not target.is_script:
        return None
    source = source_of(stage, target)
    module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
    if source is None or module is None or "__package__" in source.text:
        return None
    is_package = source.path.endswith(("/__init__.py", "/__main__.py"))
    depth = 0 if target.path else target.module.count(".") + is_package
    lines = source.text.splitlines()
    for each in module.statements:
        # What is indented may stand in a branch.
        is_plain = each.condition is None and not each.is_deferred and lines[each.line - 1].startswith("from")
        if each.level > depth and is_plain:
            return source, each.line
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
