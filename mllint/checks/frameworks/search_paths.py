"""ML711, ML721, ML722 and ML723: what ENV tells the loader and Python about where to look."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mllint.checks import check
from mllint.edits import delete, insert
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.names import common_name
from mllint.image.search_paths import LIBRARIES, PRELOAD, Listed, has_empty, has_gap, search_paths
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.text import Span

_LOOKS = {
    LIBRARIES: "every program looks for its libraries in the directory that it is started in too",
    "PATH": "programs are looked for in the current directory too",
    "PYTHONPATH": "Python imports from the directory that it is started in too, whichever that is",
}
_STUBS = regex(r"/stubs/?$")
_DEVEL = regex(r"(?:cuda|pytorch)[^/]*:.*-devel\b")
_DEV_PACKAGE = regex(r"cuda(?:-[a-z]+)*-dev(?:-\d|$)|cuda-(?:toolkit|compiler|nvcc)\b|cuda(?:-\d+-\d+)?$")
_ALLOCATORS = regex(r"lib(?:jemalloc|tcmalloc(?:_minimal)?|mimalloc|hoard|snmalloc)\b.*")
_ECHO = regex(r"\b(?:echo|printf)\s+[\"']?([^\"'>;&|\n]+?)[\"']?\s*>>?\s*([\w./-]+)")
_NGC = regex(r"nvcr\.io/nvidia/(?:pytorch|tensorflow|tritonserver|nemo|jax|mxnet|merlin/.*)")


@check("ML711")
def ld_library_path_overwrite(stage: Stage) -> Iterator[Finding]:
    """LD_LIBRARY_PATH set anew where it held something."""
    for path in search_paths(stage, (LIBRARIES,)) if stage.is_in_image else ():
        if path.is_continued or not path.folders or path.value == "":
            continue
        lost = _lost(stage, path, path.folders)
        if lost is not None and not _is_explained(stage, path):
            message = f"LD_LIBRARY_PATH is set anew, and loses {lost}: programs no longer find the libraries there"
            repair = f"go on with what it was: {path.value}:$LD_LIBRARY_PATH"
            is_of_base = not any(map(_sets_it, stage.steps_before(path.step)))
            yield Finding(Location(path.source, path.span), message, repair, (), _continued(path), is_strict=is_of_base)


@check("ML721")
def empty_path_element(stage: Stage) -> Iterator[Finding]:
    """A search path with an empty element, which stands for the current directory."""
    for path in search_paths(stage) if stage.is_in_image else ():
        if not has_empty(path):
            continue
        unset = [] if path.folders is None and has_gap(path.text) else list(path.unset())
        names = " and ".join(f"${name}" for name in unset)
        why = f", as {names} {'are' if unset[1:] else 'is'} not set here" if unset else f" {_where(path)}"
        repair = "leave the colon out that has nothing in front or behind"
        if path.name in unset:
            others = "".join(f", and write out what ${name} is meant to be" for name in unset if name != path.name)
            repair = f"leave ${path.name} out, or write {_with_colon(path)}{others}"
        elif unset:
            repair = f"write out what ${unset[0]} is meant to be: BuildKit knows variables of ENV and ARG alone"
        message = f"{path.name} has an empty element{why}: {_LOOKS[path.name]}"
        where = Location(path.source, path.span)
        severity = Severity.INFO if path.name == "PYTHONPATH" and _is_looked_in_anyway(stage) else None
        is_strict = path.name == "PYTHONPATH"
        yield Finding(where, message, repair, (), _filled(path), severity, is_strict=is_strict)


@check("ML722")
def preload_for_all(stage: Stage) -> Iterator[Finding]:
    """LD_PRELOAD for every process of a container."""
    for path in search_paths(stage, (PRELOAD,)) if stage.is_in_image and stage.end.env.get(PRELOAD) else ():
        names = re.split(r"[:\s]+", path.value) if isinstance(path.value, str) else ()
        others = [name for name in names if name and not _ALLOCATORS.fullmatch(name.rpartition("/")[2])]
        if others:
            message = f"ENV has {others[0]} loaded into every process of the container{_below(stage, path, others[0])}"
            repair = "set LD_PRELOAD for the one program that needs it, in the start command or its script"
            if stage.process is None:
                repair = "set LD_PRELOAD for the one program that needs it, in the call that starts it in the container"
            yield Finding(Location(path.source, path.span), message, repair)


@check("ML723")
def cuda_stubs_on_library_path(stage: Stage) -> Iterator[Finding]:
    """The stubs of CUDA where programs look for libraries at run time."""
    end = stage.end.env.get(LIBRARIES)
    if not stage.is_final or not isinstance(end, str):
        return
    folders = [folder for folder in end.split(":") if _STUBS.search(folder)]
    paths = [path for each in stage.lineage for path in search_paths(each, (LIBRARIES,))]
    setting = [path for path in paths if folders and folders[0] in path.text]
    if setting and _has_stubs(stage):
        message = (
            f"LD_LIBRARY_PATH leads to {folders[0]}: a program that loads libcuda.so by that name gets the stub for"
            " linking in the place of the driver, and fails with 'CUDA driver is a stub library'"
        )
        repair = "name the stubs where something is linked, in LIBRARY_PATH or for that RUN alone"
        yield Finding(Location(setting[-1].source, setting[-1].span), message, repair)


def _below(stage: Stage, path: Listed, library: str) -> str:
    """What an ENV with LD_PRELOAD means for the RUNs below it, and for what the container starts."""
    steps = stage.build.final.steps_before(None) if stage.build.final is not None else ()
    later = steps[next((at for at, each in enumerate(steps) if each is path.step), len(steps)) :]
    runs = [at for at, step in enumerate(later) if step.instruction.keyword == "RUN"]
    brings = [at for at, step in enumerate(later) if step.copy is not None and step.copy.destination == library]
    if runs and brings and runs[0] < brings[0]:
        return ", but a COPY below brings it: until then each program of a RUN prints that it cannot be preloaded"
    also = f" and of the {len(runs)} RUNs below" if len(runs) > 1 else " and of the RUN below" if runs else ""
    return f"{also}: a fault in it hits each shell and health check too"


def _with_colon(path: Listed) -> str:
    """The variable with the colon on its side, both of which are left out together."""
    name = path.name
    is_first = re.match(rf"[\"']?\$(?:\{{{name}\}}|{name}(?!\w))", path.text) is not None
    if is_first:
        return f"${{{name}:+${name}:}} for it and the colon behind"
    return f"${{{name}:+:${name}}} for it and the colon in front"


def _is_looked_in_anyway(stage: Stage) -> bool:
    """Whether the container starts a script or a module in its work folder, where Python looks first."""
    process = stage.process
    last = process.commands[-1] if process is not None and process.commands else None
    calls = [] if last is None else [(last.name, *last.arguments)]
    if last is not None and last.name in ("bash", "sh") and last.arguments:
        calls = list(_written_calls(stage, last.arguments[0]))
    return bool(calls) and all(_looks_there(stage, name, words) for name, *words in calls)


def _written_calls(stage: Stage, script: str) -> Iterator[tuple[str, ...]]:
    """The lines of a script that RUNs of the stage write with echo."""
    for step in stage.steps:
        for match in _ECHO.finditer(step.instruction.text) if step.instruction.keyword == "RUN" else ():
            if posixpath.basename(match[2]) == posixpath.basename(script):
                yield tuple(match[1].split())


def _looks_there(stage: Stage, name: str, arguments: Sequence[str]) -> bool:
    """Whether a call starts a script or a module in the work folder."""
    if not re.fullmatch(r"python[\d.]*", name):
        return False
    words = [word for word in arguments if word == "-m" or not word.startswith("-")]
    first = words[0] if words else ""
    return first == "-m" or (first.endswith(".py") and posixpath.dirname(first) in ("", ".", stage.end.directory))


def _sets_it(step: Step) -> bool:
    return any(pair.key.text == LIBRARIES for pair in step.instruction.pairs)


def _has_stubs(stage: Stage) -> bool:
    """Whether the image has the stubs of CUDA, which come with what links programs."""
    if _DEVEL.search(stage.root.base.text):
        return True
    calls = (call for each in stage.lineage for step in each.steps for call in step.installs)
    return any(_DEV_PACKAGE.match(word.value) for call in calls for word in call.operands)


def _where(path: Listed) -> str:
    text = path.value if isinstance(path.value, str) else path.text.strip("\"'")
    return "at its beginning" if text.startswith(":") else "at its end" if text.endswith(":") else "between two colons"


def _lost(stage: Stage, path: Listed, folders: tuple[str, ...]) -> str | None:
    """What was there before and is not any more, in words."""
    if isinstance(path.before, str):
        gone = [folder for folder in path.before.split(":") if folder and folder not in folders]
        return " and ".join(gone) or None
    reference = stage.root.base.reference
    is_of_base = path.before is not None and LIBRARIES not in path.step.before.env
    if is_of_base and reference is not None and _NGC.fullmatch(common_name(reference)):
        return f"what {stage.root.base.text} sets it to"
    return None


def _is_explained(stage: Stage, path: Listed) -> bool:
    """Whether a comment in front of the instruction speaks of the variable."""
    lines = {each.line: each.text for each in stage.build.dockerfile.comments}
    line = path.step.instruction.start_line - 1
    while line in lines:
        if LIBRARIES in lines[line]:
            return True
        line -= 1
    return False


def _continued(path: Listed) -> Fix | None:
    """What it was behind what it is set to."""
    if not path.is_plain or "'" in path.text:
        return None
    at = path.span.end - path.text.endswith('"')
    return Fix("unsafe", "go on with what it was", (insert(path.source, at, f":${LIBRARIES}"),))


def _filled(path: Listed) -> Fix | None:
    """The value without the colons that nothing stands in front of or behind."""
    name = re.escape(path.name)
    itself = rf"(?:\$\{{{name}\}}|\${name}(?!\w))?" if path.name in path.unset() else ""
    patterns = (rf"^[\"']?({itself}:+)", r"(?<=[^:]):(:+)(?=[^:])", rf"(?<!^)(:+{itself})[\"']?$")
    found = [match.span(1) for pattern in patterns for match in re.finditer(pattern, path.text)]
    if not path.is_plain or not found or any(end > start for (_, end), (start, _) in pairwise(found)):
        return None
    kept = path.text
    for start, end in reversed(found):
        kept = kept[:start] + kept[end:]
    value = path.step.before.expand(kept)
    if path.folders is not None and (not isinstance(value, str) or "" in value.split(":")):
        return None
    begin = path.span.start
    edits = tuple(delete(path.source, Span(begin + start, begin + end)) for start, end in found)
    return Fix("unsafe", f"leave the empty element of {path.name} out", edits)
