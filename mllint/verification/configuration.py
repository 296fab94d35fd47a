"""What `verify` in the configuration says; read only where a configuration has it."""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.config import did_you_mean
from mllint.config_reader import Reader
from mllint.patterns import regex
from mllint.sources import reference
from mllint.sources.text import Problem
from mllint.verification.records import Gpus, Limits, Provider, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mllint.config_reader import Read
    from mllint.sources.nodes import Node

_GPUS = ("none", "auto", "all")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null", "any")
_HIGHEST_PORT = 65535
_STATUSES = range(100, 600)
_SIZE = regex(r"(\d+(?:\.\d+)?) ?(?:([kmgt])(i?))?b?", re.IGNORECASE)
_DURATION = regex(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_DURATION_PART = regex(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class VariantSettings(NamedTuple):
    """What the configuration says about one image. Paths are relative to the folder of the configuration."""

    dockerfile: str = "Dockerfile"
    context: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = MappingProxyType({})
    gpus: Gpus = "auto"
    port: int | None = None
    env: Mapping[str, str] = MappingProxyType({})
    root: bool = False
    """Whether the service may run as root."""
    health: str | None = None
    requests: tuple[Request, ...] = ()
    provider: Provider | None = None
    limits: Limits = Limits()
    base_images: Mapping[str, str] = MappingProxyType({})


class Verify(NamedTuple):
    """The section `verify`."""

    variants: Mapping[str, VariantSettings]
    """By name; empty where only defaults are configured."""
    defaults: VariantSettings
    """What holds for all variants, and for those that nobody configured."""


def read(reader: Reader, key: Node, node: Node) -> Verify:
    """The section. Raises ConfigError where it is wrong."""
    values = reader.options(key, node, _SECTION)
    variants = values.pop("variants", {})
    made = {name: VariantSettings(**_merged(values, own)) for name, own in variants.items()}
    return Verify(made, VariantSettings(**_merged(values, {})))


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A variant's own options over those that hold for all, tables entry by entry."""
    merged = {**defaults, **own}
    for name in ("env", "base_images", "limits"):
        if name in merged:
            merged[name] = {**defaults.get(name, {}), **own.get(name, {})}
    if "limits" in merged:
        merged["limits"] = Limits(**merged["limits"])
    return merged


def _variants(reader: Reader, key: Node, node: Node) -> dict[str, dict[str, Any]]:
    return reader.table(key, node, lambda name, table: reader.options(name, table, _VARIANT))


def _gpus(reader: Reader, key: Node, node: Node) -> str:
    return reader.choice(key, node, _GPUS)


def _path(reader: Reader, key: Node, node: Node) -> str:
    text = reader.string(key, node)
    if not text.startswith("/"):
        reader.fail(node, f'"{key.text}" must be a path that begins with a slash, not "{text}"')
    return text


def _health(reader: Reader, key: Node, node: Node) -> str:
    return "none" if node.kind == "string" and node.text == "none" else _path(reader, key, node)


def _whole(reader: Reader, key: Node, node: Node, allowed: range) -> int:
    wanted = f"a number from {allowed[0]} to {allowed[-1]}"
    reader.expect(("number",), key, node, wanted)
    number = _number(reader, key, node)
    if not isinstance(number, int) or number not in allowed:
        reader.fail(node, f'"{key.text}" must be {wanted}, not {node.text}')
    return number


def _port(reader: Reader, key: Node, node: Node) -> int:
    return _whole(reader, key, node, range(1, _HIGHEST_PORT + 1))


def _status(reader: Reader, key: Node, node: Node) -> int:
    return _whole(reader, key, node, _STATUSES)


def _base_images(reader: Reader, key: Node, node: Node) -> dict[str, str]:
    for entry in node.entries.values():
        for each in entry:
            problem = reference.parse(each.text) if each.kind == "string" else None
            if isinstance(problem, Problem):
                reader.fail(each, f'"{each.text}" is no image: {problem.message}')
    return reader.table(key, node, reader.string)


def _size(reader: Reader, key: Node, node: Node) -> int:
    text = reader.scalar(key, node)
    match = _SIZE.fullmatch(text)
    if match is None:
        reader.fail(node, f'"{key.text}" must be a size like 1.5GB or 800MiB, not "{text}"')
    power = "kmgt".index(match[2].lower()) + 1 if match[2] else 0
    unit = float(1024 if match[3] else 1000) ** power
    return round(float(match[1]) * unit)


def _duration(reader: Reader, key: Node, node: Node) -> float:
    """Seconds: a number, or a text like `1m30s`."""
    text = reader.scalar(key, node)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not _DURATION.fullmatch(text):
        reader.fail(node, f'"{key.text}" must be a time like 90s or 1m30s, not "{text}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def _limits(reader: Reader, key: Node, node: Node) -> dict[str, Any]:
    return reader.options(key, node, _LIMITS)


def _method(reader: Reader, key: Node, node: Node) -> str:
    text = reader.string(key, node)
    if not re.fullmatch("[A-Za-z]+", text):
        reader.fail(node, f'"{key.text}" must be a method like POST, not "{text}"')
    return text.upper()


def _requests(reader: Reader, key: Node, node: Node) -> tuple[Request, ...]:
    reader.expect(("list",), key, node, "a list of requests")
    return tuple(Request(**_complete(reader, key, item, _REQUEST, ("path",))) for item in node.items)


def _provider(reader: Reader, key: Node, node: Node) -> Provider:
    return Provider(**_complete(reader, key, node, _PROVIDER, ("path", "member")))


def _complete(
    reader: Reader, key: Node, node: Node, options: Mapping[str, Read], needed: Iterable[str]
) -> dict[str, Any]:
    """A table of options, some of which must be given."""
    values = reader.options(key, node, options)
    for name in needed:
        if name not in values:
            reader.fail(node, f'"{key.text}" lacks "{name}"')
    return values


def _json(reader: Reader, key: Node, node: Node) -> object:
    """Any value, as JSON knows it."""
    match node.kind:
        case "table":
            return reader.table(key, node, lambda name, value: _json(reader, name, value))
        case "list":
            return [_json(reader, key, item) for item in node.items]
        case "null":
            return None
        case "boolean":
            return reader.boolean(key, node)
        case "number":
            return _number(reader, key, node)
    return reader.scalar(key, node)


def _number(reader: Reader, key: Node, node: Node) -> int | float:
    try:
        return int(node.text, 0)
    except ValueError:
        pass
    try:
        number = float(node.text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        reader.fail(node, f'"{key.text}" is {node.text}, and JSON knows no such number')
    return number


def _shape(reader: Reader, key: Node, node: Node) -> object:
    """What JSON is to look like: types by name, in tables and in lists of one."""
    if node.kind == "table":
        return reader.table(key, node, lambda name, value: _shape(reader, name, value))
    if node.kind == "list":
        if len(node.items) != 1:
            reader.fail(node, f'"{key.text}" must be a list of one shape, that of all its members')
        return [_shape(reader, key, node.items[0])]
    # Nothing at all is how YAML reads `null`.
    text = "null" if node.kind == "null" else reader.string(key, node)
    if text not in _TYPES:
        meant = did_you_mean(text, _TYPES)
        reader.fail(node, f'"{key.text}" must be one of {", ".join(_TYPES)}, a table or a list, not "{text}"{meant}')
    return text


_LIMITS: dict[str, Read] = {"size": _size, "healthy": _duration, "stop": _duration}
_REQUEST: dict[str, Read] = {
    "path": _path,
    "method": _method,
    "json": _json,
    "headers": Reader.scalars,
    "status": _status,
    "shape": _shape,
}
_PROVIDER: dict[str, Read] = {"path": _path, "member": Reader.string, "gpu": Reader.strings}
_FOR_ALL: dict[str, Read] = {
    "health": _health,
    "requests": _requests,
    "limits": _limits,
    "env": Reader.scalars,
    "base-images": _base_images,
}
_VARIANT: dict[str, Read] = {
    "dockerfile": Reader.string,
    "context": Reader.string,
    "target": Reader.scalar,
    "build-args": Reader.scalars,
    "gpus": _gpus,
    "port": _port,
    "root": Reader.boolean,
    "provider": _provider,
    **_FOR_ALL,
}
_SECTION: dict[str, Read] = {"variants": _variants, **_FOR_ALL}
