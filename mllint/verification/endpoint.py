"""Where a service is asked: its port, the path that tells whether it is up, and who listens where in a container."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.patterns import regex
from mllint.verification.asking import Answer, NoAnswer, ask
from mllint.verification.records import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.stage import Stage
    from mllint.verification.container import Container
    from mllint.verification.records import Variant

_URL = regex(r"\bhttp://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[\w./~-]*)?")
_PATIENCE = 2.0
"""Seconds that a service may be silent while it is asked whether it is up."""
_POLL = 0.05
"""Seconds between two looks."""
_LOOK_INSIDE = 2.0
"""Seconds without an answer after which the container is asked who listens, and again as often."""
_OTHER_PORT = 5.0
"""Seconds that a service may have others of its ports open before the one that counts."""
_CONFIGURED, _FOUND = 400, 500
_HTTP = 80
_LISTEN = "0A"
# Of IPv4 and of IPv6, as /proc/net writes them on a little-endian processor.
_LOOPBACK = ("0100007F", "00000000000000000000000001000000")


class Endpoint(NamedTuple):
    """How a service is asked."""

    port: int
    """In the container."""
    host_port: int
    """On the loopback."""
    path: str
    """What tells that it is up."""
    is_certain: bool
    """Whether its health check asks just that."""
    below: int
    """An answer with a status below this one is that of a service which no longer loads."""

    def is_up(self, answer: Answer | None) -> bool:
        """Whether an answer tells that the service is up."""
        return answer is not None and (answer.status is None or answer.status < self.below)

    def answer(self) -> Answer | None:
        """What it answers now; None where nobody does."""
        try:
            return ask(self.host_port, Request(self.path), _PATIENCE)
        except NoAnswer:
            return None


def port_of(variant: Variant, stage: Stage, config: Mapping[str, Any]) -> int | None:
    """The port of the service: as configured, as its server is started, as EXPOSE names it, or as the health check asks
    for it; None where nothing tells."""
    if variant.port is not None:
        return variant.port
    if stage.server is not None and stage.server.port.isdecimal():
        return int(stage.server.port)
    exposed = [int(each.partition("/")[0]) for each in config.get("ExposedPorts") or () if each.endswith("/tcp")]
    asked = _URL.search(_test(config))
    if asked is not None and asked[1] and (int(asked[1]) in exposed or not exposed):
        return int(asked[1])
    return min(exposed, default=None)


def path_of(variant: Variant, stage: Stage, config: Mapping[str, Any], port: int) -> tuple[str, bool]:
    """The path that tells whether the service is up, and whether its health check asks just that."""
    asked = _URL.search(_test(config))
    own = (asked[2] or "/") if asked is not None else None
    path = variant.health
    if path is None or path == "none":
        path = own or (stage.server.health if stage.server is not None else "") or "/"
    return path, asked is not None and path == own and int(asked[1] or _HTTP) == port


def _test(config: Mapping[str, Any]) -> str:
    return " ".join((config.get("Healthcheck") or {}).get("Test") or ())


def endpoint(variant: Variant, stage: Stage, config: Mapping[str, Any], port: int, host_port: int) -> Endpoint:
    """How the service is asked on a port that is published."""
    is_configured = variant.health not in (None, "none")
    path, is_certain = path_of(variant, stage, config, port)
    return Endpoint(port, host_port, path, is_certain, _CONFIGURED if is_configured else _FOUND)


class Silence(NamedTuple):
    """Why nobody answers."""

    reason: str
    is_final: bool
    """Whether to wait any longer is of no use."""


def wait(container: Container, endpoint: Endpoint, limit: float) -> Answer | Silence:
    """The first answer of a service that is up, within the seconds from the start of the container; or why there is
    none, told at once where the container has ended or the service listens elsewhere."""
    begun = looked = time.perf_counter()
    silence = Silence(f"nothing answers on port {endpoint.port}", False)
    while not silence.is_final:
        answer = endpoint.answer()
        if answer is not None and (endpoint.is_up(answer) or container.seconds >= limit):
            return answer
        if not container.state()["Running"]:
            return Silence("the container has ended", True)
        if container.seconds >= limit:
            return silence
        if answer is None and time.perf_counter() - looked >= _LOOK_INSIDE:
            looked = time.perf_counter()
            silence = _silence(container, endpoint.port, looked - begun >= _OTHER_PORT) or silence
        time.sleep(_POLL)
    return silence


def _silence(container: Container, port: int, is_late: bool) -> Silence | None:
    """Why nothing answers on a port, by who listens in the container; None where that does not tell."""
    listening = list(_listening(container))
    if any(number == port for number, _ in listening):
        if all(is_loopback for number, is_loopback in listening if number == port):
            reason = f"the service listens on 127.0.0.1:{port}, which only the container itself reaches: let it listen"
            return Silence(f"{reason} on 0.0.0.0", True)
        return None
    others = sorted({number for number, is_loopback in listening if not is_loopback})
    if not others:
        return None
    return Silence(f"nothing listens on port {port}, but on {', '.join(map(str, others))}", is_late)


def _listening(container: Container) -> Iterator[tuple[int, bool]]:
    """The ports that anybody in the container listens on, and whether on its loopback alone; none where the image has
    no `cat`."""
    ran = container.run(("cat", "/proc/net/tcp", "/proc/net/tcp6"), _PATIENCE)
    for line in ran.output:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTEN:
            address, _, number = words[1].rpartition(":")
            yield int(number, 16), address in _LOOPBACK
