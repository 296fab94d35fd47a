"""What COPY and ADD bring, and which file of the context a file of the image is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mllint.config import Settings
from mllint.image.build import Build
from mllint.image.context import Context, Tree
from mllint.image.copies import context_path
from mllint.inputs import Inputs
from mllint.sources import dockerfile, dockerignore
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[[str], Build]

FILES = (
    "app.py",
    "requirements.txt",
    "requirements-gpu.txt",
    "data.tar.gz",
    "secret.key",
    "src/main.py",
    "src/api/routes.py",
    "src/notes.md",
    "web1/index.html",
    "web1/js/app.js",
    "web2/style.css",
)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    ignore = dockerignore.parse(Source(".dockerignore", "*.key\n"))
    context = Context(Tree(tmp_path), Inputs(tmp_path), ignore, (".dockerignore",), True)

    def build(text: str) -> Build:
        return Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings())

    return build


def origin(build: Build, path: str) -> str | None:
    """The file of the context that a file of the finished image is."""
    return context_path(build.stages[-1], None, path)


def brought(build: Build) -> list[str]:
    """The files that the last COPY of the file brings."""
    copy = build.stages[-1].steps[-1].copy
    return sorted(entry.path for source in copy.sources for entry in source.entries(build.context))


@pytest.mark.parametrize(
    ("instructions", "path", "expected"),
    [
        # A file goes to the very path, unless that is a folder.
        ("COPY app.py /srv/serve.py", "/srv/serve.py", "app.py"),
        ("COPY app.py /srv/", "/srv/app.py", "app.py"),
        ("COPY app.py /srv/.", "/srv/app.py", "app.py"),
        ("WORKDIR /srv\nCOPY app.py .", "/srv/app.py", "app.py"),
        ("WORKDIR /srv\nCOPY app.py /srv", "/srv/app.py", "app.py"),
        ("WORKDIR /srv\nCOPY app.py ..", "/app.py", "app.py"),
        ("COPY app.py requirements.txt /srv", "/srv/requirements.txt", "requirements.txt"),
        ('COPY ["app.py", "/srv/"]', "/srv/app.py", "app.py"),
        # A folder brings what is in it, not itself.
        ("COPY src /srv", "/srv/api/routes.py", "src/api/routes.py"),
        ("COPY src /srv/", "/srv/main.py", "src/main.py"),
        ("COPY src /srv/", "/srv/src/main.py", None),
        ("COPY src web1 /srv/", "/srv/js/app.js", "web1/js/app.js"),
        ("COPY . /srv", "/srv/src/main.py", "src/main.py"),
        ("COPY . /", "/src/main.py", "src/main.py"),
        # Sources cannot leave the context.
        ("COPY /app.py /srv/", "/srv/app.py", "app.py"),
        ("COPY ../app.py /srv/", "/srv/app.py", "app.py"),
        ("COPY ./src/../app.py /srv/", "/srv/app.py", "app.py"),
        # What is ignored never arrives.
        ("COPY . /srv/", "/srv/secret.key", None),
        ("COPY secret.key /srv/", "/srv/secret.key", None),
        # Variables.
        ("ARG DIR=src\nENV HOME=/home/me\nCOPY $DIR $HOME/app", "/home/me/app/main.py", "src/main.py"),
        ("ARG DIR\nCOPY $DIR /srv", "/srv/main.py", None),
        # Wildcards match within one folder, and a folder that matches brings what is in it.
        ("COPY requirements*.txt /srv/", "/srv/requirements-gpu.txt", "requirements-gpu.txt"),
        ("COPY web? /srv/", "/srv/js/app.js", "web1/js/app.js"),
        ("COPY web[2-9] /srv/", "/srv/style.css", "web2/style.css"),
        ("COPY web[^1] /srv/", "/srv/index.html", None),
        ("COPY */main.py /srv/", "/srv/main.py", "src/main.py"),
        ("COPY *.py /srv/", "/srv/main.py", None),
        ("COPY *.py /srv/", "/srv/app.py", "app.py"),
        ("COPY [ap.py /srv/", "/srv/app.py", None),
        # Flags.
        ("COPY --parents src/api/routes.py /srv/", "/srv/src/api/routes.py", "src/api/routes.py"),
        ("COPY --parents src/./api/routes.py /srv/", "/srv/api/routes.py", "src/api/routes.py"),
        ("COPY --parents src /srv", "/srv/src/main.py", "src/main.py"),
        ("COPY --exclude=*.md src /srv/", "/srv/notes.md", None),
        ("COPY --exclude=*.md src /srv/", "/srv/main.py", "src/main.py"),
        ("COPY --exclude=api src /srv/", "/srv/api/routes.py", None),
        ("COPY --chown=1000 --link app.py /srv/", "/srv/app.py", "app.py"),
        # The last one wins.
        ("COPY app.py /srv/main.py\nCOPY src /srv/", "/srv/main.py", "src/main.py"),
        ("COPY src /srv/\nCOPY app.py /srv/main.py", "/srv/main.py", "app.py"),
        # ADD unpacks local archives and fetches addresses.
        ("ADD app.py /srv/", "/srv/app.py", "app.py"),
        ("ADD data.tar.gz /srv/", "/srv/data.tar.gz", None),
        ("COPY data.tar.gz /srv/", "/srv/data.tar.gz", "data.tar.gz"),
        ("ADD https://files.example/app.py /srv/", "/srv/app.py", None),
        ("COPY <<EOF /srv/app.py\nprint()\nEOF", "/srv/app.py", None),
        ("COPY --from=registry.example/other app.py /srv/", "/srv/app.py", None),
    ],
)
def test_where_a_file_comes_from(make: Make, instructions: str, path: str, expected: str | None):
    assert origin(make(f"FROM scratch\n{instructions}\n"), path) == expected


@pytest.mark.parametrize(
    ("copy", "path", "expected"),
    [
        ("COPY --from=build /opt/app /srv", "/srv/main.py", "src/main.py"),
        ("COPY --from=BUILD opt/app /srv", "/srv/main.py", "src/main.py"),
        ("COPY --from=0 /opt/app /srv", "/srv/main.py", "src/main.py"),
        ("COPY --from=build /opt /srv", "/srv/app/api/routes.py", "src/api/routes.py"),
        ("COPY --from=build /opt/app/main.py /srv/", "/srv/main.py", "src/main.py"),
        ("COPY --from=build /opt/app/main.py /srv/serve.py", "/srv/serve.py", "src/main.py"),
        ("COPY --from=build /opt/*/main.py /srv/", "/srv/main.py", None),
        ("COPY --from=1 /opt/app /srv", "/srv/main.py", None),
    ],
)
def test_copies_are_followed_through_stages(make: Make, copy: str, path: str, expected: str | None):
    build = make(f"FROM scratch AS build\nCOPY src /opt/app\nFROM scratch\n{copy}\n")
    assert origin(build, path) == expected


def test_a_stage_has_what_the_stage_it_starts_from_has(make: Make):
    build = make("FROM python:3.13 AS base\nWORKDIR /srv\nCOPY src .\nFROM base\nCOPY app.py .\n")
    assert origin(build, "/srv/main.py") == "src/main.py"
    assert origin(build, "/srv/app.py") == "app.py"


def test_relative_paths_meet_even_where_the_working_directory_is_not_known(make: Make):
    build = make("FROM registry.example/base\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n")
    (install,) = build.stages[0].steps[-1].installs
    path = f"{install.directory}/requirements.txt"
    assert context_path(build.stages[0], install.step, path) == "requirements.txt"
    assert origin(build, "/requirements.txt") is None


@pytest.mark.parametrize(
    ("mount", "path", "expected"),
    [
        ("type=bind,source=requirements.txt,target=/tmp/r.txt", "/tmp/r.txt", "requirements.txt"),
        ("source=requirements.txt,target=r.txt", "/srv/r.txt", "requirements.txt"),
        ("type=bind,src=src,dst=/code", "/code/main.py", "src/main.py"),
        ("type=bind,target=.", "/srv/src/main.py", "src/main.py"),
        ("type=bind,target=/code,rw", "/code/app.py", "app.py"),
        ("type=bind,source=$FILE,target=/tmp/$FILE", "/tmp/app.py", "app.py"),
        ("type=bind,from=build,source=/opt,target=/code", "/code/main.py", "src/main.py"),
        ("type=bind,from=build,source=/opt/main.py,target=/m.py", "/m.py", "src/main.py"),
        ("type=bind,from=registry.example/other,target=/code", "/code/main.py", None),
        ("type=bind,source=secret.key,target=/key", "/key", None),
        ("type=cache,target=/code", "/code/main.py", None),
    ],
)
def test_a_mount_holds_for_its_step_alone(make: Make, mount: str, path: str, expected: str | None):
    build = make(
        "FROM scratch AS build\nCOPY src /opt\n"
        f"FROM scratch\nARG FILE=app.py\nWORKDIR /srv\nRUN --mount={mount} true\nRUN true\n"
    )
    mounted, after = build.stages[1].steps[-2:]
    assert context_path(build.stages[1], mounted, path) == expected
    assert context_path(build.stages[1], after, path) is None


def test_only_what_was_copied_before_a_step_is_there_for_it(make: Make):
    build = make("FROM scratch\nWORKDIR /srv\nRUN true\nCOPY app.py .\n")
    assert context_path(build.stages[0], build.stages[0].steps[1], "/srv/app.py") is None
    assert origin(build, "/srv/app.py") == "app.py"


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY src /srv/", ["src/api/routes.py", "src/main.py", "src/notes.md"]),
        ("COPY app.py secret.key /srv/", ["app.py"]),
        ("COPY web* /srv/", ["web1/index.html", "web1/js/app.js", "web2/style.css"]),
        ("COPY --exclude=**/*.js --exclude=*.html web1 /srv/", []),
        ("COPY --exclude=*-gpu* requirements*.txt /srv/", ["requirements.txt"]),
        ("COPY missing /srv/", []),
        ("ADD git@code.example:app.git /srv/", []),
    ],
)
def test_what_a_copy_brings(make: Make, copy: str, expected: list[str]):
    assert brought(make(f"FROM scratch\n{copy}\n")) == expected


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        ("COPY . .", True),
        ("COPY ./ /srv/", True),
        ("COPY / /srv/", True),
        ("COPY * /srv/", True),
        ("COPY app.py . /srv/", True),
        ("COPY src/.. /srv/", True),
        ("COPY src /srv/", False),
        ("COPY *.py /srv/", False),
        ("COPY --from=other . .", False),
    ],
)
def test_whether_a_copy_takes_the_whole_context(make: Make, copy: str, expected: bool):
    assert make(f"FROM scratch\n{copy}\n").stages[0].steps[0].copy.takes_all() is expected
