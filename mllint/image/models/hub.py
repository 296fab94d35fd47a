"""The models of the Hugging Face Hub that a build downloads and that a service loads, by the names written there."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.findings import Location
from mllint.image.content.weights import HUBS
from mllint.image.installing.doubled import are_apart, lines_of
from mllint.image.paths import joined
from mllint.image.service import PYTHON, file_of_image, interpreted
from mllint.image.serving import sources as running
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.python import Call, Module
    from mllint.sources.text import Span

COMMIT = regex(r"[0-9a-f]{40}")
MODEL = regex(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Folders of a project that look like owners.
_FOLDERS = frozenset(
    "app artifacts assets cache checkpoint checkpoints ckpt ckpts data dist export exported exports finetuned local"
    " logs model models my_model output outputs pretrained resources results saved saved_model saved_models src static"
    " tmp trained weights workspace".split()
)
_OF_FILES = regex(r".*\.(?:bin|ckpt|gguf|h5|json|model|onnx|pkl|pt|pth|safetensors|zip)")
_FOLDER_KEYWORDS = ("cache_dir", "local_dir", "cache_folder", "download_root")
_FLAGS = frozenset({"--force-download", "--quiet", "--resume-download", "--dry-run", "-q"})
_OF_DATA = frozenset({"datasets.load_dataset", "datasets.load_dataset_builder", "evaluate.load", "evaluate.combine"})
# What stands for the newest commit.
MOVING = frozenset({None, "main", "master", "HEAD"})


class Wanted(NamedTuple):
    """A model of the Hub that is asked for."""

    model: str
    how: str
    """The call or command, as messages show it."""
    revision: str | None
    """What it is asked for at; None where nothing says so."""
    is_open: bool
    """Whether a value that nobody can read may say more."""
    place: Location
    """The line of the call, or the command."""
    command: Span | None
    """The command of the Dockerfile that asks; None for the source of the service."""
    is_deferred: bool
    """Whether it does not surely happen as soon as the service starts."""
    runs_code: bool
    """Whether it may run code out of the repository."""
    folder: Value | None
    """The folder that it is told to download to; None where it is the cache."""
    option: str
    """How a call is told a commit."""
    is_old: bool = False
    """Whether the library is held at releases that take no revision."""
    is_apart: bool = False
    """Whether it is held at releases that keep what they download in a cache of their own."""

    @property
    def where(self) -> str:
        """File and line, as messages show them."""
        return f"{self.place.path}:{self.place.start[0]}"

    @property
    def is_pinned(self) -> bool:
        """Whether it is asked for at a commit, or may be."""
        return self.is_open or (self.revision is not None and COMMIT.fullmatch(self.revision) is not None)


@lru_cache(maxsize=16)
def of_service(stage: Stage) -> tuple[Wanted, ...]:
    """What the source that the container runs asks for."""
    found: list[Wanted] = []
    for file in running.loaded(stage):
        lines = file.lines
        asked = _of_module(stage, file.source, file.module, None)
        found += [each._replace(is_deferred=each.place.start[0] not in lines) for each in asked]
    return tuple(found)


@lru_cache(maxsize=16)
def of_build(stage: Stage) -> tuple[Wanted, ...]:
    """What the RUN instructions of a stage ask for."""
    found: list[Wanted] = []
    for step in stage.steps:
        for each in step.commands:
            if each.name in HUBS and each.arguments[:1] == ("download",):
                found += _of_tool(stage, each)
            elif PYTHON.fullmatch(each.name):
                found += _of_python(stage, each)
    return tuple(found)


def _of_tool(stage: Stage, each: Executed) -> Iterator[Wanted]:
    """`hf download OWNER/MODEL`."""
    plain: list[str] = []
    options: dict[str, str] = {}
    words = iter(each.arguments[1:])
    for word in words:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            plain.append(word)
        elif name not in _FLAGS:
            options[name] = value if equals else next(words, "")
    if plain and MODEL.fullmatch(plain[0]):
        revision = options.get("--revision")
        is_open = revision is not None and "$" in revision
        place = Location(stage.build.source, each.span)
        folder = options.get("--local-dir")
        yield Wanted(
            plain[0], f"{each.name} download", revision, is_open, place, each.span, False, False, folder, "--revision"
        )


def _of_python(stage: Stage, each: Executed) -> Iterator[Wanted]:
    """The code behind `python -c`, or a script of the build context; both stand for the command in the Dockerfile."""
    name, _, is_module = interpreted(each)
    words = each.arguments
    if name:
        source = file_of_image(stage, name.replace(".", "/") + ".py" if is_module else name)
        module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
    else:
        source = Source("", words[words.index("-c") + 1]) if "-c" in words[:-1] else None
        module = python.parse(source) if source is not None else None
    for found in _of_module(stage, source, module, each.span) if source is not None and module is not None else ():
        yield found if name else found._replace(place=Location(stage.build.source, each.span))


def _of_module(stage: Stage, source: Source, module: Module, command: Span | None) -> Iterator[Wanted]:
    for call in module.calls:
        row = _row(call)
        model = _model(call, row) if row is not None else None
        if row is None or model is None or call.keywords.get("local_files_only") is True or is_local(stage, model):
            continue
        revision = call.keywords.get(row["revision"])
        yield Wanted(
            f"{row['owner']}/{model}" if "owner" in row and "/" not in model else model,
            _shown(call.name),
            revision if isinstance(revision, str) else None,
            not {row["revision"], "**"}.isdisjoint(call.computed),
            Location(source, source.line_span(call.line)),
            command,
            False,
            call.keywords.get("trust_remote_code") is True,
            _folder(call),
            row["revision"],
            "since" in row and _is_before(stage, row["package"], row["since"]),
            "cached_since" in row and _is_before(stage, row["package"], row["cached_since"]),
        )


def asks_for_more(stage: Stage) -> bool:
    """Whether the source of the service also asks the Hub for what is no model of a known name: data, metrics, and
    what is computed."""
    for file in running.loaded(stage):
        for call in file.module.calls:
            row = _row(call)
            if call.name in _OF_DATA or (row is not None and _model(call, row) is None):
                return True
    return False


@lru_cache(maxsize=16)
def _is_before(stage: Stage, name: str, version: str) -> bool:
    """Whether a requirement holds a distribution below a version."""
    return any(
        line.requirement.key == name and are_apart(line.requirement.specifier, f">={version}")
        for each in stage.lineage
        for step in each.steps
        for install in step.installs
        for line in lines_of(each, install)
    )


def _shown(name: str) -> str:
    """The last parts of the name of a call: `AutoModel.from_pretrained`, but `pipeline`."""
    above, _, last = name.rpartition(".")
    return f"{above.rpartition('.')[2]}.{last}" if last == "from_pretrained" else last


def _folder(call: Call) -> Value | None:
    """The folder that a call is told to download to; None where it is the cache."""
    given = next((call.keywords[name] for name in _FOLDER_KEYWORDS if name in call.keywords), None)
    if isinstance(given, str):
        return given
    is_computed = not call.computed.isdisjoint((*_FOLDER_KEYWORDS, "**"))
    return Unknown("the folder is computed") if is_computed else None


def _row(call: Call) -> dict[str, str] | None:
    package, _, rest = call.name.partition(".")
    function = rest.rpartition(".")[2]
    for row in facts.by("hub_calls", "package").get(package, ()):
        if function in row["function"].split("|") and "()" not in rest:
            return row
    return None


def _model(call: Call, row: dict[str, str]) -> str | None:
    """The name of a model that a call is given; None for a folder, and for what is not literal."""
    keyword, at = call.keywords.get(row["keyword"]), row.get("at", "0")
    given = keyword if keyword is not None else call.argument if at == "0" else call.second if at == "1" else None
    if not isinstance(given, str) or _OF_FILES.fullmatch(given):
        return None
    if MODEL.fullmatch(given):
        return None if given.partition("/")[0].lower() in _FOLDERS else given
    return given if "bare" in row and regex(row["bare"]).fullmatch(given) else None


def is_local(stage: Stage, model: str) -> bool:
    """Whether there is a folder of that name, which is then taken."""
    place = joined(stage.end.directory, model)
    has = isinstance(place, str) and isinstance(stage.view.find(place), Node)
    return has or stage.build.context.find(model) is not None
