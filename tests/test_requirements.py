"""What each line of a requirements file asks for, and the places of its parts."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.pip_encoding import decode
from mllint.sources.requirements import Empty, Invalid, Requirement, normalised, parse, parse_requirement
from mllint.sources.text import Logical, Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHEEL = "torch-2.1.0+cpu-cp311-cp311-linux_x86_64.whl"


def lines_of(text):
    return parse(Source("requirements.txt", text)).lines


def only(text):
    (line,) = lines_of(text)
    return line


def assert_lossless(text):
    """Lines in order and apart, each from visible to visible character, with only blanks between them."""
    behind = 0
    for line in lines_of(text):
        assert behind <= line.span.start < line.span.end
        assert not text[behind : line.span.start].strip()
        shown = text[line.span.start : line.span.end]
        assert shown == shown.strip()
        behind = line.span.end
    assert not text[behind:].strip()


# --- requirements -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "extras", "specifier", "marker", "url"),
    [
        ("numpy", "numpy", (), "", None, None),
        ("numpy==1.2.3", "numpy", (), "==1.2.3", None, None),
        ("  Foo_Bar.baz >= 1.0, < 2  ", "Foo_Bar.baz", (), ">= 1.0, < 2", None, None),
        ("uvicorn[standard]>=0.30,<1", "uvicorn", ("standard",), ">=0.30,<1", None, None),
        ("x [ a , b-c ] ~=1.0", "x", ("a", "b-c"), "~=1.0", None, None),
        ("torch==2.1.0+cu118", "torch", (), "==2.1.0+cu118", None, None),
        ("torch==2.*", "torch", (), "==2.*", None, None),
        ("x>=1,", "x", (), ">=1,", None, None),
        ("x (>=1, <2)", "x", (), ">=1, <2", None, None),
        ("x==1!2.0rc1.post2.dev3", "x", (), "==1!2.0rc1.post2.dev3", None, None),
        ("x===weird_1", "x", (), "===weird_1", None, None),
        ('x;python_version<"3.9"', "x", (), "", 'python_version<"3.9"', None),
        ("x>1 ; os_name == 'nt' or extra == 'a b'", "x", (), ">1", "os_name == 'nt' or extra == 'a b'", None),
        ('x ; (sys_platform in "linux darwin")', "x", (), "", '(sys_platform in "linux darwin")', None),
        ("x ;", "x", (), "", None, None),
        ("x@https://h.example/x.zip", "x", (), "", None, "https://h.example/x.zip"),
        ("x[a] @ git+ssh://g@h.example/x@v1", "x", ("a",), "", None, "git+ssh://g@h.example/x@v1"),
        ('x @ file:///x.whl ; os_name=="nt"', "x", (), "", 'os_name=="nt"', "file:///x.whl"),
        (f"https://h.example/{WHEEL}", "torch", (), "", None, f"https://h.example/{WHEEL}"),
        (f'./wheels/{WHEEL} ; os_name=="nt"', "torch", (), "", 'os_name=="nt"', f"./wheels/{WHEEL}"),
        (WHEEL, "torch", (), "", None, WHEEL),
        ("git+https://h.example/x.git@v1#egg=y&subdirectory=z", "y", (), "", None, None),
        ("git+https://h.example/x.git#subdirectory=z&egg=y[a,b]", "y", ("a", "b"), "", None, None),
        ("https://h.example/x.tar.gz", None, (), "", None, "https://h.example/x.tar.gz"),
        ("./pkg[dev]", None, ("dev",), "", None, "./pkg"),
        ("../pkg", None, (), "", None, "../pkg"),
        ("pkg.zip", None, (), "", None, "pkg.zip"),
        (".", None, (), "", None, "."),
    ],
)
def test_requirement_parts_stand_where_their_spans_say(text, name, extras, specifier, marker, url):
    line = only(text)
    assert isinstance(line, Requirement)
    assert (line.name, line.extras, line.specifier, line.marker) == (name, extras, specifier, marker)
    assert line.url == url or (url is None and line.url == text)
    assert line.text == text.strip()
    assert (line.span.start, line.span.end) == (len(text) - len(text.lstrip()), len(text.rstrip()))
    for part, span in [
        (name, line.name_span),
        (specifier or None, line.specifier_span),
        (marker, line.marker_span),
        (line.url, line.url_span),
    ]:
        assert (text[span.start : span.end] if span else None) == part


def test_exact_offsets_behind_other_lines():
    line = lines_of("# top\r\nx\n  torch[cuda] >=2,<3 ; os_name=='nt' # why \n")[2]
    assert (line.span.start, line.span.end) == (11, 51)
    assert (line.name_span.start, line.name_span.end) == (11, 16)
    assert (line.specifier_span.start, line.specifier_span.end) == (23, 29)
    assert (line.marker_span.start, line.marker_span.end) == (32, 45)
    assert line.comment.text == "# why"
    assert (line.comment.span.start, line.comment.span.end) == (46, 51)


@pytest.mark.parametrize(
    ("text", "pinned", "version", "bounded"),
    [
        ("x", False, None, False),
        ("x>=1", False, None, False),
        ("x!=1", False, None, False),
        ("x<2", False, None, True),
        ("x~=1.2", False, None, True),
        ("x==1.*", False, None, True),
        ("x==1.2", True, "1.2", True),
        ("x >= 1, == 1.2", True, "1.2", True),
        ("x===1.2", True, "1.2", True),
        ("x==${VERSION}", True, None, True),
        (f"x @ git+https://h.example/x@{COMMIT}", True, None, True),
        ("x @ git+https://h.example/x@main", False, None, False),
        ("https://h.example/x.zip#sha256=ab", True, None, True),
        ("https://h.example/x.zip --hash=sha256:ab", True, None, True),
        (f"https://h.example/{WHEEL}", False, "2.1.0+cpu", True),
        (f"https://h.example/{WHEEL}".replace("+", "%2B"), False, "2.1.0+cpu", True),
        ("./pkg", False, None, False),
    ],
)
def test_how_far_a_requirement_is_held(text, pinned, version, bounded):
    line = only(text)
    assert (line.pinned, line.exact_version, line.has_upper_bound) == (pinned, version, bounded)


def test_key_is_normalised():
    assert only("Foo__bar.-Baz").key == "foo-bar-baz"
    assert only("./pkg").key is None
    assert normalised("PyYAML") == "pyyaml"


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("torch==", "semicolon", "torch=="),
        ("foo=1.0 # c", "Did you mean == ?", "foo=1.0"),
        ("numpy>1.0 <2", "comma", "numpy>1.0 <2"),
        ("numpy pandas", "semicolon", "numpy pandas"),
        ("x>=1.*", "suffix", "x>=1.*"),
        ("x==dev", "", "x==dev"),
        ("x[a b]", "comma", "x[a b]"),
        ("x ; python_versoin > '3'", "marker variable", "python_versoin > '3'"),
        ("x ; " + "(" * 9999, "", "(" * 9999),
        ("x ; os_name == '\\x'", "quoted string", "os_name == '\\x'"),
        ("http://[h", "IPv6", "http://[h"),
        ("x @ http://[h", "IPv6", "http://[h"),
        ("x-1.0.whl", "Invalid wheel filename: 'x-1.0.whl'", "x-1.0.whl"),
        ("https://h.example/x#egg=", "egg", "#egg="),
        ("ssh://h.example/x", "", "ssh://h.example/x"),
        ("x\\ ", "", "x\\"),
        ("x\ufeff", "", "x\ufeff"),
        ("x\0", "", "x\0"),
        ("x==1.0\xa0y", "", "x==1.0\xa0y"),
        ("--foo=1", "no such option: --foo", "--foo=1"),
        ("x==1 -y", "no such option: -y", "-y"),
        ("--no=1", "ambiguous option: --no (--no-binary, --no-index, --no-require-hashes?)", "--no=1"),
        ("--pre=1", "--pre option does not take a value", "--pre=1"),
        ("x -r", "-r option requires 1 argument", "-r"),
        ("-r 'a", "Could not split options: -r 'a", "'a"),
        ("x --hash=ab", "followed by a value", "--hash=ab"),
        ("x --hash md5:ab", "sha256, sha384, sha512", "--hash md5:ab"),
        ("x -C a", "Arguments to -C must be of the form KEY=VAL", "-C a"),
        ("--no-binary --pre", "requires 1 argument", "--no-binary --pre"),
        ("-e https://h.example/x", "not a valid editable requirement", "https://h.example/x"),
        ("-e git@h.example:x.git", "not a valid editable requirement", "git@h.example:x.git"),
        ("-e git+https://h.example/x", "Could not detect requirement name", "git+https://h.example/x"),
    ],
)
def test_what_pip_refuses_is_invalid_and_says_why(text, message, at):
    line = only(text)
    assert isinstance(line, Invalid)
    assert message in line.message
    assert "\n" not in line.message
    assert text[line.at.start : line.at.end] == at
    assert line.span.start <= line.at.start < line.at.end <= line.span.end


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a\r\nb\rc\x0cd\x85e\u2028f", ["a", "b", "c", "d", "e", "f"]),
        ("num\\\npy", ["numpy"]),
        ("num\\\r\npy\\", ["numpy"]),
        ("\\\nx", ["x"]),
        ("x#y\n", []),
        ("x # c \\\n  y\nz", ["x", "z"]),
        ("x \\\n# c \\\ny", ["x", "y"]),
        ("x \\\n\ny", ["x", "y"]),
        ("# c \\\nx", ["x"]),
        ("x\xa0# c", ["x"]),
        ("\xa0x\u3000", ["x"]),
    ],
)
def test_logical_lines(text, names):
    assert [line.name for line in lines_of(text) if isinstance(line, Requirement)] == names
    assert_lossless(text)


def test_spans_across_a_continuation():
    text = "tor\\\nch \\\n  >=2 \\\n# why\n"
    line = only(text)
    assert (line.name, line.specifier) == ("torch", ">=2")
    assert text[line.name_span.start : line.name_span.end] == "tor\\\nch"
    assert text[line.specifier_span.start : line.specifier_span.end] == ">=2"
    assert line.comment.text == "# why"
    assert text[line.comment.span.start : line.comment.span.end] == "# why"


def test_lines_that_ask_for_nothing():
    text = "\n  # first \n\\\n"
    first, second = lines_of(text)
    assert isinstance(first, Empty)
    assert isinstance(second, Empty)
    assert first.comment.text == "# first"
    assert second.comment is None
    assert lines_of(" \n\t\n\x0c\r\n") == ()


def test_variables_are_recorded_and_not_judged():
    text = "x==${X_1} ; os_name == '${OS}'"
    line = only(text)
    assert isinstance(line, Requirement)
    assert [variable.text for variable in line.variables] == ["${X_1}", "${OS}"]
    assert [text[each.span.start : each.span.end] for each in line.variables] == ["${X_1}", "${OS}"]
    assert (line.name, line.specifier, line.marker) == ("x", "==${X_1}", "os_name == '${OS}'")
    unread = only("${REQUIREMENT} junk")
    assert isinstance(unread, Requirement)
    assert (unread.name, unread.url, unread.specifier) == (None, None, "")
    assert only("x${SUFFIX}==1").name is None
    assert isinstance(only("x==$X"), Invalid)
    assert isinstance(only("x==${lower}"), Invalid)
    assert only("x --hash=${HASH}").hashes == ("${HASH}",)


@settings(max_examples=200)
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_and_lossless(text):
    assert_lossless(text)


# --- words of a pip command -------------------------------------------------------------------------------------------


def test_a_word_of_a_command():
    command = Source("Dockerfile", 'RUN pip install "torch>=2" "./pkg[a]" "x=1"')
    start = command.text.index("torch")
    line = parse_requirement(Logical("torch>=2", (0,), (start,)))
    assert isinstance(line, Requirement)
    assert (line.name, line.specifier) == ("torch", ">=2")
    assert command.slice(line.specifier_span) == ">=2"
    assert command.slice(line.span) == "torch>=2"
    assert isinstance(parse_requirement(Logical("x=1", (0,), (39,))), Invalid)
    assert isinstance(parse_requirement(Logical("x # y", (0,), (0,))), Invalid)
    assert isinstance(parse_requirement(Logical("", (0,), (0,))), Invalid)


def test_a_word_with_a_shell_variable():
    line = parse_requirement(Logical(" torch==$V", (0,), (0,)), [(8, 10)])
    assert isinstance(line, Requirement)
    assert (line.name, line.specifier, line.exact_version, line.pinned) == ("torch", "==$V", None, True)
    assert [variable.text for variable in line.variables] == ["$V"]
    assert parse_requirement(Logical("$X", (0,), (0,)), [(0, 2)]).name is None


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "encoding", "bom"),
    [
        (b"x", "x", "utf-8", b""),
        (codecs.BOM_UTF8 + b"x", "x", "utf-8", codecs.BOM_UTF8),
        (codecs.BOM_UTF16_LE + "é".encode("utf-16-le"), "é", "utf-16-le", codecs.BOM_UTF16_LE),
        (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "é", "utf-16-be", codecs.BOM_UTF16_BE),
        (codecs.BOM_UTF32_LE + "é".encode("utf-32-le"), "é", "utf-32-le", codecs.BOM_UTF32_LE),
        (codecs.BOM_UTF32_BE + "é".encode("utf-32-be"), "é", "utf-32-be", codecs.BOM_UTF32_BE),
        (b"x\n# -*- coding: latin-1 -*-\n# \xe9", "x\n# -*- coding: latin-1 -*-\n# é", "latin-1", b""),
        (b"# c\n# coding=cp1252\n# \x80", "# c\n# coding=cp1252\n# €", "cp1252", b""),
        (b"\n\n# coding: latin-1\n# \xc3\xa9", "\n\n# coding: latin-1\n# é", "utf-8", b""),
        (b" # coding: latin-1\n# \xc3\xa9", " # coding: latin-1\n# é", "utf-8", b""),
        (b"x\0", "x\0", "utf-8", b""),
    ],
)
def test_decoding(data, text, encoding, bom):
    decoded = decode(data)
    assert decoded == (text, encoding, bom)
    assert decoded.bom + decoded.text.encode(decoded.encoding) == data


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"ok\n\xff", 3),
        (b"# coding: ascii\n\xc3\xa9", 16),
        (b"# coding: no-such\nx", 10),
        (b"# coding: hex\n", 10),
        (b"# coding: undefined\n", 10),
        (codecs.BOM_UTF16_LE + b"x", 0),
    ],
)
def test_undecodable_bytes_are_an_error_with_a_place(data, start):
    with pytest.raises(UnicodeDecodeError) as caught:
        decode(data)
    assert caught.value.start == start


@settings(max_examples=200)
@given(
    st.tuples(
        st.sampled_from([b"", b"# coding: ", b"x\n# coding=", b"\xff\xfe", b"\xef\xbb\xbf", b"\xfe\xff"]),
        st.one_of(
            st.binary(max_size=12), st.sampled_from([b"idna\n", b"punycode\n-\xff", b"utf-7\n+", b"unicode_escape\n"])
        ),
    ).map(b"".join)
)
@pytest.mark.filterwarnings("ignore:.*escape sequence:DeprecationWarning")
def test_decoding_gives_text_or_a_decode_error(data):
    with contextlib.suppress(UnicodeDecodeError):
        assert isinstance(decode(data).text, str)


def test_a_marker_in_the_fragment_of_an_address_counts():
    (line,) = parse(Source("r.txt", 'git+https://h.example/x@v1#egg=yy>1;python_version>"3"\n')).lines
    assert line.name == "yy"
    assert line.marker == 'python_version>"3"'
