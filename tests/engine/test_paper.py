"""What the build on paper knows of an image is what the engine and a container of the image say.

Each folder of contexts/ is built for real, and every value that is known on paper is held against it. A base that is a
stand-in is described by `mllint base describe`, so that the paper starts from what is really there. What no image on a
machine of tests shows is held against the documentation.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from standing import Row

import mllint
from mllint.describe import document
from mllint.engine_images import describe
from mllint.image.values import Unknown
from mllint.inspection import inspection
from mllint.verification.claims import Claim, claims, configuration, node_claims, program_claims, questions
from mllint.verification.comparing import differences
from mllint.verification.probes import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine import Engine

    from mllint.image.build import Build

CONTEXTS = Path(__file__).parent / "contexts"
SERVICE = Path(__file__).parents[2] / "fixtures" / "inference" / "cpu"
BUILD_ARGS = {"arguments": {"EXTRAS": "dev", "PORT": "9000"}}
FIXTURE = "tutorial/fixed"
"""A context of the inference service."""
LEAST = {
    "arguments": 80,
    "copies": 145,
    "cuda-apt-python": 80,
    "entry-script": 75,
    "health-inherited": 65,
    "heredocs": 75,
    "home-by-env": 75,
    "install-scripts": 85,
    "links": 105,
    "multi-stage-venv": 90,
    "onbuild": 75,
    "pip-as-user": 95,
    "project": 70,
    "removals": 85,
    "requirements-nested": 85,
    "shell-pipefail": 65,
    "single-stage": 95,
    "site-packages-copied": 70,
    "system-python": 95,
    "target-and-prefix": 70,
    "uid-without-account": 75,
    "user-site": 75,
    "users": 50,
    "uv-sync": 80,
    "uv-system": 75,
    FIXTURE: 70,
}
"""How many values are known on paper at least, so that silence does not pass."""


class Image(NamedTuple):
    """A context that was built."""

    id: str
    build: Build
    """On paper."""
    is_standin: bool


@pytest.fixture(scope="module")
def images(
    engine: Engine,
    base: Callable[[str], str],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Image]]]:
    """The images of the contexts that are asked for, built two at a time."""
    own = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    names = [item.callspec.params["context"] for item in own if "context" in item.callspec.params]
    references = sorted({name for context in names for name in bases(paper(context, no_config=True))})
    standins = {base(name) for name in references if engine.is_standin(base(name))}
    config = tmp_path_factory.mktemp("bases") / ".mllint.yaml"
    described = {name: document(name, describe(name))["bases"][name] for name in sorted(standins)}
    config.write_text(yaml.safe_dump({"bases": described}))

    def make(context: str) -> Image:
        build = paper(context, config=config)
        is_standin = bool(standins.intersection(bases(build)))
        return Image(engine.build(folder(context), build_args=BUILD_ARGS.get(context)), build, is_standin)

    with ThreadPoolExecutor(2) as pool:
        yield {context: pool.submit(make, context) for context in names}


def folder(context: str) -> Path:
    return (SERVICE if context == FIXTURE else CONTEXTS) / context


def test_each_context_is_compared():
    assert {path.name for path in CONTEXTS.iterdir()} == LEAST.keys() - {FIXTURE}


def paper(context: str, **choices: Any) -> Build:
    return mllint.inspect(folder(context) / "Dockerfile", build_args=BUILD_ARGS.get(context), **choices)


def bases(build: Build) -> Iterable[str]:
    return {stage.base.text for stage in build.stages if stage.base.kind == "image"}


@pytest.mark.parametrize("context", LEAST)
def test_a_real_build(engine: Engine, images: dict[str, Future[Image]], context: str, table: list[Row]):
    image = images[context].result()
    stage = image.build.final
    assert stage is not None
    inspected = inspection(stage)
    asked = questions(stage, inspected)
    said = claims(stage, inspected, asked)
    found = probe(engine, image.id, asked)
    known = {claim: value for claim, value in said.items() if not isinstance(value, Unknown)}
    wrong = differences(known, found)
    label = "stand-in" if image.is_standin else "real"
    table.append(Row(context, label, len(known), len(said) - len(known), len(wrong)))
    assert not wrong, "\n".join(each.text for each in wrong)
    assert len(known) >= LEAST[context]


class Documented(NamedTuple):
    """A Dockerfile with what its base's own sources, or the reference, say of its image."""

    text: str
    source: str
    values: dict[Claim, Any]
    files: tuple[str, ...] = ()
    """Empty ones of the context."""


DOCUMENTED = {
    "python-slim": Documented(
        "FROM python:3.11.12-slim-bookworm\n",
        "https://github.com/docker-library/python/blob/025fb340/3.11/slim-bookworm/Dockerfile",
        {
            ("env", "PATH"): "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ("env", "LANG"): "C.UTF-8",
            ("env", "PYTHON_VERSION"): "3.11.12",
            ("image", "command"): ("python3",),
            ("image", "entrypoint"): (),
            ("image", "user"): "root",
            ("python", "version"): "3.11.12",
            ("python", "prefix"): "/usr/local",
            ("program", "python"): True,
            ("program", "pip"): True,
            ("program", "gcc"): None,
            ("program", "wget"): None,
        },
    ),
    "miniconda3": Documented(
        "FROM continuumio/miniconda3:23.11.0-1\n",
        "https://github.com/ContinuumIO/docker-images/blob/027bce7a/miniconda3/debian/Dockerfile",
        {
            ("env", "PATH"): "/opt/conda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ("env", "LANG"): "C.UTF-8",
            ("image", "command"): ("/bin/bash",),
            ("image", "user"): "root",
            ("python", "prefix"): "/opt/conda",
            ("program", "git"): True,
            ("program", "wget"): True,
        },
    ),
    "pytorch": Documented(
        "FROM pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime\n",
        "https://github.com/pytorch/pytorch/blob/01343dcd/Dockerfile",
        {
            ("image", "directory"): "/workspace",
            ("env", "NVIDIA_VISIBLE_DEVICES"): "all",
            ("image", "user"): "root",
            ("python", "prefix"): "/opt/conda",
        },
    ),
    "copy-exclude": Documented(
        "FROM scratch\nCOPY --exclude=*.txt src /app/\nCOPY --parents src/deep/b.bin /kept/\n",
        "https://docs.docker.com/reference/dockerfile/#copy---exclude",
        {
            ("kind", "/app/a.txt"): None,
            ("kind", "/app/c.bin"): "file",
            ("kind", "/kept/src/deep/b.bin"): "file",
            ("kind", "/kept/b.bin"): None,
        },
        ("src/a.txt", "src/c.bin", "src/deep/b.bin"),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_is_documented(tmp_path: Path, name: str, table: list[Row]):
    case = DOCUMENTED[name]
    (tmp_path / "Dockerfile").write_text(case.text)
    for path in case.files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    stage = mllint.inspect(tmp_path / "Dockerfile", no_config=True).final
    assert stage is not None
    said = configuration(inspection(stage))
    for topic, about in case.values:
        if topic == "program":
            said |= program_claims(stage.view, about, stage.end.env.get("PATH"))
        elif topic == "kind":
            said |= node_claims(stage.view.find(about), about)
    known = {claim: said[claim] for claim in case.values if not isinstance(said[claim], Unknown)}
    wrong = {claim: value for claim, value in known.items() if value != case.values[claim]}
    table.append(Row(name, "documented", len(known), len(case.values) - len(known), len(wrong)))
    assert not wrong, case.source
    assert known == case.values, case.source
