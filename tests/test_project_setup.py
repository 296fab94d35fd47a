"""`setup.cfg` and `setup.py` read without running anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.project_setup import parse
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source

PYTHON = """\
# é
import os
from setuptools import setup, find_packages
reqs = ["numpy>=1.2", "torch==2.1; python_version < '3.12'"]
with open("requirements.txt") as file:
    read = file.read().splitlines()
text = open(os.path.join(here, "README.md")).read()
x = "é"; setup(
    name="demo", version=VERSION, python_requires=">=3.8",
    install_requires=reqs + ["pand" "as"], packages=["demo", "demo.sub"],
    package_dir={"": "src"}, extras_require={"Dev_X": [r"pytest"], "all": read},
    entry_points={"console_scripts": ["demo = demo.cli:main [x]"]}, py_modules=["one"],
)
"""

CFG = """\
[metadata]
name = demo
version = attr: demo.__version__

[options]
python_requires = >=3.8
packages = demo, demo.sub
package_dir =
    = src
py_modules = find:
install_requires =
    # the numbers
    numpy>=1.2
    torch==2.1; python_version < "3.12"

[options.extras_require]
Dev_X = pytest; ruff
all = file: requirements.txt, more.txt

[options.entry_points]
console_scripts =
    demo = demo.cli:main
"""


def read(name, text):
    return parse(Source(name, text))


def texts(items):
    return [item.text for item in items]


@pytest.mark.parametrize(("name", "text"), [("setup.py", PYTHON), ("setup.cfg", CFG)])
def test_what_both_files_say(name, text):
    setup = read(name, text)
    assert setup.problems == ()
    assert (setup.name, setup.version, setup.requires_python) == ("demo", None, ">=3.8")
    assert [each.key for each in setup.dependencies][:2] == ["numpy", "torch"]
    assert setup.dependencies[1].marker.startswith("python_version <")
    assert setup.optional_dependencies["dev-x"][0].key == "pytest"
    assert setup.optional_dependencies["all"] == ()
    assert {"version", "extras_require"} <= setup.dynamic
    assert texts(setup.packages) == ["src/demo", "src/demo/sub"]
    (script,) = setup.scripts
    assert (script.name, script.target) == ("demo", "demo.cli:main")
    assert "demo.cli:main" in text.splitlines()[script.line - 1]
    assert "requirements.txt" in texts(setup.opened)
    for line in setup.dependencies[:2]:
        assert text[line.name_span.start : line.name_span.end] == line.name


def test_places_in_setup_py():
    setup = read("setup.py", PYTHON)
    joined = setup.dependencies[2]
    assert (joined.name, PYTHON[joined.span.start]) == ("pandas", '"')
    (pytest_,) = setup.optional_dependencies["dev-x"]
    assert PYTHON[pytest_.span.start : pytest_.span.end] == "pytest"
    assert [PYTHON[each.span.start : each.span.end] for each in setup.opened] == ["requirements.txt", "README.md"]
    assert texts(setup.modules) == ["one"]


def test_places_in_setup_cfg():
    setup = read("setup.cfg", CFG.replace("\n", "\r\n"))
    assert [line.key for line in setup.optional_dependencies["dev-x"]] == ["pytest", "ruff"]
    text = setup.source.text
    assert [text[each.span.start : each.span.end] for each in setup.opened] == ["requirements.txt", "more.txt"]
    assert "py_modules" in setup.dynamic


@pytest.mark.parametrize(
    ("arguments", "dynamic"),
    [
        ("install_requires=names", {"install_requires"}),
        ("install_requires=['a', *names]", {"install_requires"}),
        ("packages=find_packages()", {"packages"}),
        ("name=f'x{1}'", {"name"}),
        ("**known", set()),
        ("**unknown()", {"**"}),
        ("extras_require={**names}", {"extras_require"}),
        ("entry_points='[console_scripts]'", {"entry_points"}),
        ("description=long", set()),
    ],
)
def test_what_is_not_literal_is_dynamic(arguments, dynamic):
    given = "names = []\nnames = ['x']\nknown = {'name': 'demo', 'install_requires': ['a']}\n"
    setup = read("setup.py", f"{given}setuptools.setup({arguments})")
    assert setup.dynamic == dynamic
    assert setup.name == ("demo" if arguments == "**known" else None)


def test_names_that_stand_for_themselves_are_dynamic():
    setup = read("setup.py", "a = b + ['x']\nb = a + ['y']\nsetup(install_requires=a)")
    assert texts(setup.dependencies) == ["x"]
    assert setup.dynamic == {"install_requires"}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("setup.py", "x = 1\nsetup(\n", 2),
        ("setup.py", "a\0b", 1),
        ("setup.cfg", "name = demo\n", 1),
        ("setup.cfg", "[metadata]\nname\n", 2),
        ("setup.cfg", "[metadata]\nname = a\nname = b\n", 3),
    ],
)
def test_broken_files_are_problems_with_a_place(name, text, line):
    setup = read(name, text)
    assert (setup.name, setup.dependencies) == (None, ())
    (problem,) = setup.problems
    assert setup.source.position(problem.span.start)[0] == line
    assert problem.message
    assert "<string>" not in problem.message


LINES = st.sampled_from(
    [
        *(
            "[options]",
            "[metadata]",
            "[options.extras_require]",
            "[DEFAULT]",
            "name = x",
            "install_requires =",
            "  a>=1",
        ),
        *(
            "  # b",
            "install_requires = a; b",
            "packages = find:",
            "dev = c",
            "x: y",
            "İ = 1",
            "  [options]",
            "%(x)s = 1",
        ),
        *("INSTALL_REQUIRES : d", "version = file: V", "package_dir = a", "", "junk"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES, max_size=10).map("\n".join))
def test_any_setup_cfg_is_read(text):
    setup = read("setup.cfg", text)
    for line in setup.dependencies:
        if isinstance(line, Requirement):
            assert text[line.span.start : line.span.end] == line.text


STATEMENTS = st.sampled_from(
    [
        *("a = ['x']", "a = a + ['y']", "b = a", "a = b", "setup(install_requires=a + b)", "setup(**a)", "setup(**{})"),
        *(
            "setup(extras_require={'d': b, 1: 2, **a})",
            "open()",
            "open(a)",
            "Path('x').open()",
            "setup",
            "setup(packages=[1])",
        ),
        *("setup(package_dir={'': a})", "setup(name=a)", "if x: setup(install_requires=('é', '''\nz'''))", "\r"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STATEMENTS, max_size=8).map("\n".join))
def test_any_setup_py_is_read(text):
    read("setup.py", text)
