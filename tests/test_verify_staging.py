"""The copy of a Dockerfile that is built in its place, and what builds it, as far as no engine is needed to tell."""

from __future__ import annotations

import io
import os
import tarfile

import docker
import pytest

from mllint.verification import builders
from mllint.verification.background import begun
from mllint.verification.building import sending
from mllint.verification.engines import Engine
from mllint.verification.plan import plan
from mllint.verification.records import VerifyError
from mllint.verification.staging import Staged, staged

NO_BUILDX = begun(str)
"""A docker command that prints nothing."""


@pytest.fixture
def engine():
    """One that nobody has asked yet."""
    client = docker.DockerClient(base_url="unix:///nowhere/docker.sock", version="1.45")
    return Engine(client, "Docker 26.1.5", "default", True, NO_BUILDX)


@pytest.fixture
def variant(tmp_path):
    """The one variant of a folder with these files."""

    def variant(dockerfile: str | bytes, base_images=None, build_args=None, **files: str):
        (tmp_path / ".git").mkdir()
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (found,) = plan(["Dockerfile"], build_args=build_args, cwd=tmp_path)
        return found._replace(base_images=base_images or {})

    return variant


MIRROR = {"python:3.11-slim": "registry.example/python:3.11-slim", "docker.io/library/debian": "debian:bookworm-slim"}


def test_a_dockerfile_that_needs_no_change_is_built_as_it_stands(engine, variant):
    found = variant("FROM python:3.11-slim\n", {"debian": "other"})
    with staged(engine, found) as copy:
        assert copy == Staged(found.path, found.build.dockerfile, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM python:3.11-slim AS a\n", "FROM registry.example/python:3.11-slim AS a\n"),
        ("from docker.io/python:3.11-slim\r\nRUN true", "from registry.example/python:3.11-slim\r\nRUN true"),
        ("ARG V=3.11\nFROM python:${V}-slim\n", "ARG V=3.11\nFROM registry.example/python:3.11-slim\n"),
        ("FROM --platform=linux/amd64 debian:latest", "FROM --platform=linux/amd64 debian:bookworm-slim"),
        (
            "FROM a\nCOPY --from=debian --chown=1 /x /x\n",
            "FROM a\nCOPY --from=debian:bookworm-slim --chown=1 /x /x\n",
        ),
        (
            "FROM a\nRUN --mount=type=bind,from=debian,target=/d \\\n  true\n",
            "FROM a\nRUN --mount=type=bind,from=debian:bookworm-slim,target=/d \\\n  true\n",
        ),
        (
            "FROM a\nRUN --mount=from=debian,target=/d --mount=type=cache,target=/c true\n",
            "FROM a\nRUN --mount=from=debian:bookworm-slim,target=/d --mount=type=cache,target=/c true\n",
        ),
        ("\ufeffFROM debian\n# é\n", "\ufeffFROM debian:bookworm-slim\n# é\n"),
    ],
)
def test_images_are_taken_from_where_the_variant_says(engine, variant, before, after):
    found = variant(before, MIRROR)
    with staged(engine, found) as copy:
        assert copy.path != found.path
        assert copy.path.read_bytes() == after.encode()
        assert copy.dockerfile.source.text == after.removeprefix("\ufeff")
        assert len(copy.notes) == 1
    assert not copy.path.exists()
    assert found.path.read_bytes() == before.encode()


@pytest.mark.parametrize(
    "text",
    [
        "FROM python:3.12-slim\n",
        "FROM a AS debian\nFROM debian\nCOPY --from=debian /x /x\nRUN --mount=from=debian,target=/d true\n",
        "FROM a\nRUN echo FROM debian\n# FROM debian\n",
        "ARG V\nFROM python:$V\n",
        f"FROM python:3.11-slim@sha256:{'1' * 64}\n",
    ],
)
def test_other_images_and_stages_stay(engine, variant, text):
    found = variant(text, MIRROR)
    with staged(engine, found) as copy:
        assert copy.path == found.path


def test_a_build_argument_decides_which_image_is_meant(engine, variant):
    found = variant("ARG BASE=a\nFROM $BASE\n", MIRROR, {"BASE": "debian"})
    with staged(engine, found) as copy:
        assert copy.path.read_text() == "ARG BASE=a\nFROM debian:bookworm-slim\n"
        assert copy.notes == ("docker.io/library/debian is taken from debian:bookworm-slim",)


def test_the_ignore_file_of_a_dockerfile_comes_along(engine, variant):
    found = variant("FROM debian\n", MIRROR, **{"Dockerfile.dockerignore": "*.bin\n"})
    with staged(engine, found) as copy:
        assert (copy.path.parent / "Dockerfile.dockerignore").read_text() == "*.bin\n"


def test_an_engine_that_is_gone_is_told(engine, variant):
    found = variant("# syntax=docker/dockerfile:1\nFROM debian\n")
    with pytest.raises(VerifyError, match="the Docker engine broke off"), staged(engine, found):
        pass


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("FROM a\nRUN --mount=type=cache,target=/c true\n", "Dockerfile:2: RUN --mount"),
        ("FROM a\nCOPY --link --chmod=755 a b\n", "Dockerfile:2: COPY --link"),
        ("FROM a\nRUN <<END\ntrue\nEND\n", "Dockerfile:2: the here-document of RUN"),
        ("FROM a\nONBUILD RUN --network=none true\n", "Dockerfile:2: RUN --network"),
        ("FROM a\nARG X TARGETARCH\n", "Dockerfile:2: ARG TARGETARCH"),
    ],
)
def test_the_classic_builder_refuses_what_it_does_not_know(engine, variant, monkeypatch, text, needs):
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    with staged(engine, variant(text)) as copy, pytest.raises(VerifyError) as caught:
        builders.choose(engine, copy)
    why = "the variable DOCKER_BUILDKIT switches BuildKit off: unset DOCKER_BUILDKIT"
    assert str(caught.value) == f"{needs} needs BuildKit, and {why}"


@pytest.mark.parametrize(
    "text", ["FROM --platform=linux/amd64 a\nCOPY --from=b --chown=1 /x /x\n", "FROM a\nARG TARGETARCH=amd64\n"]
)
def test_the_classic_builder_is_enough_for_the_rest(engine, variant, monkeypatch, text):
    monkeypatch.setenv("DOCKER_BUILDKIT", "false")
    with staged(engine, variant(text)) as copy:
        builder = builders.choose(engine, copy)
    assert builder == ("classic", "classic builder (the variable DOCKER_BUILDKIT switches BuildKit off)")


def test_an_engine_without_buildkit_builds_as_it_can(engine, variant):
    old = Engine(engine.client, "Docker 18.06.3", "default", False, NO_BUILDX)
    with staged(old, variant("FROM a\n")) as copy:
        assert builders.choose(old, copy).description == "classic builder (Docker 18.06.3 has no BuildKit)"
        podman = Engine(engine.client, "Podman 4.3.1", "default", False, NO_BUILDX)
        assert builders.choose(podman, copy).description == "Buildah through the API of Podman 4.3.1"


@pytest.mark.parametrize("kind", ["secret", "ssh"])
def test_the_api_gives_no_secrets(engine, variant, monkeypatch, tmp_path, kind):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = variant(f"FROM a\nRUN --mount=target=/x,type={kind} true\n")
    with staged(engine, found) as copy, pytest.raises(VerifyError) as caught:
        builders.choose(engine, copy)
    assert str(caught.value).startswith(f"Dockerfile:2: RUN --mount=type={kind} needs docker buildx, and there is no")


def packed(found, engine) -> tuple[str, dict[str, tarfile.TarInfo], dict[str, bytes]]:
    file = io.BytesIO()
    with staged(engine, found) as copy:
        name = sending.pack(found, copy, file)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        members = {each.name: each for each in archive}
        contents = {each.name: archive.extractfile(each).read() for each in members.values() if each.isreg()}
        return name, members, contents


def test_what_is_sent_is_what_the_ignore_file_lets_through(engine, variant, tmp_path):
    ignore = "data\n!data/keep\n*.log\nDockerfile\n.git\n"
    files = {"data/big.bin": "x", "data/keep/a.txt": "a", "app.log": "x", "src/main.py": "m"}
    (tmp_path / "empty").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src/run").symlink_to("main.py")
    os.mkfifo(tmp_path / "pipe")
    found = variant("FROM debian\n", MIRROR, **{".dockerignore": ignore, **files})
    (tmp_path / "src/main.py").chmod(0o755)
    name, members, contents = packed(found, engine)
    assert name == "Dockerfile"
    assert contents == {
        "Dockerfile": b"FROM debian:bookworm-slim\n",
        ".dockerignore": ignore.encode(),
        "data/keep/a.txt": b"a",
        "src/main.py": b"m",
    }
    assert set(members) - set(contents) == {"data/keep", "empty", "src", "src/run"}
    assert members["src/main.py"].mode & 0o777 == 0o755
    assert members["src/run"].linkname == "main.py"
    assert {(each.uid, each.gid, each.uname) for each in members.values()} == {(0, 0, "")}


def test_a_dockerfile_from_elsewhere_is_sent_along(engine, tmp_path):
    for name, text in {"docker/Dockerfile": "FROM a\n", "service/main.py": "m"}.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text)
    (found,) = plan(["docker/Dockerfile"], context="service", cwd=tmp_path)
    name, _, contents = packed(found, engine)
    assert contents == {name: b"FROM a\n", "main.py": b"m"}
