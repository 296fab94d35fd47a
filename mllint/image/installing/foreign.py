"""Requirements by a path of the machine that wrote the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.patterns import regex
from mllint.sources.requirements import Editable, Requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.image.mounts import Mount
    from mllint.image.view import View

_WINDOWS = regex(r"/*([A-Za-z]:[/\\].*)")
# Where conda builds what it installs, which `pip freeze` tells of, and folders of macOS.
_ELSEWHERE = regex(
    r"/(?:croots?|Users|private|feedstock_root|tmp/build/[0-9a-f]{8}|tmp/abs_\w+|b/abs_\w+|home/conda/feedstock_root"
    r"|home/task_\d+|home/builder/\w+|opt/concourse/worker|opt/conda/conda-bld|work/ci_py\w*|work/perseverance\w*)/"
)
_HOME = regex(r"/home/[^/]+/")


def path(line: object) -> str | None:
    """The absolute path that a line installs from; None for another line."""
    url = line.url if isinstance(line, Requirement | Editable) else None
    if url is None:
        return None
    place = url.removeprefix("file:").partition("#")[0]
    if windows := _WINDOWS.match(place):
        return windows[1]
    return "/" + place.lstrip("/") if place.startswith("/") else None


def is_foreign(place: str, view: View | None = None, mounts: Sequence[Mount] = ()) -> bool:
    """Whether an absolute path surely is one of another machine, for an image or, without a view of one, for any."""
    if any(mount.covers(place) is not False for mount in mounts):
        return False
    if _WINDOWS.match(place):
        return True
    if view is None:
        return _ELSEWHERE.match(place) is not None
    is_suspect = _ELSEWHERE.match(place) or _HOME.match(place)
    return is_suspect is not None and view.find(place) is None
