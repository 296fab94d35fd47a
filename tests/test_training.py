"""What copies bring along of training, and weights beside source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from paper import last_in

from mllint.image.content.training import unread
from mllint.image.content.weights import late_weights

if TYPE_CHECKING:
    from pathlib import Path

    from mllint.image.stage import Stage


def stage(folder: Path, lines: str, **sizes: int) -> Stage:
    made = last_in(folder, f"FROM python:3.11-slim-bookworm\nWORKDIR /app\n{lines}\n", {"main.py": "print()\n"})
    for name, megabytes in sizes.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(megabytes * 1_000_000)
    return made


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("data__train_DOT_csv", "data set"),
        ("raw_DOT_tar_DOT_gz", "archive"),
        ("out__epoch3_DOT_pt", "checkpoint"),
        ("out__checkpoint-500__model_DOT_safetensors", "checkpoint"),
        ("out__optimizer_DOT_pt", "optimizer state"),
        ("wandb__run__x_DOT_log", "training log"),
        ("model_DOT_safetensors", None),
        ("node_modules__x_DOT_csv", None),
    ],
)
def test_what_a_file_is(tmp_path, name, what):
    made = stage(tmp_path, "COPY . .", **{name: 30})
    assert [each.what for each in unread(made, made.steps[-1].copy)] == ([what] if what else [])


def test_a_second_format_is_no_use(tmp_path):
    names = ("m__model_DOT_safetensors", "m__pytorch_model_DOT_bin", "m__tf_model_DOT_h5", "n__pytorch_model_DOT_bin")
    made = stage(tmp_path, "COPY . .", **dict.fromkeys(names, 60))
    assert [each.entry.path for each in unread(made, made.steps[-1].copy)] == ["m/pytorch_model.bin", "m/tf_model.h5"]


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ("COPY . .", ["with"]),
        ("COPY main.py .\nCOPY model model", ["behind"]),
        ("COPY main.py .\nCOPY --link model model", []),
        ("COPY model model\nCOPY main.py .", []),
        ("COPY main.py .\nRUN hf download acme/ranker", ["download"]),
        (
            "COPY main.py .\nRUN curl -LO https://files.example/a.onnx\nRUN curl -LO https://files.example/b.onnx",
            ["download"],
        ),
        ("COPY main.py .\nRUN --mount=type=cache,target=/root/.cache hf download acme/ranker", []),
        ("COPY main.py .\nRUN curl -LO https://files.example/a.txt", []),
    ],
)
def test_weights_and_source(tmp_path, lines, kinds):
    made = stage(tmp_path, lines, model__a_DOT_onnx=60)
    assert [each.kind for each in late_weights(made)] == kinds
