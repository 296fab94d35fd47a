"""Ports as the files of a project tell them: where the servers listen, what EXPOSE names, what health checks ask and
what compose publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image import service
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.configuration import Port
    from mllint.image.service import Process, Server
    from mllint.image.stage import Stage

_URL = regex(
    r"\b(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?P<port>\d+)(?!\d)|(?=[/\s\"'?#)]|$))(?![\w${])"
)
_DEFAULTS = {"http": "80", "https": "443"}


class Told(NamedTuple):
    """A port that somebody is told, and where."""

    port: str
    place: Location


def listened(stage: Stage, process: Process) -> frozenset[str]:
    """The ports that the servers of a process open; none where that is not known of all of them."""
    found: set[str] = set()
    for each in service.servers(stage, process):
        if not each.port.isdecimal():
            return frozenset()
        found |= {each.port, *each.launch.columns("more_ports")}
    return frozenset(found)


def exposed_instead(stage: Stage, ports: frozenset[str]) -> list[Told]:
    """The ports of EXPOSE where none of these is among them."""
    found = []
    for setting in stage.end.exposed:
        port = setting.value
        if isinstance(port, Unknown) or setting.instruction is None or setting.span is None:
            return []
        if any(port.first <= int(each) <= port.last for each in ports):
            return []
        if port.protocol == "tcp":
            found.append(Told(_text(port), Location(stage.build.source, setting.span)))
    return found


def _text(port: Port) -> str:
    return str(port.first) if port.first == port.last else f"{port.first}-{port.last}"


def probed(stage: Stage) -> Iterator[Told]:
    """The ports of this container that the health checks ask by a literal URL: that of the image, unless compose gives
    each service its own, and those of compose."""
    own = stage.last("HEALTHCHECK")
    replaced = [each.healthcheck for each in stage.build.services if each.healthcheck is not None]
    if own is not None and stage.healthcheck is not None and len(replaced) < max(len(stage.build.services), 1):
        yield from _asked(" ".join(stage.healthcheck.test), Location(stage.build.source, own.instruction.span))
    for each in stage.build.services:
        check = each.healthcheck
        if check is not None and check.test is not None and not check.is_disabled:
            text = " ".join(value.text for value in check.test.values)
            yield from _asked(text, Location(each.source, check.test.span))


def _asked(text: str, place: Location) -> Iterator[Told]:
    for match in _URL.finditer(text):
        yield Told(match["port"] or _DEFAULTS[match[1]], place)


def published(stage: Stage, server: Server) -> Iterator[tuple[str, tuple[Told, ...]]]:
    """The services of compose, by name, with the ports of the container that they publish; none where a variable or a
    range decides, or the service itself sets the port."""
    variables = {server.launch.row.get("port_env"), server.launch.row.get("arguments_env"), "PORT"}
    for each in stage.build.services:
        told = tuple(Told(port.target, Location(each.source, port.span)) for port in each.ports)
        is_known = all(each.port.isdecimal() for each in told)
        if told and is_known and not any(entry.name in variables for entry in each.environment):
            yield each.name, told
