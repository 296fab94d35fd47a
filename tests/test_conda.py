"""Conda's environment files, package specifications and explicit lists."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.conda import is_explicit, parse, parse_explicit, parse_match_spec
from mllint.sources.requirements import Include, Invalid, Options, Requirement
from mllint.sources.text import Source, Span

TEXT = """\
name: serve
channels:
  - conda-forge
  - https://channel.example/ml
dependencies:
  - python=3.11
  - "numpy>=1.20,<2"
  - conda-forge::pytorch=2.1=py3.11_cuda*  # with CUDA
  - pip
  - pip:
      - "fastapi>=0.110"
      - torch==2.1; sys_platform == 'linux'
      - -r requirements.txt
      - --extra-index-url https://index.example/simple
      - not a requirement
prefix: /opt/conda/envs/serve
variables:
  OMP_NUM_THREADS: 4
"""

EXPLICIT = """\
# This file may be used to create an environment using:
# platform: linux-64
@EXPLICIT
https://channel.example/conda-forge/linux-64/_libgcc_mutex-0.1-conda_forge.tar.bz2#d7c89558ba9fa0495403155b64376d81
https://channel.example/conda-forge/noarch/Tzdata-2024a-h0c530f3_0.conda
nonsense
"""


def read(text):
    return parse(Source("environment.yml", text))


def test_environment():
    environment = read(TEXT)
    assert environment.problems == ()
    assert environment.name.text == "serve"
    assert environment.prefix.text == "/opt/conda/envs/serve"
    assert [channel.text for channel in environment.channels] == ["conda-forge", "https://channel.example/ml"]
    assert environment.variables["OMP_NUM_THREADS"].text == "4"
    assert [(each.name, each.line) for each in environment.dependencies] == [
        ("python", 6),
        ("numpy", 7),
        ("pytorch", 8),
        ("pip", 9),
    ]
    assert TEXT[slice(*environment.dependencies[0].span)] == "python=3.11"


def test_lines_of_pip_stand_where_their_spans_say():
    fastapi, torch, include, options, invalid = read(TEXT).pip
    assert isinstance(fastapi, Requirement)
    assert TEXT[slice(*fastapi.name_span)] == "fastapi"
    assert TEXT[slice(*torch.marker_span)] == "sys_platform == 'linux'"
    assert isinstance(include, Include)
    assert TEXT[slice(*include.path_span)] == "requirements.txt"
    assert isinstance(options, Options)
    assert options.options[0].value == "https://index.example/simple"
    assert isinstance(invalid, Invalid)


@pytest.mark.parametrize(
    ("text", "name", "channel", "version", "build", "exact"),
    [
        ("python", "python", None, None, None, None),
        ("python=3.11", "python", None, "=3.11", None, None),
        ("python = 3.11", "python", None, "=3.11", None, None),
        ("Foo-Bar==1.0", "foo-bar", None, "==1.0", None, "1.0"),
        ("numpy>=1.20,<2", "numpy", None, ">=1.20,<2", None, None),
        ("numpy >=1.8, <2", "numpy", None, ">=1.8,<2", None, None),
        ("numpy 1.8*", "numpy", None, "1.8*", None, None),
        ("numpy 1.8.1", "numpy", None, "1.8.1", None, "1.8.1"),
        ("numpy 1.8.1 py27_0", "numpy", None, "1.8.1", "py27_0", "1.8.1"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy", None, "=1.26.4", "py311h64a7726_0", "1.26.4"),
        ("blas=*=openblas", "blas", None, "=*", "openblas", None),
        ("x=1.2|1.3", "x", None, "=1.2|1.3", None, None),
        ("conda-forge::pytorch=2.1=py3.11_cuda*", "pytorch", "conda-forge", "=2.1", "py3.11_cuda*", "2.1"),
        ("conda-forge/linux-64::x", "x", "conda-forge/linux-64", None, None, None),
        ("https://channel.example/ml::x", "x", "https://channel.example/ml", None, None, None),
        ("nvidia/label/cuda-12.1.0::cuda-toolkit", "cuda-toolkit", "nvidia/label/cuda-12.1.0", None, None, None),
        ("x[version='>=1,<2', build=a*]", "x", None, ">=1,<2", "a*", None),
        ('x[channel="c",version=1.0]', "x", "c", "1.0", None, "1.0"),
        ("__glibc>=2.17", "__glibc", None, ">=2.17", None, None),
    ],
)
def test_match_specs(text, name, channel, version, build, exact):
    spec = parse_match_spec(text, Span(0, len(text)), 1)
    assert (spec.name, spec.channel, spec.version, spec.build) == (name, channel, version, build)
    assert spec.exact_version == exact


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "an environment must be a table"),
        ("dependencies:\n  - =1\n", "no package specification"),
        ("dependencies:\n  - 3\n", "no package specification"),
        ("dependencies:\n  - npm:\n    - a\n", 'conda knows no section "npm" of dependencies'),
        ("channels: [[a]]\n", "must be a string, not a list"),
        ("name: [\n", "expected"),
    ],
)
def test_what_conda_refuses_is_a_problem(text, message):
    problems = read(text).problems
    assert problems
    assert message in problems[0].message


def test_explicit_list():
    source = Source("conda-linux-64.lock", EXPLICIT)
    explicit = parse_explicit(source)
    mutex, tzdata = explicit.packages
    assert is_explicit(source)
    assert not is_explicit(Source("environment.yml", TEXT))
    assert (mutex.name, mutex.version, mutex.build) == ("_libgcc_mutex", "0.1", "conda_forge")
    assert (mutex.channel, mutex.platform) == ("https://channel.example/conda-forge", "linux-64")
    assert (mutex.line, mutex.has_hash) == (4, True)
    assert (tzdata.name, tzdata.platform, tzdata.has_hash) == ("tzdata", "noarch", False)
    assert EXPLICIT[slice(*explicit.problems[0].span)] == "nonsense"


FRAGMENTS = st.sampled_from(
    [
        *("name:", "channels:", "dependencies:", "variables:", "prefix:", " pip:", " a=1", "\n", "\n- ", "\n  - ", "{"),
        *("}", "[", "]", "'", '"', "3", "~", "# c", "|\n  x\n  y", "é", "*", "&a ", "*a", "::"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS, max_size=20).map("".join))
def test_any_text_is_read(text):
    environment = read(text)
    parse_explicit(environment.source)
    spans = [*(each.span for each in environment.dependencies), *(line.span for line in environment.pip)]
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)


@settings(max_examples=200, deadline=None)
@given(st.text("ab1.=<>!,*|:[]'\" /_-", max_size=25))
def test_any_specification_is_read(text):
    spec = parse_match_spec(text, Span(0, len(text)), 1)
    assert spec is None or spec.name
