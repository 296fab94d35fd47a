"""Puts repaired files to disk, each at one blow: whoever reads one meanwhile gets the old or the new, never a half."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mllint.findings import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.fixing import Change


def write(changes: Iterable[Change]) -> list[InputError]:
    """Write files in place, keeping their modes and owners; a symbolic link stays one, its file is written.

    Nothing is written where any of them cannot be, or is no longer what was read: the reasons are given back.
    """
    # A file that several paths lead to is written once.
    by_file = {change.path.resolve(): change for change in changes}
    failed = [
        InputError(change.name, None, why) for file, change in by_file.items() for why in _hindrances(file, change)
    ]
    if failed:
        return failed
    for file, change in by_file.items():
        try:
            _replace(file, change.after)
        except OSError as error:
            failed.append(InputError(change.name, None, f"cannot be written: {(error.strerror or str(error)).lower()}"))
    return failed


def _hindrances(file: Path, change: Change) -> Iterator[str]:
    try:
        now = file.read_bytes() if file.exists() else None
    except OSError as error:
        yield f"cannot be read again: {(error.strerror or str(error)).lower()}"
        return
    if now != change.before:
        yield "has changed while it was checked: run again"
    elif not os.access(file if now is not None else file.parent, os.W_OK):
        yield "cannot be written: it is read-only"


def _replace(file: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as open_file:
            open_file.write(data)
        _like(new, file)
        new.replace(file)
    except BaseException:
        new.unlink()
        raise


def _like(new: Path, file: Path) -> None:
    """Give a file the mode and the owner of the one whose place it takes, or what a new file gets."""
    if not file.exists():
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o666 & ~mask)
        return
    there = file.stat()
    if hasattr(os, "chown"):
        # Only root may give files away; for others the owner is mostly their own.
        with suppress(PermissionError):
            os.chown(new, there.st_uid, there.st_gid)
    new.chmod(there.st_mode & 0o7777)
