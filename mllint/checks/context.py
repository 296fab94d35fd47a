"""ML5: what the build is sent, and what of it reaches the image."""

import difflib
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from mllint import facts
from mllint.checks import check
from mllint.findings import Finding, Location, Severity
from mllint.image.context import Context, Entry
from mllint.image.copies import Copy, CopySource
from mllint.image.stage import Stage, Step
from mllint.walking import is_git_ignored


@check("ML501")
def missing_dockerignore(stage: Stage) -> Iterator[Finding]:
    """The whole folder is copied and nothing is kept out."""
    context = stage.build.context
    copy = _first_of_all(stage)
    if copy is None or context.ignore is not None or stage not in stage.build.needed:
        return
    junk = list(_junk(context, ""))
    files = list(context.files())
    total = sum(entry.size for entry in files)
    if not junk and total < 10_000_000:
        return
    largest = sorted(_weights(context, files).items(), key=lambda item: (-item[1], item[0]))[:3]
    named = ", ".join(f"{name} {_size(size)}" for name, size in largest)
    useless = f"; {junk[0][0].path} ({junk[0][1]}) among them" if junk else ""
    message = f"no .dockerignore: {_size(total)} go to the build and into the image, most of it {named}{useless}"
    repair = "write a .dockerignore: " + " ".join(dict.fromkeys([*(entry.path for entry, _ in junk[:4]), ".git", "__pycache__", ".venv"]))
    yield Finding(Location(stage.build.source, copy.step.instruction.span), message, repair)


def _first_of_all(stage: Stage) -> Copy | None:
    for step in stage.steps:
        if step.copy is not None and step.copy.takes_all():
            return step.copy
    return None


def _weights(context: Context, files: list[Entry]) -> dict[str, int]:
    """The size of each file and folder right below the root."""
    weights: dict[str, int] = {}
    for entry in files:
        name, slash, _ = entry.path.partition("/")
        weights[name + slash] = weights.get(name + slash, 0) + entry.size
    return weights


def _size(count: int) -> str:
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{count / step:.1f} {unit}" if count < 10 * step else f"{count / step:.0f} {unit}"
    return f"{count} B"


@check("ML502")
def unignored_context_files(stage: Stage) -> Iterator[Finding]:
    """A COPY brings version control data, environments, notebooks or caches into the image."""
    if not stage.is_in_image:
        return
    for step in stage.steps:
        copy = step.copy
        if copy is None or copy.origin != "context":
            continue
        for source in copy.sources:
            yield from _useless(stage, step, source)


def _useless(stage: Stage, step: Step, source: CopySource) -> Iterator[Finding]:
    context = stage.build.context
    found = context.find(source.path) if isinstance(source.path, str) and not source.has_wildcard else None
    if found is None or not found.is_folder:
        return
    junk = [(entry, what) for entry, what in _junk(context, found.path)]
    if not junk:
        return
    named = ", ".join(f"{entry.path} ({what})" for entry, what in junk[:3])
    more = f" and {len(junk) - 3} more" if len(junk) > 3 else ""
    message = f"{step.instruction.keyword} {source.word.text} brings {named}{more} into the image, which needs none of it"
    repair = "add to .dockerignore: " + " ".join(entry.path for entry, _ in junk[:6])
    yield Finding(Location(stage.build.source, step.instruction.span), message, repair)


def _junk(context: Context, folder: str) -> Iterator[tuple[Entry, str]]:
    """Files and folders that no image needs, the outermost of each."""
    for entry in context.tree.children(folder):
        if context.ignore is not None and entry.is_folder and context.ignore.prunes(entry.path):
            continue
        what = _what(context, entry)
        if what is not None and not context.excludes(entry.path):
            yield entry, what
        elif entry.is_folder:
            yield from _junk(context, entry.path)


def _what(context: Context, entry: Entry) -> str | None:
    for row in facts.rows("useless_files"):
        if (row["kind"] == "folder") is entry.is_folder and fnmatchcase(entry.name, row["name"]):
            return row["what"]
    if entry.is_folder and any(child.name == "pyvenv.cfg" for child in context.tree.children(entry.path)):
        return "a virtual environment"
    return None


@check("ML503")
def copy_source_missing(stage: Stage) -> Iterator[Finding]:
    """A COPY names a file that the context does not have."""
    if stage not in stage.build.needed:
        return
    context = stage.build.context
    for step in stage.steps:
        copy = step.copy
        if copy is None or copy.origin != "context":
            continue
        for source in copy.sources:
            if isinstance(source.path, str) and not source.is_remote and not source.has_wildcard and "$" not in source.word.text:
                if context.find(source.path) is None and _says_something(stage, source.path):
                    yield _missing(stage, step, source, source.path)


def _missing(stage: Stage, step: Step, source: CopySource, path: str) -> Finding:
    context = stage.build.context
    near = _near(context, path)
    where = Location(stage.build.source, source.word.span)
    message = f"{path} is not in the build context {context.inputs.display(context.root)}: {step.instruction.keyword} fails"
    if near is not None:
        return Finding(where, message, f"did you mean {near}?")
    return Finding(where, message, "commit it, or say what makes it before the build", severity=Severity.INFO)


_PRODUCT = re.compile(r"(?:^|/)(?:dist|build|target|out|output|bin|wheels?|artifacts?|node_modules|\.next)(?:/|$)|\.(?:whl|jar|tar|gz|tgz|zip|deb)$")
_MODEL = re.compile(r"\.(?:pkl|pickle|joblib|pt|pth|onnx|h5|keras|safetensors|bin|gguf|pb|model|ckpt|npz?|csv|parquet)$")


def _says_something(stage: Stage, path: str) -> bool:
    """Whether a missing file is a mistake: not where the context is a guess that fits nothing else, nor for what git
    ignores, for models that a store keeps, and for what builds make."""
    context = stage.build.context
    if _PRODUCT.search(path) or is_git_ignored(context.root / path):
        return False
    if any(context.find(f"{path}{ending}") for ending in (".dvc", ".gdrive", ".url")):
        return False
    if _MODEL.search(path) and _near(context, path) is None:
        return False
    return context.is_certain or _most_others_found(stage, path)


def _most_others_found(stage: Stage, path: str) -> bool:
    others = [
        source.path
        for each in stage.build.stages
        for step in each.steps
        if step.copy is not None and step.copy.origin == "context"
        for source in step.copy.sources
        if isinstance(source.path, str) and source.path not in ("", path) and not source.has_wildcard and not source.is_remote
    ]
    found = sum(context_has is not None for context_has in map(stage.build.context.find, others))
    return found > 0 and found * 2 > len(others)


def _near(context: Context, path: str) -> str | None:
    """A path in the tree that the missing one may have meant: another case or spelling beside it, or the same name
    elsewhere, if only once."""
    folder, _, name = path.rpartition("/")
    beside = {entry.name: entry.path for entry in context.tree.children(folder)} if context.find(folder) else {}
    lower = {each.lower(): each for each in beside}
    if name.lower() in lower:
        return beside[lower[name.lower()]]
    close = difflib.get_close_matches(name, beside, 1, 0.85)
    if close:
        return beside[close[0]]
    same = [entry.path for entry in context.files() if entry.name == name][:2] if "." in name else []
    return same[0] if len(same) == 1 else None
