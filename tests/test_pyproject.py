"""What a `pyproject.toml` says of a project, and where."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from mllint.sources import poetry
from mllint.sources.pyproject import folder_of_package, parse
from mllint.sources.requirements import Invalid
from mllint.sources.text import Source

PROJECT = r"""
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "Demo_App"
version = "1.0"
requires-python = ">=3.11,<3.13"
readme = {file = "docs/README.md", content-type = "text/markdown"}
dynamic = ["description"]
dependencies = [
  "fastapi>=0.110",  # the server
  'torch==2.5.1; sys_platform == "linux"',
  "uvicorn[standard] ; python_version < \"3.13\"",
  "not a requirement",
]
scripts = {demo = "demo.cli:main"}

[project.optional-dependencies]
Extra_One = ["matplotlib"]

[dependency-groups]
dev = ["pytest", {include-group = "Lint"}]
lint = ["ruff", {include-group = "dev"}]

[tool.hatch.build.targets.wheel]
packages = ["src/demo"]

[tool.uv]
package = false
default-groups = "all"
dev-dependencies = ["mypy"]
[[tool.uv.index]]
name = "internal"
url = "https://index.example/simple"
explicit = true
[[tool.uv.index]]
url = "https://mirror.example/simple"
default = true
[tool.uv.sources]
torch = [{index = "internal", marker = "sys_platform == 'linux'"}, {path = "torch.whl", extra = "cpu"}]
lib = {workspace = true}
"""

POETRY = """
[tool.poetry]
name = "demo"
version = "0.1.0"
readme = ["README.md", "CHANGES.md"]
package-mode = false
packages = [{include = "demo", from = "src"}, {include = "extra"}]

[tool.poetry.dependencies]
python = "^3.11"
requests = "~2.31"
uvicorn = {version = "^0.30", extras = ["standard"], optional = true, source = "internal"}
pywin32 = {version = "*", platform = "win32"}
numpy = [
  {version = "<2", python = "<3.12"},
  {version = ">=2", python = ">=3.12"},
]
lib = {path = "../lib", develop = true}
tool = {git = "https://forge.example/tool.git", tag = "v1", markers = "os_name == 'posix'"}

[tool.poetry.extras]
Serve = ["uvicorn"]

[tool.poetry.group.dev.dependencies]
pytest = "*"
[tool.poetry.group.Gpu]
optional = true
[tool.poetry.group.Gpu.dependencies]
torch = ">=2,<3"

[tool.poetry.scripts]
demo = "demo:main"

[[tool.poetry.source]]
name = "internal"
url = "https://index.example/simple"
priority = "explicit"
"""


def read(text):
    return parse(Source("pyproject.toml", text))


def written(text, span):
    return text[span.start : span.end]


def texts(items):
    return [item.text for item in items]


# --- PEP 621 and 735 ----------------------------------------------------------------------------------------------


def test_project():
    project = read(PROJECT)
    assert project.problems == ()
    assert (project.name.text, project.version.text) == ("Demo_App", "1.0")
    assert written(PROJECT, project.requires_python.span) == '">=3.11,<3.13"'
    assert texts(project.readme) == ["docs/README.md"]
    assert project.dynamic == {"description"}
    assert [(each.name, each.target) for each in project.scripts] == [("demo", "demo.cli:main")]
    assert PROJECT.splitlines()[project.scripts[0].line - 1].startswith("scripts")
    assert project.build_system.backend == "hatchling.build"
    assert project.build_system.requires[0].key == "hatchling"
    assert texts(project.packages) == ["src/demo"]
    assert set(project.optional_dependencies) == {"extra-one"}


def test_dependencies_stand_where_their_spans_say():
    fastapi, torch, uvicorn, invalid = read(PROJECT).dependencies
    assert written(PROJECT, fastapi.span) == "fastapi>=0.110"
    assert written(PROJECT, torch.marker_span) == 'sys_platform == "linux"'
    assert (uvicorn.extras, uvicorn.marker) == (("standard",), 'python_version < "3.13"')
    assert written(PROJECT, uvicorn.marker_span) == r"python_version < \"3.13\""
    assert isinstance(invalid, Invalid)
    assert written(PROJECT, invalid.span) == "not a requirement"


def test_groups_with_those_they_include():
    project = read(PROJECT)
    assert texts(project.group("DEV")) == ["pytest", "ruff"]
    assert texts(project.group("lint")) == ["ruff", "pytest"]
    assert project.group("absent") is None
    assert PROJECT.splitlines()[project.groups["lint"].line - 1].startswith("lint =")


def test_tables_of_setuptools():
    project = read("""
[project]
name = "x"
dynamic = ["dependencies", "optional-dependencies"]
[tool.setuptools]
packages = ["demo", "demo.sub"]
py-modules = ["one"]
package-dir = {"" = "src", "demo.sub" = "lib/sub"}
[tool.setuptools.dynamic]
dependencies = {file = ["requirements.txt"]}
optional-dependencies.dev = {file = "dev.txt"}
""")
    assert texts(project.packages) == ["src/demo", "lib/sub"]
    assert texts(project.modules) == ["one"]
    assert texts(project.requirement_files) == ["requirements.txt", "dev.txt"]
    found = read("[tool.setuptools.packages.find]\nwhere = ['src']\n")
    assert texts(found.package_roots) == ["src"]


@pytest.mark.parametrize(
    ("name", "folders", "expected"),
    [
        ("a.b", {}, "a/b"),
        ("a.b", {"": "src"}, "src/a/b"),
        ("a.b", {"a": "lib/"}, "lib/b"),
        ("a", {"a": ""}, ""),
    ],
)
def test_folder_of_package(name, folders, expected):
    assert folder_of_package(name, folders) == expected


def test_uv():
    uv = read(PROJECT).uv
    assert uv.is_package is False
    assert uv.default_groups == ("*",)
    assert uv.dev_dependencies[0].key == "mypy"
    internal, mirror = uv.indexes
    assert (internal.name, internal.is_explicit, internal.is_default) == ("internal", True, False)
    assert (mirror.name, mirror.url, mirror.is_default) == (None, "https://mirror.example/simple", True)
    assert [(each.name, each.kind, each.location, each.extra) for each in uv.overrides] == [
        ("torch", "index", "internal", None),
        ("torch", "path", "torch.whl", "cpu"),
        ("lib", "workspace", "true", None),
    ]
    assert uv.overrides[0].marker == "sys_platform == 'linux'"
    assert read("[tool.uv]\n").uv.default_groups == ("dev",)
    assert read("").uv is None


# --- Poetry -------------------------------------------------------------------------------------------------------


def test_poetry():
    project = read(POETRY)
    table = project.poetry
    assert (project.name.text, project.requires_python.text) == ("demo", ">=3.11,<4.0")
    assert texts(project.readme) == ["README.md", "CHANGES.md"]
    assert texts(project.packages) == ["src/demo", "extra"]
    assert (table.is_package, table.extras) == (False, {"serve": ("uvicorn",)})
    assert [each.requirement.text for each in table.dependencies] == [
        "requests>=2.31,<2.32",
        "uvicorn[standard]>=0.30,<0.31",
        "pywin32 ; sys_platform == 'win32'",
        "numpy<2 ; python_version < '3.12'",
        "numpy>=2 ; python_version >= '3.12'",
        "lib @ ../lib",
        "tool @ git+https://forge.example/tool.git@v1 ; os_name == 'posix'",
    ]
    uvicorn, lib = table.dependencies[1], table.dependencies[5]
    assert (uvicorn.constraint, uvicorn.is_optional, uvicorn.source) == ("^0.30", True, "internal")
    assert written(POETRY, uvicorn.requirement.specifier_span) == '"^0.30"'
    assert written(POETRY, uvicorn.requirement.name_span) == "uvicorn"
    assert lib.is_editable
    assert {name: group.is_optional for name, group in table.groups.items()} == {"dev": False, "gpu": True}
    assert [(each.name, each.is_default, each.is_explicit) for each in project.poetry_sources] == [
        ("internal", False, True)
    ]
    assert project.scripts[0].target == "demo:main"


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("^1.2.3", ">=1.2.3,<2.0.0"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3.0"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("^1!2.3", ">=1!2.3,<1!3.0"),
        ("~1.2.3", ">=1.2.3,<1.3.0"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        ("=1.2", "==1.2"),
        (">=1, !=1.5 <2", ">=1,!=1.5,<2"),
        (">= 1.0", ">=1.0"),
        ("~=1.4", "~=1.4"),
        ("v1.2", "==1.2"),
        ("2.1.0+cu118", "==2.1.0+cu118"),
        ("^1.2.3rc1", ">=1.2.3rc1,<2.0.0"),
        ("*", ""),
        ("", ""),
        ("^1 || ^2", None),
        ("latest", None),
        ("1.x", None),
        ("rc" * 200, None),
    ],
)
def test_constraints_as_specifiers(constraint, expected):
    assert poetry.specifier(constraint) == expected
    if expected:
        SpecifierSet(expected)


@settings(max_examples=200, deadline=None)
@given(st.text("^~<>=!.,*|0123456789arcv +-", max_size=12))
def test_specifiers_are_valid_or_none(constraint):
    translated = poetry.specifier(constraint)
    for clause in (translated or "").split(","):
        # A wildcard behind an order or a local version, which PEP 440 forbids, Poetry forbids too.
        if clause and not any(mark in clause for mark in "*+"):
            assert clause[0] in "<>=!~"


# --- whatever the text --------------------------------------------------------------------------------------------

WRONG = ["1", "true", "'x'", "[]", "[1]", "['x']", "[['x']]", "{}", "{a = 1}", "[{a = 1}]", "{dev = 3}"]
PLACES = [
    *("project", "project.name", "project.dependencies", "project.optional-dependencies", "project.scripts"),
    *("project.readme", "project.dynamic", "dependency-groups", "dependency-groups.dev", "build-system"),
    *("build-system.requires", "tool.uv", "tool.uv.index", "tool.uv.sources", "tool.uv.sources.x", "tool.poetry"),
    *("tool.poetry.dependencies", "tool.poetry.dependencies.x", "tool.poetry.group", "tool.poetry.group.x"),
    *(
        "tool.poetry.extras",
        "tool.poetry.source",
        "tool.poetry.packages",
        "tool.setuptools",
        "tool.setuptools.packages",
    ),
    *("tool.setuptools.package-dir", "tool.hatch.build", "tool", "tool.poetry.dependencies.python"),
]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(WRONG), max_size=4))
def test_values_of_any_kind_do_not_raise(values):
    text = "\n".join(f"{place} = {value}" for place, value in values.items())
    project = read(text)
    project.group("dev")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert project.problems


def test_broken_syntax_is_a_problem_with_a_place():
    text = PROJECT.replace('name = "Demo_App"', "name = Demo_App")
    project = read(text)
    assert text[project.problems[0].span.start :].startswith("Demo_App")
    assert (project.name, project.dependencies) == (None, ())


STRINGS = st.text('a"\\é😀\n\t;', min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(["numpy", "a.b"]), marker=st.sampled_from(['os_name == "nt"', "os_name=='é'"]), pad=STRINGS)
def test_spans_hold_behind_escapes(name, marker, pad):
    escaped = pad.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    requirement = f"{name}; {marker}".replace('"', '\\"').replace("é", "\\u00e9")
    text = f'[project]\ndescription = "{escaped}"\ndependencies = ["{requirement}"]\n'
    (line,) = read(text).dependencies
    assert written(text, line.name_span) == name
    assert tomllib.loads(f'x = "{written(text, line.marker_span)}"')["x"] == marker
