"""What a service computes on, as it tells itself, beside what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.serving.gpu import intent
from mllint.verification.asking import NoAnswer, ask, shown
from mllint.verification.records import Provider, Request, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.types import DeviceRequest

    from mllint.image.stage import Stage
    from mllint.verification.asking import Answer
    from mllint.verification.endpoint import Endpoint
    from mllint.verification.records import Variant
    from mllint.verification.session import Session

_MEMBERS = frozenset("device devices provider providers accelerator execution_provider execution_providers".split())
_PATIENCE = 30.0
_DEEPEST = 4
NO_GPU = "no GPU on this engine"


class Gpus(NamedTuple):
    """What a container is given."""

    devices: list[DeviceRequest] | None
    why_none: str = ""


def gpus(session: Session, variant: Variant, stage: Stage) -> Gpus:
    """The GPUs for the container of a variant."""
    from docker.types import DeviceRequest

    if variant.gpus == "none":
        return Gpus(None, "no GPU asked for")
    if variant.gpus == "auto" and intent(stage) == "cpu":
        return Gpus(None, "not meant for a GPU")
    info = session.client.info()
    nvidia = DeviceRequest(count=-1, capabilities=[["gpu"]])
    if variant.gpus == "all" or "nvidia" in (info.get("Runtimes") or {}):
        return Gpus([nvidia])
    listed = [each.get("ID", "") for each in info.get("DiscoveredDevices") or ()]
    if any(name.startswith("nvidia.com/gpu=") for name in listed):
        return Gpus([DeviceRequest(driver="cdi", device_ids=["nvidia.com/gpu=all"])])
    return Gpus(None, NO_GPU)


def row(
    variant: Variant, stage: Stage, endpoint: Endpoint | None, answers: Mapping[str, Answer], given: Gpus
) -> Row | None:
    """The row `provider`; None where nothing is asked: no provider is configured and the image is not meant for a GPU,
    or is not to be given one. `answers` are those that came already, by path."""
    configured = variant.provider
    if configured is None and (variant.gpus == "none" or intent(stage) != "gpu"):
        return None
    if endpoint is None:
        return _note("no port is known to ask on")
    if configured is None:
        found = next(_told(answers), None)
        if found is None:
            return _note(f"the service does not tell what it computes on: name it under `provider`{_given(given)}")
    else:
        answer = answers.get(configured.path) or _asked(endpoint, configured.path)
        value = _member(answer, configured.member)
        if value is None:
            return Row("provider", "fail", f"GET {configured.path} has no member {configured.member}")
        found = configured.path, configured.member, value
    path, member, value = found
    entry = _entry(value)
    used = entry if isinstance(entry, str) else shown(entry)
    is_gpu = _is_gpu(used, (configured or Provider(path, member)).gpu)
    return _judged(variant, used, f"{member} of {path}", is_gpu, given)


def _judged(variant: Variant, used: str, where: str, is_gpu: bool, given: Gpus) -> Row:
    told = f"{used} ({where})"
    if is_gpu:
        return Row("provider", "pass", told)
    if given.devices is None and variant.gpus == "auto":
        return _note(f"served on CPU fallback ({given.why_none}): {told}")
    if variant.gpus == "none":
        return Row("provider", "pass", f"{told}, and no GPU is asked for")
    is_asked = variant.gpus == "all" or variant.provider is not None
    return Row("provider", "fail" if is_asked else "note", f"{told}, although the container has the GPUs")


def _note(text: str) -> Row:
    return Row("provider", "note", text)


def _given(given: Gpus) -> str:
    return f" ({given.why_none})" if given.devices is None else ""


def _asked(endpoint: Endpoint, path: str) -> Answer | None:
    try:
        return ask(endpoint.host_port, Request(path), _PATIENCE)
    except NoAnswer:
        return None


def _member(answer: Answer | None, names: str) -> object:
    """The member of an answer's JSON; None where there is none."""
    value = _json(answer)
    for name in names.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _json(answer: Answer | None) -> object:
    try:
        return answer.json if answer is not None else None
    except (ValueError, RecursionError):
        return None


def _told(answers: Mapping[str, Answer]) -> Iterator[tuple[str, str, object]]:
    for path, answer in answers.items():
        for member, value in _members(_json(answer), "", 0):
            yield path, member, value


def _members(value: object, prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    """The members of a JSON object that are called as what computes is."""
    for name, each in value.items() if isinstance(value, dict) and depth < _DEEPEST else ():
        if name.lower() in _MEMBERS and isinstance(_entry(each), str):
            yield f"{prefix}{name}", each
        yield from _members(each, f"{prefix}{name}.", depth + 1)


def _entry(value: object) -> object:
    """The first of a list, or the value itself."""
    return value[0] if isinstance(value, list) and value else value


def _is_gpu(used: str, names: tuple[str, ...]) -> bool:
    return used.partition(":")[0].lower() in {name.lower() for name in names}
