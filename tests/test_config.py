from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mllint.config import Base, ConfigError, Settings, find, load
from mllint.findings import Severity
from mllint.globs import glob_covers

RULES = ("ML101", "ML302", "unpinned-base-image", "healthcheck-module-missing", "DL3006", "ML1")

YAML = """\
select: [ML1]
extend-select:
  - DL3006
ignore:
  ML302: the probe is another team's
preset: strict
severity: {ML101: error}
exclude: ["third_party/"]
per-path-ignores:
  "tests/**": [ML101]
  legacy/*: {ML302: soon gone}
context: .
target: runtime
build-args: {CUDA: 12.10, DEBUG: yes, NAME: plain, DAY: 2024-01-02}
platform: kubernetes
accelerator: cuda
bases:
  registry.example/ml-py311:*:
    like: python:3.11-slim-bookworm
    user: 1000
    home: /home/app
    root-home-mode: 0700
    python: 3.10
    externally-managed: no
    env: {OMP_NUM_THREADS: 4}
    programs: [curl]
    libraries: [libGL.so.1]
    distributions: {numpy: 1.26, torch: "2.3.1"}
dockerfiles:
  gpu/*: {target: gpu, build-args: {CUDA: "13.0"}}
"""

TOML = """\
[project]
name = "service"

[tool.mllint]
select = ["ML1"]
extend-select = ["DL3006"]
preset = 'strict'
exclude = ["third_party/"]
context = "."
target = "runtime"
platform = "kubernetes"
accelerator = "cuda"
ignore = { ML302 = "the probe is another team's" }
build-args = { CUDA = 12.10, DEBUG = "yes", NAME = "plain", DAY = 2024-01-02 }

[tool.mllint.severity]
ML101 = "error"

[tool.mllint.per-path-ignores]
"tests/**" = ["ML101"]
"legacy/*" = { ML302 = "soon gone" }

[tool.mllint.bases."registry.example/ml-py311:*"]
like = "python:3.11-slim-bookworm"
user = 1000
home = "/home/app"
python = 3.10
root-home-mode = "0700"
externally-managed = false
env.OMP_NUM_THREADS = 4
programs = ["curl"]
libraries = ["libGL.so.1"]
distributions = { numpy = 1.26, torch = "2.3.1" }

[tool.mllint.dockerfiles."gpu/*"]
target = "gpu"
build-args.CUDA = "13.0"
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def refusal(folder: Path, name: str, text: str) -> str:
    path = write(folder, name, text)
    with pytest.raises(ConfigError) as caught:
        load(path, known=RULES.__contains__, names=RULES)
    assert str(caught.value).startswith(f"{path.as_posix()}:{caught.value.line}:{caught.value.column}: ")
    return str(caught.value).removeprefix(f"{path.as_posix()}:")


@pytest.mark.parametrize(("name", "text"), [(".mllint.yaml", YAML), ("pyproject.toml", TOML)])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_both_formats_say_the_same(tmp_path, name, text, line_end, bom):
    path = write(tmp_path, name, bom + text.replace("\n", line_end))
    read = load(path, known=RULES.__contains__, names=RULES)
    assert read.root == tmp_path
    assert read.select == ("ML1",)
    assert read.extend_select == ("DL3006",)
    assert read.ignore == {"ML302": "the probe is another team's"}
    assert read.preset == "strict"
    assert read.severity == {"ML101": Severity.ERROR}
    assert read.exclude == ("third_party/",)
    assert read.per_path_ignores == {"tests/**": {"ML101": ""}, "legacy/*": {"ML302": "soon gone"}}
    assert (read.context, read.target, read.platform, read.accelerator) == (".", "runtime", "kubernetes", "cuda")
    assert read.build_args == {"CUDA": "12.10", "DEBUG": "yes", "NAME": "plain", "DAY": "2024-01-02"}
    assert read.bases == {
        "registry.example/ml-py311:*": Base(
            like="python:3.11-slim-bookworm",
            user="1000",
            home="/home/app",
            root_home_mode="0700",
            python="3.10",
            externally_managed=False,
            env={"OMP_NUM_THREADS": "4"},
            programs=("curl",),
            libraries=("libGL.so.1",),
            distributions={"numpy": "1.26", "torch": "2.3.1"},
        )
    }
    gpu = read.for_dockerfile("gpu/Dockerfile")
    assert (gpu.target, gpu.context, gpu.platform) == ("gpu", ".", "kubernetes")
    assert gpu.build_args == {"CUDA": "13.0", "DEBUG": "yes", "NAME": "plain", "DAY": "2024-01-02"}
    assert read.for_dockerfile("cpu/Dockerfile") == read


def test_nothing_configured_is_the_defaults(tmp_path):
    for text in ("", "# only a comment\n", "---\n", "~"):
        assert load(write(tmp_path, ".mllint.yaml", text)) == Settings(tmp_path)
    assert Settings().preset == "default"
    assert Settings().platform is None


def test_lists_stand_for_tables_without_reasons(tmp_path):
    read = load(write(tmp_path, ".mllint.yml", "ignore: [ML302, ML101]\nbases: {a: {distributions: [numpy]}}\n"))
    assert read.ignore == {"ML302": "", "ML101": ""}
    assert read.bases["a"].distributions == {"numpy": ""}


def test_yaml_anchors_and_merges(tmp_path):
    text = "dockerfiles:\n  a: &gpu {platform: kserve, target: t}\n  b: *gpu\n  c: {<<: *gpu, target: u}\n"
    read = load(write(tmp_path, ".mllint.yaml", text))
    assert [(d.platform, d.target) for d in read.dockerfiles.values()] == [
        ("kserve", "t"),
        ("kserve", "t"),
        ("kserve", "u"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ignor: [ML302]\n", '1:1: unknown option "ignor", did you mean "ignore"?'),
        ("preset: all\nextend_select: []\n", '2:1: unknown option "extend_select", did you mean "extend-select"?'),
        ("xyzzy: 1\n", '1:1: unknown option "xyzzy"'),
        ("preset: strikt\n", '1:9: "preset" must be one of default, strict, all, not "strikt", did you mean "strict"?'),
        ("preset:\n  - strict\n", '2:3: "preset" must be a string, not a list'),
        ("preset:\n", '1:8: "preset" must be a string, not nothing'),
        ("select: ML1\n", '1:9: "select" must be a list of strings, not a string'),
        ("select: [ML1, 5]\n", '1:15: "select" must be a list of strings, not a number'),
        ("select: [ML1, ML30]\n", '1:15: unknown rule "ML30", did you mean "ML302"?'),
        ("ignore:\n  ML302: yes\n", '2:10: "ML302" must be a string, not a boolean'),
        (
            "ignore:\n  unpinned-bas-image: x\n",
            '2:3: unknown rule "unpinned-bas-image", did you mean "unpinned-base-image"?',
        ),
        ("severity: {ml999999: error}\n", '1:12: unknown rule "ml999999"'),
        ("severity:\n  ML101: fatal\n", '2:10: "ML101" must be one of error, warning, info, style, not "fatal"'),
        (
            "per-path-ignores: {a: ML101}\n",
            '1:23: "a" must be a list of rules, or a table of rules and reasons, not a string',
        ),
        ("bases:\n  'é😀': {usr: x}\n", '2:10: unknown option "usr", did you mean "user"?'),
        ("dockerfiles: {a: {exclude: []}}\n", '1:19: unknown option "exclude"'),
        ("bases: {a: {complete: all}}\n", '1:23: "complete" must be true or false, not a string'),
        (
            "driver: recent\n",
            '1:9: "driver" must be a version of NVIDIA\'s driver, as 535 or 535.183.01, not "recent"',
        ),
        ("gpus: V100\n", '1:7: "gpus" must be a list of strings, not a string'),
        ("bases: {a: {libc: bsd}}\n", '1:19: "libc" must be one of glibc, musl, not "bsd"'),
        ("build-args: {A: [1]}\n", '1:17: "A" must be a string, not a list'),
        ("build-args: {A: }\n", '1:16: "A" must be a string, not nothing'),
        ("context: a\nselect: []\ncontext: b\n", '3:1: "context" is given twice'),
        ("- select\n", '1:1: "mllint" must be a table, not a list'),
        ("context: !env X\n", '1:15: "context" must be a string, not a value with a tag'),
        ("context: a: b\n", "1:11: invalid YAML: mapping values are not allowed in this context"),
        ("context: *a\n", "1:10: no anchor 'a' before this alias"),
        ("context: 'a\n", "1:10: invalid YAML: while scanning a quoted scalar: found unexpected end of stream"),
        ("é: \0\n", "1:4: invalid YAML: unacceptable character U+0000"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document in one file: only the first is read"),
        ("a: " + "[" * 5000, "1:103: invalid YAML: nested more than 100 levels deep"),
    ],
)
def test_yaml_refusals_name_the_place(tmp_path, text, expected):
    assert refusal(tmp_path, ".mllint.yaml", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.mllint]\nignor = []\n", '2:1: unknown option "ignor", did you mean "ignore"?'),
        ("[tool]\nmllint = { preset = 'all', ignor = [] }\n", '2:28: unknown option "ignor", did you mean "ignore"?'),
        ("tool.mllint.ignor.ML302 = 'x'\n", '1:13: unknown option "ignor", did you mean "ignore"?'),
        ("[ tool . 'mllint' . ignor ]\n", '1:21: unknown option "ignor", did you mean "ignore"?'),
        ('[tool.mllint]\n"ign\\u006fr" = 1\n', '2:1: unknown option "ignor", did you mean "ignore"?'),
        ("[[tool.mllint.select]]\na = 1\n", '1:1: "select" must be a list of strings, not a table'),
        ("[[tool.mllint]]\n", '1:1: "mllint" must be a table, not a list'),
        ("tool.mllint = 3\n", '1:15: "mllint" must be a table, not a number'),
        ("[tool.mllint]\ncontext = 2024-01-02 03:04:05 # now\n", '2:11: "context" must be a string, not a date'),
        (
            '[tool.mllint]\nselect = [ # all\n  \'ML1\',\n  """ML\n30""" ]\n',
            '4:3: unknown rule "ML\\n30", did you mean "ML302"?',
        ),
        ("[a]\nb = '''\n[tool.mllint]\n'''\n[tool.mllint]\nx = 1\n", '6:1: unknown option "x"'),
        ("[tool.mllint.build-args]\nA = ['b']\n", '2:5: "A" must be a string, not a list'),
        ("[tool.mllint]\npreset = \n", "2:10: invalid TOML: Invalid value"),
        ("[tool.mllint]\npreset = 'a", '2:12: invalid TOML: Expected "\'"'),
        ("[project]\nname = 'mllint'\n", "1:1: no [tool.mllint] in this file"),
        ("[project]\n", "1:1: no [tool.mllint] in this file"),
        ("mllint = " + "[" * 50000, "1:1: invalid TOML: nested too deeply"),
    ],
)
def test_toml_refusals_name_the_place(tmp_path, text, expected):
    assert refusal(tmp_path, "pyproject.toml", text) == expected


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml:1:1: cannot be read: No such file"):
        load(tmp_path / "missing.yaml")
    (tmp_path / ".mllint.yaml").write_bytes(b"\xef\xbb\xbfa: 1\nb: \xc3\xa9\xff\n")
    with pytest.raises(ConfigError, match=r"\.mllint\.yaml:2:5: not UTF-8"):
        load(tmp_path / ".mllint.yaml")


def test_places_are_told_from_the_working_directory(tmp_path, monkeypatch):
    path = write(tmp_path, "deep/.mllint.yaml", "x: 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == 'deep/.mllint.yaml:1:1: unknown option "x"'


def test_nearest_configuration_is_found_below_the_git_root(tmp_path):
    write(tmp_path, ".mllint.yaml", "preset: all\n")
    inner = tmp_path / "repository" / "service" / "docker"
    inner.mkdir(parents=True)
    assert find(inner) == tmp_path / ".mllint.yaml"
    (tmp_path / "repository" / ".git").mkdir()
    assert find(inner) is None
    top = write(tmp_path, "repository/pyproject.toml", "[tool.mllint]\n")
    write(tmp_path, "repository/service/pyproject.toml", "[project]\nname = 'mllint-user'\n")
    assert find(inner) == top
    near = write(tmp_path, "repository/service/.mllint.yml", "preset: all\n")
    assert find(inner) == near


@pytest.mark.parametrize(
    "text", ["[tool.mllint]\n", "[tool]\nmllint = {}\n", "[ tool . mllint ]\n", "tool.'mllint'.preset = 'all'\n"]
)
def test_every_spelling_of_the_table_counts(tmp_path, text):
    path = write(tmp_path, "pyproject.toml", text)
    assert find(tmp_path) == path
    load(path)


def test_two_configurations_in_one_folder(tmp_path):
    pyproject = write(tmp_path, "pyproject.toml", "[tool.mllint]\n")
    dotted = write(tmp_path, ".mllint.yaml", "# nothing\n---\n")
    assert find(tmp_path) == dotted
    pyproject.write_text("[tool.mllint]\npreset = 'all'\n")
    assert find(tmp_path) == pyproject
    dotted.write_text("---\npreset: all\n")
    with pytest.raises(ConfigError, match=r"\.mllint\.yaml:1:1: pyproject\.toml beside it configures mllint too"):
        find(tmp_path)
    pyproject.write_text("[project]\n")
    assert find(tmp_path) == dotted
    write(tmp_path, ".mllint.yml", "preset: all\n")
    with pytest.raises(ConfigError, match=r"\.mllint\.yaml:1:1: \.mllint\.yml beside it configures mllint too"):
        find(tmp_path)


def test_a_broken_pyproject_of_others_is_none_of_our_business(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_bytes(b"[project\nname = \xff")
    assert find(tmp_path) is None


def test_a_start_without_configuration_imports_no_parser(tmp_path):
    write(tmp_path, "pyproject.toml", "[project]\nname = 'x'\n")
    (tmp_path / ".git").mkdir()
    code = (
        "import sys; from pathlib import Path; from mllint.config import find, load\n"
        f"assert find(Path({str(tmp_path)!r})) is None\n"
        "print(sorted({'yaml', 'tomllib', 'difflib', 'json'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_later_dockerfile_globs_win():
    from mllint.config import Overrides

    both = Settings(
        build_args={"A": "0", "B": "0"},
        dockerfiles={
            "Dockerfile*": Overrides(target="one", build_args={"A": "1"}, accelerator="cpu"),
            "/gpu/": Overrides(target="two", build_args={"C": "2"}),
        },
    )
    merged = both.for_dockerfile("gpu/Dockerfile.cuda")
    assert (merged.target, merged.accelerator) == ("two", "cpu")
    assert merged.build_args == {"A": "1", "B": "0", "C": "2"}
    assert both.for_dockerfile("x/gpu/Dockerfile").target == "one"


def test_ignores_of_all_matching_globs_add_up():
    read = Settings(per_path_ignores={"*.gpu": {"ML101": "a"}, "services/": {"ML302": "b"}, "other": {"ML1": ""}})
    assert read.ignored_at("services/x/Dockerfile.gpu") == {"ML101": "a", "ML302": "b"}
    assert read.ignored_at("services") == {}


def test_hosts_are_described_by_driver_and_gpus(tmp_path):
    path = write(tmp_path, ".mllint.yaml", "driver: 535\ngpus: [V100, t4]\ndockerfiles: {a: {driver: 580.65.06}}\n")
    read = load(path)
    assert (read.driver, read.gpus) == ("535", ("V100", "t4"))
    assert read.for_dockerfile("a").driver == "580.65.06"
    assert read.for_dockerfile("b").driver == "535"
    unknown = refusal(tmp_path, ".mllint.yaml", "gpus: [V10]\n")
    assert unknown.startswith('1:8: "gpus" must be some of K80')
    assert unknown.endswith('not "V10", did you mean "V100"?')


@pytest.mark.parametrize("glob", ["", "/", "[z-a]", "!"])
def test_globs_that_mean_nothing_match_nothing(glob):
    assert not glob_covers(glob, "a")
    assert not Settings(exclude=(glob,)).excludes("a/b")


PIECES = st.sampled_from(["a", "b", "ab", "*", "**", "?", "[ab]", "[!a]", "a*", "*b", "\\a"])
GLOBS = st.builds(
    lambda mark, lead, parts, tail: mark + lead + "/".join(parts) + tail,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)
FILES = [f"{x}{y}{z}" for x in ("", "a/", "b/", "ab/") for y in ("", "d/", "ba/") for z in ("a", "ab.x", "c", "bb")]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    if shutil.which("git") is None:
        pytest.skip("git, whose answers these are held against, is not installed")
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True)
    files = [name for name in FILES if not any(other.startswith(f"{name}/") for other in FILES)]
    for name in files:
        write(folder, name, "")
    return folder, files


@settings(max_examples=120, deadline=None)
@given(globs=st.lists(GLOBS, min_size=1, max_size=4))
def test_exclude_is_what_git_ignores(repository, globs):
    folder, files = repository
    write(folder, ".git/info/exclude", "".join(f"{glob}\n" for glob in globs))
    command = ["git", "-C", folder, "check-ignore", "--no-index", "--stdin"]
    ran = subprocess.run(command, input="\n".join(files), capture_output=True, text=True, check=False)
    read = Settings(exclude=tuple(globs))
    assert [name for name in files if read.excludes(name)] == ran.stdout.splitlines()


FRAGMENTS = st.one_of(
    st.sampled_from(("select", "ignore", "build-args", "bases", "mllint", "*a", "<<", "1", "é", "😀")),
    st.sampled_from(tuple(":-[]{},'#=.\\")),
    st.sampled_from(
        (": ", "- ", "  ", "\n", "\t", "\r\n", "&a ", "!t ", "|\n", "---\n", "[tool.mllint]\n", '"', '"""')
    ),
)
TEXTS = st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, name=st.sampled_from([".mllint.yaml", "pyproject.toml"]))
def test_any_text_gives_settings_or_a_refusal_with_a_place(tmp_path, text, name):
    path = write(tmp_path, name, text)
    line = column = 1
    try:
        load(path, known=RULES.__contains__, names=RULES)
    except ConfigError as error:
        line, column = error.line, error.column
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
