from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllint.sources.reference import Reference, parse
from mllint.sources.text import Problem, Span

SHA256 = f"sha256:{'0123456789abcdef' * 4}"
SHA512 = f"sha512:{'0123456789abcdef' * 8}"


def valid(text: str) -> Reference:
    reference = parse(text)
    assert isinstance(reference, Reference), reference
    return reference


def part(text: str, span: Span | None) -> str | None:
    return text[span.start : span.end] if span else None


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "familiar"),
    [
        ("python", "docker.io", "library/python", None, "python"),
        ("python:3.11-slim", "docker.io", "library/python", "3.11-slim", "python"),
        ("library/python", "docker.io", "library/python", None, "python"),
        ("docker.io/python", "docker.io", "library/python", None, "python"),
        ("docker.io/library/python:3", "docker.io", "library/python", "3", "python"),
        ("index.docker.io/python", "docker.io", "library/python", None, "python"),
        ("index.docker.io/nvidia/cuda", "docker.io", "nvidia/cuda", None, "nvidia/cuda"),
        ("nvidia/cuda:12.4.1-base", "docker.io", "nvidia/cuda", "12.4.1-base", "nvidia/cuda"),
        ("library/a/b", "docker.io", "library/a/b", None, "library/a/b"),
        ("a__b/c.d/e---f", "docker.io", "a__b/c.d/e---f", None, "a__b/c.d/e---f"),
        # The first part is a registry where it has a dot, a port or upper-case letters, or is localhost.
        ("ghcr.io/astral-sh/uv", "ghcr.io", "astral-sh/uv", None, "ghcr.io/astral-sh/uv"),
        ("quay.example/library/a", "quay.example", "library/a", None, "quay.example/library/a"),
        ("registry:5000/python", "registry:5000", "python", None, "registry:5000/python"),
        ("registry:5000/python:3", "registry:5000", "python", "3", "registry:5000/python"),
        ("localhost/python", "localhost", "python", None, "localhost/python"),
        ("127.0.0.1:5000/python", "127.0.0.1:5000", "python", None, "127.0.0.1:5000/python"),
        ("[::1]:5000/python", "[::1]:5000", "python", None, "[::1]:5000/python"),
        ("NVIDIA/cuda", "NVIDIA", "cuda", None, "NVIDIA/cuda"),
        ("my_host.example/a", "my_host.example", "a", None, "my_host.example/a"),
        # A namespace that looks like a registry keeps the real one in front.
        ("docker.io/localhost/a", "docker.io", "localhost/a", None, "docker.io/localhost/a"),
        # Without a slash there is no registry.
        ("localhost", "docker.io", "library/localhost", None, "localhost"),
        ("registry:5000", "docker.io", "library/registry", "5000", "registry"),
        ("python:_", "docker.io", "library/python", "_", "python"),
        ("python:3.11_A-b.c", "docker.io", "library/python", "3.11_A-b.c", "python"),
    ],
)
def test_names(text: str, registry: str, repository: str, tag: str | None, familiar: str) -> None:
    reference = valid(text)
    assert (reference.registry, reference.repository, reference.tag) == (registry, repository, tag)
    assert reference.name == f"{registry}/{repository}"
    assert reference.familiar == familiar
    assert reference.digest is None


@pytest.mark.parametrize("digest", [SHA256, SHA512, f"sha384:{'0a' * 48}"])
def test_digests(digest: str) -> None:
    assert valid(f"python@{digest}").digest == digest
    both = valid(f"registry.example:5000/ml/serve:1.2@{digest}")
    assert (both.tag, both.digest) == ("1.2", digest)


def test_spans() -> None:
    text = f"registry:5000/ml/serve:1.2@{SHA256}"
    reference = valid(text)
    assert part(text, reference.name_span) == "registry:5000/ml/serve"
    assert part(text, reference.tag_span) == "1.2"
    assert part(text, reference.digest_span) == SHA256
    bare = valid("python")
    assert (bare.name_span, bare.tag_span, bare.digest_span) == (Span(0, 6), None, None)


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("", "", "no name"),
        (":3", "", "no name"),
        (f"@{SHA256}", "", "no name"),
        ("registry.example/", "registry.example/", "no name"),
        ("registry.example/:3", "registry.example/", "no name"),
        ("nvidia/", "nvidia/", "no valid image name"),
        ("0123456789abcdef" * 4, "0123456789abcdef" * 4, "image ID"),
        ("Python:3.11", "Python", "upper-case"),
        ("nvidia/CUDA", "nvidia/CUDA", "upper-case"),
        ("registry.example/ML/serve", "registry.example/ML/serve", "upper-case"),
        ("-python", "-python", "no valid image name"),
        ("python-", "python-", "no valid image name"),
        ("a___b", "a___b", "no valid image name"),
        ("a..b", "a..b", "no valid image name"),
        ("a//b", "a//b", "no valid image name"),
        ("/python", "/python", "no valid image name"),
        ("my python", "my python", "no valid image name"),
        ("$BASE", "$BASE", "upper-case"),
        ("${base}:3", "${base}", "no valid image name"),
        ('"python"', '"python"', "no valid image name"),
        ("https://a.example/b", "https://a.example/b", "https: is no valid registry host"),
        ("my_host:5000/a", "my_host:5000/a", "my_host:5000 is no valid registry host"),
        ("-a.example/b", "-a.example/b", "-a.example is no valid registry host"),
        ("python:3.11/slim", "python:3.11/slim", "python:3.11 is no valid registry host"),
        ("a" * 250, "a" * 250, "258 characters; 255 are allowed"),
        ("python:", "", "empty"),
        (f"python:@{SHA256}", "", "empty"),
        ("python:.3", ".3", "no valid tag"),
        ("python:-3", "-3", "no valid tag"),
        ("python:3:11", "3:11", "no valid tag"),
        ("python:3+cu121", "3+cu121", "no valid tag"),
        ("python:é", "é", "no valid tag"),
        ("python:" + "a" * 129, "a" * 129, "129 characters; 128 are allowed"),
        ("python@", "", "no known algorithm"),
        ("python@3.11", "3.11", "no known algorithm"),
        (f"python@md5:{'0' * 32}", f"md5:{'0' * 32}", "no known algorithm"),
        ("python@sha256:abc", "sha256:abc", "3 digits instead of 64"),
        (f"python@{SHA256}0", f"{SHA256}0", "65 digits instead of 64"),
        (f"python@sha256:{'A' * 64}", f"sha256:{'A' * 64}", "other characters than 0-9 and a-f"),
    ],
)
def test_what_no_registry_accepts(text: str, place: str, complaint: str) -> None:
    problem = parse(text)
    assert isinstance(problem, Problem)
    assert complaint in problem.message
    assert part(text, problem.span) == place


LABELS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=2, max_size=3).map(".".join)
PORTS = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
REGISTRIES = st.one_of(st.just("docker.io"), st.just("localhost"), st.builds("{}{}".format, HOSTS, PORTS))
COMPONENTS = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
REPOSITORIES = st.lists(COMPONENTS, min_size=2, max_size=4).map("/".join)
TAGS = st.one_of(st.none(), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True))
DIGESTS = st.one_of(st.none(), st.from_regex("sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", fullmatch=True))


@given(REGISTRIES, REPOSITORIES, TAGS, DIGESTS)
def test_the_parts_come_back(registry: str, repository: str, tag: str | None, digest: str | None) -> None:
    text = f"{registry}/{repository}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = valid(text)
    assert (reference.registry, reference.repository) == (registry, repository)
    assert (reference.tag, reference.digest) == (tag, digest)
    assert part(text, reference.name_span) == reference.name
    assert (part(text, reference.tag_span), part(text, reference.digest_span)) == (tag, digest)


@given(REGISTRIES, REPOSITORIES)
def test_the_familiar_name_means_the_same(registry: str, repository: str) -> None:
    reference = valid(f"{registry}/{repository}")
    assert valid(reference.familiar).name == reference.name


@given(st.one_of(st.text(), st.text(alphabet="aZ0/:@._-[]é")))
def test_any_text_is_read(text: str) -> None:
    result = parse(text)
    if isinstance(result, Problem):
        assert 0 <= result.span.start <= result.span.end <= len(text)
        assert result.message
    else:
        assert valid(result.familiar).name == result.name
