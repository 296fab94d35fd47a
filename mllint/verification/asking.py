"""Asks a service over the loopback, and holds its answer against a shape."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from mllint.verification.container import lines

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from mllint.verification.records import Request

_MOST_READ = 1 << 20
"""Bytes of an answer."""
_SHOWN = 80
_SHOWN_OF_BODY = 2000
_AS_IN_URLS = "/?&=%:@!$'()*+,;[]~"

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
    "any": (object,),
}


class NoAnswer(Exception):
    """Nobody answers; str() says how it shows."""


class Answer(NamedTuple):
    """What a service answers."""

    status: int | None
    """None where it is no HTTP."""
    body: bytes
    seconds: float

    @property
    def json(self) -> object:
        """The JSON it holds. Raises ValueError."""
        import json

        found: object = json.loads(self.body)
        return found


def ask(port: int, request: Request, timeout: float) -> Answer:
    """Ask on a port of the loopback; `timeout` is how many seconds the service may be silent, and half of what the
    whole may take. Raises NoAnswer."""
    import http.client
    import json
    from urllib.parse import quote

    body = None if request.json is None else json.dumps(request.json).encode()
    headers = {"User-Agent": "mllint", **({"Content-Type": "application/json"} if body else {}), **request.headers}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    before = time.perf_counter()
    try:
        connection.request(
            request.method,
            quote(request.path, _AS_IN_URLS),
            body,
            {name: value.encode() for name, value in headers.items()},
        )
        response = connection.getresponse()
        content = _read(response, before + 2 * timeout)
        return Answer(response.status, content, time.perf_counter() - before)
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout:g} s") from error
    except (ConnectionError, http.client.IncompleteRead) as error:
        # The engine takes connections for the container, and closes them where nobody listens inside.
        raise NoAnswer("the connection is closed without an answer") from error
    except http.client.HTTPException:
        return Answer(None, b"", time.perf_counter() - before)
    except (OSError, ValueError) as error:
        raise NoAnswer(f"cannot be asked: {error}") from error
    finally:
        connection.close()


def _read(response: HTTPResponse, end: float) -> bytes:
    """The body, or what there is of it by then."""
    content = b""
    while len(content) < _MOST_READ and time.perf_counter() < end:
        piece = response.read1(_MOST_READ - len(content))
        if not piece:
            break
        content += piece
    return content


def difference(value: object, shape: object, place: str = "the answer") -> str | None:
    """In what a value first differs from a shape (see `Request.shape`); None where it does not."""
    if isinstance(shape, str):
        return _other_type(value, shape, place)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _other_type(value, "array", place)
        return _in_members(value, shape[0], place) if shape else None
    if isinstance(shape, dict):
        return _in_keys(value, shape, place) if isinstance(value, dict) else _other_type(value, "object", place)
    return None


def _in_members(value: list[object], shape: object, place: str) -> str | None:
    found = (difference(each, shape, f"{place}[{number}]") for number, each in enumerate(value))
    return next((each for each in found if each is not None), None)


def _in_keys(value: dict[str, object], shape: dict[str, object], place: str) -> str | None:
    for key, each in shape.items():
        name = _in_one_line(key)
        if key not in value:
            has = ", ".join(map(_in_one_line, value)) or "no keys"
            return f"{place} has no key {name} but {has}"
        inside = name if place == "the answer" else f"{place}.{name}"
        if (found := difference(value[key], each, inside)) is not None:
            return found
    return None


def _in_one_line(key: str) -> str:
    return key.encode("unicode_escape").decode() if not key.isprintable() else key


def _other_type(value: object, name: str, place: str) -> str | None:
    is_one = isinstance(value, _TYPES[name]) and not (isinstance(value, bool) and name in ("number", "integer"))
    return None if is_one else f"{place} is {shown(value)}, not of type {name}"


def text(body: bytes) -> tuple[str, ...]:
    """The beginning of an answer as lines for a report."""
    return lines(body[:_SHOWN_OF_BODY])


def shown(value: object) -> str:
    """The beginning of a value as JSON, credentials masked."""
    import json

    from mllint import masking

    text = masking.mask(json.dumps(value, ensure_ascii=False), False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
