import ast

import pytest

from mllint.sources import python_run
from mllint.sources.text import Source


def _started(text: str, *, is_main: bool = False) -> list[str]:
    code = python_run.parse(Source("main.py", text))
    assert code is not None
    return [code.name(node.func) for node in code.started(is_main=is_main) if isinstance(node, ast.Call)]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("load()", ["load"]),
        ("import joblib as j\nmodel = j.load('m')", ["joblib.load"]),
        ("def f():\n    load()", []),
        ("def f(x=load()):\n    pass", ["load"]),
        ("class A:\n    x = load()\n    def f(self):\n        other()", ["load"]),
        ("if x:\n    load()\nelse:\n    other()", []),
        ("if ready():\n    load()", ["ready"]),
        ("try:\n    load()\nexcept OSError:\n    pass", []),
        ("try:\n    load()\nfinally:\n    close()", ["load", "close"]),
        ("with open('x') as f:\n    load(f)", ["open", "load"]),
        ("with contextlib.suppress(OSError):\n    load()", ["contextlib.suppress"]),
        ("for x in names():\n    load(x)", ["names"]),
        ("f = lambda: load()", []),
        ("x = a and load()", []),
        ("x = [load(y) for y in z]", []),
        ("def make():\n    load()\nmake()", ["make", "load"]),
        ("def make():\n    if x:\n        return\n    load()\nmake()", ["make"]),
        ("def make():\n    return load()\n    other()\nmake()", ["make", "load"]),
        ("def make():\n    make()\nmake()", ["make", "make"]),
        ("async def make():\n    load()\nmake()", ["make"]),
        ("raise SystemExit(load())\nother()", ["SystemExit", "load"]),
        ("if __name__ == '__main__':\n    load()", []),
    ],
)
def test_what_surely_runs_when_a_module_is_imported(text: str, calls: list[str]) -> None:
    assert _started(text) == calls


def test_what_runs_only_in_a_program() -> None:
    text = "def main():\n    load()\nif __name__ == '__main__':\n    main()"
    assert _started(text) == []
    assert _started(text, is_main=True) == ["main", "load"]


def test_functions_that_call_one_another_without_end() -> None:
    text = "\n".join(f"def f{n}():\n    f{n + 1}()" for n in range(2000)) + "\nf0()"
    assert _started(text)[0] == "f0"


def test_what_is_no_python() -> None:
    assert python_run.parse(Source("main.py", "def f(:\n")) is None
    assert python_run.parse(Source("main.py", "\0")) is None
