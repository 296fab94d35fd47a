"""Where the process may write, as its source and the build tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.copies import relative
from mllint.image.events import FromContext, Put
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Entry
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_MAX_SOURCES = 60
_MAX_BYTES = 200_000
_WRITES = regex(
    r"\bopen\([^()]*,\s*(?:mode\s*=\s*)?[\"'][rbt+]*[wax+]"
    r"|\.(?:mkdir|makedirs|touch|write_text|write_bytes|unlink|extractall)\(|\bshutil\b"
    # A table is renamed by its columns.
    r"|\.rename\((?!\s*(?:\{|(?:columns|index|mapper)\s*=))"
    # Without a path these two give text back.
    r"|\.to_(?:csv|json)\((?!\s*(?:\)|orient\s*=))"
    r"|\.(?:save\w*|dump|to_(?:parquet|pickle|excel|feather)|imwrite|imsave|urlretrieve)\("
    r"|\bos\.(?:remove|replace|rename|rmdir)\("
    r"|sqlite|FileHandler\(|\bfilename\s*=|cache_dir|local_dir|output_dir|upload_dir|mlflow|wandb|YOLO\(|SummaryWriter\("
    r"|[(,]\s*(?!model_|static_|template_)\w+_dir\s*="
    # Options that name where results go.
    r"|add_argument\([^()]*[\"']--?[\w-]*(?:dir|directory|folder|out|output|save|export|checkpoint)\w*[\"']"
)
_MAKES_FOLDERS = regex(r"\b(?:mkdir|makedirs)\(")
# There an image has what its distribution and package managers manage.
_SYSTEM = ("/bin", "/etc", "/lib", "/opt", "/root", "/run", "/sbin", "/tmp", "/usr", "/var/cache", "/var/lib")


def may_write(stage: Stage) -> bool:
    """Whether Python source that the build context brings into an image may write files; True where there is none, or
    too much of it to be read."""
    texts = python_texts(stage)
    return not texts or any(_WRITES.search(each.text) for each in texts)


def makes_folders(stage: Stage) -> bool:
    """Whether that source, or a RUN of the stage, makes folders to write to."""
    return bool(made_folders(stage)) or any(_MAKES_FOLDERS.search(each.text) for each in python_texts(stage) or ())


def python_texts(stage: Stage) -> list[Source] | None:
    """The Python source that the build context brings into an image; None where there is too much of it to be read."""
    files = list(_sources(stage))
    if len(files) > _MAX_SOURCES or sum(each.size for each in files) > _MAX_BYTES:
        return None
    texts = [stage.build.context.text(each.path) for each in files]
    return None if None in texts else [each for each in texts if each is not None]


def _sources(stage: Stage) -> Iterator[Entry]:
    for event in stage.view.behind():
        if isinstance(event, FromContext):
            yield from (each for each in event.source.entries(stage.build.context) if each.name.endswith(".py"))


def made_folders(stage: Stage) -> list[str]:
    """The folders of root that a RUN of the stage makes for the process, by all signs: outside of what belongs to the
    system."""
    puts = (event for event in stage.log.events if isinstance(event, Put) and event.kind == "folder")
    steps = {id(step) for step in stage.steps_before(None) if step.instruction.keyword == "RUN"}
    made = dict.fromkeys(each.path for each in puts if id(each.cause.step) in steps and not is_of_system(each.path))
    return [path for path in made if _is_of_root(stage, path)]


def _is_of_root(stage: Stage, path: str) -> bool:
    node = stage.view.find(path)
    return isinstance(node, Node) and node.owner == "0"


def is_inside(stage: Stage, path: str) -> bool:
    """Whether an absolute path lies where the process works; for the root of the image that says nothing."""
    folder = stage.end.directory
    return folder != "/" and relative(path, folder) is not None


def is_of_system(path: str) -> bool:
    """Whether a path lies where the distribution and package managers manage what is there."""
    return any(relative(path, folder) is not None for folder in _SYSTEM)
