"""How long a server loads its model before it answers, as far as the table of servers or its source tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image import configuration
from mllint.image.serving import modules

if TYPE_CHECKING:
    from mllint.image.stage import Stage
    from mllint.sources.python import Call, Module

_LOADERS = frozenset(
    "from_pretrained pipeline SentenceTransformer CrossEncoder WhisperModel load_model Llama LLM YOLO"
    " snapshot_download hf_hub_download".split()
)
# With one of these a model is of hundreds of megabytes, or there is a framework to start that is.
_FRAMEWORKS = frozenset(
    "torch tensorflow transformers diffusers sentence_transformers faster_whisper whisper vllm llama_cpp ultralytics"
    " keras TTS nemo peft".split()
)
_MOST = 60.0
"""Seconds that the source of a service with such a model is given; an estimate."""


class Loading(NamedTuple):
    """What a server does before it answers."""

    seconds: float
    what: str
    """The server, or the source and the call in it."""
    is_server: bool
    """Whether the server is one made for large models."""


def loading(stage: Stage) -> Loading | None:
    """What the server of a stage loads; None where it is nothing that takes long, or nobody knows."""
    server = stage.server
    if server is None:
        return None
    if "start_period" in server.launch.row:
        return Loading(configuration.seconds(server.start_period, _MOST), server.name, True)
    for source, module in modules.entry_modules(stage):
        found = call(module)
        if found is not None:
            name = source.path.rpartition("/")[2]
            return Loading(_MOST, f"{name} with {found.name.rpartition('.')[2]}", False)
    return None


def call(module: Module) -> Call | None:
    """The first call by which a module loads a model of one of the frameworks whose models are large."""
    if not module.packages & _FRAMEWORKS:
        return None
    return next((each for each in module.calls if each.name.rpartition(".")[2] in _LOADERS), None)
