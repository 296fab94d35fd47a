"""The build context as an archive, for an engine that is asked without the docker command."""

from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING

from mllint.verification.records import VerifyError

if TYPE_CHECKING:
    from mllint.image.context import Context, Entry
    from mllint.verification.records import Variant
    from mllint.verification.staging import Staged

_ELSEWHERE = ".mllint-verify.Dockerfile"
"""The name of a Dockerfile that does not lie in its context. COPY . brings it along, which only the docker command can
prevent."""


def pack(variant: Variant, staged: Staged, file: IO[bytes]) -> str:
    """Write what the ignore file lets through, and the Dockerfile, and give the path of the Dockerfile in it."""
    context = variant.build.context
    is_inside = variant.path.is_relative_to(context.root)
    name = variant.path.relative_to(context.root).as_posix() if is_inside else _ELSEWHERE
    with tarfile.open(fileobj=file, mode="w") as archive:
        # First, as its plain header is what BuildKit knows an archive by.
        _add_text(archive, name, staged.path.read_bytes())
        _folder(archive, context, "", name)
    return name


def _folder(archive: tarfile.TarFile, context: Context, folder: str, left_out: str) -> None:
    for entry in context.tree.children(folder):
        if entry.path != left_out and not context.excludes(entry.path):
            _add(archive, context, entry)
        # Below a folder that stays out there may be what does not.
        if entry.is_folder and not (context.ignore and context.ignore.prunes(entry.path)):
            _folder(archive, context, entry.path, left_out)


def _add(archive: tarfile.TarFile, context: Context, entry: Entry) -> None:
    path = context.root / entry.path
    try:
        # What is no file, folder or link is left out, as BuildKit leaves sockets out.
        found = archive.gettarinfo(path, entry.path)
        if found is None or found.isdev():
            return
        # Not who happens to own the working tree: COPY gives files to root.
        found.uid, found.gid, found.uname, found.gname = 0, 0, "", ""
        if not found.isreg():
            archive.addfile(found)
            return
        with path.open("rb") as file:
            archive.addfile(found, file)
    except OSError as error:
        raise VerifyError(f"{entry.path} of the build context cannot be read: {error.strerror or error}") from error


def _add_text(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
