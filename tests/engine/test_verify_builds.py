"""What `mllint verify` builds with: each way to build on a real engine, and whom it blames for what fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from engine import Engine

from mllint.verification import builders
from mllint.verification.engines import connect
from mllint.verification.plan import plan
from mllint.verification.records import BuildFailed, VerifyError
from mllint.verification.staging import staged

REGISTRY = "127.0.0.1:5000"
WAYS = ["buildx", "api", "classic"]


@pytest.fixture
def way(request, monkeypatch, tmp_path_factory):
    """Chooses how is built: by the environment, as a user would."""
    if request.param == "api":
        monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("no-docker-command")))
    elif request.param == "classic":
        monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    return request.param


@pytest.fixture
def context(tmp_path):
    """Gives a build context with this Dockerfile."""

    def context(dockerfile: str, **files: str) -> Path:
        (tmp_path / ".git").mkdir(exist_ok=True)
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return context


class Build:
    """A build of the one variant of a folder, with all that is told of it."""

    def __init__(self, engine: Engine, folder: Path, base_images=None, no_cache=False, **options: object) -> None:
        (variant,) = plan(["Dockerfile"], cwd=folder, **options)
        variant = variant._replace(base_images=base_images or {})
        self.steps: list[builders.Step] = []
        connected = connect()
        with staged(connected, variant) as copy:
            self.notes = copy.notes
            self.builder = builders.choose(connected, copy)
            self.built = builders.build(
                self.builder, connected, variant, copy, engine.labels, self.steps.append, no_cache
            )

    def ended(self) -> dict[str, str]:
        """How the steps that carry out instructions ended, by what they carry out."""
        return {step.name.partition("] ")[2]: step.state for step in self.steps if step.is_instruction}


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_every_way_to_build_gives_the_image_and_tells_its_steps(engine, debian_base, context, way):
    # Which no build before had in the cache.
    new = uuid.uuid4().hex
    folder = context(
        f"""\
FROM {debian_base} AS wanted
ARG WORD
COPY . /app
RUN echo "$WORD" >/app/word && cat /app/keep/a.txt /app/word >/said
CMD ["cat", "/said"]
FROM wanted
RUN false
""",
        **{".dockerignore": "*.bin\nkeep/*\n!keep/a.txt\n", "big.bin": "x", "keep/a.txt": f"{new} ", "keep/b.txt": "b"},
    )
    options = {"target": "wanted", "build_args": {"WORD": f"by {way}"}}
    build = Build(engine, folder, **options)
    assert build.builder.kind == way
    assert engine.run(build.built.image) == f"{new} by {way}\n"
    assert engine.run(build.built.image, "find", "/app", "-name", "*.bin", "-o", "-name", "b.txt") == ""
    assert set(build.ended().values()) == {"done"}
    assert any(step.startswith("COPY . /app") for step in build.ended())
    labels = engine.client.images.get(build.built.image).labels
    assert engine.labels.items() <= labels.items()
    assert build.built.size >= engine.client.images.get(debian_base).attrs["Size"]
    assert build.built.layers > 1
    assert (build.built.cached, build.built.seconds > 0) == (0, True)

    again = Build(engine, folder, **options)
    assert {again.ended()[step] for step in again.ended() if step.startswith(("COPY", "RUN"))} == {"cached"}
    assert again.built.cached >= 2
    anew = Build(engine, folder, no_cache=True, **options)
    assert anew.built.cached == 0
    assert anew.built.steps >= 2


@pytest.mark.parametrize("way", ["buildx", "api"], indirect=True)
def test_buildkit_reads_here_documents_and_mounts(engine, debian_base, context, way):
    folder = context(f"FROM {debian_base}\nRUN --mount=type=cache,target=/c <<END\necho read >/said\nEND\n")
    assert engine.run(Build(engine, folder).built.image, "cat", "/said") == "read\n"


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_the_failing_step_tells_its_last_lines(engine, debian_base, context, way):
    failing = "seq 100; printf '\\033[31mred\\033[0m\\n'; printf 'half\\rwhole\\n'; exit 3"
    with pytest.raises(BuildFailed) as caught:
        Build(engine, context(f"FROM {debian_base}\nRUN true\nRUN {failing}\n"))
    assert f"] RUN {failing}" in caught.value.step
    *log, message = caught.value.log
    assert (len(log), log[-2:]) == (40, ["red", "whole"])
    assert "3" in message
    assert caught.value.seconds > 0
    assert engine.client.containers.list(all=True, filters={"status": "created"}) == []


@pytest.mark.parametrize("way", WAYS, indirect=True)
@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ("COPY missing.txt /x\n", "COPY missing.txt /x"),
        ("RNU true\n", "dockerfile parse error on line 2: unknown instruction: RNU"),
    ],
)
def test_files_are_to_blame_for_what_they_say_wrong(engine, debian_base, context, way, lines, step):
    with pytest.raises(BuildFailed) as caught:
        Build(engine, context(f"FROM {debian_base}\n{lines}"))
    assert step in caught.value.step


def test_a_tag_that_was_never_published_is_the_fault_of_the_file(engine, context):
    with pytest.raises(BuildFailed) as caught:
        Build(engine, context("FROM nvidia/cuda:12.4-runtime-ubuntu22.04\n"))
    assert caught.value.step == "FROM nvidia/cuda:12.4-runtime-ubuntu22.04: no such tag"
    assert caught.value.log[0] == "since CUDA 11.1 the tags name the patch release, and 12.4 alone is none"


@pytest.mark.parametrize("way", WAYS, indirect=True)
@pytest.mark.parametrize("lines", ["FROM {}\n", "ARG NAME={}\nFROM $NAME\n", "FROM {base}\nCOPY --from={} /x /x\n"])
def test_an_image_that_no_registry_gives_is_not_the_fault_of_the_file(engine, debian_base, context, way, lines):
    # Nothing answers on the port 1.
    name = "127.0.0.1:1/team/image:1.0"
    with pytest.raises(VerifyError) as caught:
        Build(engine, context(lines.format(name, base=debian_base)))
    assert str(caught.value).startswith(f"{name} cannot be pulled: ")
    assert str(caught.value).endswith("; pull it, or name a mirror in verify.base-images")


@pytest.fixture
def registry():
    """A registry that answers, and has no image of mllint's."""
    script = Path(__file__).with_name("registry.sh")
    started = subprocess.run([script], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.skip(started.stderr.strip())
    return REGISTRY


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_an_image_that_a_registry_does_not_have_is_the_fault_of_the_file(engine, context, registry, way):
    name = f"{registry}/mllint/never-pushed:1.0"
    with pytest.raises(BuildFailed) as caught:
        Build(engine, context(f"ARG NAME={name}\nFROM $NAME\n"))
    assert caught.value.step == f"FROM {name}: no such image"


def test_a_frontend_that_nobody_gives_is_left_out(engine, debian_base, context):
    folder = context(f"# syntax=127.0.0.1:1/frontend:1\n# escape=`\nFROM {debian_base}\nRUN echo `\n  on >/said\n")
    build = Build(engine, folder)
    assert engine.run(build.built.image, "cat", "/said") == "on\n"
    (note,) = build.notes
    assert note.startswith("# syntax=127.0.0.1:1/frontend:1 is left out, the engine's own frontend reads the file: ")

    folder = context(f"# syntax=127.0.0.1:1/frontend:1\nFROM {debian_base}\nFUTURE thing\n")
    with pytest.raises(VerifyError, match=r"cannot read the Dockerfile without 127\.0\.0\.1:1/frontend:1: pull that"):
        Build(engine, folder)


def test_the_line_of_a_fault_is_the_same_without_the_frontend(engine, debian_base, context):
    folder = context(f"# syntax=127.0.0.1:1/frontend:1\n# escape=`\nFROM {debian_base}\nRNU true\n")
    with pytest.raises(VerifyError, match="parse error on line 4: unknown instruction: RNU"):
        Build(engine, folder)


def test_a_frontend_that_a_registry_does_not_have_is_the_fault_of_the_file(engine, debian_base, context, registry):
    with pytest.raises(BuildFailed) as caught:
        Build(engine, context(f"# syntax={registry}/mllint/frontend:9\nFROM {debian_base}\n"))
    assert caught.value.step == f"# syntax={registry}/mllint/frontend:9: no such image"


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_base_images_are_taken_from_where_the_configuration_says(engine, debian_base, context, way):
    lines = "FROM registry.invalid/base:1\nCOPY --from=registry.invalid/base:1 /etc/debian_version /version\n"
    folder = context(lines)
    build = Build(engine, folder, {"registry.invalid/base:1": debian_base})
    assert engine.run(build.built.image, "cat", "/version")
    assert build.notes == (f"registry.invalid/base:1 is taken from {debian_base}",)
    assert (folder / "Dockerfile").read_text() == lines


def test_secrets_that_the_build_insists_on_are_not_the_fault_of_the_file(engine, debian_base, context):
    folder = context(f"FROM {debian_base}\nRUN --mount=type=secret,id=hf_token,required=true true\n")
    with pytest.raises(VerifyError, match="the build needs the secret hf_token"):
        Build(engine, folder)


def processes_of(folder: Path) -> list[str]:
    """The commands that run and name a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(each.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [command for command in found if str(folder) in command]


def test_an_interrupted_build_ends_the_docker_command(engine, debian_base, context):
    folder = context(f"FROM {debian_base}\nRUN sleep 500\n")
    seen = []

    def interrupt(step: builders.Step) -> None:
        if "RUN sleep" in step.name:
            seen.extend(processes_of(folder))
            raise KeyboardInterrupt

    (variant,) = plan(["Dockerfile"], cwd=folder)
    connected = connect()
    with staged(connected, variant) as copy:
        builder = builders.choose(connected, copy)
        with pytest.raises(KeyboardInterrupt):
            builders.build(builder, connected, variant, copy, engine.labels, interrupt)
    assert any("build" in command for command in seen)
    assert processes_of(folder) == []


def test_a_docker_command_that_is_broken_is_not_the_fault_of_the_file(
    engine, debian_base, context, monkeypatch, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("bin")
    broken = folder / "docker"
    broken.write_text('#!/bin/sh\n[ "$2" != version ] || { echo github.com/docker/buildx 0.13.1; exit; }\nexit 7\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with pytest.raises(VerifyError, match="docker build does not work here: it ended with status 7"):
        Build(engine, context(f"FROM {debian_base}\n"))


def test_the_docker_command_without_its_plugin_leaves_the_build_to_the_api(
    engine, debian_base, context, monkeypatch, tmp_path_factory
):
    docker = shutil.which("docker")
    folder = tmp_path_factory.mktemp("bin")
    without = folder / "docker"
    # What a docker command of today says where its plugin is missing.
    without.write_text(f'#!/bin/sh\n[ "$1" != buildx ] || exit 1\nexec {docker} "$@"\n')
    without.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    build = Build(engine, context(f"FROM {debian_base}\nRUN true\n"))
    assert build.builder.description == "BuildKit through the engine's API (no docker command with buildx)"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"DOCKER_HOST": "unix:///nowhere.sock"}, "no Docker engine answers at unix:///nowhere.sock, where the"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "no Docker engine answers at tcp://127.0.0.1:1, where the variable"),
        ({"DOCKER_CONTEXT": "elsewhere"}, "there is no docker context elsewhere: docker context ls shows those"),
    ],
)
def test_an_engine_that_is_not_there_is_told(monkeypatch, variables, message):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(VerifyError) as caught:
        connect()
    assert str(caught.value).startswith(message)


def test_the_current_docker_context_counts(engine, debian_base, context, monkeypatch, tmp_path_factory):
    host = engine.client.api.base_url.replace("http+docker://localhost", "unix:///var/run/docker.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("docker")))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    command = ["docker", "context", "create", "lab", f"--docker=host={host}"]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["docker", "context", "use", "lab"], check=True, capture_output=True)
    assert connect().context == "lab"
    assert Build(engine, context(f"FROM {debian_base}\nRUN true\n")).built.image
