"""The project as its users install it: copied, and with the dependencies that pip fetches."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def copy_project(folder: Path) -> None:
    """Copy what a wheel is built from, without what is only tested, into a new folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    parts = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    folder.mkdir()
    for part in ("pyproject.toml", *(part for part in parts if part not in ("tests", "fixtures"))):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, folder / part)


def skip_without_index(folder: Path) -> None:
    """Skip the test where pip reaches no index, told after an installation failed in a folder of the test's own."""
    probe = folder / "probe"
    venv.create(probe, with_pip=True, symlinks=os.name != "nt")
    python = probe / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    download = ("-m", "pip", "download", "--quiet", "--retries=0", "--no-deps", "--dest", probe, "packaging")
    reached = subprocess.run([python, *download], capture_output=True, text=True, check=False)
    if reached.returncode:
        pytest.skip(f"pip reaches no index: {reached.stderr.strip().splitlines()[-1]}")
