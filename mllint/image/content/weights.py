"""Weights of models that come into a layer behind the source or along with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.content.training import unread
from mllint.image.installing.order import brings_source
from mllint.image.service import PYTHON
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from mllint.image.context import Context, Entry
    from mllint.image.copies import Copy
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.text import Span

WEIGHTS = regex(
    r".*\.(?:bin|ckpt|engine|gguf|h5|hdf5|joblib|keras|mar|msgpack|onnx|onnx_data|pb|pickle|pkl|plan|pt|pth|safetensors|tflite)"
)
"""The names of files that hold the weights of a model."""
_OF_CREDENTIALS = regex(r"[\w./-]+\.(?:json|pem|key|p12)")
_LEAST = 50_000_000
"""Bytes of a file of weights from which on an image notices it."""
_FOR_TESTS = regex(r"(?:^|/)(?:tests?|testdata|examples?|samples?|fixtures?)/", re.IGNORECASE)
_FETCHERS = frozenset({"aria2c", "curl", "gdown", "wget"})
HUBS = frozenset({"hf", "huggingface-cli"})
"""The programs of the hub of Hugging Face."""
_LOADS = regex(r"from_pretrained|snapshot_download|hf_hub_download|SentenceTransformer\(|load_model\(|pipeline\(")
_OF_SOMEBODY = regex(r"[\"']([\w.-]+/[\w.-]+)[\"']")
# The oldest models of the hub belong to nobody: bert-base-uncased.
_OF_NOBODY = regex(r"(?:from_pretrained|SentenceTransformer)\(\s*[\"'](\w[\w.]*-[\w.-]+)[\"']")


class Heavy(NamedTuple):
    """A step that puts weights into a layer that each edit of the source makes anew."""

    step: Step
    span: Span
    kind: Literal["with", "behind", "download"]
    files: tuple[Entry, ...]
    """What a copy brings, the largest first."""
    what: str
    """What a download asks for."""
    is_model: bool
    """Whether that is a whole model of a hub; of a file nobody knows the size."""
    source: Copy
    """The copy that brings the source."""
    is_of_dvc: bool = False
    """Whether DVC downloads it, which reads files of the project for that."""
    needs: tuple[str, ...] = ()
    """The other files that DVC is told to read: those with credentials."""
    workdir: str = ""
    """The WORKDIR behind the source in which a download happens, as written."""


def late_weights(stage: Stage) -> Iterator[Heavy]:
    """The steps of a stage that bring weights along with the source or behind it; of downloads the first."""
    code: Copy | None = None
    own = {id(step) for step in stage.steps}
    has_download = False
    for step in stage.steps_before(None):
        has_source = step.copy is not None and brings_source(stage, step.copy)
        found = _of_step(stage, step, code, has_source) if id(step) in own else None
        if found is not None and not (has_download and found.kind == "download"):
            has_download = has_download or found.kind == "download"
            yield found
        if has_source:
            code = code or step.copy


def _of_step(stage: Stage, step: Step, code: Copy | None, has_source: bool) -> Heavy | None:
    if step.copy is not None and step.copy.origin == "context":
        files = _weights(stage, step.copy)
        if not _is_heavy(files):
            return None
        if has_source:
            # What nothing reads is to be left out, not to be moved.
            useless = {each.entry.path for each in unread(stage, step.copy)}
            files = tuple(each for each in files if each.path not in useless)
            if not _is_heavy(files):
                return None
            return Heavy(step, step.instruction.span, "with", files, "", True, step.copy)
        if code is not None and not step.copy.is_link:
            return Heavy(step, step.instruction.span, "behind", files, "", True, code)
    elif code is not None and not any(mount.kind in ("cache", "bind") for mount in step.mounts):
        for each in step.commands:
            what = _download(each, stage.build.context) if each.is_certain else None
            if what is not None:
                is_model = each.name not in _FETCHERS
                workdir = _workdir_behind(stage, step, code)
                # What is fetched to a relative path is looked for where it comes to lie now.
                if workdir and not is_model and not any(word.startswith("/") for word in each.arguments):
                    return None
                needs = tuple(_needed(stage, step)) if each.name == "dvc" else ()
                return Heavy(step, each.span, "download", (), what, is_model, code, each.name == "dvc", needs, workdir)
    return None


def _workdir_behind(stage: Stage, step: Step, code: Copy) -> str:
    """The last WORKDIR between the copy of the source and a step."""
    steps = list(stage.steps_before(step))
    at = next((index for index, each in enumerate(steps) if each is code.step), 0)
    texts = [each.instruction.text for each in steps[at:] if each.instruction.keyword == "WORKDIR"]
    return texts[-1] if texts else ""


def _needed(stage: Stage, step: Step) -> Iterator[str]:
    """The files that settings of DVC name."""
    commands = (each for other in stage.steps_before(step) for each in other.commands)
    for each in commands:
        if each.name == "dvc" and each.arguments[:2] == ("remote", "modify"):
            yield from (word for word in each.arguments[2:] if _OF_CREDENTIALS.fullmatch(word))


def _weights(stage: Stage, copy: Copy) -> tuple[Entry, ...]:
    found = {
        entry.path: entry
        for source in copy.sources
        for entry in source.entries(stage.build.context)
        if WEIGHTS.fullmatch(entry.name) and not _FOR_TESTS.search(entry.path)
    }
    return tuple(sorted(found.values(), key=lambda each: (-each.size, each.path)))


def _is_heavy(files: tuple[Entry, ...]) -> bool:
    """Whether the largest, the first, is worth a layer of its own."""
    return bool(files) and files[0].size >= _LEAST


def _download(each: Executed, context: Context) -> str | None:
    """What a command downloads, if that is a model; None for everything that may read the source."""
    words = each.arguments
    if each.name in HUBS and words[:1] == ("download",):
        return next((word for word in words[1:] if not word.startswith("-")), None)
    if each.name == "dvc" and words[:1] == ("pull",):
        return next((word for word in words[1:] if not word.startswith("-")), "dvc.lock")
    if each.name in _FETCHERS:
        urls = (word.partition("?")[0].rstrip("/") for word in words if "://" in word)
        return next((url.rpartition("/")[2] for url in urls if WEIGHTS.fullmatch(url)), None)
    if PYTHON.fullmatch(each.name) and "-c" in words[:-1]:
        code = words[words.index("-c") + 1]
        name = _OF_SOMEBODY.search(code) or _OF_NOBODY.search(code)
        return name[1] if name and _LOADS.search(code) and context.find(name[1]) is None else None
    return None
