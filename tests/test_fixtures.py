"""The contexts of the inference service: whole, alike but for their faults, and a service that answers."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from packaging.requirements import Requirement

import mllint
from mllint import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
INFERENCE = ROOT / "fixtures" / "inference"
CPU = INFERENCE / "cpu"
SETOSA = [5.1, 3.5, 1.4, 0.2]


def table() -> dict[str, list[list[str]]]:
    """The rows of fixtures/README.md: fault → names of the rules, names of the files that differ."""
    readme = (ROOT / "fixtures" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \|$", readme, re.MULTILINE)
    return {fault: [re.findall(r"`(.+?)`", cell) for cell in cells] for fault, *cells in rows}


FAULTS = table()
CONTEXTS = [CPU / fault / state for fault in FAULTS for state in ("broken", "fixed")]


def files(context: Path) -> dict[str, bytes]:
    """The content of each file of a context, by its path in it, without what Python leaves behind."""
    return {
        path.relative_to(context).as_posix(): path.read_bytes()
        for path in context.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def requirements(text: str) -> set[Requirement]:
    return {Requirement(line) for line in text.splitlines()}


def test_the_readme_lists_every_fault():
    assert sorted(FAULTS) == sorted(folder.name for folder in CPU.iterdir())


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda path: path.relative_to(CPU).as_posix())
def test_each_context_is_whole(context):
    content = files(context)
    assert {"Dockerfile", "requirements.txt", "main.py", "model.joblib"} <= content.keys()
    without_ignore_file = ("no-dockerignore/broken", "quickstart/broken")
    assert (".dockerignore" in content) == (context.relative_to(CPU).as_posix() not in without_ignore_file)
    assert content["main.py"] == (CONTEXTS[0] / "main.py").read_bytes()
    assert content["model.joblib"] == (CONTEXTS[0] / "model.joblib").read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_and_fixed_differ_only_in_what_the_fault_needs(fault):
    broken, fixed = files(CPU / fault / "broken"), files(CPU / fault / "fixed")
    differing = {name for name in broken.keys() | fixed.keys() if broken.get(name) != fixed.get(name)}
    assert differing == set(FAULTS[fault][1])


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_breaks_the_rules_of_its_fault_and_fixed_breaks_none(fault):
    known = {rule.name for rule in catalogue.rules().values()}
    broken, fixed = (mllint.lint([CPU / fault / state]) for state in ("broken", "fixed"))
    assert {finding.rule.name for finding in broken.findings} == set(FAULTS[fault][0]) & known
    assert fixed.findings == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_fixed_pins_every_requirement(fault):
    for requirement in requirements((CPU / fault / "fixed" / "requirements.txt").read_text("utf-8")):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement


def test_the_extra_service_has_the_pins_of_the_contexts():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["service"]
    pins = requirements((CPU / "no-user" / "fixed" / "requirements.txt").read_text("utf-8"))
    assert {(pin.name, pin.specifier) for pin in map(Requirement, extra)} == {(pin.name, pin.specifier) for pin in pins}


def needs(*modules: str) -> None:
    """Skips the test where the service cannot run."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -e '.[service]' on Python 3.11")


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The address of the service, started on a free port of this machine."""
    needs("fastapi", "joblib", "pydantic", "sklearn", "uvicorn")
    command = [sys.executable, "-B", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=CPU / "no-user" / "fixed", stderr=subprocess.PIPE, text=True) as server:
        log: list[str] = []
        address = None
        while address is None and (line := server.stderr.readline()):
            log.append(line)
            address = re.search(r"running on (http://127\.0\.0\.1:\d+)", line)
        assert address, "".join(log)
        yield address[1]
        server.terminate()


def predict(service: str, features: list[float]) -> dict[str, object]:
    body = json.dumps({"features": features}).encode()
    request = urllib.request.Request(f"{service}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_the_service_is_healthy(service):
    with urllib.request.urlopen(f"{service}/health", timeout=10) as response:
        assert response.status == 200


def test_the_service_predicts_the_species_and_the_probabilities(service):
    prediction = predict(service, SETOSA)
    assert prediction["species"] == "setosa"
    assert sorted(prediction["probabilities"]) == ["setosa", "versicolor", "virginica"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert max(prediction["probabilities"].values()) == prediction["probabilities"]["setosa"]


def test_the_service_refuses_a_flower_without_four_features(service):
    with pytest.raises(HTTPError, match="422"):
        predict(service, SETOSA[:3])


def test_the_saved_model_is_the_one_the_script_trains():
    needs("joblib", "sklearn")
    import joblib

    spec = importlib.util.spec_from_file_location("train", INFERENCE / "train.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    saved, trained = joblib.load(CONTEXTS[0] / "model.joblib"), script.train()
    assert saved.predict_proba([SETOSA])[0] == pytest.approx(trained.predict_proba([SETOSA])[0])
