from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mllint.sources.gitignore import GitIgnore, Ignored, parse
from mllint.sources.text import Source


def read(*lines: str) -> GitIgnore:
    return parse(Source(".gitignore", "\n".join(lines)))


@pytest.mark.parametrize(
    ("line", "path", "matches"),
    [
        # Without a slash inside, a pattern is one for names at any depth.
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "a/b.pyc", True),
        ("data", "src/data", True),
        ("data", "src/data/x.csv", True),
        ("data", "database", False),
        # With one, it is one for the path from the file's folder.
        ("/data", "data", True),
        ("/data", "src/data", False),
        ("src/data", "src/data", True),
        ("src/data", "a/src/data", False),
        ("src/*.py", "src/a/b.py", False),
        # With one at its end, it is one for folders.
        ("data/", "data", False),
        ("data/", "data/", True),
        ("data/", "src/data/x.csv", True),
        ("src/data/", "src/data", False),
        # Two stars are special only alone between slashes, or next to the text before the first wildcard.
        ("**/logs", "logs", True),
        ("**/logs", "a/b/logs", True),
        ("logs/**", "logs/", False),
        ("logs/**", "logs/a/b", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/x**z", "a/xbz", True),
        ("a/x**z", "a/xb/z", False),
        ("a/x**/z", "a/xb/c/z", True),
        ("a/?x**/z", "a/bxb/c/z", False),
        # Classes negate with either sign, know names, and never match a slash.
        ("a[!b]c", "axc", True),
        ("a[^b]c", "abc", False),
        ("/a[^b]c", "a/c", False),
        ("/a[.-0]c", "a/c", False),
        ("[]a]", "]", True),
        ("[a-]", "-", True),
        ("v[[:digit:]]", "v7", True),
        ("v[[:digit:]]", "va", False),
        ("v[[:number:]]", "v7", False),
        ("v[7", "v[7", False),
        # A backslash takes the next character as it is.
        (r"\#a", "#a", True),
        (r"\!a", "!a", True),
        (r"\*", "a", False),
        ("a\\", "a\\", False),
        ("#a", "#a", False),
        # Only blanks at the end are dropped, and not behind a backslash.
        ("a  ", "a", True),
        ("a\\ ", "a ", True),
        ("a\\  ", "a ", True),
        (" a", "a", False),
        ("a\t", "a", False),
        ("a\r", "a", True),
        ("a\0b", "a", True),
        # git counts bytes.
        ("?", "é", False),
        ("??", "é", True),
        ("*é", "è-é", True),
    ],
)
def test_one_pattern(line: str, path: str, matches: bool) -> None:
    """A path with a slash at its end is a folder."""
    pattern = read(line).match(path.rstrip("/"), path.endswith("/"))
    assert (pattern is not None) is matches


@pytest.mark.parametrize(
    ("lines", "path", "decided_by"),
    [
        (["*.bin", "!keep.bin"], "a/keep.bin", "!keep.bin"),
        (["!keep.bin", "*.bin"], "keep.bin", "*.bin"),
        (["data", "!data/keep"], "data/keep", "data"),
        (["data/*", "!data/keep"], "data/keep", "!data/keep"),
        (["/*", "!/src"], "src/a.py", None),
        (["/*", "!/src"], "lib/a.py", "/*"),
        (["!a"], "a", "!a"),
    ],
)
def test_the_pattern_that_decides(lines: list[str], path: str, decided_by: str | None) -> None:
    pattern = read(*lines).match(path, is_dir=False)
    assert (pattern.text if pattern else None) == decided_by


def test_a_pattern_knows_its_place() -> None:
    source = Source(".gitignore", "# models\r\n\r\n!/data/  \r\n*.pt", has_bom=True)
    data, weights = parse(source).patterns
    assert (data.text, data.glob) == ("!/data/", "data")
    assert (data.negated, data.folders_only, data.anchored) == (True, True, True)
    assert (source.slice(data.span), data.line) == ("!/data/", 3)
    assert (weights.text, weights.negated, weights.folders_only, weights.anchored) == ("*.pt", False, False, False)
    assert (source.slice(weights.span), weights.line) == ("*.pt", 4)


def test_nested_files() -> None:
    root = Ignored.root(read("*.bin", "/build/", "cache"))
    models = root.enter("models", read("!keep.bin", "/*.pt"))
    deeper = models.enter("v1", None)
    assert root.ignores("keep.bin", is_dir=False)
    assert models.ignores("a.bin", is_dir=False)
    assert not models.ignores("keep.bin", is_dir=False)
    assert not deeper.ignores("keep.bin", is_dir=False)
    assert models.ignores("a.pt", is_dir=False)
    assert not deeper.ignores("a.pt", is_dir=False)
    assert root.ignores("build", is_dir=True)
    assert not root.ignores("build", is_dir=False)
    assert not models.ignores("build", is_dir=True)


def test_nothing_comes_back_from_an_ignored_folder() -> None:
    cache = Ignored.root(read("cache")).enter("cache", read("!keep"))
    assert cache.ignores("keep", is_dir=False)
    assert cache.enter("deeper", read("!*")).ignores("a", is_dir=False)


TREE = [
    *("a", "foo", "abc", "b.c", "a b", "é", "[a]", "!a", "#a", "-", "a*", "a]"),
    *("d/a", "d/b.c", "d/ab", "d/e/a", "d/e/f/abc", "d/a\\b", "e/d/a", "e/b ", "ab/cd/ef", "abx/y/cd"),
]
FOLDERS = {str(folder) for path in TREE for folder in Path(path).parents[:-1]}
ENTRIES = sorted([(path, False) for path in TREE] + [(folder, True) for folder in FOLDERS])
CASES = 30

PLAIN = ["a", "b", "c", "ab", "cd", "d", "e", "é", ".", "b.c", "-", "#", "!", " ", "\\ ", "\t", "/", "/", "/", "d/"]
WILD = ["*", "*", "**", "**/", "/**", "?", "\\", "\\*", "[", "]", "[ab]", "[!a]", "[^a]", "[a-c]", "[c-a]", "[]a]"]
CLASSES = ["[!]]", "[a-]", "[--b]", "[/]", "[\\]a]", "[[:alpha:]]", "[![:punct:]]", "[[:x:]]", "[[:space:]-]"]
LINES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "", "!"]),
    st.lists(st.sampled_from(PLAIN + WILD + CLASSES), min_size=1, max_size=5).map("".join),
)
TEXTS = st.builds("{}{}".format, st.lists(LINES, min_size=1, max_size=4).map("\n".join), st.sampled_from(["", "\r\n"]))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed, and only it can say what git ignores")
    root = tmp_path_factory.mktemp("repository")
    _git(root, "init", "--quiet")
    for case in range(CASES):
        for path in TREE:
            file = root / str(case) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return root


def _git(root: Path, *arguments: str, stdin: str = "") -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=root, env=environment, input=stdin.encode(), capture_output=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.decode()


@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(outer=st.lists(TEXTS, min_size=CASES, max_size=CASES), inner=st.lists(TEXTS, min_size=CASES, max_size=CASES))
def test_git_agrees(repository: Path, outer: list[str], inner: list[str]) -> None:
    """In each of many folders a file of ignore patterns, and a second one in its subfolder `d`."""
    for case in range(CASES):
        (repository / str(case) / ".gitignore").write_bytes(outer[case].encode())
        (repository / str(case) / "d" / ".gitignore").write_bytes(inner[case].encode())
    asked = "\0".join(f"{case}/{path}" for case in range(CASES) for path, _ in ENTRIES)
    fields = _git(repository, "check-ignore", "--stdin", "-z", "--verbose", "--non-matching", stdin=asked).split("\0")
    answers = zip(fields[0::4], fields[1::4], strict=False)
    for case in range(CASES):
        top, below = parse(Source("outer", outer[case])), parse(Source("inner", inner[case]))
        for (path, is_dir), (file, line) in zip(ENTRIES, answers, strict=False):
            said = ("d" if file.endswith("d/.gitignore") else "top", int(line)) if file else None
            assert _decision(top, below, path, is_dir) == said, (path, outer[case], inner[case])


def _decision(top: GitIgnore, below: GitIgnore, path: str, is_dir: bool) -> tuple[str, int] | None:
    *folders, name = path.split("/")
    ignored = Ignored.root(top)
    for depth, folder in enumerate(folders):
        ignored = ignored.enter(folder, below if depth == 0 and folder == "d" else None)
    pattern = ignored.match(name, is_dir)
    if pattern is None:
        return None
    return ("d" if any(pattern is each for each in below.patterns) else "top"), pattern.line


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text(alphabet="a/*?[]^!-\\:é \n")), st.sampled_from(TREE))
def test_any_text_is_read(text: str, path: str) -> None:
    source = Source(".gitignore", text)
    file = parse(source)
    file.match(path, is_dir=False)
    assert [source.slice(pattern.span) for pattern in file.patterns] == [pattern.text for pattern in file.patterns]
