"""Containers whose root file system cannot be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.copies import relative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.compose import Service

_MEMORY = "/dev/shm"  # A container has it in any case.


class Frozen(NamedTuple):
    """A container of an image that is started so."""

    who: str
    """As a message begins: `the compose service api`."""
    place: Location | None
    """What starts it; None for a platform."""
    open: tuple[str, ...]
    """The folders that are mounted to be written to."""
    is_replaced: bool = False
    """Whether it starts something else than the image says."""

    def may_write(self, path: str) -> bool:
        """Whether it can write to a path."""
        return any(relative(path, folder) is not None for folder in self.open)


def frozen(stage: Stage) -> Iterator[Frozen]:
    """Those of an image whose mounts are known."""
    platform = stage.build.platform
    if platform is not None and "read_only" in platform.row:
        yield Frozen(platform.title, platform.place, ("/tmp",))
    for service in stage.build.services:
        found = _mounts(service) if service.is_read_only and not service.is_extension else None
        if found is not None:
            is_replaced = service.command is not None or service.entrypoint is not None
            place = Location(service.source, service.name_span)
            yield Frozen(f"the compose service {service.name}", place, found, is_replaced)


def _mounts(service: Service) -> tuple[str, ...] | None:
    """The folders of a service's own that can be written to; None where a variable hides one."""
    targets = [volume.target for volume in service.volumes if not volume.is_read_only]
    targets += [each.text.partition(":")[0] for each in service.tmpfs]
    if not all(target.startswith("/") and "$" not in target for target in targets):
        return None
    return (_MEMORY, *(target.rstrip("/") or "/" for target in targets))
