"""The hook for pre-commit: which changes bring it on, and what it says of a repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import ROOT, copy_project, skip_without_index

from mllint.discovery import is_attached_name
from mllint.sources.file_names import is_dockerfile_name, is_requirements_name

FIXED = ROOT / "fixtures/inference/cpu/no-user/fixed"
INPUTS = """
Dockerfile DOCKERFILE dockerfile.gpu api.Dockerfile api-dockerfile serve_dockerfile Dockerfile-cuda Containerfile
docker/prod.containerfile Dockerfile.dockerignore .dockerignore services/api/.dockerignore
requirements.txt requirements-dev.in api/requirements/base.txt constraints.txt gpu-constraints.txt deps.txt
uv.lock poetry.lock pylock.toml pylock.gpu.toml Pipfile Pipfile.lock pyproject.toml setup.cfg
environment.yml environment.yaml conda.yaml environment-gpu.yml conda-lock.yml
compose.yaml docker-compose.yml docker-compose.gpu.yml compose.override.yaml .mllint.yaml .mllint.yml
main.py src/app/serve.py entrypoint.sh train.ipynb .env .env.production prod.env
pip.conf id_rsa tls.key gcp-credentials.json
models/model.joblib weights.safetensors net.pt net.pth model.onnx model.bin
""".split()
OTHERS = """
README.md docs/dockerfiles.md dockerfiles/notes.md mydockerfile.md logo.png package.json tsconfig.json values.yaml
.github/workflows/ci.yml main.go index.ts style.css data.csv LICENSE Makefile .gitignore latin.txt.md
""".split()


@pytest.fixture(scope="module")
def hook() -> dict:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    return hook


@pytest.mark.parametrize("path", INPUTS)
def test_a_change_of_an_input_brings_the_hook_on(hook, path):
    assert re.search(hook["files"], path)


@pytest.mark.parametrize("path", OTHERS)
def test_a_change_of_anything_else_does_not(hook, path):
    is_input = is_dockerfile_name(Path(path).name) or is_requirements_name(path) or is_attached_name(path)
    assert not is_input
    assert not re.search(hook["files"], path)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    """Run a command with the user's git configuration out of sight and pre-commit's environments beside the folder."""
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PRE_COMMIT_HOME": str(cwd.parent / "environments"),
        "PRE_COMMIT_COLOR": "never",
    }
    for variable in ("PYTHONPATH", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        environment.pop(variable, None)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def commit(folder: Path) -> str:
    """Make a folder a repository with all its files committed; the commit."""
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@mllint.example")
    for arguments in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "--no-verify", "-m", "All")):
        finished = run("git", *arguments, cwd=folder)
        assert finished.returncode == 0, finished.stderr
    return run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()


def test_a_changed_requirement_alone_is_found(tmp_path):
    copy_project(tmp_path / "mllint")
    revision = commit(tmp_path / "mllint")
    service = tmp_path / "service"
    shutil.copytree(FIXED, service / "api", ignore=shutil.ignore_patterns("__pycache__"))
    repository = {"repo": str(tmp_path / "mllint"), "rev": revision, "hooks": [{"id": "mllint"}]}
    (service / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repository]}))
    commit(service)
    pre_commit = (sys.executable, "-m", "pre_commit", "run", "--verbose")

    installed = run(*pre_commit, "--all-files", cwd=service)
    if installed.returncode == 3:  # what pre-commit gives where it could not install a hook
        skip_without_index(tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert re.search(r"^mllint\.+Passed$", installed.stdout, re.MULTILINE)

    requirements = service / "api/requirements.txt"
    requirements.write_text(re.sub(r"^numpy==.*$", "numpy", requirements.read_text(), flags=re.MULTILINE))
    run("git", "add", "-A", cwd=service)
    changed = run(*pre_commit, cwd=service)
    assert changed.returncode == 1
    assert re.search(r"^mllint\.+Failed$", changed.stdout, re.MULTILINE)
    assert re.search(r"api/requirements\.txt:\d+:1 warning ML612 numpy", changed.stdout)
