from __future__ import annotations

import pytest
from e2b_dockerfile_utils.dockerignore import PatternMatcher
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.dockerignore import IgnoreFile, parse
from mllint.sources.text import Source


def read(*lines: str) -> IgnoreFile:
    return parse(Source(".dockerignore", "\n".join(lines)))


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        # Every pattern is anchored at the root of the context.
        (".env*", ".env.local", True),
        (".env*", "src/.env.local", False),
        (".git", ".git", True),
        (".git", ".git/HEAD", True),
        (".git", "vendor/.git", False),
        ("*.log", "a.log", True),
        ("*.log", "logs/a.log", False),
        ("node_modules", "web/node_modules/x.js", False),
        ("**/node_modules", "node_modules/x.js", True),
        ("**/node_modules", "web/node_modules/x.js", True),
        ("**/node_modules", "web/my_node_modules", False),
        # A slash at either end says nothing, and paths are cleaned.
        ("data/", "data", True),
        ("data/", "data/x.csv", True),
        ("/data", "data", True),
        ("//data", "data", True),
        ("./src", "src/a.py", True),
        ("src/../lib", "lib/a.py", True),
        ("src//a.py", "src/a.py", True),
        ("../secret", "secret", False),
        (".", "a", False),
        # Blanks around a pattern are dropped, `#` counts only in the first column.
        ("  data  ", "data", True),
        ("\tdata\r", "data", True),
        ("#data", "#data", False),
        (" #data", "#data", True),
        ("a b", "a b", True),
        # Stars.
        ("*", "a/b/c", True),
        ("*", "a", True),
        ("*/*.py", "a/b.py", True),
        ("*/*.py", "b.py", False),
        ("*/*.py", "a/c/b.py", False),
        ("a*", "a/b", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "a/ce", False),
        ("a*c*e", "ac/e", False),
        ("a*c*e", "abcd", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("**", "a/b", True),
        ("**/**", "a/b", True),
        ("src/**", "src", False),
        ("src/**", "src/a/b", True),
        ("src**", "src2/a", True),
        ("**/*.pyc", "a.pyc", True),
        ("**/*.pyc", "a/b/c.pyc", True),
        ("**/*.pyc", "a/b/c.py", False),
        ("**/**/*.txt", "a/b/c.txt", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "b/z", False),
        ("a**b", "ab", True),
        ("a**b", "ax/b", True),
        ("a**b", "axb", False),
        ("**file", "dir/a-file", True),
        ("a**/*.txt", "a/b/c.txt", True),
        # One character, never a slash; characters of any length in bytes.
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a?c", "ac", False),
        ("a?c", "aéc", True),
        # Character classes negate with `^` alone.
        ("*.py[co]", "a.pyc", True),
        ("*.py[co]", "a.py", False),
        ("a[b-d]e", "ace", True),
        ("a[b-d]e", "aae", False),
        ("[^a]", "b", True),
        ("[^a]", "a", False),
        ("[!a]", "b", False),
        ("[!a]", "!", True),
        (r"[\]a]", "]", True),
        (r"[x\-]", "-", True),
        # Dots, braces and the like stand for themselves.
        ("abc.def", "abcZdef", False),
        ("*.{jpg,png}", "a.jpg", False),
        ("*.{jpg,png}", "a.{jpg,png}", True),
        ("a(b)c/*", "a(b)c/d", True),
        ("dist/*+g1.whl", "dist/a+g1.whl", True),
        # A bar between wildcards leaves each side anchored at one end, as BuildKit really has it.
        ("*.jpg|*.png", "a.jpg", True),
        ("*.jpg|*.png", "deep/a.png", True),
        ("*.jpg|*.png", "deep/a.jpg", False),
        ("a|b", "a", False),
        # A backslash takes the next character as it is, and separates no folders.
        (r"a\*b", "a*b", True),
        (r"a\*b", "ab", False),
        (r".venv\**\*", ".venv/lib", False),
        (r"a\\", "a\\", True),
    ],
)
def test_one_pattern(lines: str, path: str, excluded: bool) -> None:
    file = read(lines)
    assert not file.problems
    assert file.excludes(path) is excluded


@pytest.mark.parametrize(
    ("lines", "path", "decided_by"),
    [
        (["*.md", "!README.md"], "README.md", "!README.md"),
        (["!README.md", "*.md"], "README.md", "*.md"),
        (["*.md", "!README.md"], "a.md", "*.md"),
        (["*.md", "!README.md"], "a.py", None),
        # Below an excluded folder, unlike in git, an exception holds.
        (["docs", "!docs/README.md"], "docs/README.md", "!docs/README.md"),
        (["docs/", "!docs/README.md"], "docs/other.md", "docs/"),
        # An exception for a folder is one for all of it.
        (["*", "!src"], "src/a/b.py", "!src"),
        (["**", "!src", "src/a.py"], "src/a.py", "src/a.py"),
        (["*", "!src/**"], "src", "*"),
        (["*", "!src/**"], "src/a.py", "!src/**"),
        # An exception from nothing says nothing.
        (["!a"], "a", None),
        # A folder that is excluded already is not excluded again: the exception below it stays.
        (["d", "!d/x", "d"], "d/x", "!d/x"),
        (["*", "  ! src"], "src", "! src"),
        (["*", "/!src"], "src", "/!src"),
    ],
)
def test_the_pattern_that_decides(lines: list[str], path: str, decided_by: str | None) -> None:
    pattern = read(*lines).match(path)
    assert (pattern.text if pattern else None) == decided_by


def test_a_pattern_knows_its_place() -> None:
    source = Source(".dockerignore", "# models\r\n\r\n  ./data/  \r\n!data/keep\r\n", has_bom=True)
    data, keep = parse(source).patterns
    assert (data.text, data.cleaned, data.negated, data.line) == ("./data/", "data", False, 3)
    assert source.slice(data.span) == "./data/"
    assert source.position(data.span.start) == (3, 3)
    assert (keep.text, keep.cleaned, keep.negated, keep.line) == ("!data/keep", "data/keep", True, 4)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("!", "names no path"),
        ("! /", "names no path"),
        ("[a", "no valid character class"),
        ("a[", "no valid character class"),
        ("[]a]", "no valid character class"),
        ("[a-]", "no valid character class"),
        ("[-a]", "no valid character class"),
        ("[^]", "no valid character class"),
        ("a*[b", "never closed"),
        ("[z-a]", "bad character range"),
        ("build\\", "ends in a backslash"),
        (r"src\input", r"\i is no escape; folders are separated by /"),
        (r"src\models", r"\m is no escape; folders are separated by /"),
        (r"src\public", r"\p is no escape; folders are separated by /"),
    ],
)
def test_a_pattern_that_fails_the_build(line: str, complaint: str) -> None:
    source = Source(".dockerignore", f"a\n  {line}\nb")
    file = parse(source)
    assert [pattern.text for pattern in file.patterns] == ["a", "b"]
    (problem,) = file.problems
    assert complaint in problem.message
    assert "the build fails" in problem.message
    assert source.slice(problem.span) == line


@pytest.mark.parametrize(
    ("lines", "directory", "pruned"),
    [
        (["data"], "data", True),
        (["data"], "data/raw", True),
        (["data"], "src", False),
        (["*", "!src"], "data", True),
        (["*", "!src"], "src", False),
        (["*", "!src/app"], "src", False),
        (["*", "!src/app"], "src/lib", True),
        (["*", "!*.py"], "data", True),
        (["*", "!*/keep"], "data", False),
        (["*", "!*/keep"], "data/raw", True),
        (["*", "!src*/keep"], "data", True),
        (["*", "!**/*.py"], "data/raw", False),
        (["*", "!src/**/keep"], "data", True),
        (["*", "!src/**/keep"], "src/a/b", False),
        (["!data/keep", "data"], "data", True),
        (["*", "![^a]"], "data", False),
        (["data/**"], "data", False),
    ],
)
def test_pruning(lines: list[str], directory: str, pruned: bool) -> None:
    assert read(*lines).prunes(directory) is pruned


# Names that resemble each other, and patterns that meet them.
NAMES = st.sampled_from(["a", "b", "ab", "abc", "a.b", ".a", "a b", "é", "-", "!a", "#a", "a*b", "[a]", "(a)", "{a,b}"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PLAIN = ["a", "b", "ab", "c", "a b", "a.b", "é", "#", "-", "(a)", "{a,b}", "+", "$", ".", "..", "/", "/", "/"]
WILD = ["*", "*", "**", "**/", "?", "[ab]", "[^a]", "[a-c]", "[!a]", r"\*"]
PIECES = st.sampled_from(PLAIN + WILD)
PATTERNS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "", "!", "! ", " ", "/"]),
    st.lists(PIECES, min_size=1, max_size=5).map("".join),
)
FILES = st.lists(PATTERNS, min_size=1, max_size=6)


@settings(max_examples=200)
@given(FILES, st.lists(PATHS, min_size=1, max_size=30))
def test_agrees_with_another_port(lines: list[str], paths: list[str]) -> None:
    # The other port takes `!/` and `!a/..` for patterns.
    lines = [line for line in lines if not read(line).problems]
    other = PatternMatcher(lines)
    file = read(*lines)
    assert [path for path in paths if file.excludes(path)] == [path for path in paths if other.matches(path)]


@settings(max_examples=200)
@given(FILES, st.lists(PATHS, min_size=1, max_size=30))
def test_nothing_below_a_pruned_folder_is_in_the_context(lines: list[str], paths: list[str]) -> None:
    file = read(*lines)
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder and file.prunes(folder):
            assert file.excludes(path)


@settings(max_examples=100)
@given(FILES, st.lists(PATHS, min_size=1, max_size=30))
def test_the_order_of_questions_does_not_matter(lines: list[str], paths: list[str]) -> None:
    file = read(*lines)
    assert [file.match(path) for path in paths] == [read(*lines).match(path) for path in paths]


@settings(max_examples=200)
@given(st.text(), PATHS)
def test_any_text_is_read(text: str, path: str) -> None:
    source = Source(".dockerignore", text)
    file = parse(source)
    file.excludes(path)
    assert [source.slice(pattern.span) for pattern in file.patterns] == [pattern.text for pattern in file.patterns]
    assert all(source.slice(problem.span) for problem in file.problems)


@settings(max_examples=200)
@given(st.text(alphabet="a/*?[]^!-\\|{},1dQpxz.é \n"), PATHS)
def test_any_pattern_is_matched(text: str, path: str) -> None:
    file = read(*text.split("\n"))
    assert file.excludes(path) in (True, False)


def test_a_very_deep_path() -> None:
    file = read("**/x", "!a/**/y")
    assert file.excludes("a/" * 3000 + "x")
    assert not file.excludes("a/" * 3000 + "y")
