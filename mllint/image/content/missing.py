"""What a COPY names and the context lacks: a mistake, or something that is put there before the build?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image.context import Context, Tree
from mllint.patterns import regex
from mllint.walking import git_root, is_git_ignored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.copies import CopySource

_PRODUCT = regex(
    r"(?:^|/)(?:dist|build|target|out|output|bin|wheels?|artifacts?|node_modules|\.next|\.git)(?:/|$)"
    r"|\.(?:whl|jar|war|tar|gz|tgz|zip|deb|rpm|so|exe)$"
)
# Kept in a store and fetched, as a rule.
_MODEL = regex(
    r"\.(?:bin|ckpt|csv|data|engine|gguf|h5|joblib|keras|model|npz?|onnx|parquet|pb|pickle|pkl|plan|pth?|safetensors"
    r"|tflite)$"
    r"|(?:^|/)[^/]*(?:model|checkpoint|weight|predictor|data(?:set)?)s?(?:[-_][^/.]*)?(?:/|$)",
    re.IGNORECASE,
)
# What people write and commit, as against what they fetch or build.
_WRITTEN = regex(
    r"\.\w+$|(?:^|/)(?:api|apps?|backend|code|common|conf|configs?|core|frontend|libs?|packages?|proto|requirements|scripts?"
    r"|servers?|services?|source|src|static|templates|tests?|ui|utils?|web)$",
    re.IGNORECASE,
)
_RECIPE = regex(
    r"(?:GNU)?[Mm]akefile|[Jj]ustfile|[Tt]askfile\.ya?ml|dvc\.yaml|\.gitlab-ci\.yml|\.gitmodules|[^/]*\.(?:sh|mk|bat|ps1)|tasks\.py|noxfile\.py"
)


def is_expected(build: Build, path: str) -> bool:
    """Whether somebody puts a path into the context before the build: git ignores it, DVC or LFS keeps it, a build
    makes it, a store has it, or a script or workflow of the repository speaks of it."""
    context = build.context
    if _PRODUCT.search(path) or is_git_ignored(context.root / path):
        return True
    parts = path.split("/")
    uppers = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    if any(context.find(f"{upper}{ending}") for upper in uppers for ending in (".dvc", ".gdrive", ".url")):
        return True
    if _MODEL.search(path) and near_path(context, path) is None:
        return True
    mention = re.compile(rf"(?<![\w.-]){re.escape(parts[-1])}(?![\w-])")
    comments = [comment.text for comment in build.dockerfile.comments]
    return any(mention.search(text) for text in (*comments, *_recipes(build)))


def is_plain(source: CopySource) -> bool:
    """Whether a source of a COPY names one file or folder of the context, without variable and pattern."""
    return isinstance(source.path, str) and not (source.is_remote or source.has_wildcard or "$" in source.word.text)


def fits_context(build: Build, path: str = "") -> bool:
    """Whether the context has nearly all that is copied from it by name, beside one path."""
    copies = [step.copy for stage in build.stages for step in stage.steps if step.copy]
    named = [source for copy in copies if copy.origin == "context" for source in copy.sources if is_plain(source)]
    others = [source for source in named if source.path not in ("", path)]
    missing = sum(not source.matches(build.context) for source in others)
    return len(others) > 3 * missing


def looks_written(path: str) -> bool:
    """Whether the name is one of source and configuration, so that nobody would expect a build to make it."""
    return _WRITTEN.search(path) is not None


def _recipes(build: Build) -> Iterator[str]:
    """The texts from the Dockerfile's folder upward, and the workflows, that say how things are made."""
    context = build.context
    folder = (context.inputs.cwd / build.source.path).parent
    top = git_root(folder) or context.root
    uppers = [each for each in (folder, *folder.parents) if each.is_relative_to(top)]
    for place in dict.fromkeys([*uppers, context.root, top / ".github" / "workflows"]):
        for entry in Tree(place).children(""):
            if not entry.is_folder and (_RECIPE.fullmatch(entry.name) or place.name == "workflows"):
                text = context.inputs.text(place / entry.name)
                if text is not None:
                    yield text.text


def near_path(context: Context, path: str) -> str | None:
    """A path in the tree that a missing one may have meant: another case or spelling beside it, or the same name
    elsewhere, if only once."""
    import difflib

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
