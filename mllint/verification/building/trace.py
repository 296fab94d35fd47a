"""What BuildKit reports of a build through the engine's API: messages `moby.buildkit.v1.StatusResponse` of its
`api/services/control/control.proto`, of which the few fields are read here that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.verification.building.progress import Progress

_VERTEX, _LOG = 1, 3
_DIGEST, _NAME, _CACHED, _STARTED, _COMPLETED, _ERROR = 1, 3, 4, 5, 6, 7
_LOG_VERTEX, _LOG_TEXT = 1, 4

Message: TypeAlias = "dict[int, int | bytes]"


def follow(data: bytes, progress: Progress) -> None:
    """Take what one message says."""
    for number, value in _fields(data):
        if number == _VERTEX and isinstance(value, bytes):
            _vertex(dict(_fields(value)), progress)
        elif number == _LOG and isinstance(value, bytes):
            log = dict(_fields(value))
            progress.log(_text(log, _LOG_VERTEX), _text(log, _LOG_TEXT))


def _vertex(vertex: Message, progress: Progress) -> None:
    key, error = _text(vertex, _DIGEST), _text(vertex, _ERROR)
    if _STARTED not in vertex:
        return
    progress.start(key, _text(vertex, _NAME))
    if error:
        # Of those that stop because another one failed.
        if "context canceled" not in error:
            progress.fail(key, error)
    elif vertex.get(_CACHED):
        progress.end(key, "cached")
    elif _COMPLETED in vertex:
        progress.end(key, "done", _time(vertex, _COMPLETED) - _time(vertex, _STARTED))


def _text(message: Message, number: int) -> str:
    value = message.get(number, b"")
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _time(message: Message, number: int) -> float:
    """A google.protobuf.Timestamp in seconds."""
    value = message[number]
    parts = dict(_fields(value)) if isinstance(value, bytes) else {}
    seconds, nanoseconds = parts.get(1, 0), parts.get(2, 0)
    return (seconds + nanoseconds / 1e9) if isinstance(seconds, int) and isinstance(nanoseconds, int) else 0.0


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message in the encoding of Protocol Buffers."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        match key & 7:
            case 0:
                value, at = _varint(data, at)
            case 2:
                length, at = _varint(data, at)
                value, at = data[at : at + length], at + length
            case kind:
                # The other two kinds have a fixed length.
                length = 8 if kind == 1 else 4
                value, at = data[at : at + length], at + length
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            break
    return value, at
