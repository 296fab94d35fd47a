"""Which folder a Dockerfile is taken to be built from, and how sure that is."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint
from mllint.discovery import Target

USES_APP = "FROM python:3.13\nCOPY requirements.txt ./\nCOPY app ./app\n"
USES_ALL = "FROM python:3.13\nCOPY . .\n"


def target(root: Path, files: dict[str, str], path: str = "svc/Dockerfile", **options: str) -> Target:
    """The target that a Dockerfile becomes in a repository of these files; a name that ends in a slash is a folder."""
    for name, text in files.items():
        place = root / name
        (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            place.write_text(text)
    (found,) = mllint.find([path], cwd=root, **options).targets
    return found


def chosen(root: Path, files: dict[str, str], path: str = "svc/Dockerfile", **options: str) -> tuple[str, bool]:
    """Its context relative to the repository, and whether that is certain."""
    found = target(root, files, path, **options)
    return found.context.root.relative_to(root).as_posix(), found.context.is_certain


APP = {"requirements.txt": "", "app/main.py": ""}


def in_folder(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (in_folder("svc", APP), "svc"),
        (APP, "."),
        # Both hold something: the one that holds more, of equals the nearer.
        (APP | {"svc/requirements.txt": ""}, "."),
        (APP | in_folder("svc", APP), "svc"),
    ],
)
def test_the_folder_upward_that_holds_most_of_what_is_copied(tmp_path: Path, files: dict[str, str], expected: str):
    assert chosen(tmp_path, {".git/": "", "svc/Dockerfile": USES_APP, **files}) == (expected, True)


def test_what_is_copied_by_name_says_more_than_what_a_run_reads(tmp_path: Path):
    text = "FROM python:3.13\nCOPY svc /app\nWORKDIR /app\nRUN pip install -r requirements.txt\n"
    files = {".git/": "", "svc/Dockerfile": text, "svc/requirements.txt": ""}
    assert chosen(tmp_path, files) == (".", True)


def test_a_context_that_lacks_something_copied_is_a_guess(tmp_path: Path):
    files = {".git/": "", "svc/Dockerfile": USES_APP, "svc/requirements.txt": ""}
    assert chosen(tmp_path, files) == ("svc", False)


@pytest.mark.parametrize(
    "line",
    [
        "COPY ./app /srv",
        "COPY /app/ /srv",
        'COPY ["app", "/srv"]',
        "ADD --chown=1000 app /srv",
        "COPY ../app /srv",
        "RUN --mount=type=bind,source=app,target=/srv ls",
        "RUN --mount=source=app/main.py,target=/srv/main.py ls",
        "COPY . .\nRUN pip install -r app/requirements.txt",
        "COPY . .\nRUN python app/main.py --fast",
        'COPY . .\nCMD ["python", "-u", "./app/main.py"]',
        'COPY . .\nENTRYPOINT ["uvicorn", "--host", "0.0.0.0", "app.main:app"]',
        "COPY . .\nCMD exec gunicorn -w 2 app.main:app",
    ],
)
def test_what_names_files_of_the_context(tmp_path: Path, line: str):
    files = {
        ".git/": "",
        "svc/Dockerfile": f"FROM python:3.13\n{line}\n",
        "app/main.py": "",
        "app/requirements.txt": "",
    }
    assert chosen(tmp_path, files) == (".", True)


@pytest.mark.parametrize(
    "line",
    [
        "COPY --from=build app /srv",
        "RUN --mount=type=bind,from=build,source=app,target=/srv ls",
        "RUN --mount=type=cache,target=app ls",
        "COPY $app /srv",
        "COPY a*p /srv",
        "ADD https://files.example/app /srv",
    ],
)
def test_what_names_none(tmp_path: Path, line: str):
    files = {"svc/Dockerfile": f"FROM python:3.13 AS build\nFROM python:3.13\n{line}\n", "app": "", "svc/.git/": ""}
    assert chosen(tmp_path, files) == ("svc", True)


def test_a_dockerfile_at_the_root_of_the_repository_leaves_no_choice(tmp_path: Path):
    assert chosen(tmp_path, {".git/": "", "Dockerfile": USES_APP}, "Dockerfile") == (".", True)


def test_no_context_lies_above_the_root_of_the_repository(tmp_path: Path):
    files = {**APP, "repository/.git/": "", "repository/svc/Dockerfile": USES_APP}
    assert chosen(tmp_path, files, "repository/svc/Dockerfile") == ("repository/svc", False)


def test_a_worktree_has_a_file_for_git_and_is_a_repository_too(tmp_path: Path):
    files = {**APP, "repository/.git": "gitdir: elsewhere", "repository/svc/Dockerfile": USES_APP}
    assert chosen(tmp_path, files, "repository/svc/Dockerfile") == ("repository/svc", False)


def test_without_a_repository_no_context_lies_above_the_working_directory(tmp_path: Path):
    work = tmp_path / "work"
    for folder in (tmp_path, work):
        folder.mkdir(exist_ok=True)
        (folder / "requirements.txt").touch()
    assert chosen(work, {"svc/Dockerfile": USES_APP}) == (".", False)
    (work / "requirements.txt").unlink()
    assert chosen(work, {}) == ("svc", False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({".git/": ""}, "."),
        ({".git/": "", ".dockerignore": ""}, "."),
        ({".git/": "", "services/.dockerignore": ""}, "services"),
        ({".git/": "", "services/main.py": "", "app.py": ""}, "services"),
        ({".git/": "", "services/svc/train.ipynb": "", "services/main.py": ""}, "services/svc"),
        ({".git/": "", "services/svc/requirements-gpu.txt": ""}, "services/svc"),
        ({".git/": "", "services/svc/entrypoint.sh": "", "services/svc/README.md": ""}, "."),
        ({".git/": "", "services/svc/Dockerfile.dockerignore": "", ".dockerignore": ""}, "services/svc"),
        ({}, "services/svc"),
    ],
)
def test_where_only_everything_is_copied_the_nearest_folder_with_source_an_ignore_file_or_git(
    tmp_path: Path, files: dict[str, str], expected: str
):
    path = "services/svc/Dockerfile"
    assert chosen(tmp_path, {path: USES_ALL, **files}, path) == (expected, False)


def test_the_option_wins(tmp_path: Path):
    files = {
        "svc/Dockerfile": USES_APP,
        "given/main.py": "",
        ".mllint.yaml": "context: .\n",
        "compose.yaml": "services: {a: {build: svc}}\n",
        **APP,
    }
    assert chosen(tmp_path, files, context="given") == ("given", True)


def test_then_the_configuration(tmp_path: Path):
    files = {
        "svc/Dockerfile": USES_APP,
        ".mllint.yaml": "context: conf\n",
        "conf/main.py": "",
        "compose.yaml": "services: {a: {build: svc}}\n",
        **APP,
    }
    assert chosen(tmp_path, files) == ("conf", True)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("compose.yaml", "services: {a: {build: svc}}", "svc"),
        ("compose.yaml", "services: {a: {build: {context: ., dockerfile: svc/Dockerfile}}}", "."),
        ("docker-compose.gpu.yml", "services: {a: {build: {dockerfile: svc/Dockerfile}}}", "."),
        ("svc/docker-compose.yml", "services: {a: {build: {context: .., dockerfile: svc/Dockerfile}}}", "."),
        ("compose.yaml", "services: {a: {image: b}, c: {build: ./svc/}}", "svc"),
    ],
)
def test_then_a_compose_file_upward(tmp_path: Path, name: str, text: str, expected: str):
    files = {".git/": "", "svc/Dockerfile": USES_APP, name: text, "other/requirements.txt": ""}
    assert chosen(tmp_path, files) == (expected, True)


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: {build: other}}",
        "services: {a: {build: '${FOLDER}'}}",
        "services: {a: {build: https://code.example/app.git}}",
        "services: {a: {build: {context: ., dockerfile: '${NAME}'}}}",
        "services: {a: {build: {context: missing, dockerfile: ../svc/Dockerfile}}}",
        "services: {a: {build: {context: svc, dockerfile_inline: FROM scratch}}}",
        "services: [",
    ],
)
def test_a_compose_file_that_does_not_build_it_or_does_not_say_from_where(tmp_path: Path, text: str):
    assert chosen(tmp_path, {".git/": "", "svc/Dockerfile": USES_APP, "compose.yaml": text, **APP}) == (".", True)


STAGES = "ARG V=1\nFROM python:3.13 AS dev\nFROM dev AS prod\nFROM dev AS docs\n"


def settings(root: Path, files: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    found = target(root, {".git/": "", "Dockerfile": STAGES, **files}, "Dockerfile").settings
    return found.target, dict(found.build_args)


def test_the_target_and_the_arguments_come_from_the_compose_file(tmp_path: Path):
    text = "services: {a: {build: {context: ., target: prod, args: {V: 2, W: '${W}'}}}}"
    assert settings(tmp_path, {"compose.yaml": text}) == ("prod", {"V": "2"})


def test_the_configuration_beats_the_compose_file(tmp_path: Path):
    text = "services: {a: {build: {context: ., target: prod, args: {V: 2, W: 3}}}}"
    config = "target: docs\nbuild-args: {V: '9'}\n"
    assert settings(tmp_path, {"compose.yaml": text, ".mllint.yaml": config}) == ("docs", {"V": "9", "W": "3"})


def test_only_what_all_services_that_build_it_agree_on_counts(tmp_path: Path):
    text = """
services:
  a: {build: {context: ., target: prod, args: {V: 2, W: 3}}}
  b: {build: {context: ., target: dev, args: {V: 2, W: 4}}}
"""
    assert settings(tmp_path, {"compose.yaml": text}) == (None, {"V": "2"})


def test_the_compose_file_that_is_read_by_default_goes_before_others(tmp_path: Path):
    files = {
        "docker-compose.dev.yml": "services: {a: {build: {context: ., target: dev}}}",
        "docker-compose.yml": "services: {a: {build: {context: ., target: prod}}}",
    }
    assert settings(tmp_path, files) == ("prod", {})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({".dockerignore": "a", "Dockerfile.dockerignore": "b"}, "b"),
        ({".dockerignore": "a", "gpu.dockerignore": "b"}, "a"),
        ({}, None),
    ],
)
def test_the_ignore_file_of_the_dockerfile_goes_before_the_common_one(
    tmp_path: Path, files: dict[str, str], expected: str | None
):
    ignore = target(tmp_path, {".git/": "", "Dockerfile": USES_ALL, **files}, "Dockerfile").context.ignore
    assert (ignore.patterns[0].text if ignore else None) == expected


def test_the_ignore_file_of_a_dockerfile_in_a_folder_lies_beside_it(tmp_path: Path):
    files = {".git/": "", "svc/Dockerfile": USES_APP, "svc/Dockerfile.dockerignore": "b", ".dockerignore": "a", **APP}
    found = target(tmp_path, files).context
    assert found.root == tmp_path
    assert [pattern.text for pattern in found.ignore.patterns] == ["b"]
