"""Which files a run checks."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint
from mllint.sources.file_names import is_dockerfile_name, is_requirements_name

DOCKERFILE = "FROM python:3.11\nCOPY requirements.txt app.py ./\nRUN pip install -r requirements.txt\n"


@pytest.mark.parametrize(
    "name",
    "Dockerfile dockerfile Containerfile Dockerfile.gpu gpu.Dockerfile api_dockerfile train-Dockerfile Dockerfile-dev"
    " Dockerfile_cpu my.service.dockerfile DOCKERFILE Dockerfile.gpu.old".split(),
)
def test_names_of_dockerfiles(name: str):
    assert is_dockerfile_name(name)


@pytest.mark.parametrize(
    "name",
    "Dockerfile.dockerignore Dockerfile.md Dockerfile.j2 Dockerfile.tmpl dockerfiles Dockerfiletest mydockerfile"
    " docker-compose.yml dockerfile_utils".split()[:-1],
)
def test_names_of_other_files(name: str):
    assert not is_dockerfile_name(name)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("requirements.txt", True),
        ("a/requirements-gpu.txt", True),
        ("dev-requirements.in", True),
        ("requirements/base.txt", True),
        ("requirements/base.in", True),
        ("constraints.txt", True),
        ("requirements.yml", False),
        ("notes.txt", False),
        ("requirements/readme.md", False),
    ],
)
def test_names_of_requirements_files(path: str, expected: bool):
    assert is_requirements_name(path) is expected


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def targets(root: Path, *paths: str) -> list[str]:
    found = mllint.find(paths or (".",), cwd=root)
    return [target.path.relative_to(root).as_posix() for target in found.targets]


def test_a_search_leaves_out_what_is_ignored_excluded_or_generated(tmp_path: Path):
    write(
        tmp_path,
        {
            "Dockerfile": DOCKERFILE,
            "old/Dockerfile": DOCKERFILE,
            "kept/Dockerfile": DOCKERFILE,
            "kept/inner/Dockerfile": DOCKERFILE,
            "third_party/Dockerfile": DOCKERFILE,
            "node_modules/x/Dockerfile": DOCKERFILE,
            "env/pyvenv.cfg": "",
            "env/lib/Dockerfile": DOCKERFILE,
            ".git/Dockerfile": DOCKERFILE,
            ".gitignore": "old/\n",
            "kept/.gitignore": "inner\n",
            ".mllint.yaml": "exclude: [third_party]\n",
        },
    )
    assert targets(tmp_path) == ["Dockerfile", "kept/Dockerfile"]


def test_ignore_files_above_the_searched_folder_count(tmp_path: Path):
    write(
        tmp_path,
        {".git/HEAD": "", ".gitignore": "*.old\n", "a/b/Dockerfile.old": DOCKERFILE, "a/b/Dockerfile": DOCKERFILE},
    )
    assert targets(tmp_path, "a/b") == ["a/b/Dockerfile"]


def test_any_other_file_named_is_a_dockerfile(tmp_path: Path):
    write(tmp_path, {"build/recipe": DOCKERFILE})
    assert targets(tmp_path, "build/recipe") == ["build/recipe"]


@pytest.mark.parametrize(
    "name", ["api/requirements.txt", "api/.dockerignore", "api/app.py", "api/uv.lock", "api/start.sh"]
)
def test_a_file_of_a_build_stands_for_its_dockerfiles(tmp_path: Path, name: str):
    write(
        tmp_path,
        {
            ".git/HEAD": "",
            "api/Dockerfile": DOCKERFILE,
            "api/requirements.txt": "",
            "api/app.py": "",
            "api/.dockerignore": "",
            "api/uv.lock": "",
            "api/start.sh": "",
            "web/Dockerfile": DOCKERFILE,
        },
    )
    assert targets(tmp_path, name) == ["api/Dockerfile"]


def test_a_requirements_file_named_alone_is_checked_by_itself(tmp_path: Path):
    write(tmp_path, {"requirements.txt": "torch\n"})
    report = mllint.lint(["requirements.txt"], cwd=tmp_path)
    assert [finding.message.split()[0] for finding in report.findings] == ["torch"]


def test_a_requirements_file_of_two_dockerfiles_is_reported_once(tmp_path: Path):
    write(
        tmp_path,
        {"a.Dockerfile": DOCKERFILE, "b.Dockerfile": DOCKERFILE, "requirements.txt": "torch\n", "app.py": ""},
    )
    report = mllint.lint(["."], select=["ML601"], cwd=tmp_path)
    assert [finding.location.path for finding in report.findings] == ["requirements.txt"]


def test_nothing_to_check_is_said(tmp_path: Path):
    report = mllint.lint(["."], cwd=tmp_path)
    assert (report.files, report.errors) == ((), ())
