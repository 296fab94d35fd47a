"""Rules about what a container starts: programs, arguments, files and rights."""

import posixpath
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from mllint.checks import check, placing
from mllint.checks.runtime import module_fixes, script_fixes
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import service
from mllint.image.copies import relative
from mllint.image.service import PYTHON
from mllint.image.serving import entry_scripts, lookalikes, modules
from mllint.image.serving.entry_scripts import Start
from mllint.image.serving.modules import Target
from mllint.image.serving.uncopied import uncopied
from mllint.image.stage import Stage
from mllint.sources import python

_ENDS = "the container ends as soon as it starts"
# What applications are called, and what makes them.
_APPLICATIONS = ("app", "application", "api", "server", "asgi", "wsgi", "create_app", "make_app", "get_app")
_OUTCOMES = {"HEALTHCHECK": "the container is never healthy"}
_STARTS_NOT = "the container does not start"


@check("ML308")
def server_module_not_found(stage: Stage) -> Iterator[Finding]:
    """The process asks for a Python file or module that the image does not have."""
    process = stage.process if stage.is_final else None
    for target in modules.targets(stage, process) if process is not None else ():
        assert process is not None
        where = Location(stage.build.source, process.instruction.span)
        volume = _volume(stage, target)
        if volume is not None:
            yield from _left_to_volume(stage, target, volume, where)
            continue
        said = None if _is_composed(stage, target) else _unstartable(stage, target)
        if said is not None:
            message, repair = said
            is_own = target.place.source is stage.build.source
            started = () if is_own else (Related(target.place, "it is started here"),)
            fix = module_fixes.renamed(stage, target, _meant(stage, target))
            yield Finding(where, message, repair, started, fix)
            return


def _left_to_volume(stage: Stage, target: Target, volume: str, where: Location) -> Iterator[Finding]:
    """A file that no COPY brings, in a folder that the Dockerfile leaves to whoever mounts one."""
    said, near = _absence(stage, target), lookalikes.named(stage, target.wanted)
    if said is not None and near is not None and not near.is_in_image:
        message = f"{said[0].removesuffix(_ENDS)}it starts only where a mount at VOLUME {volume} brings it"
        yield Finding(where, message, said[1], severity=Severity.WARNING, is_strict=True)


def _unstartable(stage: Stage, target: Target) -> tuple[str, str] | None:
    """What keeps a file or module from being started: the message, and what to write instead."""
    return _absence(stage, target) or _unbound(stage, target) or _homeless(stage, target) or _alone(stage)


def _volume(stage: Stage, target: Target) -> str | None:
    """The volume of the Dockerfile in which a file is looked for, where no compose says what it holds."""
    folders = {target.executed.directory, *target.folders}
    if stage.build.services or target.by == modules.LAMBDA or len(folders) > 1:
        return None
    volumes = [setting.value for setting in stage.end.volumes if isinstance(setting.value, str)]
    return next((each for each in volumes for folder in folders if folder == each.rstrip("/")), None)


def _is_composed(stage: Stage, target: Target) -> bool:
    """Whether compose starts something else, or a mount may bring what is looked for; handlers are of another rule."""
    services = stage.build.services
    if target.by == modules.LAMBDA or any(each.command or each.entrypoint or each.working_dir for each in services):
        return True
    folders = [folder for folder in (target.executed.directory, *target.folders) if isinstance(folder, str)]
    return any(lookalikes.may_be_brought(stage, folder) for folder in folders)


def _absence(stage: Stage, target: Target) -> tuple[str, str] | None:
    """Of a file or module that is missing, in the same way."""
    near = lookalikes.named(stage, target.wanted) if modules.is_missing(stage, target) else None
    if near is None:
        return None
    path, is_there = near
    folders = [folder for folder in target.folders if isinstance(folder, str)]
    missing = f"{target.by} runs {target.path}, and the image has no {target.file}"
    if target.module:
        where = " or ".join(folders)
        missing = f"{target.by} asks for the module {target.module}, which is not below {where} in the image"
    if not is_there:
        return f"{missing}: {_ENDS}", f"copy {path} of the build context there, with what it needs beside it"
    inside = next((found for folder in folders if (found := relative(path, folder))), None)
    repair = f"set WORKDIR or PYTHONPATH so that it finds {path}"
    if target.path:
        repair = f"write {path}"
    elif inside is not None:
        repair = f"write {inside.removesuffix('.py').replace('/', '.')} for {path}"
    return f"{missing}: {_ENDS}", repair


def _unbound(stage: Stage, target: Target) -> tuple[str, str] | None:
    """Of a module without the name that is asked for, in the same way."""
    meant = _meant(stage, target)
    source = modules.source_of(stage, target) if meant is not None else None
    if source is None:
        return None
    path = source.path.rpartition("/")[2]
    message = f"{target.by} takes {target.attribute} from {path}, which gives nothing that name"
    return f"{message}: {_ENDS}", f"write {target.module}:{meant}"


def _meant(stage: Stage, target: Target) -> str | None:
    """The application of a module that has none by the name that is asked for."""
    found = modules.module_of(stage, target)
    if found is None or target.attribute in found[0].names:
        return None
    names = found[0].assigned | found[0].functions
    # Without a likely name the application may be made in ways that nobody can read off the text.
    return next((name for name in _APPLICATIONS if name in names), None)


def _homeless(stage: Stage, target: Target) -> tuple[str, str] | None:
    """Of a relative import in what belongs to no package, in the same way."""
    found = modules.homeless_import(stage, target)
    if found is None:
        return None
    source, line = found
    what = f"{target.by} runs {target.path}" if target.path else f"{target.by} imports {target.module}"
    name = source.path.rpartition("/")[2]
    message = f"{what} outside of a package, and line {line} of {name} imports from its package"
    return f"{message}: {_ENDS}", "start it as a module of its package from the folder above, or import without the dot"


def _alone(stage: Stage) -> tuple[str, str] | None:
    """Of source that is copied without a module that it imports, in the same way."""
    found = uncopied(stage)
    if found is None:
        return None
    message = f"{found.file.name}:{found.line} imports {found.module}, and the image has no {found.place}"
    return f"{message}: {_ENDS}", f"copy {found.path} of the build context there"


@check("ML309")
def entrypoint_script_broken(stage: Stage) -> Iterator[Finding]:
    """A script that cannot be started."""
    seen: set[str] = set()
    for start in entry_scripts.starts(stage) if stage.is_final else ():
        said = _missing(stage, start) or _broken(stage, start)
        if said is not None and start.place not in seen:
            seen.add(start.place)
            keyword = start.instruction.keyword
            message = f"{keyword} runs {start.written}, {said.what}: {_OUTCOMES.get(keyword, _STARTS_NOT)}"
            where = Location(stage.build.source, start.instruction.span)
            yield Finding(where, message, said.repair, fix=said.fix)


class _Fault(NamedTuple):
    """What is wrong with a script, as the middle of a message, and how to repair it."""

    what: str
    repair: str
    fix: Fix | None = None


def _missing(stage: Stage, start: Start) -> _Fault | None:
    """What is wrong where the file is not there."""
    if not entry_scripts.is_missing(stage, start):
        return None
    near = lookalikes.named(stage, posixpath.basename(start.written))
    if near is None or not (start.place or near.is_in_image):
        return None
    path, is_there = near
    if not start.place:
        return _Fault("which is in no folder of PATH", f"write {path}")
    what = f"and the image has no {start.place}"
    return _Fault(what, f"write {path}" if is_there else f"copy {path} of the build context there")


def _broken(stage: Stage, start: Start) -> _Fault | None:
    """What is wrong with a file that is there."""
    found = entry_scripts.text(stage, start)
    if found is None:
        return None
    node, source = found
    name = posixpath.basename(start.place)
    if entry_scripts.has_carriage_returns(stage, source):
        reader = "the program that its first line names is looked for with a carriage return in its name"
        if start.is_read:
            reader = "the shell reads a carriage return at the end of each command"
        repair = f"give {name} the line ends of Unix, and keep them with '*.sh text eol=lf' in .gitattributes"
        what = f"which has the line ends of Windows, so that {reader}"
        return _Fault(what, repair, script_fixes.unix_line_ends(source))
    if start.is_read:
        return None
    if not source.text.startswith("#!") or source.has_bom:
        return _without_shebang(start, name, source.has_bom)
    interpreter = entry_scripts.absent_interpreter(stage, source)
    if interpreter is not None and not PYTHON.fullmatch(interpreter):
        repair = f"write #!/bin/sh in {name}, or install {interpreter}"
        return _Fault(f"which needs {interpreter}, and the image has none", repair)
    if entry_scripts.is_not_executable(stage, node):
        repair = "copy it with COPY --chmod=755, or run git update-index --chmod=+x"
        return _Fault("which nobody has the right to run", repair, script_fixes.executable(stage, start, node))
    return None


def _without_shebang(start: Start, name: str, has_bom: bool) -> _Fault | None:
    if not start.is_direct:
        return None
    if has_bom:
        return _Fault("which begins with a byte order mark in front of #!", f"save {name} as UTF-8 without it")
    interpreter = "#!/usr/bin/env python3" if name.endswith(".py") else "#!/bin/sh"
    repair = f"write {interpreter} in the first line of {name}"
    return _Fault("which does not begin with #! (exec format error)", repair)


@check("ML311")
def pythonunbuffered_missing(stage: Stage) -> Iterator[Finding]:
    """Python that keeps what it prints."""
    process = stage.process if stage.is_final else None
    if process is None or stage.server is not None or stage.end.may_hold("PYTHONUNBUFFERED"):
        return
    composed = any(entry.name == "PYTHONUNBUFFERED" for each in stage.build.services for entry in each.environment)
    for each in process.all_commands:
        value = each.environment.get("PYTHONUNBUFFERED", stage.end.env.get("PYTHONUNBUFFERED"))
        if value or composed or not PYTHON.fullmatch(each.name) or _is_unbuffered(each.arguments):
            continue
        name, _, is_module = service.interpreted(each)
        if name and _prints(stage, f"{name.replace('.', '/')}.py" if is_module else name):
            message = (
                f"{each.name} keeps what {name} prints in a buffer: docker logs shows it late, and never when the"
                " container is killed"
            )
            where = Location(stage.build.source, process.instruction.span)
            yield Finding(where, message, "write ENV PYTHONUNBUFFERED=1", fix=_unbuffered(stage))
            return


def _unbuffered(stage: Stage) -> Fix | None:
    """Sets the variable above the first work of the stage, unless it is set to nothing on purpose."""
    step = placing.first_work(stage)
    if step is None or "PYTHONUNBUFFERED" in stage.end.env:
        return None
    edit = placing.above(stage.build.dockerfile, step.instruction, "ENV PYTHONUNBUFFERED=1")
    return Fix("safe", "set PYTHONUNBUFFERED", (edit,))


def _prints(stage: Stage, path: str) -> bool:
    """Whether a script of the build context prints without flushing."""
    source = service.file_of_image(stage, path)
    module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
    prints = (call for call in module.calls if call.name == "print") if module is not None else ()
    return any(call.keywords.get("flush") is not True for call in prints)


def _is_unbuffered(arguments: tuple[str, ...]) -> bool:
    options = takewhile(lambda word: word.startswith("-"), arguments)
    return any(re.fullmatch("-[A-Za-z]*u[A-Za-z]*", word) for word in options)
