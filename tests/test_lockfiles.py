"""Lock files as uv, Poetry, PDM and PEP 751 write them: what they hold, and what of it an image gets."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import compatible_tags, cpython_tags

from mllint.sources.lock_selection import Wanted, selected
from mllint.sources.lockfiles import Dependency, parse
from mllint.sources.markers import Environment, holds
from mllint.sources.text import Source
from mllint.sources.wheels import tag_rank, wheel_for

INDEX = "https://index.example/simple"

# As `uv lock` writes it, with fewer wheels and shorter hashes.
UV = """\
version = 1
revision = 5
requires-python = ">=3.11, <3.14"
conflicts = [[
    { package = "demo-app", extra = "cpu" },
    { package = "demo-app", extra = "gpu" },
]]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "INDEX" }
sdist = { url = "FILES/colorama-0.4.6.tar.gz", hash = "sha256:0869", size = 27697 }
wheels = [
    { url = "FILES/colorama-0.4.6-py2.py3-none-any.whl", hash = "sha256:4f1d", size = 25335 },
]

[[package]]
name = "demo-app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "colorama", marker = "sys_platform == 'win32'" },
    { name = "httpx", extra = ["http2"] },
    { name = "lib" },
]

[package.optional-dependencies]
cpu = [
    { name = "numpy", version = "1.26.4", source = { registry = "INDEX" } },
    { name = "pandas" },
]
gpu = [
    { name = "numpy", version = "2.1.0", source = { registry = "INDEX" } },
    { name = "pandas" },
]

[package.dev-dependencies]
dev = [
    { name = "iniconfig" },
]

[[package]]
name = "h2"
version = "4.4.1"
source = { registry = "INDEX" }
sdist = { url = "FILES/h2-4.4.1.tar.gz", hash = "sha256:4e86", size = 2157281 }
wheels = [
    { url = "FILES/h2-4.4.1-py3-none-any.whl", hash = "sha256:0e25", size = 62636 },
]

[[package]]
name = "httpx"
version = "0.28.1"
source = { registry = "INDEX" }
dependencies = [
    { name = "typing-extensions", marker = "python_full_version < '3.12'" },
]
sdist = { url = "FILES/httpx-0.28.1.tar.gz", hash = "sha256:75e9", size = 141406 }
wheels = [
    { url = "FILES/httpx-0.28.1-py3-none-any.whl", hash = "sha256:d909", size = 73517 },
]

[package.optional-dependencies]
http2 = [
    { name = "h2" },
]

[[package]]
name = "iniconfig"
version = "2.3.1"
source = { git = "https://forge.example/iniconfig?tag=v2.3.1#0123456789abcdef" }

[[package]]
name = "lib"
version = "0.1.0"
source = { editable = "lib" }

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "INDEX" }
sdist = { url = "FILES/numpy-1.26.4.tar.gz", hash = "sha256:2a02", size = 15786129 }
wheels = [
    { url = "FILES/numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:666d", size = 18252005 },
    { url = "FILES/numpy-1.26.4-cp311-cp311-musllinux_1_1_x86_64.whl", hash = "sha256:60de", size = 18093567 },
    { url = "FILES/numpy-1.26.4-cp311-cp311-win_amd64.whl", hash = "sha256:cd25", size = 15811913 },
]

[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "INDEX" }
sdist = { url = "FILES/numpy-2.1.0.tar.gz", hash = "sha256:7dc9", size = 18868922 }

[[package]]
name = "pandas"
version = "2.2.3"
source = { registry = "INDEX" }
dependencies = [
    { name = "numpy", version = "1.26.4", source = { registry = "INDEX" }, marker = "extra == 'extra-8-demo-app-cpu'" },
    { name = "numpy", version = "2.1.0", source = { registry = "INDEX" }, marker = "extra == 'extra-8-demo-app-gpu'" },
]

[[package]]
name = "typing-extensions"
version = "4.16.0"
source = { registry = "INDEX" }
wheels = [
    { url = "FILES/typing_extensions-4.16.0-py3-none-any.whl", hash = "sha256:481c", size = 45571 },
]
""".replace("INDEX", INDEX).replace("FILES", "https://files.example")

# As Poetry 2.5 writes it, with fewer packages and files.
POETRY = """\
[[package]]
name = "colorama"
version = "0.4.6"
description = "Cross-platform colored terminal text."
optional = false
python-versions = ">=2.7"
groups = ["main", "dev"]
markers = "sys_platform == \\"win32\\""
files = [
    {file = "colorama-0.4.6-py2.py3-none-any.whl", hash = "sha256:4f1d"},
    {file = "colorama-0.4.6.tar.gz", hash = "sha256:0869"},
]

[[package]]
name = "matplotlib"
version = "3.11.2"
description = "Python plotting package"
optional = true
python-versions = ">=3.11"
groups = ["main"]
markers = "extra == \\"viz\\""
files = []

[package.dependencies]
numpy = ">=1.25"

[[package]]
name = "numpy"
version = "1.26.4"
description = "Fundamental package for array computing in Python"
optional = false
python-versions = ">=3.9"
groups = ["main", "gpu"]
markers = {main = "extra == \\"viz\\""}
files = []

[package.source]
type = "legacy"
url = "https://index.example/simple"
reference = "internal"

[[package]]
name = "pytest"
version = "9.2.0"
description = "pytest: simple powerful testing with Python"
optional = false
python-versions = ">=3.10"
groups = ["dev"]
files = []

[package.dependencies]
colorama = {version = ">=0.4", markers = "sys_platform == \\"win32\\""}

[[package]]
name = "uvicorn"
version = "0.30.6"
description = "The lightning-fast ASGI server."
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = []

[extras]
viz = ["matplotlib"]

[metadata]
lock-version = "2.1"
python-versions = "^3.11"
content-hash = "3f6b83e3"
"""

PYLOCK = """\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"
extras = ["viz"]
dependency-groups = ["dev"]
default-groups = ["base"]

[[packages]]
name = "annotated-doc"
version = "0.0.7"
index = "https://index.example/simple"
sdist = { url = "https://files.example/annotated_doc-0.0.7.tar.gz", size = 10763, hashes = { sha256 = "0a30" } }
wheels = [{ url = "https://files.example/annotated_doc-0.0.7-py3-none-any.whl", size = 5305, hashes = { md5 = "6" } }]

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"

[[packages]]
name = "demo"
directory = { path = ".", editable = true }

[[packages]]
name = "matplotlib"
marker = "'viz' in extras"
archive = { url = "https://files.example/matplotlib-3.tar.gz?x=1#y", hashes = { sha256 = "6bc3" } }

[[packages]]
name = "pytest"
marker = "'dev' in dependency_groups or 'base' not in dependency_groups"
vcs = { type = "git", url = "https://forge.example/pytest", commit-id = "0123" }
"""

PDM = """\
[metadata]
groups = ["default", "dev", "viz"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
content_hash = "sha256:b1"

[[package]]
name = "click"
version = "8.1.7"
requires_python = ">=3.7"
summary = "Composable command line interface toolkit"
groups = ["viz"]
dependencies = ["colorama; platform_system == \\"Windows\\""]
files = [
    {file = "click-8.1.7-py3-none-any.whl", hash = "sha256:ae74"},
    {url = "https://files.example/click-8.1.7.tar.gz", hash = "sha256:ca92"},
]

[[package]]
name = "iniconfig"
version = "2.0.0"
groups = ["dev"]

[[package]]
name = "uvicorn"
version = "0.30.6"
groups = ["default"]
dependencies = ["click>=7.0", "h11>=0.8"]

[[package]]
name = "uvicorn"
version = "0.30.6"
extras = ["standard"]
groups = ["default"]
dependencies = ["uvicorn==0.30.6"]
"""

ALL = {"uv.lock": UV, "poetry.lock": POETRY, "pylock.toml": PYLOCK, "pdm.lock": PDM}


def lock_of(name, text=None):
    return parse(Source(name, ALL[name] if text is None else text))


def names(packages):
    return None if packages is None else [f"{package.name} {package.version}" for package in packages]


# --- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_each_package_stands_at_the_line_of_its_name(name):
    for line_end in ("\n", "\r\n"):
        lock = lock_of(name, ALL[name].replace("\n", line_end))
        lines = lock.source.text.splitlines()
        assert lock.problems == ()
        assert lock.packages
        assert all(lines[package.line - 1] == f'name = "{package.name}"' for package in lock.packages)


def test_unusual_layout_keeps_exact_lines():
    text = 'version = 1\npackage = [\n  {version = "1", name = "A.b"},\n  {name = "c"},\n]\n'
    assert [(each.name, each.line) for each in lock_of("uv.lock", text).packages] == [("a-b", 3), ("c", 4)]


@pytest.mark.parametrize(("name", "kind"), [*zip(ALL, ["uv", "poetry", "pylock", "pdm"], strict=True)])
def test_kind_is_told_by_content_else_by_name(name, kind):
    assert parse(Source("anything", ALL[name])).kind == kind
    assert lock_of(name, "<<<<<<< HEAD\n").kind == kind


def test_parts_of_a_uv_lock():
    lock = lock_of("uv.lock")
    demo, git, lib, numpy = (lock.named(name)[0] for name in ("Demo_App", "iniconfig", "lib", "numpy"))
    assert lock.requires_python == ">=3.11, <3.14"
    assert demo.origin == ("virtual", ".")
    assert demo.dependencies[1] == Dependency("httpx", ("http2",), None)
    assert [each.version for each in demo.optional_dependencies["cpu"]] == ["1.26.4", None]
    assert demo.group_dependencies == {"dev": (Dependency("iniconfig", (), None),)}
    assert git.origin.kind == "git"
    assert lib.origin == ("editable", "lib")
    assert numpy.origin == ("registry", INDEX)
    assert numpy.sdist.size == 15786129
    wheel = numpy.wheels[2]
    assert (wheel.name, wheel.size, wheel.has_hash) == ("numpy-1.26.4-cp311-cp311-win_amd64.whl", 15811913, True)


def test_parts_of_a_poetry_lock():
    lock = lock_of("poetry.lock")
    colorama, numpy = lock.named("colorama")[0], lock.named("numpy")[0]
    assert lock.extras == {"viz": ("matplotlib",)}
    assert [wheel.name for wheel in colorama.wheels] == ["colorama-0.4.6-py2.py3-none-any.whl"]
    assert colorama.sdist == ("colorama-0.4.6.tar.gz", None, None, True)
    assert colorama.groups == ("main", "dev")
    assert (numpy.origin, numpy.requires_python) == (("registry", INDEX), ">=3.9")
    assert lock.named("pytest")[0].dependencies == (
        Dependency("colorama", (), 'sys_platform == "win32"', specifier=">=0.4"),
    )


def test_parts_of_a_pylock():
    annotated, _, demo, matplotlib, pytest_ = lock_of("pylock.toml").packages
    assert annotated.wheels[0].size == 5305
    assert annotated.origin == ("registry", INDEX)
    assert demo.origin == ("editable", ".")
    assert matplotlib.origin.kind == "url"
    assert pytest_.origin == ("git", "https://forge.example/pytest")


def test_parts_of_a_pdm_lock():
    lock = lock_of("pdm.lock")
    click = lock.packages[0]
    assert names(lock.packages) == ["click 8.1.7", "iniconfig 2.0.0", "uvicorn 0.30.6"]
    assert click.dependencies == (Dependency("colorama", (), 'platform_system == "Windows"'),)
    assert (click.wheels[0].name, click.sdist.name) == ("click-8.1.7-py3-none-any.whl", "click-8.1.7.tar.gz")
    assert lock.packages[2].dependencies[0] == Dependency("click", (), None, specifier=">=7.0")


def test_files_at_the_end_and_categories_of_old_poetry():
    text = """\
[[package]]
name = "Flask"
version = "2.0"
category = "dev"
optional = false

[metadata]
lock-version = "1.1"
content-hash = "0"

[metadata.files]
Flask = [{file = "Flask-2.0-py3-none-any.whl", hash = "sha256:1"}]
"""
    (flask,) = lock_of("poetry.lock", text).packages
    assert (flask.name, flask.groups) == ("flask", ("dev",))
    assert flask.wheels[0].name == "Flask-2.0-py3-none-any.whl"


def test_broken_locks_give_problems_with_a_place():
    lock = lock_of("uv.lock", UV[: len(UV) // 2])
    assert (lock.packages, len(lock.problems)) == ((), 1)
    conflict = UV.replace("revision = 5", "<<<<<<< HEAD")
    (problem,) = lock_of("uv.lock", conflict).problems
    assert conflict[problem.span.start :].startswith("<<<<<<< HEAD")
    nameless = lock_of("uv.lock", UV.replace('name = "h2"\nversion', "version"))
    assert nameless.source.position(nameless.problems[0].span.start)[0] == UV[: UV.index('"h2"')].count("\n")
    assert len(nameless.packages) == len(lock_of("uv.lock").packages) - 1
    assert lock_of("uv.lock", "version = 1\npackage = 3").problems


SCALARS = st.sampled_from(["3", "true", '"a"', "[]", "[1]", '["a"]', "{}", '{name = "a"}', "[{}]", '[{name = "b"}]'])
KEYS = st.sampled_from(
    "name version source sdist wheels dependencies optional-dependencies dev-dependencies groups markers files "
    "category extras vcs directory archive index marker git path url metadata lock-version".split()
)


@settings(max_examples=200, deadline=None)
@given(
    head=st.dictionaries(KEYS, SCALARS, max_size=3),
    tables=st.lists(st.dictionaries(KEYS, SCALARS, max_size=6), max_size=3),
    of=st.sampled_from(["package", "packages"]),
    name=st.sampled_from([*ALL]),
)
def test_values_of_any_kind_do_not_raise(head, tables, of, name):
    lines = [f"{key} = {value}" for key, value in head.items()]
    for table in tables:
        lines += [f"[[{of}]]", *(f"{key} = {value}" for key, value in table.items())]
    lock = lock_of(name, "\n".join(lines))
    selected(lock, Wanted(("a",), ("a",)))


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from([*ALL]), end=st.integers(0, 3000), junk=st.text('[]{}="\n a', max_size=3))
def test_truncated_locks_are_sound_or_have_problems(name, end, junk):
    text = ALL[name][:end] + junk
    lock = lock_of(name, text)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert lock.problems


# --- what is installed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "python", "expected"),
    [
        (Wanted(), "3.11", ["h2 4.4.1", "httpx 0.28.1", "lib 0.1.0", "typing-extensions 4.16.0"]),
        (Wanted(), "3.12", ["h2 4.4.1", "httpx 0.28.1", "lib 0.1.0"]),
        (
            Wanted(("CPU",)),
            "3.12",
            ["h2 4.4.1", "httpx 0.28.1", "lib 0.1.0", "numpy 1.26.4", "pandas 2.2.3"],
        ),
        (
            Wanted(("gpu",)),
            "3.12",
            ["h2 4.4.1", "httpx 0.28.1", "lib 0.1.0", "numpy 2.1.0", "pandas 2.2.3"],
        ),
        (Wanted((), ("dev",)), "3.12", ["h2 4.4.1", "httpx 0.28.1", "iniconfig 2.3.1", "lib 0.1.0"]),
        (Wanted((), ("dev",), with_main=False), "3.12", ["iniconfig 2.3.1"]),
    ],
)
def test_what_uv_installs(wanted, python, expected):
    assert names(selected(lock_of("uv.lock"), wanted, python)) == expected


def test_uv_project_by_name():
    lock = lock_of("uv.lock")
    assert names(selected(lock, Wanted(), project="Lib")) == ["lib 0.1.0"]
    assert selected(lock, Wanted(), project="absent") is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), ["uvicorn 0.30.6"]),
        (Wanted(("viz",)), ["matplotlib 3.11.2", "numpy 1.26.4", "uvicorn 0.30.6"]),
        (Wanted((), ("gpu",)), ["numpy 1.26.4", "uvicorn 0.30.6"]),
        (Wanted((), ("dev",), with_main=False), ["pytest 9.2.0"]),
    ],
)
def test_what_poetry_installs(wanted, expected):
    assert names(selected(lock_of("poetry.lock"), wanted)) == expected


def test_poetry_locks_without_groups_need_the_dependencies_of_the_project():
    text = POETRY.replace("groups", "unknown").replace('"2.1"', '"2.0"')
    text = "\n".join(line for line in text.splitlines() if not line.startswith("markers"))
    lock = lock_of("poetry.lock", text)
    assert selected(lock, Wanted()) is None
    assert names(selected(lock, Wanted(), requested=[Dependency("pytest", (), None)])) == ["pytest 9.2.0"]
    asked = [Dependency("matplotlib", (), None)]
    assert names(selected(lock, Wanted(), requested=asked)) == ["matplotlib 3.11.2", "numpy 1.26.4"]


def test_extras_of_a_package_are_not_those_of_the_project():
    text = """\
[[package]]
name = "a"
version = "1"
[package.dependencies]
b = {version = "*", optional = true, markers = "extra == \\"x\\""}
[[package]]
name = "b"
version = "1"
[metadata]
lock-version = "2.0"
content-hash = "0"
"""
    lock = lock_of("poetry.lock", text)
    wanted = Wanted(("x",))
    assert names(selected(lock, wanted, requested=[Dependency("a", (), None)])) == ["a 1"]
    assert names(selected(lock, wanted, requested=[Dependency("a", ("x",), None)])) == ["a 1", "b 1"]


def test_of_several_versions_the_specifier_chooses():
    text = """\
[[package]]
name = "a"
version = "1.0"
[[package]]
name = "a"
version = "2.0"
[metadata]
content-hash = "0"
"""
    lock = lock_of("poetry.lock", text)
    assert names(selected(lock, Wanted(), requested=[Dependency("a", (), None, ">=1.5")])) == ["a 2.0"]
    assert names(selected(lock, Wanted(), requested=[Dependency("a", (), None, "<1.5 || >3")])) == ["a 1.0", "a 2.0"]


def test_optional_packages_of_old_poetry_come_with_their_extra():
    text = """\
[[package]]
name = "a"
version = "1"
category = "main"
optional = true
[package.dependencies]
b = "*"
[[package]]
name = "b"
version = "1"
category = "main"
optional = true
[[package]]
name = "c"
version = "1"
category = "main"
optional = false
[extras]
Viz = ["a"]
[metadata]
content-hash = "0"
"""
    lock = lock_of("poetry.lock", text)
    assert names(selected(lock, Wanted())) == ["c 1"]
    assert names(selected(lock, Wanted(("viz",)))) == ["a 1", "b 1", "c 1"]


def test_what_a_pylock_installs():
    lock = lock_of("pylock.toml")
    assert [each.name for each in selected(lock, Wanted())] == ["annotated-doc", "demo"]
    wanted = Wanted(("viz",), ("dev",))
    assert [each.name for each in selected(lock, wanted)] == ["annotated-doc", "demo", "matplotlib", "pytest"]


def test_what_pdm_installs():
    lock = lock_of("pdm.lock")
    assert names(selected(lock, Wanted())) == ["uvicorn 0.30.6"]
    assert names(selected(lock, Wanted(("viz",), ("dev",), with_main=False))) == ["click 8.1.7", "iniconfig 2.0.0"]


# --- wheels -------------------------------------------------------------------------------------------------------


def test_wheel_for_a_platform():
    numpy = lock_of("uv.lock").named("numpy")[0]
    assert wheel_for(numpy, "3.11").size == 18252005
    assert wheel_for(numpy, "3.11", libc="musl").size == 18093567
    assert wheel_for(numpy, "3.11", libc_version=(2, 12)) is None
    assert wheel_for(numpy, "3.12") is None
    assert wheel_for(numpy, "3.11", "aarch64") is None
    assert wheel_for(lock_of("uv.lock").named("colorama")[0], "3.13", "aarch64", "musl").size == 25335


def tags_of_packaging(minor, platforms):
    version = (3, minor)
    return [*cpython_tags(version, [f"cp3{minor}"], platforms), *compatible_tags(version, f"cp3{minor}", platforms)]


GLIBC = [
    *(f"manylinux_2_{at}_x86_64" for at in range(36, 16, -1)),
    *("manylinux2014_x86_64", "manylinux_2_12_x86_64", "manylinux2010_x86_64"),
    *("manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"),
]
MUSL = ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "musllinux_1_0_aarch64", "linux_aarch64"]
FOREIGN = ["win_amd64", "macosx_11_0_arm64", "manylinux_2_17_ppc64le", "manylinux_2_39_x86_64", "musllinux_1_3_aarch64"]


@pytest.mark.parametrize("minor", [8, 11, 13])
@pytest.mark.parametrize(
    ("platforms", "machine", "libc", "version"),
    [(GLIBC, "x86_64", "glibc", (2, 36)), (MUSL, "aarch64", "musl", (1, 2))],
)
def test_tags_rank_as_packaging_orders_them(minor, platforms, machine, libc, version):
    order = [str(tag) for tag in tags_of_packaging(minor, platforms)]
    ranks = [tag_rank(f"x-1-{tag}.whl", f"3.{minor}", machine, libc, version) for tag in order]
    assert None not in ranks
    assert ranks == sorted(ranks)


INTERPRETERS = [f"{name}{at}" for name in ("cp", "py", "pp") for at in ("2", "27", "3", "31", "32", "39", "311", "312")]
ABIS = ["none", "abi3", "cp39", "cp311", "cp311d", "cp312", "cp313t"]


@settings(max_examples=200, deadline=None)
@given(
    interpreter=st.sampled_from(INTERPRETERS),
    abi=st.sampled_from(ABIS),
    platform=st.sampled_from([*GLIBC, *MUSL, *FOREIGN, "any"]),
)
def test_a_wheel_fits_where_packaging_says_so(interpreter, abi, platform):
    tag = f"{interpreter}-{abi}-{platform}"
    supported = {str(each) for each in tags_of_packaging(11, GLIBC)}
    assert (tag_rank(f"x-1-{tag}.whl", "3.11", "x86_64", "glibc", (2, 36)) is not None) == (tag in supported)


def test_build_numbers_decide_between_equal_tags():
    ranks = [tag_rank(f"x-1{build}-py3-none-any.whl", "3.11", "x86_64", "glibc") for build in ("-10", "-9", "")]
    assert ranks == sorted(ranks)
    assert tag_rank("x-1.tar.gz", "3.11", "x86_64", "glibc") is None


# --- markers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("sys_platform == 'linux' and platform_machine == 'x86_64'", True),
        ("python_full_version < '3.11.4'", False),
        ("extra == 'a' and extra == 'b'", True),
        ("extra != 'a'", False),
        ("extra == 'c'", False),
        ("'a' in extras and 'c' not in extras and 'd' in dependency_groups", True),
        ("this is no marker", True),
        ("python_version ~= 'nonsense'", True),
    ],
)
def test_markers_in_an_image(marker, expected):
    environment = Environment("3.11", "x86_64", frozenset("ab"), frozenset("d"))
    assert holds(marker, environment) is expected
