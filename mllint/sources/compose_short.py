"""The short forms in which compose files write ports and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.sources.nodes import Node
    from mllint.sources.text import Span

_BETWEEN_COLONS = regex(r"(?:\$\{[^}]*\}|\[[^]]*\]|^[A-Za-z]:(?=[\\/])|[^:])+")
"""The parts of a short form; a variable's default, an IPv6 address and a Windows drive have colons of their own."""
_PROTOCOL = regex(r"(?s)\A(.*?)(?:/([a-z]+))?\Z")
_HOST_PATH = regex(r"[./~\\]|[A-Za-z]:")


class Port(NamedTuple):
    """A published port; ranges and variables stay text, `published` is empty where Docker chooses the port."""

    span: Span
    target: str
    published: str = ""
    host: str = ""
    protocol: str = ""


class Volume(NamedTuple):
    """A mount; an anonymous volume has no source."""

    span: Span
    source: str
    target: str
    type: str
    """bind, volume, tmpfs …, empty where a variable decides."""
    is_read_only: bool = False


def port(node: Node) -> Port:
    """The short form `[[host:]published:]target[/protocol]`."""
    mapping, protocol = _PROTOCOL.findall(node.text)[0]
    *host, published, target = ["", "", *_BETWEEN_COLONS.findall(mapping)]
    return Port(node.span, target, published, "".join(host), protocol)


def volume(node: Node) -> Volume:
    """The short form `[source:]target[:options]`."""
    source, target, options = (*_BETWEEN_COLONS.findall(node.text), "", "", "")[:3]
    if not target:
        return Volume(node.span, "", source, "volume")
    kind = "" if source.startswith("$") else "bind" if _HOST_PATH.match(source) else "volume"
    return Volume(node.span, source, target, kind, "ro" in options.split(","))
