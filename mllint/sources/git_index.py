"""The index of a git repository: the modes of its files, which a checkout on another file system may have lost."""

from __future__ import annotations

_HEADER = 12
# Times, device, inode, mode, owner, size, name of the object, flags.
_MODE_AT, _FLAGS_AT, _PATH_AT = 24, 60, 62
_EXTENDED = 0x4000
_READABLE = (2, 3)


def modes(data: bytes) -> dict[str, int] | None:
    """The permission bits that git has of each file, by its path from the root of the repository: 0o644 or 0o755; None
    for what is no index, and for versions and object formats that are not read here."""
    version, count = (int.from_bytes(data[at : at + 4], "big") for at in (4, 8))
    if data[:4] != b"DIRC" or version not in _READABLE:
        return None
    found, at = {}, _HEADER
    for _ in range(count):
        flags = int.from_bytes(data[at + _FLAGS_AT : at + _PATH_AT], "big")
        start = at + _PATH_AT + (2 if flags & _EXTENDED else 0)
        end = data.find(b"\0", start)
        if end < 0:
            return None
        mode = int.from_bytes(data[at + _MODE_AT : at + _MODE_AT + 4], "big")
        try:
            found[data[start:end].decode()] = mode & 0o777
        except UnicodeDecodeError:
            return None
        # Each entry is filled up with 1 to 8 NULs.
        at += (end - at + 8) // 8 * 8
    return found
