"""Repairs that bring weights in front of the source."""

import posixpath

from mllint.checks.moving import block
from mllint.edits import insert
from mllint.findings import Fix
from mllint.image.content.weights import Heavy
from mllint.image.copies import context_path, relative
from mllint.image.paths import joined
from mllint.image.service import PYTHON
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown

# Instructions between that neither need the weights nor change what brings them.
_INDIFFERENT = frozenset({"CMD", "COPY", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL"})
_DOWNLOADERS = frozenset({"aria2c", "cd", "curl", "echo", "gdown", "hf", "huggingface-cli", "mkdir", "set", "wget"})


def moved_above(stage: Stage, heavy: Heavy) -> Fix | None:
    """The fix that moves the instruction above the one that brings the source, if nothing between matters to it."""
    own = list(stage.steps)
    code = heavy.source.step
    if heavy.kind == "with" or not any(step is code for step in own):
        return None
    between = own[own.index(code) : own.index(heavy.step)]
    if any(step.trigger is not None for step in (*between, heavy.step)):
        return None
    if any(step.instruction.keyword not in _INDIFFERENT for step in between):
        return None
    apart = _is_copy_apart(stage, heavy, between) if heavy.kind == "behind" else _needs_nothing(stage, heavy, between)
    if not apart:
        return None
    dockerfile = stage.build.dockerfile
    moved, target = block(dockerfile, heavy.step.instruction), block(dockerfile, code.instruction)
    lines = [*moved.lines, ""] if moved.is_below_blank else moved.lines
    above = insert(dockerfile.source, target.span.start, "".join(f"{line}\n" for line in lines))
    return Fix("unsafe", f"move it above {heavy.source.written}", (above, moved.removed()))


def _is_copy_apart(stage: Stage, heavy: Heavy, between: list[Step]) -> bool:
    """Whether no copy in front of that of the weights brings something to the same paths, which would then win."""
    copy = heavy.step.copy
    if copy is None or isinstance(copy.destination, Unknown):
        return False
    context = stage.build.context
    for source in copy.sources:
        for entry in source.entries(context):
            for match in source.matches(context):
                inside = relative(entry.path, match.path)
                places = copy.places(source, match.path, match.is_folder) if inside is not None else ()
                for place in places:
                    found = _brought(stage, heavy, between, posixpath.join(place, inside) if inside else place)
                    if found not in (None, entry.path):
                        return False
    return all(step.copy is not None and step.copy.origin == "context" for step in between if _is_copy(step))


def _brought(stage: Stage, heavy: Heavy, between: list[Step], path: str) -> str | None:
    """What the copies between bring to a path."""
    found = context_path(stage, heavy.step, path)
    return None if found == context_path(stage, between[0], path) else found


def _is_copy(step: Step) -> bool:
    return step.instruction.keyword == "COPY"


def _needs_nothing(stage: Stage, heavy: Heavy, between: list[Step]) -> bool:
    """Whether a RUN only downloads, and names nothing that the copies bring."""
    for each in heavy.step.commands:
        if not (each.name in _DOWNLOADERS or (PYTHON.fullmatch(each.name) and _is_code_apart(stage, heavy, each))):
            return False
        words = [word.value for word in each.words[1:]]
        words += [redirect.target.value for redirect in each.command.redirects if redirect.target is not None]
        for word in words:
            path = joined(each.directory, word.rpartition("=")[2])
            if isinstance(path, Unknown):
                return False
            for place in (path, posixpath.dirname(path)):
                if place != heavy.step.before.directory and _brought(stage, heavy, between, place) is not None:
                    return False
    return True


def _is_code_apart(stage: Stage, heavy: Heavy, each: Executed) -> bool:
    """Whether the code behind -c imports no module of the context."""
    import ast

    words = each.arguments
    if "-c" not in words[:-1] or not isinstance(each.directory, str):
        return False
    try:
        tree = ast.parse(words[words.index("-c") + 1])
    except (SyntaxError, ValueError):
        return False
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    tops = {name.partition(".")[0] for name in names}
    paths = [f"{each.directory.rstrip('/')}/{top}{ending}" for top in tops for ending in ("", ".py")]
    return "" not in tops and all(context_path(stage, heavy.step, path) is None for path in paths)
