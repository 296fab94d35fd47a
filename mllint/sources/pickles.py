"""Pickles as lists of opcodes: which classes and functions they name. Nothing is ever loaded."""

from __future__ import annotations

import io
import pickletools
import re
from typing import Any, NamedTuple

from mllint.patterns import regex

_MAX_OPCODES = 50_000
_MAX_PICKLES = 5
"""A file of torch before 1.6 is five pickles one after the other."""
_NAME = regex(r"[^\W\d]\w*(?:\.[^\W\d][\w<>]*)+")
_SKLEARN = re.compile(
    rb"_sklearn_version(?:\x94|q.|r.{4}|\np\d+\n)?(?:\x8c(?P<short>.)|X(?P<long>.{4})|V(?P<line>[^\n]+))", re.DOTALL
)
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


def scan(data: bytes) -> Scan | None:
    """Read the opcodes of a file's start; None where the first of them are no pickle."""
    reader = _Reader()
    stream = io.BytesIO(data)
    for _ in range(_MAX_PICKLES):
        if not reader.read(stream) or stream.tell() == len(data):
            break
    if reader.opcodes < 2:
        return None
    # joblib writes the bytes of arrays between the opcodes, which may look like any of them.
    names = tuple(name for name in reader.globals if _NAME.fullmatch(name))
    return Scan(reader.protocol, names, _sklearn_version(data), reader.is_torch)


def _sklearn_version(data: bytes) -> str | None:
    match = _SKLEARN.search(data)
    if match is None:
        return None
    length = int.from_bytes(match["short"] or match["long"] or b"", "little")
    return (match["line"] or data[match.end() : match.end() + min(length, 32)]).decode("ascii", "replace")


class _Reader:
    """Follows as much of the pickle machine as names need: the strings last pushed, and the memo."""

    def __init__(self) -> None:
        self.opcodes = 0
        self.protocol = 0
        self.globals: dict[str, None] = {}
        self.is_torch = False
        self.memo: dict[int, str] = {}
        self.before = self.last = ""

    def read(self, stream: io.BytesIO) -> bool:
        """Read one pickle; whether it came to its end."""
        self.memo = {}
        memoized = 0
        top = ""
        argument: Any
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                self.opcodes += 1
                if self.opcodes > _MAX_OPCODES:
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
