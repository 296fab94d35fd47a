"""What a model file is, told from its bytes alone: nothing is unpickled, imported or run.

Read are the first 64 KiB, of a pickle the first 16 MiB and the end, of a zip archive its directory and the start of the
members that describe it, of an ONNX file what stands behind the graph.
"""

from __future__ import annotations

import re
import stat
import struct
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from zipfile import ZipFile

ModelKind = Literal[
    "git-lfs",
    "safetensors",
    "gguf",
    "onnx",
    "tflite",
    "saved-model",
    "hdf5",
    "keras",
    "torch",
    "torchscript",
    "torch-archive",
    "pickle",
    "joblib",
    "npy",
    "npz",
    "unknown",
]
PREFIX = 65_536
"""How many bytes are read from the start of a file."""
_PICKLED = 16 << 20
"""How many bytes of a pickle are read, or unpacked."""


class ModelFile(NamedTuple):
    """A file that may hold a model."""

    kind: ModelKind
    size: int
    """Bytes on disk."""
    details: Mapping[str, int | str | bool | tuple[str, ...]]
    """What the headers tell; which keys there are depends on the kind, and none is sure to be there:

    git-lfs: `oid`, `size` of what it stands for · safetensors: `tensors`, `dtypes`, `data_bytes`, `is_complete` ·
    gguf: `version`, `tensors` · onnx: `ir_version`, `producer`, `producer_version`, `opsets` ("domain:version", the
    default domain empty) · tflite, hdf5, saved-model: none · keras: `keras_version` · npy: `dtype`, `shape` ·
    npz: `arrays` · torch, torchscript, pickle, joblib: `protocol`, `globals` (dotted names of classes and functions),
    `is_whole` (whether there are no others), `sklearn_version` · joblib: `compression` · torch: `is_zip` ·
    torch-archive (of TorchServe): none
    """


Details = dict[str, int | str | bool | tuple[str, ...]]
_Found = tuple[ModelKind, Details]


def read(path: Path) -> ModelFile | None:
    """Tell what a file is, "unknown" where its bytes do not; None where it is no file or cannot be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        with path.open("rb") as file:
            head = file.read(PREFIX)
        found = _by_content(path, head, status.st_size)
    except OSError:
        return None
    kind, details = found or ("unknown", {})
    return ModelFile(kind, status.st_size, details)


def _by_content(path: Path, head: bytes, size: int) -> _Found | None:
    readers: tuple[tuple[bytes, Callable[[Path, bytes, int], _Found | None]], ...] = (
        (b"version https://git-lfs.github.com/spec/", _lfs),
        (b"GGUF", _gguf),
        (b"\x89HDF\r\n\x1a\n", lambda *_: ("hdf5", {})),
        (b"\x93NUMPY", _npy),
        (b"PK\x03\x04", _zip),
        (b"\x80", _plain),
    )
    for signature, reader in readers:
        if head.startswith(signature) and (found := reader(path, head, size)):
            return found
    if head[4:8] == b"TFL3":
        return "tflite", {}
    suffix = path.suffix.lower()
    # The formats without signature: the name must agree with the bytes.
    if path.name == "saved_model.pb" and head.startswith(b"\x08\x01\x12"):
        return "saved-model", {}
    if suffix in (".joblib", ".pkl", ".pickle", ".sav", ".gz", ".z") and (found := _compressed(path, head)):
        return found
    if suffix in (".pkl", ".pickle") and head[:1] in (b"(", b"]", b"}", b"c"):
        return _plain(path, head, size)
    return _safetensors(head, size) or _onnx(path, head, size)


# --- formats with a header of their own ---------------------------------------------------------------------------

_POINTER = re.compile(rb"^oid (?P<oid>\w+:[0-9a-f]+)\r?\nsize (?P<size>\d{1,18})\r?$", re.MULTILINE)


def _lfs(_path: Path, head: bytes, size: int) -> _Found | None:
    """A pointer, which Git LFS limits to less than 1024 bytes."""
    pointer = _POINTER.search(head)
    if pointer is None or size >= 1024:
        return None
    return "git-lfs", {"oid": pointer["oid"].decode(), "size": int(pointer["size"])}


def _gguf(_path: Path, head: bytes, _size: int) -> _Found | None:
    if len(head) < 16:
        return None
    version, tensors = struct.unpack_from("<IQ", head, 4)
    return "gguf", {"version": version, "tensors": tensors}


def _npy(_path: Path, head: bytes, _size: int) -> _Found | None:
    import ast

    match = re.match(rb"\x93NUMPY(?:\x01.(?P<short>..)|[\x02\x03].(?P<long>....))", head, re.DOTALL)
    if match is None:
        return None
    end = match.end() + int.from_bytes(match["short"] or match["long"], "little")
    try:
        header = ast.literal_eval(head[match.end() : end].decode("latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    shape = header.get("shape")
    axes = tuple(str(length) for length in shape) if isinstance(shape, tuple) else ()
    return "npy", {"dtype": str(header.get("descr")), "shape": axes}


_DTYPE = re.compile(rb'"dtype"\s*:\s*"(\w+)"')


def _safetensors(head: bytes, size: int) -> _Found | None:
    if len(head) < 10 or head[8:9] != b"{":
        return None
    length = int.from_bytes(head[:8], "little")
    if length + 8 > size or length > 100_000_000:
        return None
    header = head[8 : 8 + length]
    dtypes = _DTYPE.findall(header)
    details: Details = {
        "dtypes": tuple(sorted({dtype.decode() for dtype in dtypes})),
        "data_bytes": size - 8 - length,
    }
    if len(header) == length:
        ends = [int(end) for end in re.findall(rb'"data_offsets"\s*:\s*\[\s*\d{1,18}\s*,\s*(\d{1,18})\s*\]', header)]
        details["tensors"] = len(dtypes)
        details["is_complete"] = max(ends, default=0) == size - 8 - length
    return "safetensors", details


# --- ONNX ---------------------------------------------------------------------------------------------------------

_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET = 1, 2, 3, 7, 8
_WINDOW, _MAX_WINDOWS, _MARGIN = 4096, 64, 128
"""Behind the graph a file is read in pieces of this size; a field is decided by less than the margin."""
_FIELDS_OF_MODEL = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})


def _onnx(path: Path, head: bytes, size: int) -> _Found | None:
    """A `ModelProto`: it has no signature, so that all its fields must be ones of ONNX, a graph among them."""
    details: Details = {}
    opsets: list[str] = []
    numbers = set()
    with path.open("rb") as file:
        at, window, start, windows = 0, head, 0, 1
        while at < size:
            field = _field(window, at - start)
            if field is None or field.number not in _FIELDS_OF_MODEL:
                return None
            numbers.add(field.number)
            if field.number == _OPSET:
                opsets.append(_opset(field.content))
            elif field.number == _IR_VERSION:
                details["ir_version"] = field.value
            elif field.number in (_PRODUCER, _PRODUCER_VERSION):
                key = "producer" if field.number == _PRODUCER else "producer_version"
                details[key] = field.content.decode("utf-8", "replace")
            at += field.size
            if at - start >= len(window) - _MARGIN and at < size:
                if windows == _MAX_WINDOWS:
                    break
                file.seek(at)
                start, window, windows = at, file.read(_WINDOW), windows + 1
    is_whole = at == size or windows == _MAX_WINDOWS
    if not is_whole or _GRAPH not in numbers or "ir_version" not in details:
        return None
    return "onnx", {**details, "opsets": tuple(opsets)}


class _Field(NamedTuple):
    """A field of a protobuf message; `content` is as much of it as was read."""

    number: int
    value: int
    content: bytes
    size: int


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A number and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    return None


def _field(data: bytes, at: int) -> _Field | None:
    """The field at a place: a number or something with a length, as all fields of ONNX's model are."""
    tag = _varint(data, at)
    number = _varint(data, tag[1]) if tag else None
    if tag is None or number is None or tag[0] & 7 not in (0, 2):
        return None
    value, end = number
    if tag[0] & 7 == 0:
        return _Field(tag[0] >> 3, value, b"", end - at)
    return _Field(tag[0] >> 3, value, data[end : end + value], end - at + value)


def _opset(content: bytes) -> str:
    domain, version, at = "", 0, 0
    while at < len(content) and (field := _field(content, at)):
        if field.number == 1:
            domain = field.content.decode("utf-8", "replace")
        elif field.number == 2:
            version = field.value
        at += field.size
    return f"{domain}:{version}"


# --- pickles and archives of them ---------------------------------------------------------------------------------


def _plain(path: Path, head: bytes, size: int) -> _Found | None:
    """A pickle that is not compressed. An estimator names the release that wrote it behind its arrays."""
    from mllint.sources.pickles import sklearn_version

    if size <= len(head):
        return _pickle(head)
    with path.open("rb") as file:
        found = _pickle(file.read(_PICKLED))
        if found is None or size <= _PICKLED or "sklearn_version" in found[1]:
            return found
        file.seek(-PREFIX, 2)
        version = sklearn_version(file.read())
    return (found[0], {**found[1], "is_whole": False, **({"sklearn_version": version} if version else {})})


def _pickle(head: bytes) -> _Found | None:
    """A pickle, as far as its opcodes tell."""
    from mllint.sources.pickles import scan

    scanned = scan(head)
    if scanned is None:
        return None
    details: Details = {"protocol": scanned.protocol, "globals": scanned.globals, "is_whole": scanned.is_whole}
    if scanned.sklearn_version:
        details["sklearn_version"] = scanned.sklearn_version
    if scanned.is_torch:
        return "torch", {**details, "is_zip": False}
    is_joblib = any(name.startswith("joblib.") for name in scanned.globals)
    return ("joblib", details) if is_joblib else ("pickle", details)


_PACKERS = (
    (b"\x78", "zlib"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
)


def _unpacked(packer: str, data: bytes) -> bytes | None:
    """The start of what was packed; None where that is damaged, or Python has nothing to unpack it with."""
    import bz2
    import lzma
    import zlib

    try:
        if packer in ("zlib", "gzip"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, _PICKLED)
        if packer == "bz2":
            return bz2.BZ2Decompressor().decompress(data, _PICKLED)
        if packer in ("xz", "lzma"):
            return lzma.LZMADecompressor(memlimit=1 << 28).decompress(data, _PICKLED)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return None
    return None


def _compressed(path: Path, head: bytes) -> _Found | None:
    """A pickle that joblib has compressed."""
    packer = next((name for signature, name in _PACKERS if head.startswith(signature)), None)
    if packer is None:
        return None
    with path.open("rb") as file:
        unpacked = _unpacked(packer, file.read(_PICKLED))
    if unpacked is None:
        return ("joblib", {"compression": packer}) if path.suffix.lower() == ".joblib" else None
    found = _pickle(unpacked)
    return ("joblib", {**found[1], "compression": packer}) if found else None


_MAX_DIRECTORY = 32 << 20
"""Bytes of a zip archive's directory above which it is not read: a model has some thousand members."""


def _directory(path: Path, size: int) -> int:
    """The bytes that the end of a zip archive says its directory has, the largest number where it says several."""
    with path.open("rb") as file:
        file.seek(max(0, size - PREFIX - 22))
        end = file.read()
    # The record of an archive beyond 4 GB has the number with eight bytes in another place.
    sizes = [int.from_bytes(end[at.start() + 12 : at.start() + 16], "little") for at in re.finditer(b"PK\x05\x06", end)]
    large = [int.from_bytes(end[at.start() + 40 : at.start() + 48], "little") for at in re.finditer(b"PK\x06\x06", end)]
    return max((*large, *(each for each in sizes if each != 0xFFFFFFFF or not large)), default=0)


def _zip(path: Path, _head: bytes, size: int) -> _Found | None:
    import zlib
    from zipfile import BadZipFile, ZipFile

    if _directory(path, size) > _MAX_DIRECTORY:
        return None
    try:
        with ZipFile(path) as archive:
            return _archive(archive, archive.namelist())
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, zlib.error):
        # Truncated, encrypted, or packed in a way that Python does not know.
        return None


def _archive(archive: ZipFile, names: list[str]) -> _Found | None:
    if data := next((name for name in names if name == "data.pkl" or name.endswith("/data.pkl")), None):
        folder = data.removesuffix("data.pkl")
        found = _pickle(_start(archive, data, _PICKLED))
        details = found[1] if found else {}
        if f"{folder}constants.pkl" in names:
            return "torchscript", details
        return "torch", {**details, "is_zip": True}
    if "MAR-INF/MANIFEST.json" in names:
        return "torch-archive", {}
    if {"config.json", "metadata.json"} <= {*names}:
        version = re.search(rb'"keras_version"\s*:\s*"([\w.+-]+)"', _start(archive, "metadata.json"))
        return "keras", {"keras_version": version[1].decode()} if version else {}
    if names and all(name.endswith(".npy") for name in names):
        return "npz", {"arrays": len(names)}
    return None


_PLAIN_MEMBERS = (0, 8)
"""Stored and deflated. Other ways to pack let a file say how much memory unpacking takes."""


def _start(archive: ZipFile, name: str, limit: int = PREFIX) -> bytes:
    if archive.getinfo(name).compress_type not in _PLAIN_MEMBERS:
        return b""
    with archive.open(name) as member:
        return member.read(limit)
