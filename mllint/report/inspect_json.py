"""The inspection of an image for programs: JSON of schema 1. The same inspection gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mllint
from mllint.image.values import Unknown
from mllint.inspection.records import Known, Variable
from mllint.masking import mask
from mllint.report.inspect_values import masked_value, masked_words

if TYPE_CHECKING:
    from mllint.inspection.records import Inspection

SCHEMA = 1
_COMMANDS = frozenset({"argv", "entrypoint", "command", "test"})


def render(made: Inspection) -> str:
    """The inspection as a JSON object in ASCII, ending in a newline.

    The names are those of the records, without the `is_` of what is true or false. A value of the image is `{"value":
    …, "origin": {"path", "line", "base"}}`, with null for what the image surely does not have, or `{"unknown":
    "reason"}`. Credentials are masked.
    """
    import json

    fields = {name: _plain(each, name) for name, each in made._asdict().items()}
    return json.dumps({"schema": SCHEMA, "tool_version": mllint.__version__, **fields}, indent=2) + "\n"


def _plain(value: object, field: str = "") -> object:
    """A value as JSON has it; `field` is the name of the record's field that it, or what holds it, stands in."""
    match value:
        case Unknown(reason):
            return {"unknown": mask(reason)}
        case Known(known, origin):
            return {"value": _plain(known, field), "origin": _plain(origin)}
        case Variable(name, Known(known, origin)):
            return {"name": name, "value": {"value": masked_value(name, known), "origin": _plain(origin)}}
        case str():
            return mask(value)
        case tuple():
            return _of_tuple(value, field)
    return value


def _of_tuple(value: tuple[object, ...], field: str) -> object:
    names: tuple[str, ...] | None = getattr(value, "_fields", None)
    if names is not None:
        return {name.removeprefix("is_"): _plain(each, name) for name, each in zip(names, value, strict=True)}
    if field in _COMMANDS:
        return list(masked_words(str(word) for word in value))
    return [_plain(each) for each in value]
