"""Repositories whose code is run by whoever loads a model of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.models import hub, served
from mllint.image.models.hub import COMMIT, MODEL
from mllint.image.models.late import served_word
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.hub import Wanted
    from mllint.image.stage import Stage
    from mllint.sources.python import Call

_SERVERS = frozenset({"vLLM", "SGLang", "text-generation-inference"})
_MODEL_OPTIONS = ("--model", "--model-path", "--model-id")
_REVISIONS = ("--revision", "--code-revision")
# The repositories of PyTorch itself are as trusted as torch.
_TORCH_HUB = regex(r"(?!pytorch/)(?P<repository>[\w.-]+/[\w.-]+)(?::(?:main|master))?")
_BUILD, _SERVICE = "the build", "the service"


class Trusted(NamedTuple):
    """Something that runs what a repository holds at the head of its branch."""

    repository: str
    what: str
    """As messages begin."""
    where: Location
    """In the Dockerfile, or in the script that starts the service."""
    place: Location
    """The very call."""
    victim: str
    repair: str


def trusted(stage: Stage) -> Iterator[Trusted]:
    """What a stage and its service run of others' repositories."""
    source = stage.build.source
    for each in hub.of_build(stage):
        if _is_open(each) and each.command is not None:
            yield _of_hub(each, Location(source, each.command), _BUILD)
    if not stage.is_final or stage.process is None:
        return
    where = Location(source, stage.process.instruction.span)
    for each in hub.of_service(stage):
        if _is_open(each):
            yield _of_hub(each, where, _SERVICE)
    yield from _of_torch(stage, where)
    yield from _of_server(stage)


def _is_open(each: Wanted) -> bool:
    """Whether it takes the head of a branch; a tag is somebody's choice."""
    return each.runs_code and not each.is_open and each.revision in hub.MOVING


def _of_hub(each: Wanted, where: Location, victim: str) -> Trusted:
    repair = f"read the code, and pass {each.option}= with the commit of {each.model} that you read"
    at = "" if each.place.source is where.source else f"{each.where}: "
    return Trusted(each.model, f"{at}{each.how} with trust_remote_code=True", where, each.place, victim, repair)


def _of_torch(stage: Stage, where: Location) -> Iterator[Trusted]:
    """`torch.hub.load("owner/repository", …)` in the source of the service."""
    for source, module in served.sources(stage):
        for call in module.calls:
            match = _TORCH_HUB.fullmatch(call.argument or "") if _is_torch_hub(call) else None
            if match is not None:
                place = Location(source, source.line_span(call.line))
                what = f"{source.path}:{call.line}: torch.hub.load"
                name = match["repository"]
                repair = f'name a release or commit, "{name}:COMMIT", or install what it has with pip'
                yield Trusted(name, what, where, place, _SERVICE, repair)


def _is_torch_hub(call: Call) -> bool:
    return call.name == "torch.hub.load" and not call.keywords.keys() & {"source"} and "source" not in call.computed


def _of_server(stage: Stage) -> Iterator[Trusted]:
    """`--trust-remote-code` of a server that is given a model of the Hub."""
    launch = stage.server.launch if stage.server is not None and stage.server.name in _SERVERS else None
    flag = (
        next((word for word in launch.executed.words if word.value == "--trust-remote-code"), None) if launch else None
    )
    if launch is None or flag is None:
        return
    revisions = launch.options(*_REVISIONS)
    if any(COMMIT.fullmatch(each.value) or not each.is_literal for each in revisions):
        return
    names = [each.value for each in launch.options(*_MODEL_OPTIONS) if each.is_literal]
    if not names and launch.row.get("verb") == "serve":
        names = [word.value for word in served_word(launch)]
    if names and MODEL.fullmatch(names[0]) and all(each.value in hub.MOVING for each in revisions):
        name = names[0]
        place = Location(launch.source, flag.span)
        repair = f"read the code, and add --revision and --code-revision with the commit of {name} that you read"
        yield Trusted(name, f"{launch.row['server']} with --trust-remote-code", place, place, _SERVICE, repair)
