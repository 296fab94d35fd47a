"""What a base brings into the log."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Literal

from mllint import facts
from mllint.image.events import Cause, Distribution, Installed, Interpreter
from mllint.image.interpreter import Interpreter as Known
from mllint.image.names import common_name
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.base import Base
    from mllint.image.events import Event
    from mllint.image.values import Value
    from mllint.sources.text import Span


def events(base: Base, span: Span) -> Iterator[Event]:
    """Its interpreter, and the distributions that are known to be there."""
    cause = Cause(None, span)
    found = interpreter(base, cause)
    if found is None:
        return
    yield found
    scripts = "/usr/local/bin" if "/usr/local/lib" in found.site else found.bin
    versions: dict[str, Value] = dict(base.distributions or {})
    if base.distributions is None:
        versions = {name: Unknown(f"the release of {name} in {base.text} is not known") for name in preinstalled(base)}
        if found.has_pip is True:
            versions["pip"] = Unknown(f"the release of pip in {base.text} is not known")
    for name, version in versions.items():
        version = version or Unknown(f"the release of {name} in {base.text} is not described")
        yield Distribution(cause, name, version, frozenset(), found.site, scripts, "base")
    is_complete = base.distributions is not None or base.is_plain
    yield Installed(cause, found.site, is_complete, f"which packages {base.text} has is not known")


def interpreter(base: Base, cause: Cause, is_there: bool = False) -> Interpreter | None:
    """Its Python, in a folder of an unknown name where nobody knows in which; None where it has none, or where only
    somebody who sees it run knows that it `is_there`."""
    known = base.python
    if isinstance(known, Known):
        prefix = known.prefix if isinstance(known.prefix, str) else f"{UNKNOWN_FOLDER}Python of {base.text}"
        return _placed(base, cause, prefix, known.version, known.names, known.has_pip, known.is_externally_managed)
    folder: str | None = base.row.get("prefix")
    if known is None or (folder is None and not is_there):
        return None
    has_pip: bool | Unknown = {"yes": True, "no": False}.get(base.row.get("pip", ""), known)
    names = tuple(base.row.get("names", "python python3").split())
    return _placed(base, cause, folder or f"{UNKNOWN_FOLDER}Python of {base.text}", known, names, has_pip, known)


def _placed(
    base: Base,
    cause: Cause,
    prefix: str,
    version: Value,
    names: Iterable[str],
    has_pip: bool | Unknown,
    is_managed: bool | Unknown,
) -> Interpreter:
    minor = ".".join(version.split(".")[:2]) if isinstance(version, str) else "X"
    kind: Literal["image", "system", "conda"] = "image"
    site = f"{prefix}/lib/python{minor}/site-packages"
    if "conda" in prefix or "mamba" in prefix:
        kind = "conda"
    elif prefix == "/usr":
        kind = "system"
        if base.family in ("debian", "ubuntu"):
            site = f"/usr/local/lib/python{minor}/dist-packages"
    return Interpreter(cause, prefix, version, kind, frozenset(names), is_managed, has_pip, site)


def preinstalled(base: Base) -> tuple[str, ...]:
    """The distributions that an image of the table `preinstalled` brings."""
    if base.known_as is None:
        return ()
    return _brought(common_name(base.known_as), base.known_as.tag)


@cache
def _brought(name: str, tag: str | None) -> tuple[str, ...]:
    names = (name, f"{name}:{tag}")
    rows = (row for row in facts.rows("preinstalled") if any(fnmatchcase(each, row["image"]) for each in names))
    return tuple(next(rows, {"distributions": ""})["distributions"].split())
