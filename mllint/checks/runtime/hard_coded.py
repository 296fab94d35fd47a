"""ML320: the version of Python written into paths."""

import re
from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import events, interpreter, python
from mllint.image.content.moved import is_verified
from mllint.image.content.python_paths import PythonPath, is_chosen, is_nowhere, python_paths, real_minor
from mllint.image.names import common_name, fits, is_built_here
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.text import Span

_RELEASE = regex(r"(?:ubuntu|debian|ubi|rhel)-?\d|python-?3\.\d|py3\d")
_MOST = 3
# What is no virtual environment, nor one of conda.
_SYSTEM = regex(r"/usr/(?:local/)?lib/|.*/\.local/|(?!/)")
_CD = regex(r"\b(?:cd|pushd)\s+[\"']?$")
# How far such a word is in front of the path, at most.
_BEFORE = 20
_MAJOR = regex(r"3(?!\.)")


@check("ML320")
def hard_coded_site_packages(stage: Stage) -> Iterator[Finding]:
    """A path with the version of a Python that the stage has not, or will not have any more."""
    paths = list(python_paths(stage)) if stage in stage.build.needed or _may_be_chosen(stage) else []
    wrong = next((found for each in paths if (found := _wrong(stage, each)) is not None), None)
    if wrong is not None:
        yield wrong
    elif paths and _moves(stage, paths[0]):
        yield _left_behind(stage, paths)
    else:
        yield from _hard_coded(stage, paths)


def _may_be_chosen(stage: Stage) -> bool:
    """Whether an argument of the build may name this stage as the one that the image is made from."""
    return stage.name is not None and any(
        each.base.kind == "stage" and "$" in each.from_word.text for each in stage.build.needed
    )


def _wrong(stage: Stage, each: PythonPath) -> Finding | None:
    where = Location(stage.build.source, each.span)
    copy = each.step.copy
    if copy is not None and copy.stage is not None:
        return _missing_source(stage.build.stages[copy.stage], each, where) if _is_copied_from(each) else None
    here = real_minor(stage)
    if here is None or here == each.minor:
        return None
    if each.step.instruction.keyword not in ("ENV", "WORKDIR") or not is_nowhere(stage, each):
        return _stale(stage, each, where, here)
    message = (
        f"{each.step.instruction.keyword} names {each.path}, and the Python of this stage is {here}: nothing is there"
    )
    repair = f"write python{here}, or ask Python for the folder"
    return Finding(where, message, repair, fix=_with_minor(each, where, here), severity=Severity.WARNING)


def _is_copied_from(each: PythonPath) -> bool:
    """Whether a COPY takes files from there, out of another stage or image."""
    copy, words = each.step.copy, each.step.instruction.words
    return copy is not None and copy.origin != "context" and each.span.end < words[-1].span.start


def _stale(stage: Stage, each: PythonPath, where: Location, here: str) -> Finding | None:
    """The folder of a Python that the image had once, as its tag was another."""
    base = stage.root.base
    is_of_base = isinstance(base.python, interpreter.Interpreter) and base.python.minor == here
    if not is_of_base or not each.path.startswith("/usr/") or is_chosen(stage, each.minor):
        return None
    if isinstance(python.interpreter(stage.view, f"python{each.minor}", None), events.Interpreter):
        return None
    instruction = each.step.instruction.keyword
    message = f"{instruction} names {each.path}, and {base.text} has Python {here}: none looks there"
    fix = _with_minor(each, where, here)
    return Finding(where, message, f"write python{here}", fix=fix, severity=Severity.WARNING, is_strict=True)


def _missing_source(other: Stage, each: PythonPath, where: Location) -> Finding | None:
    here = real_minor(other)
    if here is None or here == each.minor or not is_nowhere(other, each):
        return None
    name = other.name or str(other.index)
    message = f"COPY takes {each.path} from stage {name}, whose Python is {here}: it is not found and the build fails"
    related = (Related(Location(other.build.source, other.instruction.span), f"has Python {here}"),)
    severity = None if is_verified(other.root.base) else Severity.WARNING
    return Finding(where, message, f"write python{here}", related, _with_minor(each, where, here), severity)


def _with_minor(each: PythonPath, where: Location, minor: str) -> Fix:
    written = where.source.slice(where.span)
    at = where.span.start + written.index(f"python{each.minor}")
    edit = replace(where.source, Span(at, at + len(f"python{each.minor}")), f"python{minor}")
    return Fix("unsafe", f"write python{minor}", (edit,))


def _left_behind(stage: Stage, paths: list[PythonPath]) -> Finding:
    first, named, others = paths[0], *_named(paths)
    verb = "are" if others else "is"
    message = f"{named} {verb} for Python {first.minor}, and {stage.root.base.text} follows a moving tag"
    repair = "name the exact version in the tag of the base"
    where = Location(stage.build.source, first.span)
    return Finding(where, f"{message}: the next Python leaves nothing there", repair, severity=Severity.WARNING)


def _hard_coded(stage: Stage, paths: list[PythonPath]) -> Iterator[Finding]:
    """A finding for each kind of instruction, as each has a way of its own to do without the version."""
    kinds: dict[str, list[PythonPath]] = {}
    for each in paths:
        keyword = each.step.instruction.keyword
        # A cd to a folder that is not there ends the build, and so tells by itself.
        if not _CD.search(stage.build.source.text[: each.span.start][-_BEFORE:]):
            kinds.setdefault({"ADD": "COPY", "RUN": "RUN", "COPY": "COPY"}.get(keyword, "ENV"), []).append(each)
    for group in kinds.values():
        named, others = _named(group)
        verb = "have" if others else "has"
        outcome = "COPY finds nothing there and the build fails" if _is_copied_from(group[0]) else "nothing is there"
        message = f"{named} {verb} the version of Python written out: with another Python {outcome}"
        places = dict.fromkeys(Location(stage.build.source, each.span) for each in group[1:])
        related = tuple(Related(place, "names one too") for place in [*places][:_MOST])
        where, repair = Location(stage.build.source, group[0].span), _instead(stage, group)
        yield Finding(where, message, repair, related, severity=Severity.INFO, is_strict=True)


def _named(paths: list[PythonPath]) -> tuple[str, int]:
    """Paths in words, and the number of those that are not named."""
    written = {each.step.instruction.source.slice(each.span).rstrip("/") for each in paths}
    folder, others = paths[0].path, len(written) - 1
    if not others:
        return folder, 0
    if any(each.path != folder for each in paths):
        return f"{folder} and {others} more path{'s' if others > 1 else ''}", others
    if folder in written:
        return f"{folder} and {others} path{'s' if others > 1 else ''} below it", others
    return f"{len(written)} paths below {folder}", others


def _instead(stage: Stage, paths: list[PythonPath]) -> str:
    """What does without the version: only a RUN can ask Python."""
    each = paths[0]
    instruction = each.step.instruction
    written = stage.build.source.slice(each.span)
    known = {**each.step.before.env, **each.step.before.args}
    name = next((name for name, value in known.items() if value == each.minor), None)
    if name is not None and "build/lib." not in instruction.text:
        return f"write python${{{name}}}, which is {each.minor} here"
    if instruction.keyword in ("COPY", "ADD"):
        return _copied(stage, each)
    if instruction.keyword != "RUN":
        return _set(stage, paths)
    prefix = re.split(r"/lib(?:64)?/", each.path)[0]
    program = _called(stage, each.minor) if _SYSTEM.match(each.path) else f"{prefix}/bin/python3"
    if program is None:
        return _argued(stage, each.minor)
    module = written.partition("-packages/")[2].partition("/")[0]
    # What a pip of the same RUN has removed can no longer be asked for.
    if module.isidentifier() and "uninstall" not in instruction.text:
        asked = f'u.find_spec("{module}").submodule_search_locations[0]'
        return f"ask Python where the package is: {program} -c 'import importlib.util as u; print({asked})'"
    if "/.local/" in written:
        return f"ask Python for the folder: {program} -m site --user-site"
    if written.endswith("dist-packages") or "dist-packages/" in written:
        return f"ask Python for the folder: {program} -c 'import site; print(site.getsitepackages()[0])'"
    kind = "platlib" if "/lib64/" in written else "purelib"
    return f"ask Python for the folder: {program} -c 'import sysconfig; print(sysconfig.get_path(\"{kind}\"))'"


def _called(stage: Stage, minor: str) -> str | None:
    """What starts the Python of a folder, by the name that the file itself calls it; None where nobody knows one."""
    names = {each.name for one in stage.lineage for step in one.steps for each in step.commands}
    if real_minor(stage) == minor or "python3" in names:
        return "python3"
    if f"python{minor}" in names or "python" in names:
        return "python" if "python" in names else f"python{minor}"
    return None if _is_installed_by_version(stage, minor) else "python3"


def _argued(stage: Stage, minor: str) -> str:
    """How an argument names the version once, in packages such as `python312-pip` as well."""
    short = minor.replace(".", "")
    if any(f"python{short}" in step.instruction.text for one in stage.lineage for step in one.steps):
        written = "python3.${MINOR} here and python3${MINOR} for the packages"
        return f"name the version once, in ARG MINOR={minor[2:]} behind FROM: {written}"
    return "name the version once, in an ARG for this and for what installs Python"


def _copied(stage: Stage, each: PythonPath) -> str:
    written, instruction = stage.build.source.slice(each.span), each.step.instruction
    is_target = instruction.words[-1].span.start <= each.span.start
    if written.endswith("-packages") and is_target and not _SYSTEM.match(each.path):
        return "build a wheel and install it there: the environment knows its own folder"
    if written.endswith("-packages") and each.step.copy is not None and each.step.copy.origin != "context":
        return "install into a virtual environment at a path of your own, and copy that whole"
    return "copy to a folder of your own, and from there in a RUN, which can ask Python for the place"


def _set(stage: Stage, paths: list[PythonPath]) -> str:
    """What to do in an ENV or WORKDIR, which can ask nobody."""
    texts = [stage.build.source.slice(each.span) for each in paths]
    if all(_key(each) == "PYTHONPATH" for each in paths) and all(text.endswith("-packages") for text in texts):
        return "leave it out where the Python of that folder runs, which looks there anyway"
    if all(text.rstrip("/").endswith("/torch/share/cmake") for text in texts):
        asked = "$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)')"
        return f"set it in the RUN that compiles: CMAKE_PREFIX_PATH={asked}"
    is_started = _has_script(stage)
    if _is_installed_by_version(stage, paths[0].minor):
        return f"{_argued(stage, paths[0].minor)}{', or set it in the start script' if is_started else ''}"
    if is_started:
        return "set it in the start script, which can ask Python for the folder"
    if all(_key(each) == "LD_LIBRARY_PATH" for each in paths) and stage.root.base.family != "alpine":
        asked = "a RUN, which can ask Python for the folder"
        return f"write it to a file in /etc/ld.so.conf.d in {asked}, and call ldconfig"
    return "name the version once, in an ARG for all that has it"


def _has_script(stage: Stage) -> bool:
    """Whether the image starts a script of shell, where a variable can be set."""
    process = stage.build.final.process if stage.build.final is not None else None
    if process is None or process.step is None:
        return False
    last = process.commands[-1]
    names = [last.name, *(word for word in last.arguments[:1] if last.name in POSIX_SHELLS)]
    return bool(process.scripts) or any(name.endswith(".sh") or "entrypoint" in name for name in names)


def _key(each: PythonPath) -> str | None:
    """The variable that an ENV sets to a path."""
    pairs = each.step.instruction.pairs if each.step.instruction.keyword == "ENV" else ()
    return next((pair.key.text for pair in reversed(pairs) if pair.key.span.start < each.span.start), None)


def _is_installed_by_version(stage: Stage, minor: str) -> bool:
    """Whether the file installs or chooses that very Python, and not only headers for the one of a distribution."""
    name = re.compile(rf"(?<!/lib/)(?<!/lib64/)\b(?:python|py|cp)[-=_: ]*{minor.replace('.', '[.]?')}(?!\d|-dev\b)")
    instructions = (
        each for one in stage.lineage for each in (one.instruction, *(step.instruction for step in one.steps))
    )
    return any(name.search(each.text) for each in instructions)


def _moves(stage: Stage, each: PythonPath) -> bool:
    """Whether the base will have another Python one day, and the stage does not choose its own."""
    base, reference = stage.root.base, stage.root.base.reference
    if reference is None or reference.digest or is_built_here(reference) or is_chosen(stage, each.minor):
        return False
    tag, name = reference.tag or "latest", common_name(reference)
    # A release of the distribution has one Python of its own for ever.
    if isinstance(base.suite, str) or _RELEASE.search(f"{name}:{tag}"):
        return False
    rows = (row for row in facts.rows("image_tags") if "moving" in row and fits(name, row["image"]))
    return any(re.fullmatch(row["moving"], tag) for row in rows) or (name == "python" and _MAJOR.match(tag) is not None)
