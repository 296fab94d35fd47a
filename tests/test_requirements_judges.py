"""Requirements files held against pip's own reading and packaging's."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Pep508
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from test_requirements import assert_lossless, lines_of

from mllint.sources.pip_encoding import decode
from mllint.sources.requirements import (
    Constraint,
    Editable,
    Empty,
    Include,
    Invalid,
    Options,
    Requirement,
    normalised,
    parse_requirement,
)
from mllint.sources.text import Logical

# --- packaging as the judge -------------------------------------------------------------------------------------------

VERSIONS = st.sampled_from(
    ["1", "1.0", "2.1.3", "1.0a1", "1.0.post2", "1.0.dev3", "1!2.0", "v1.0", "1.0-1", "1.0RC1", "01"]
)
CLAUSES = st.one_of(
    st.builds(
        "{}{}{}".format, st.sampled_from(["==", "!=", ">=", "<=", ">", "<", "~="]), st.sampled_from(["", " "]), VERSIONS
    ),
    st.sampled_from(["==1.*", "!=2.0.*", "==1.0+cu118", "===x_1", "==1.0+a-b_c.1", ">=1.*", "<1+l", "==", "=1", "~=1"]),
)
MARKERS = st.sampled_from(
    [
        "",
        ";",
        " ; os",
        ' ; python_version>="3.8"',
        ";os_name == 'nt' and extra=='x'",
        " ; (os_name=='a b')",
        ";'a' in os_name",
    ]
)
PEP508 = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["numpy", "Foo.Bar_baz", "a", "x1-", "-x", "é", "zip.zipp"]),
    st.sampled_from(["", "[a]", " [a, b]", "[ ]", "[a b]", "[a,]"]),
    st.one_of(st.lists(CLAUSES, max_size=3).map(",".join), st.just(" (>=1,<2)"), st.just(" @ https://h.example/x ")),
    MARKERS,
)


@settings(max_examples=200)
@given(PEP508)
def test_named_requirements_are_read_as_packaging_reads_them(text):
    line = parse_requirement(Logical(text, (0,), (0,)))
    try:
        # pip cuts the marker off first, so that it may also be empty.
        expected = Pep508(text.rstrip(";"))
    except InvalidRequirement:
        assert isinstance(line, Invalid)
        return
    assert isinstance(line, Requirement)
    assert line.name == expected.name
    assert set(line.extras) == expected.extras
    assert SpecifierSet(line.specifier) == expected.specifier
    assert SpecifierSet(",".join(operator + version for operator, version in line.clauses)) == expected.specifier
    assert line.url == expected.url
    assert (Pep508(f"x; {line.marker}").marker if line.marker else None) == expected.marker


# --- pip as the judge -------------------------------------------------------------------------------------------------

SCRAPS = ("\\", "\0", "\ufeff", "é", "'", '"', "#", "#c", ";", "@", "==", "1.0", "(>=1)", ">=1.0", "=1")
PIECES = (
    *SCRAPS,
    *r"""
numpy | torch==2.1 | a.b>=1,<2 | x[a,b] | foo-1.0 | x ; os_name=='nt' | y>1;python_version>"3" | torch== | x==1.*
- | -- | -r a.txt | -rb.txt | --requirement=c.txt | -c c.txt | -e . | -e .[x] | --pre | --no-index | -x | --foo
-i https://i.example | --index-url=https://j.example | --extra-index-url 'https://k.example' | --pypi-url x | -f w
--hash=sha256:ab | --hash sha512:cd | --hash=md5:ab | --hash=ab | x===1 | -C a=b | --config-settings 'a=b c' | -Ca
--no-binary :all: | --only-binary=x | --trusted-host h | --prefer-binary | --require-hashes | --find-links=./w
https://h.example/x.zip | https://h.example/x-1.whl | x@https://h.example/x.zip | x.zip[a] | x.zip | ./p
git+https://h.example/x@v1#egg=y | -e git+https://h.example/x#egg=y | -e git+https://h.example/x | http://[h | file:///x
x-1-py3-none-any.whl | ssh://h.example/x | ftp://h.example/x | ${A} | $A | -e https://h.example | https://h.example/x-1-py3-none-any.whl
""".strip()
    .replace(" | ", "\n")
    .split("\n"),
)
LINE_ENDS = ("\n", "\n", "\r\n", "\r", "\x0c", "\x1c", "\u2028", "\\\n", " \\\n  ", " \\\r\n", " # c\n", " # c \\\n")
SEPARATORS = (*LINE_ENDS, " ", " ", " ", "\t", "\xa0", "")
MIXES = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(SEPARATORS)), max_size=8).map(
    lambda mix: "".join(piece + separator for piece, separator in mix)
)


class Pip:
    """pip's own reading of a requirements file, line by line and without its file system."""

    def __init__(self):
        reason = "needs the pip package, whose parser is the judge"
        req_file = pytest.importorskip("pip._internal.req.req_file", reason=reason)
        constructors = pytest.importorskip("pip._internal.req.constructors", reason=reason)
        self.version = Version(pytest.importorskip("pip").__version__)
        self.lines = lambda text: [line for _, line in req_file.preprocess(text)]
        self.split = req_file.get_line_parser(None)
        self.requirement = constructors.install_req_from_line
        self.editable = constructors.install_req_from_editable
        if hasattr(req_file, "_decode_req_file"):
            self.decode = lambda data: req_file._decode_req_file(data, "requirements.txt")
        else:
            self.decode = pytest.importorskip("pip._internal.utils.encoding").auto_decode

    def compare(self, text):
        """Assert that our lines are pip's; gives how many were compared."""
        ours = [line for line in lines_of(text) if not isinstance(line, Empty)]
        theirs = self.lines(text)
        assert len(ours) == len(theirs)
        for line, their in zip(ours, theirs, strict=True):
            self._compare_line(line, their)
        return len(ours)

    def _compare_line(self, line, their):
        try:
            arguments, options = self.split(their)
        except Exception:
            # A value with a variable is not judged before its value is known.
            assert isinstance(line, Invalid) or line.variables, their
            return
        if arguments:
            self._compare_requirement(line, arguments, options)
        elif options.editables:
            self._compare_editable(line, options.editables[0])
        elif options.requirements:
            assert isinstance(line, Include), their
            assert line.path == options.requirements[0]
        elif options.constraints:
            assert isinstance(line, Constraint), their
            assert line.path == options.constraints[0]
        else:
            assert isinstance(line, Options), their
            self._compare_options(line.options, options)

    def _compare_requirement(self, line, arguments, options):
        try:
            expected = self.requirement(arguments)
        except Exception:
            assert isinstance(line, Invalid) or line.variables or self._is_for_later(line), arguments
            return
        if isinstance(line, Invalid):
            assert self._is_leniently_old(arguments), (arguments, line.message)
            return
        assert isinstance(line, Requirement), arguments
        assert line.text == arguments.strip()
        if not line.variables:
            assert line.key == (normalised(expected.req.name) if expected.req else None), arguments
            assert set(line.extras) == expected.extras, arguments
        assert bool(line.marker) == (expected.markers is not None), arguments
        assert (line.url is not None) == (expected.link is not None), arguments
        hashes = [f"{name}:{digest}" for name, digests in (options.hashes or {}).items() for digest in digests]
        assert sorted(line.hashes) == sorted(hashes)

    def _compare_editable(self, line, value):
        try:
            expected = self.editable(value)
        except Exception:
            assert isinstance(line, Invalid) or line.variables or self._is_for_later(line), value
            return
        assert isinstance(line, Editable), value
        assert line.key == (normalised(expected.req.name) if expected.req else None)

    def _compare_options(self, ours, theirs):
        def values(name):
            return [option.value for option in ours if option.name == name]

        assert (values("--index-url") or [None])[-1] == theirs.index_url
        assert values("--extra-index-url") == theirs.extra_index_urls
        assert values("--find-links") == theirs.find_links
        assert values("--trusted-host") == theirs.trusted_hosts
        assert bool(values("--pre")) == theirs.pre
        assert bool(values("--no-index")) == theirs.no_index

    def _is_for_later(self, line):
        """pip refuses a path at once where nothing is there, which is for a later reader of the files to say; pip 25
        also refuses more than a name in an egg fragment, which older ones take."""
        is_path = line.url is not None and not re.match(r"[a-z+]+:", line.url)
        is_old_egg = self.version >= Version("25") and "egg=" in (line.url or "")
        return is_path or is_old_egg

    def _is_leniently_old(self, arguments):
        """pip before 24.1 takes any version at all: a known deviation, since packaging and newer pips do not."""
        try:
            Pep508(arguments)
        except InvalidRequirement:
            return self.version < Version("24.1") or arguments.startswith("\0")
        return False


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    with contextlib.chdir(tmp_path_factory.mktemp("empty")):
        yield Pip()


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(MIXES)
def test_lines_are_read_as_pip_reads_them(pip, text):
    assert_lossless(text)
    pip.compare(text)


@pytest.mark.parametrize("piece", PIECES)
def test_each_piece_alone_is_read_as_pip_reads_it(pip, piece):
    pip.compare(piece)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        "é".encode(),
        b"\xff",
        codecs.BOM_UTF8 + b"x",
        "x".encode("utf-16"),
        b"# coding: latin-1\n# \xe9",
        b"# coding:\nlatin-1 \xe9",
    ],
)
def test_bytes_are_decoded_as_pip_decodes_them(pip, data):
    try:
        expected = pip.decode(data)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            decode(data)
    else:
        assert decode(data).text == expected


def test_real_files_are_read_as_pip_reads_them(pip):
    folder = os.environ.get("MLLINT_CORPUS")
    if not folder:
        pytest.skip("MLLINT_CORPUS names no folder of real build contexts")
    compared = 0
    for path in sorted(Path(folder).rglob("*requirements*")):
        if path.suffix in (".txt", ".in") and path.is_file():
            try:
                text = decode(path.read_bytes()).text
            except UnicodeDecodeError:
                continue
            assert_lossless(text)
            compared += pip.compare(text)
    assert compared
