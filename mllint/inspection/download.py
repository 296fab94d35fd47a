"""How much an installer will fetch, by the sizes in a lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image.values import Unknown
from mllint.inspection.content import interpreters
from mllint.inspection.origins import of_base
from mllint.inspection.records import Answer, Download, Known, Origin
from mllint.sources.markers import machine_of
from mllint.sources.wheels import Libc, wheel_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage
    from mllint.sources.lockfiles import Locked

_LOCAL = ("path", "editable", "virtual")


def download(stage: Stage) -> Answer[Download | None]:
    """What the lock files say of the distributions that the image keeps."""
    sizes: dict[str, int | None] = {}
    origin: Origin | None = None
    libc: Libc = "musl" if stage.root.base.libc == "musl" else "glibc"
    for name, locked, minor, path in _locked(stage):
        if minor is None:
            return Unknown(f"which wheels of {path} are taken depends on the version of Python, which is not known")
        origin = min(origin or Origin(path, locked.line), Origin(path, locked.line))
        wheel = wheel_for(locked, minor, machine_of(stage.platform), libc)
        sizes[name] = wheel.size if wheel is not None else None
    if origin is None:
        return Known(None, of_base(stage))
    known = [size for size in sizes.values() if size is not None]
    return Known(Download(sum(known), len(known), len(sizes) - len(known)), origin)


def _locked(stage: Stage) -> Iterator[tuple[str, Locked, str | None, str]]:
    """The packages of lock files that were installed, with the Python they are for and the path of the lock."""
    for found, seen in interpreters(stage):
        minor = found.minor if isinstance(found.minor, str) else None
        for name, each in seen.distributions.items():
            if each.locked is not None and each.place is not None and each.locked.origin.kind not in _LOCAL:
                yield name, each.locked, minor, each.place[0].path
