"""The copy that `mllint verify --fix-first` changes, so that the files themselves stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mllint
from mllint.fixing import Change
from mllint.verification.before_after import code
from mllint.verification.records import Variant, VerifyError
from mllint.verification.working_copy import WorkingCopy

DOCKERFILE = """\
FROM python:3.11-slim-bookworm
WORKDIR /srv
COPY tools/ tools/
COPY app/ app/
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "repo/.git/HEAD": "ref: refs/heads/main\n",
        "repo/.dockerignore": "secret\n",
        "repo/secret": "of mine",
        "repo/tools/a.py": "",
        "repo/app/main.py": "app = 1\n",
        "repo/Dockerfile": DOCKERFILE,
        "docker/Dockerfile": DOCKERFILE,
        "docker/Dockerfile.dockerignore": "tools\n",
        "elsewhere/requirements.txt": "numpy\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "copy").mkdir()
    return tmp_path


def variant(tree: Path, dockerfile: str = "repo/Dockerfile") -> Variant:
    build = mllint.inspect(dockerfile, context="repo", cwd=tree, no_config=True)
    return Variant("default", build, tree / dockerfile)


def change(path: Path, after: str) -> Change:
    return Change(path, path.name, None, after.encode())


def test_all_of_the_context_is_copied_with_links_as_links(tree: Path):
    repo = tree / "repo"
    (repo / "inside").symlink_to("app/main.py")
    (repo / "outside").symlink_to("/nonexistent/elsewhere")
    (repo / "app/main.py").chmod(0o750)
    os.mkfifo(repo / "pipe")
    copy = WorkingCopy(variant(tree), tree / "copy")
    assert (copy.root / ".git/HEAD").is_file()
    assert (copy.root / "secret").read_text() == "of mine"
    assert (copy.root / "inside").readlink() == Path("app/main.py")
    assert (copy.root / "outside").readlink() == Path("/nonexistent/elsewhere")
    assert (copy.root / "app/main.py").stat().st_mode & 0o777 == 0o750
    assert not (copy.root / "pipe").exists()


def test_changes_go_to_the_copy_alone(tree: Path):
    repo = tree / "repo"
    copy = WorkingCopy(variant(tree), tree / "copy")
    copy.write([change(repo / "app/main.py", "app = 2\n"), change(repo / "new.txt", "new")])
    assert (copy.root / "app/main.py").read_text() == "app = 2\n"
    assert (copy.root / "new.txt").read_text() == "new"
    assert (repo / "app/main.py").read_text() == "app = 1\n"
    assert not (repo / "new.txt").exists()


def test_nothing_is_written_through_a_link_out_of_the_copy(tree: Path):
    elsewhere = tree / "elsewhere/requirements.txt"
    (tree / "repo/requirements.txt").symlink_to(elsewhere)
    (tree / "repo/folder").symlink_to(tree / "elsewhere")
    copy = WorkingCopy(variant(tree), tree / "copy")
    copy.write(change(tree / "repo" / name, "changed") for name in ("requirements.txt", "folder/requirements.txt"))
    assert elsewhere.read_text() == "numpy\n"


def test_a_dockerfile_outside_the_context_is_copied_with_its_ignore_file(tree: Path):
    copy = WorkingCopy(variant(tree, "docker/Dockerfile"), tree / "copy")
    copy.write([change(tree / "docker/Dockerfile", f"{DOCKERFILE}USER 999\n"), change(tree / "elsewhere/x", "x")])
    made = copy.as_variant()
    assert made.path.with_name("Dockerfile.dockerignore").read_text() == "tools\n"
    assert made.build.dockerfile.instructions[-1].keyword == "USER"
    assert made.build.context.root == copy.root
    assert (tree / "docker/Dockerfile").read_text() == DOCKERFILE
    assert not (tree / "elsewhere/x").exists()


def test_what_cannot_be_copied_is_said(tree: Path):
    made = variant(tree)
    (tree / "repo/app/main.py").unlink()
    (tree / "repo/Dockerfile").unlink()
    (tree / "repo").rename(tree / "gone")
    with pytest.raises(VerifyError, match="cannot be copied"):
        WorkingCopy(made, tree / "copy")


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ('CMD ["uvicorn", "tools.a:app"]', "tools/a.py"),
        ('CMD ["python", "tools/a.py"]', "tools/a.py"),
        ('CMD ["python", "-m", "tools.a"]', "tools/a.py"),
        ('CMD ["./serve"]', "app/main.py"),
    ],
)
def test_the_code_to_change_is_what_the_server_starts_from_else_what_is_copied(tree: Path, command: str, first: str):
    (tree / "repo/Dockerfile").write_text(f"FROM python:3.11\nWORKDIR /srv\nCOPY . .\n{command}\n")
    assert next(code(WorkingCopy(variant(tree), tree / "copy").as_variant().build)) == first
