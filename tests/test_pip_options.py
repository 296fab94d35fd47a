"""Options in requirements files, with their spelling, values and places."""

from __future__ import annotations

import pytest
from test_requirements import only

from mllint.sources.pip_options import Option
from mllint.sources.requirements import Constraint, Editable, Include, Options, Requirement, normalised


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("-i https://i.example/simple", [("--index-url", "https://i.example/simple")]),
        ("-ihttps://i.example", [("--index-url", "https://i.example")]),
        ("--pypi-url=https://i.example", [("--index-url", "https://i.example")]),
        ("--extra-index=https://i.example", [("--extra-index-url", "https://i.example")]),
        ("--no-index -f ./wheels", [("--no-index", None), ("--find-links", "./wheels")]),
        ("--no-binary :all: --only-binary=a,b", [("--no-binary", ":all:"), ("--only-binary", "a,b")]),
        (
            "--require-hashes --pre --prefer-binary",
            [("--require-hashes", None), ("--pre", None), ("--prefer-binary", None)],
        ),
        ("--trusted-host 'h.example'", [("--trusted-host", "h.example")]),
        ("--use-feature=fast-deps # c", [("--use-feature", "fast-deps")]),
        ("--find-links=", [("--find-links", "")]),
        ('--find-links a\\ b"c \\"d"\'e f\'', [("--find-links", 'a bc "de f')]),
        ("--index-url \\\n  https://i.example", [("--index-url", "https://i.example")]),
    ],
)
def test_global_options(text, options):
    line = only(text)
    assert isinstance(line, Options)
    assert [(option.name, option.value) for option in line.options] == options
    for option in line.options:
        if option.value and not set(text) & set("'\""):
            assert text[option.value_span.start : option.value_span.end] == option.value


def test_the_span_of_a_quoted_value_is_inside_the_quotes():
    text = '--index-url="https://i.example/a b"'
    (option,) = only(text).options
    assert text[option.value_span.start : option.value_span.end] == "https://i.example/a b"
    assert text[option.span.start : option.span.end] == text


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("-r base.txt", Include, "base.txt"),
        ("-rbase.txt # c", Include, "base.txt"),
        ("--requirement=base.txt", Include, "base.txt"),
        ("--requirement base.txt", Include, "base.txt"),
        ("-r 'my base.txt'", Include, "my base.txt"),
        ("-r=base.txt", Include, "=base.txt"),
        ("-r \\\nbase.txt", Include, "base.txt"),
        ("-c c.txt", Constraint, "c.txt"),
        ("--constraint=https://h.example/c.txt", Constraint, "https://h.example/c.txt"),
    ],
)
def test_other_files(text, kind, path):
    line = only(text)
    assert type(line) is kind
    assert line.path == path
    assert text[line.path_span.start : line.path_span.end] == path


@pytest.mark.parametrize(
    ("text", "url", "name", "extras"),
    [
        ("-e .", ".", None, ()),
        ("-e ./src[dev,test]", "./src", None, ("dev", "test")),
        ("--editable=file:///src#egg=x", "file:///src#egg=x", "x", ()),
        ("-e git+https://h.example/x.git@v1#egg=Foo_Bar", "git+https://h.example/x.git@v1#egg=Foo_Bar", "Foo_Bar", ()),
        ("-e 'x[a] @ git+https://h.example/x'", "git+https://h.example/x", "x", ("a",)),
        ("-e ${PACKAGE}", "${PACKAGE}", None, ()),
        ("-e git+https://h.example/x#egg=${NAME}", "git+https://h.example/x#egg=${NAME}", None, ()),
    ],
)
def test_editables(text, url, name, extras):
    line = only(text)
    assert isinstance(line, Editable)
    assert (line.url, line.name, line.extras) == (url, name, extras)
    assert line.key == (normalised(name) if name else None)


@pytest.mark.parametrize(
    ("text", "kind", "ignored"),
    [
        ("torch --index-url https://i.example", Requirement, ["--index-url https://i.example"]),
        ("torch --pre numpy --hash=sha256:ab", Requirement, ["--pre", "numpy"]),
        ("- numpy", Options, ["-", "numpy"]),
        ("--pre -- -r x", Options, ["-r", "x"]),
        ("--hash=sha256:ab", Options, ["--hash=sha256:ab"]),
        ("-r a --pre -r b", Include, ["--pre", "-r b"]),
        ("-c a -r b", Include, ["-c a"]),
        ("-e . numpy", Editable, ["numpy"]),
    ],
)
def test_what_pip_silently_drops(text, kind, ignored):
    line = only(text)
    assert type(line) is kind
    assert [text[each.span.start : each.span.end] for each in line.ignored] == ignored


def test_options_of_a_requirement():
    text = "x==1 \\\n    --hash=sha256:ab \\\n    --hash sha512:cd --config-settings='a=b c' -C d=e # f\n"
    line = only(text)
    assert line.hashes == ("sha256:ab", "sha512:cd")
    assert [(option.name, option.value) for option in line.options[2:]] == [
        ("--config-settings", "a=b c"),
        ("--config-settings", "d=e"),
    ]
    assert [text[option.value_span.start : option.value_span.end] for option in line.options] == [
        *("sha256:ab", "sha512:cd", "a=b c", "d=e")
    ]
    assert line.comment.text == "# f"
    assert (line.span.start, line.span.end) == (0, len(text) - 1)


def test_options_keep_their_place_among_the_ignored():
    (ignored,) = only("torch --extra-index-url https://i.example").ignored
    assert isinstance(ignored, Option)
    assert (ignored.name, ignored.value) == ("--extra-index-url", "https://i.example")
