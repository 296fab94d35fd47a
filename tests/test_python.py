"""What Python source imports, defines and opens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.python import parse
from mllint.sources.text import Source

TEXT = """\
import os, numpy as np
import torch.nn.functional
from typing import TYPE_CHECKING
from fastapi import FastAPI
from . import models
from ..core.config import settings as conf
from lib import *

if TYPE_CHECKING:
    import pandas
else:
    import polars

try:
    import orjson as json
except ImportError:
    import json
finally:
    import late

try:
    import plain
except ValueError:
    pass

app = FastAPI(title="demo")
first, *rest = [each for each in ()]
typed: int = 3
declared: int
with open("model.pkl", "rb") as handle:
    model = handle.read()
for item in ():
    pass
if (walrus := 1):
    inner = 1

async def endpoint():
    import deferred
    local = 1

class Service:
    attribute = torch.load("weights.pt", map_location="cpu")

if __name__ == "__main__":
    run = 1
"""


def read(text):
    return parse(Source("main.py", text))


def test_imports_as_they_stand():
    module = read(TEXT)
    shown = [(each.name, each.level, each.names, each.condition, each.is_deferred) for each in module.statements]
    assert shown == [
        ("os", 0, (), None, False),
        ("numpy", 0, (), None, False),
        ("torch.nn.functional", 0, (), None, False),
        ("typing", 0, ("TYPE_CHECKING",), None, False),
        ("fastapi", 0, ("FastAPI",), None, False),
        ("", 1, ("models",), None, False),
        ("core.config", 2, ("settings",), None, False),
        ("lib", 0, ("*",), None, False),
        ("pandas", 0, (), "typing", False),
        ("polars", 0, (), None, False),
        ("orjson", 0, (), "optional", False),
        ("json", 0, (), "optional", False),
        ("late", 0, (), "optional", False),
        ("plain", 0, (), None, False),
        ("deferred", 0, (), None, True),
    ]
    assert TEXT.splitlines()[module.statements[9].line - 1].strip() == "import polars"
    assert {"torch", "fastapi", "deferred"} <= module.packages
    assert not {"core", "models", ""} & module.packages


def test_names_that_a_server_can_be_pointed_at():
    module = read(TEXT)
    assert module.assigned == {"app", "first", "rest", "typed", "handle", "model", "item", "walrus", "inner"}
    assert (module.functions, module.classes) == ({"endpoint"}, {"Service"})
    assert {"np", "torch", "conf", "json", "models", "*"} <= module.imported
    assert "orjson" not in module.names
    assert {"app", "endpoint", "Service", "FastAPI"} <= module.names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if __name__ == '__main__': pass", True),
        ("if '__main__' == __name__:\n    pass", True),
        ("if __name__ != '__main__': pass", False),
        ("def f():\n    if __name__ == '__main__': pass", False),
        ("__name__ == '__main__'", False),
    ],
)
def test_main_guard(text, expected):
    assert read(text).has_main_guard is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open('model.pkl', 'rb')", [("open", "model.pkl")]),
        ("import joblib as j\nj.load('m.joblib')", [("joblib.load", "m.joblib")]),
        (
            "from pathlib import Path\nPath('a/b').read_text()",
            [("pathlib.Path.read_text", "a/b"), ("pathlib.Path", "a/b")],
        ),
        (
            "from transformers import AutoModel as M\nM.from_pretrained('./m', local_files_only=True)",
            [("transformers.AutoModel.from_pretrained", "./m")],
        ),
        (
            "app.mount('/static', StaticFiles(directory='static'))",
            [("StaticFiles", "static")],
        ),
        ("open(name)", []),
        ("open(f'{name}.pkl')", []),
        ("open()", []),
        ("print('model.pkl')", []),
    ],
)
def test_paths_that_calls_open(text, expected):
    assert [(each.function, each.path) for each in read(text).opened] == expected


def test_calls_keep_their_literal_arguments():
    call = next(each for each in read(TEXT).calls if each.name == "torch.load")
    assert (call.argument, call.keywords) == ("weights.pt", {"map_location": "cpu"})
    assert TEXT.splitlines()[call.line - 1].strip().startswith("attribute")


@pytest.mark.parametrize("text", ["def", "print 'x'", "a\0b", "(" * 5000, "\ud800 ="])
def test_what_is_no_python_gives_none(text):
    assert read(text) is None


def test_long_chains_are_read():
    chain = "a" + ".b()" * 900
    assert any(call.name.startswith("a.b().b()") for call in read(chain).calls)


STATEMENTS = st.sampled_from(
    [
        *(
            "import a",
            "from . import b",
            "from .c import *",
            "try:\n import d\nexcept: pass",
            "x = lambda: y",
            "open(1)",
        ),
        *("try:\n import e\nexcept (A, ImportError): pass", "if t.TYPE_CHECKING:\n import f", "del x", "a[0].b()('c')"),
        *(
            "try:\n import g\nexcept* ImportError: pass",
            "StaticFiles(directory=3)",
            "match x:\n case [y]: pass",
            "x: int",
        ),
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STATEMENTS, max_size=6).map("\n".join))
def test_any_module_is_read(text):
    module = read(text)
    assert module.imports == {each.name for each in module.statements if not each.level}
    assert isinstance(module.opened, tuple)
    assert [each.line for each in module.statements] == sorted(each.line for each in module.statements)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MODEL = 'a.pkl'\nload(MODEL)\n", ["a.pkl"]),
        ("MODEL: str = 'a.pkl'\nload(MODEL)\n", ["a.pkl"]),
        ("MODEL = 'a.pkl'\nMODEL = other()\nload(MODEL)\n", []),
        ("MODEL = 'a.pkl'\ndef read(MODEL):\n    load(MODEL)\n", []),
        ("open('a', 'rb')\nopen('b', 'w')\nopen('c', mode='a')\n", ["a"]),
        ("open('a', 'w')\nopen('a')\n", []),
        ("import os\nif os.path.exists('a'):\n    open('a')\n", []),
    ],
)
def test_what_is_read_before_it_can_be_made(text: str, expected: list[str]):
    module = parse(Source("main.py", text))
    assert module is not None
    assert [each.path for each in module.opened] == expected
