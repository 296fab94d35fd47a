"""Which releases of distributions a service loads its models with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location, Related
from mllint.image.installing.indexed import asked
from mllint.image.serving.cuda import call_of
from mllint.image.serving.cuda_users import release_of

if TYPE_CHECKING:
    from mllint.image.events import Distribution
    from mllint.image.installing.indexed import Asked
    from mllint.image.models.served import Served
    from mllint.image.packages import Install
    from mllint.image.stage import Stage


class Release(NamedTuple):
    """The release of a distribution that is installed for a service."""

    event: Distribution
    version: str
    is_pinned: bool
    """Whether the files ask for it; otherwise it is the newest one that the table knows."""
    call: tuple[Stage, Install] | None
    """The install that brings it, with its stage."""
    asked: Asked | None
    """What asks for it by name."""
    place: Location | None
    """Where that stands."""

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"{self.event.name} {self.version}"

    @property
    def related(self) -> tuple[Related, ...]:
        """Where it is asked for."""
        return (Related(self.place, f"asks for {self.event.name}"),) if self.place is not None else ()


def release(stage: Stage, service: Served, *names: str) -> Release | None:
    """The release of the first of some distributions that the service has; None where it has none, or nobody knows."""
    event = next((service.packages[name] for name in names if name in service.packages), None)
    if event is None or event.cause.step is None or not event.cause.is_sure:
        return None
    call = call_of(stage, event)
    version = event.version if isinstance(event.version, str) else release_of(event, call)
    if version is None:
        return None
    line = next((each for each in asked(*call) if each.name == event.name), None) if call is not None else None
    place = Location(line.source, line.span) if line is not None else None
    if place is None and event.place is not None:
        place = Location(*event.place)
    return Release(event, version, isinstance(event.version, str), call, line, place)
