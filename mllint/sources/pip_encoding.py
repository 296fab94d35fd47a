"""The encoding of a requirements file, found out as pip does it."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple


class Decoded(NamedTuple):
    """The text of a file, and how to write it: `bom + text.encode(encoding)`."""

    text: str
    encoding: str
    bom: bytes


# UTF-32 first: its little-endian mark begins with that of UTF-16.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"(?:[^\n]*\n)??#[^\n]*?coding[:=][ \t\r\f\v]*([-\w.]+)")


def decode(data: bytes) -> Decoded:
    """Decode a requirements file as pip does: byte order mark, PEP 263 comment in the first two lines, else UTF-8.

    Raises UnicodeDecodeError where pip would fail, also for an encoding that Python does not have. pip then tries the
    encoding of the locale, but in a container that is UTF-8 again.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return Decoded(data[len(bom) :].decode(encoding), encoding, bom)
    if coding := _CODING.match(data):
        encoding = coding[1].decode("ascii")
        try:
            return Decoded(data.decode(encoding), encoding, b"")
        except UnicodeDecodeError:
            raise
        except (LookupError, UnicodeError) as error:
            raise UnicodeDecodeError(encoding, data, *coding.span(1), str(error)) from error
    return Decoded(data.decode("utf-8"), "utf-8", b"")


def without_nuls(text: str) -> str | None:
    """The text of a file that is UTF-16 in whole or part, without the mark that tells of it, and so was read with a NUL
    beside each character; None for any other text."""
    if "\0" not in text or "\0\0" in text:
        return None
    plain = text.replace("\0", "")
    is_readable = plain.isascii() and all(each.isprintable() or each in "\t\r\n" for each in plain)
    return plain if is_readable and text.count("\0") > 2 else None
