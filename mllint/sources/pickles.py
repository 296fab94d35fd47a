"""Pickles as lists of opcodes: which classes and functions they name. Nothing is ever loaded."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_OPCODES = 50_000
_MAX_PICKLES = 5
"""A file of torch before 1.6 is five pickles one after the other."""
_NAME = regex(r"[^\W\d]\w*(?:\.[^\W\d][\w<>]*)+")
# What joblib puts in front of the bytes of an array, which then lie between the opcodes.
_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"
_LINE = re.compile(rb"c([A-Za-z_][\w.]{1,150})\n([A-Za-z_]\w{0,100})\n")
_STACKED = re.compile(rb"\x8c(.)([A-Za-z_][\w.]{0,150})\x94?\x8c(.)([A-Za-z_][\w.]{0,100})\x94?\x93", re.DOTALL)
_SKLEARN_KEY = b"_sklearn_version"
_SKLEARN = re.compile(
    rb"_sklearn_version(?:\x94|q.|r.{4}|\np\d+\n)?(?:\x8c(?P<short>.)|X(?P<long>.{4})|V(?P<line>[^\n]+))", re.DOTALL
)
_VERSION = regex(r"\d+\.\d[\w.+]*")
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


class Scan(NamedTuple):
    """What the start of a file of pickles tells."""

    protocol: int
    """From 2 on as written; 0 stands for 1 too, which the bytes do not tell."""
    globals: tuple[str, ...]
    """Dotted names of classes and functions, in order, each once."""
    sklearn_version: str | None
    """The release of scikit-learn that wrote an estimator."""
    is_torch: bool
    """Whether `torch.save` wrote it in its form from before 1.6."""
    is_whole: bool
    """Whether every opcode was read, so that no other class or function is named."""


def scan(data: bytes) -> Scan | None:
    """Read the opcodes of a file's start; None where the first of them are no pickle."""
    reader = _Reader()
    stream = io.BytesIO(data)
    is_whole = False
    for _ in range(_MAX_PICKLES):
        is_whole = reader.read(stream)
        if not is_whole or stream.tell() == len(data):
            break
    if reader.opcodes < 2:
        return None
    names = dict.fromkeys(name for name in reader.globals if _NAME.fullmatch(name))
    if not is_whole:
        names |= dict.fromkeys(_named(data[reader.at :]))
    is_whole = is_whole and (reader.is_torch or stream.tell() == len(data))
    return Scan(reader.protocol, tuple(names), sklearn_version(data), reader.is_torch, is_whole)


def _named(data: bytes) -> Iterator[str]:
    """The classes and functions that are named among bytes which are no opcodes."""
    for match in _LINE.finditer(data):
        yield f"{match[1].decode()}.{match[2].decode()}"
    for match in _STACKED.finditer(data):
        if (match[1][0], match[3][0]) == (len(match[2]), len(match[4])):
            yield f"{match[2].decode()}.{match[4].decode()}"


def sklearn_version(data: bytes) -> str | None:
    """The release of scikit-learn that is written beside the state of the first estimator among bytes of a pickle."""
    at = data.find(_SKLEARN_KEY)
    match = _SKLEARN.match(data, at) if at >= 0 else None
    if match is None:
        return None
    length = int.from_bytes(match["short"] or match["long"] or b"", "little")
    text = (match["line"] or data[match.end() : match.end() + min(length, 32)]).decode("ascii", "replace")
    return text if _VERSION.fullmatch(text) else None


class _Reader:
    """Follows as much of the pickle machine as names need: the strings last pushed, and the memo."""

    def __init__(self) -> None:
        self.opcodes = 0
        self.at = 0
        self.protocol = 0
        self.globals: dict[str, None] = {}
        self.is_torch = False
        self.memo: dict[int, str] = {}
        self.before = self.last = ""

    def read(self, stream: io.BytesIO) -> bool:
        """Read one pickle; whether it came to its end, and otherwise `at` is how far it surely is one."""
        from pickletools import genops

        self.memo = {}
        memoized = 0
        top = ""
        argument: Any
        try:
            for opcode, argument, at in genops(stream):
                self.opcodes += 1
                self.at = at or 0
                if self.opcodes > _MAX_OPCODES or _ARRAY in self.globals:
                    return False
                name = opcode.name
                if name == "PROTO":
                    # torch writes the number 1001 as a pickle of its own, not as a protocol.
                    self.protocol = max(self.protocol, argument)
                elif name.endswith("UNICODE"):
                    top = argument
                    self.push(argument)
                elif name == "MEMOIZE":
                    self.memo[memoized] = top
                    memoized += 1
                elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                    self.memo[argument] = top
                elif name in ("BINGET", "LONG_BINGET", "GET"):
                    top = self.memo.get(argument, "")
                    self.push(top)
                elif name == "GLOBAL":
                    self.globals.setdefault(argument.replace(" ", ".", 1))
                    top = ""
                elif name == "STACK_GLOBAL":
                    self.globals.setdefault(f"{self.before}.{self.last}")
                    top = ""
                elif name == "LONG1":
                    self.is_torch = self.is_torch or argument == _TORCH_MAGIC
                else:
                    top = ""
        except (ValueError, UnicodeError, OverflowError, MemoryError, IndexError):
            # Truncated, or no pickle from here on.
            return False
        return True

    def push(self, text: str) -> None:
        """Note a string that a later opcode may take."""
        self.before, self.last = self.last, text
