"""The models that a container has to download before it can work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.models import hub
from mllint.image.models.caches import hub_cache, is_filled, is_offline
from mllint.image.models.denied import denied
from mllint.image.models.hub import MODEL
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from mllint.image.serving.listening import Launch
    from mllint.image.stage import Stage
    from mllint.image.values import Value
    from mllint.sources.shell_tree import Word

_OPTIONS = {
    "vLLM": ("--model",),
    "SGLang": ("--model-path", "--model"),
    "text-generation-inference": ("--model-id",),
    "text-embeddings-inference": ("--model-id",),
}


class Late(NamedTuple):
    """A model that is not in the image."""

    model: str
    says: str
    """As a message begins, in front of the model: `app/main.py:9 loads`."""
    where: Location
    """In the Dockerfile, or in the script that starts the service."""
    place: Location
    """What names it."""
    cache: str
    """The folder that it is kept in, as a repair names it."""
    is_alone: bool
    """Whether the service surely asks the Hub for nothing else than these models."""
    is_deferred: bool = False
    """Whether it is loaded when something asks for it, and not as the container starts."""


def late(stage: Stage) -> list[Late]:
    """The models of the Hub that the service loads and that surely nothing brings, each once; none where it
    cannot keep them, which is worse."""
    if stage.process is None or is_offline(stage) or denied(stage) is not None:
        return []
    where = Location(stage.build.source, stage.process.instruction.span)
    found: dict[str, Late] = {}
    for each in hub.of_service(stage):
        cache = hub_cache(stage, each.folder)
        if each.model not in found and not each.is_apart and not is_filled(stage, each.model, cache):
            says = f"{each.where} loads"
            is_alone = not hub.asks_for_more(stage)
            found[each.model] = Late(each.model, says, where, each.place, _shown(cache), is_alone, each.is_deferred)
    return [*found.values(), *_of_server(stage)]


def _of_server(stage: Stage) -> list[Late]:
    """What the command of a server of language models names."""
    launch = stage.server.launch if stage.server is not None and stage.server.name in _OPTIONS else None
    if launch is None:
        return []
    named = [(each.value, each.place) for each in launch.options(*_OPTIONS[launch.row["server"]]) if each.is_literal]
    if not named and launch.row.get("verb") == "serve":
        named = [(word.value, Location(launch.source, word.span)) for word in served_word(launch)]
    cache = hub_cache(stage, None)
    server, whole = launch.row["server"], Location(launch.source, launch.executed.span)
    return [
        Late(model, f"{server} serves", place or whole, place or whole, _shown(cache), True)
        for model, place in named
        if MODEL.fullmatch(model) and not is_filled(stage, model, cache) and not hub.is_local(stage, model)
    ]


def _shown(cache: Value) -> str:
    """The folder to keep in a volume: that of the Hub with all that lies in it."""
    return "the cache of the Hub" if isinstance(cache, Unknown) else cache.removesuffix("/hub")


def served_word(launch: Launch) -> list[Word]:
    """The word behind `serve`, where `vllm serve` takes the model; none where that is an option or a variable."""
    words = launch.executed.words
    at = next((index for index, word in enumerate(words) if word.value == "serve"), len(words)) + 1
    return [word for word in words[at : at + 1] if word.is_literal and not word.value.startswith("-")]
