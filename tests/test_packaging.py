"""The wheel, the sdist, an editable install and a plain checkout: the same catalogue and tables in all of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SAMPLES = Path(__file__).parent / "sample_rules"
TABLE = "about: [3.10, 1e3, 2024-01-01, no, null, ~, 0x10, '']\nrows: {3.10: {added: 2024-01-01}}\n"

DUMP = """
import json, sys

from mllint import catalogue, checks, facts
rules = list(catalogue.rules().values())
assert facts.table("sample_table")["about"][0] == "3.10"
print(json.dumps({
    "package": catalogue.__file__,
    "compiled": "yaml" not in sys.modules,
    "rules": [{**rule._asdict(), "severity": rule.severity.value, "text": catalogue.text(rule)} for rule in rules],
    "checks": dict(checks.modules()),
    "table": facts.table("sample_table"),
}))
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(
        command, cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def build(project: Path, target: str) -> Path:
    """The one artefact hatchling builds of a project, in a folder of its own and without a network."""
    folder = project.parent / f"{project.name}-{target}"
    code = f"import sys, hatchling.build as backend; backend.build_{target}(sys.argv[1])"
    run(sys.executable, "-c", code, folder, cwd=project)
    (artefact,) = folder.iterdir()
    return artefact


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert len(set(names)) == len(names)
        return {name: archive.read(name) for name in names}


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of what the sdist is made from, with one more rule and one more table."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    parts = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    skipped = shutil.ignore_patterns("__pycache__")
    for part in ("pyproject.toml", *(part for part in parts if part not in ("tests", "fixtures"))):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=skipped)
        elif (ROOT / part).exists():
            copy.mkdir(exist_ok=True)
            shutil.copy2(ROOT / part, copy / part)
    shutil.copytree(SAMPLES, copy / "rules", dirs_exist_ok=True)
    (copy / "rules/facts/sample_table.yaml").write_text(TABLE)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout) -> Path:
    return build(checkout, "wheel")


@pytest.fixture(scope="module")
def from_checkout(checkout) -> dict:
    return json.loads(run(sys.executable, "-c", DUMP, cwd=checkout.parent, PYTHONPATH=str(checkout)))


def test_a_plain_checkout_reads_the_rule_files(checkout, from_checkout):
    assert from_checkout["package"] == str(checkout / "mllint/catalogue.py")
    assert not from_checkout["compiled"]
    assert "ML399" in [rule["id"] for rule in from_checkout["rules"]]


def test_an_installed_wheel_has_the_same_rules_compiled(checkout, wheel, from_checkout, tmp_path):
    venv.create(tmp_path, with_pip=True, symlinks=os.name != "nt")
    python = tmp_path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check", wheel, cwd=tmp_path)
    package = json.loads(run(python, "-c", "import json, mllint; print(json.dumps(mllint.__file__))", cwd=tmp_path))
    dependencies = Path(package).parent.parent / "dependencies.pth"
    dependencies.write_text(sysconfig.get_path("purelib"))
    installed = json.loads(run(python, "-c", DUMP, cwd=tmp_path))
    assert Path(installed["package"]).is_relative_to(tmp_path)
    assert installed["compiled"]
    assert installed["rules"] == from_checkout["rules"]
    assert installed["checks"] == from_checkout["checks"]
    assert installed["table"] == from_checkout["table"]


def test_a_wheel_holds_each_rule_and_table_once(checkout, wheel):
    packed = contents(wheel)
    sources = {f"mllint/rules/{name}" for name in files(checkout / "rules")}
    tables = {name.replace(".yaml", ".json") for name in sources if name.endswith(".yaml")}
    expected = sources | tables | {"mllint/rules/catalogue.json", "mllint/rules/checks.json"}
    assert {name for name in packed if "rules/" in name} == expected
    assert "mllint/_compile.py" not in packed
    for name in tables:
        source = checkout / "rules/facts" / f"{Path(name).stem}.yaml"
        assert json.loads(packed[name]) == yaml.load(source.read_text("utf-8"), yaml.BaseLoader)


def test_an_sdist_builds_the_same_wheel(checkout, wheel):
    sdist = build(checkout, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(sdist.parent, filter="data")
    (unpacked,) = (path for path in sdist.parent.iterdir() if path.is_dir())
    assert contents(build(unpacked, "wheel")) == contents(wheel)


def test_an_editable_install_copies_no_rules(checkout):
    assert [name for name in contents(build(checkout, "editable")) if "rules/" in name] == []


def test_building_leaves_nothing_behind(checkout, wheel):
    assert files(checkout / "rules") == files(ROOT / "rules") | files(SAMPLES) | {"facts/sample_table.yaml"}
    assert not (checkout / "mllint/rules").exists()
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name]
