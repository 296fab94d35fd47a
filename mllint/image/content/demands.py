"""What the source of a process asks of the user that it runs as."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mllint.image.content.written import is_inside, is_of_system, makes_folders, python_texts
from mllint.image.copies import relative
from mllint.image.programs import Program, program
from mllint.image.serving import modules
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage

# Libraries that write, if at all, to the home folder and to /tmp, or where a call tells them to.
_KEEP_OUT = frozenset(
    "PIL aiohttp anyio boto3 cv2 dateutil dotenv fastapi flask flask_cors grpc httpx huggingface_hub jinja2 joblib jose"
    " jwt keras keras_image_helper lightgbm matplotlib multipart nltk numpy onnxruntime openai orjson pandas pickle5"
    " plotly prometheus_client prometheus_fastapi_instrumentator psutil psycopg psycopg2 pyarrow pydantic"
    " pydantic_settings pymongo pytest redis regex requests safetensors scipy seaborn sentence_transformers skimage"
    " sklearn slowapi spacy starlette streamlit tensorflow tensorflow_serving tiktoken tokenizers torch torchaudio"
    " torchvision tqdm transformers tritonclient typing_extensions urllib3 uvicorn waitress werkzeug xgboost"
    " yaml".split()
)
# Those of them that fail without a home folder, or fetch what they need anew at each start.
_KEEP_AT_HOME = frozenset(
    "huggingface_hub keras keras_image_helper matplotlib nltk sentence_transformers streamlit tensorflow torch"
    " torchaudio torchvision transformers".split()
)
_AS_ROOT = regex(
    r"docker\.sock|\bdocker\.(?:from_env|DockerClient|APIClient)"
    r"|[\"'](?:docker|podman)(?:[\"']|\s+(?:build|compose|exec|inspect|ps|pull|rm|run)\b)"
    r"|[\"'](?:sudo|apt-get|umount|chown|chroot|iptables|sysctl|systemctl)[\"' ]"
    r"|\bos\.(?:chown|chroot|mount|set\w*[ug]id|initgroups)\("
)
_CLOSED_PORT = regex(
    r"(?i)(?<![a-z])port[\"']?\s*(?:[=:,]|,[^()]{0,80}?\bdefault\s*=)\s*(?:int\()?[\"']?(?!0)\d{1,3}(?![\d.])"
)
# Paths outside of the application that no route is likely to have: by their first folder, or as they name a file.
_ELSEWHERE = regex(
    r"[\"'](/(?:data|home|logs?|mnt|outputs?|root|shared|storage|uploads?|var|volumes?|workspace)(?:/[\w./-]*)?"
    r"|(?:/[\w-]+)+/[\w-]+\.\w{1,8})[\"'{]"
)
_OF_ROUTES = regex(r"^\s*@|https?:|\b(?:url|route|mount|href|src)\b|\.(?:get|post|put|delete|add_api_route)\(")
_KERNEL = ("/dev", "/proc", "/sys")
_FOLDER_VARIABLE = regex(
    r"(?!(?:PIP|UV|POETRY|CONDA|NPM)_)\w*(?:DIR|DIRECTORY|FOLDER|CACHE|STORE|STORAGE|DATA|OUTPUT|ROOT"
    r"|(?:CACHE|DATA|DATABASE|DB|LOGS?|MODELS?|OUTPUT|STORAGE|UPLOAD)_?PATH)"
)
_FOLDER = regex(r"/[\w./-]+")
_TOLD = regex(r"\bopen\(\s*[A-Za-z_]\w*\s*,\s*(?:mode\s*=\s*)?[\"'][rbt+]*[wax]")


def is_there(stage: Stage) -> bool:
    """Whether the source that a process starts with can be read, or it is a server that brings its own."""
    found = list(modules.targets(stage, stage.process)) if stage.process is not None else []
    if found:
        return all(_is_readable(stage, each) for each in found)
    return stage.server is not None and not modules.runs_applications(stage.server.name)


def _is_readable(stage: Stage, target: modules.Target) -> bool:
    is_server = stage.server is not None and target.is_run
    return is_server or modules.source_of(stage, target) is not None


def is_read_whole(stage: Stage) -> bool:
    """Whether all that a process runs is Python source of the build context and libraries known to write nowhere of
    their own accord but in the home folder and /tmp."""
    found = _libraries(stage)
    return found is not None and found <= _KEEP_OUT


def needs_home(stage: Stage) -> bool:
    """Whether a process may want a home folder."""
    found = _libraries(stage)
    return found is None or not found <= _KEEP_OUT - _KEEP_AT_HOME


def _libraries(stage: Stage) -> frozenset[str] | None:
    """What the source imports from elsewhere; None where the process runs more than that source, or it cannot be
    read."""
    texts, process = python_texts(stage), stage.process
    if not texts or process is None or not any(True for _ in modules.targets(stage, process)):
        return None
    parsed = [stage.build.context.inputs.parsed(each, python.parse) for each in texts]
    own = {part.removesuffix(".py") for each in texts for part in each.path.split("/")}
    found = [module.packages for module in parsed if module is not None]
    return frozenset().union(*found) - sys.stdlib_module_names - own if len(found) == len(parsed) else None


def demands_root(stage: Stage) -> bool:
    """Whether a process asks for what only root has: a port below 1024, the engine's socket, system programs, or
    folders that nothing makes, which are then mounted or made at the start."""
    if isinstance(program(stage.view, "docker", stage.end.env.get("PATH")), Program):
        return True
    texts = [each.text for each in python_texts(stage) or ()]
    if any(_AS_ROOT.search(text) or _CLOSED_PORT.search(text) for text in texts):
        return True
    if any(_TOLD.search(text) and "tempfile" not in text for text in texts) and not makes_folders(stage):
        return True
    return any(not _has(stage, path) for path in (*_named(texts), *_given(stage)))


def _named(texts: list[str]) -> Iterator[str]:
    for text in texts:
        for line in text.splitlines():
            if "/" in line and not _OF_ROUTES.search(line):
                yield from _ELSEWHERE.findall(line)


def _given(stage: Stage) -> Iterator[str]:
    """The folders that the environment of the process names."""
    pairs = [(name, value) for name, value in stage.end.env.items() if not isinstance(value, Unknown)]
    pairs += [
        (entry.name, entry.value.text)
        for each in stage.build.services
        for entry in each.environment
        if entry.value is not None
    ]
    for name, value in pairs:
        if _FOLDER_VARIABLE.fullmatch(name) and _FOLDER.fullmatch(value):
            yield value


def _has(stage: Stage, path: str) -> bool:
    """Whether the image has a path for everybody, or the process works there."""
    place = path.rstrip("/") or "/"
    is_of_kernel = any(relative(place, folder) is not None for folder in _KERNEL)
    if is_of_kernel or is_of_system(place) or is_inside(stage, place):
        return True
    return isinstance(stage.view.find(place), Node)
