"""What model files are, told from bytes written by the formats' own rules."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.model_files import PREFIX, read
from mllint.sources.pickles import scan

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 438012727\n"
)


def told(path, data):
    path.write_bytes(data)
    return read(path)


def safetensors(header, data_bytes):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data_bytes)


TENSORS = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]},
    "b": {"dtype": "I64", "shape": [1], "data_offsets": [8, 16]},
}


def varint(number):
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(graph_bytes=100_000):
    opsets = field(8, field(2, 17)), field(8, field(1, b"ai.onnx.ml") + field(2, 3))
    head = field(1, 8) + field(2, b"pytorch") + field(3, b"2.5.1")
    return head + field(7, bytes(graph_bytes)) + b"".join(opsets)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Estimator:
    """Pickles as an estimator of scikit-learn does."""

    def __getstate__(self):
        return {"coef_": collections.OrderedDict(), "_sklearn_version": "1.4.1.post1"}


NPY = (
    b"\x93NUMPY\x01\x00"
    + struct.pack("<H", 64)
    + b"{'descr': '|O', 'fortran_order': False, 'shape': (3, 4), }".ljust(64)
)
PICKLE = pickle.dumps(Estimator(), protocol=4)
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
OLD_TORCH = b"".join(
    pickle.dumps(each, protocol=2) for each in (TORCH_MAGIC, 1001, {"a": 1}, collections.OrderedDict())
)
KERAS = {"metadata.json": b'{"keras_version": "3.4.1"}', "config.json": b"{}", "model.weights.h5": b""}

CASES = {
    "model.bin": (POINTER, "git-lfs"),
    "model.safetensors": (safetensors(TENSORS, 16), "safetensors"),
    "model.gguf": (b"GGUF" + struct.pack("<IQQ", 3, 291, 20), "gguf"),
    "model.onnx": (onnx(), "onnx"),
    "model.tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(20), "tflite"),
    "saved_model.pb": (b"\x08\x01\x12\x03abc", "saved-model"),
    "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "hdf5"),
    "model.npy": (NPY + bytes(96), "npy"),
    "model.npz": (zipped({"x.npy": NPY, "y.npy": NPY}), "npz"),
    "model.keras": (zipped(KERAS), "keras"),
    "model.pt": (zipped({"model/data.pkl": PICKLE, "model/version": b"3"}), "torch"),
    "scripted.pt": (zipped({"m/data.pkl": PICKLE, "m/constants.pkl": PICKLE}), "torchscript"),
    "old.pth": (OLD_TORCH, "torch"),
    "model.mar": (zipped({"MAR-INF/MANIFEST.json": b"{}"}), "torch-archive"),
    "model.pkl": (PICKLE, "pickle"),
    "text.pkl": (pickle.dumps(Estimator(), protocol=0), "pickle"),
    "model.joblib": (zlib.compress(PICKLE), "joblib"),
    "model.pkl.gz": (gzip.compress(PICKLE), "joblib"),
    "packed.joblib": (bz2.compress(PICKLE), "joblib"),
    "zeros.bin": (bytes(100_000), "unknown"),
    "empty.pt": (b"", "unknown"),
    "notes.txt": (b"just text\n", "unknown"),
    "some.zip": (zipped({"a.txt": b"a"}), "unknown"),
}


@pytest.mark.parametrize(("name", "data", "kind"), [(name, *case) for name, case in CASES.items()])
def test_kinds(tmp_path, name, data, kind):
    model = told(tmp_path / name, data)
    assert (model.kind, model.size) == (kind, len(data))


def test_details_of_headers(tmp_path):
    def details(name):
        return told(tmp_path / name, CASES[name][0]).details

    assert details("model.bin") == {
        "oid": "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393",
        "size": 438012727,
    }
    assert details("model.safetensors") == {
        "dtypes": ("F16", "I64"),
        "data_bytes": 16,
        "tensors": 2,
        "is_complete": True,
    }
    assert details("model.gguf") == {"version": 3, "tensors": 291}
    assert details("model.onnx") == {
        "ir_version": 8,
        "producer": "pytorch",
        "producer_version": "2.5.1",
        "opsets": (":17", "ai.onnx.ml:3"),
    }
    assert details("model.npy") == {"dtype": "|O", "shape": ("3", "4")}
    assert details("model.npz") == {"arrays": 2}
    assert details("model.keras") == {"keras_version": "3.4.1"}
    assert details("model.pt")["is_zip"] is True
    assert details("old.pth")["is_zip"] is False
    assert details("model.joblib")["compression"] == "zlib"
    assert details("packed.joblib")["compression"] == "bz2"
    assert details("model.pkl")["is_whole"] is True


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_name_their_classes_and_are_not_loaded(tmp_path, protocol):
    path = tmp_path / "model.pkl"

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "loaded"),)

    module = Estimator.__module__
    model = told(path, pickle.dumps([Estimator(), Trap()], protocol=protocol))
    assert {f"{module}.Estimator", "collections.OrderedDict", f"{os.name}.mkdir"} <= {*model.details["globals"]}
    assert model.details["sklearn_version"] == "1.4.1.post1"
    assert model.details["protocol"] == (protocol if protocol > 1 else 0)
    assert not (tmp_path / "loaded").exists()


def test_bytes_of_arrays_among_opcodes_name_nothing():
    scanned = scan(b"\x80\x04cnumpy\nndarray\ncnot a\nname\nc\xc3\xa9\n1\n" + b"\xff" * 10)
    assert scanned.globals == ("numpy.ndarray",)


@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_what_joblib_writes_behind_the_bytes_of_arrays(tmp_path, pack):
    array = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b\x80\x04."
    class_behind = b"\x8c\x10lightgbm.sklearn\x94\x8c\x0eLGBMClassifier\x94\x93)\x81}(X\x10\x00\x00\x00_sklearn_version"
    data = b"\x80\x04" + array + bytes(range(256)) + class_behind + b"\x94\x8c\x051.5.2ub."
    model = told(tmp_path / "model.joblib", pack(data))
    assert model.kind == "joblib"
    assert model.details["globals"] == ("joblib.numpy_pickle.NumpyArrayWrapper", "lightgbm.sklearn.LGBMClassifier")
    assert (model.details["sklearn_version"], model.details["is_whole"]) == ("1.5.2", False)


def test_the_end_of_a_long_pickle_is_read(tmp_path):
    path = tmp_path / "forest.pkl"
    with path.open("wb") as file:
        file.write(b"\x80\x04csklearn.ensemble._forest\nRandomForestClassifier\n)\x81}(\x8c\x01aB\x00\x00\x00\x02")
        file.truncate(40 << 20)
        file.seek(0, 2)
        file.write(b"\x8c\x10_sklearn_version\x94\x8c\x051.2.2ub.")
    model = read(path)
    assert model.details["sklearn_version"] == "1.2.2"
    assert model.details["globals"] == ("sklearn.ensemble._forest.RandomForestClassifier",)


def test_little_memory_is_spent_on_what_files_promise(tmp_path):
    bomb = zlib.compress(b"\x80\x04" + bytes(200 << 20), 9)
    archive = zipped({"m/data.pkl": PICKLE})
    promise = archive[:-10] + struct.pack("<I", 3 << 30) + archive[-6:]
    tracemalloc.start()
    try:
        told(tmp_path / "bomb.joblib", bomb)
        assert told(tmp_path / "promise.pt", promise).kind == "unknown"
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_incomplete_safetensors(tmp_path):
    assert told(tmp_path / "m.safetensors", safetensors(TENSORS, 10)).details["is_complete"] is False
    many = {f"layer.{at}": {"dtype": "F32", "shape": [1], "data_offsets": [at, at + 1]} for at in range(5000)}
    model = told(tmp_path / "many.safetensors", safetensors(many, 20))
    assert model.kind == "safetensors"
    assert model.details == {"dtypes": ("F32",), "data_bytes": 20}


def test_a_sparse_file_keeps_its_size(tmp_path):
    path = tmp_path / "model.bin"
    with path.open("wb") as file:
        file.truncate(50 * PREFIX)
    assert read(path) == ("unknown", 50 * PREFIX, {})


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path) is None
    assert read(tmp_path / "absent") is None
    assert read(tmp_path / "pipe") is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from([*CASES]),
    end=st.floats(0, 1),
    at=st.floats(0, 1),
    junk=st.binary(max_size=4),
    is_nul_filled=st.booleans(),
)
def test_damaged_files_do_not_raise(folder, name, end, at, junk, is_nul_filled):
    data = CASES[name][0]
    kept = int(end * len(data))
    damaged = bytearray(data[:kept] + bytes(len(data) - kept if is_nul_filled else 0))
    place = int(at * len(damaged))
    damaged[place : place + len(junk)] = junk
    assert told(folder / name, bytes(damaged)).size == len(damaged)


SIGNATURES = [
    b"",
    b"\x80\x04",
    b"\x80\x02c",
    b"PK\x03\x04",
    b"x\x9c",
    b"\x1f\x8b\x08",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"GGUF",
    b"\x08\x07:",
]
NAMES = ["a.pkl", "a.joblib", "a.pt", "a.onnx", "a.safetensors", "a.keras", "a.npy", "a.h5", "saved_model.pb"]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(NAMES), signature=st.sampled_from(SIGNATURES), data=st.binary(max_size=300))
def test_any_bytes_are_read(folder, name, signature, data):
    assert told(folder / name, signature + data).size == len(signature + data)
