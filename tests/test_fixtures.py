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
    from types import ModuleType

ROOT = Path(__file__).parent.parent
INFERENCE = ROOT / "fixtures" / "inference"
CPU = INFERENCE / "cpu"
MODELS = {"cpu": "model.joblib", "gpu": "model.onnx"}
BY_HAND = {"cpu/secret-in-env"}
"""What no program repairs."""
SETOSA = [5.1, 3.5, 1.4, 0.2]


def table() -> dict[str, list[list[str]]]:
    """The rows of fixtures/README.md: kind and fault → names of the rules, names of the files that differ."""
    readme = (ROOT / "fixtures" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+/[a-z-]+)` \| (.+) \| (.+) \|$", readme, re.MULTILINE)
    return {fault: [re.findall(r"`(.+?)`", cell) for cell in cells] for fault, *cells in rows}


FAULTS = table()
CONTEXTS = [INFERENCE / fault / state for fault in FAULTS for state in ("broken", "fixed")]


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
    assert sorted(FAULTS) == sorted(path.relative_to(INFERENCE).as_posix() for path in INFERENCE.glob("*/*"))


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda path: path.relative_to(INFERENCE).as_posix())
def test_each_context_is_whole(context):
    content = files(context)
    kind, fault, state = context.relative_to(INFERENCE).parts
    assert {"Dockerfile", "requirements.txt", "main.py", MODELS[kind]} <= content.keys()
    has_ignore_file = state == "fixed" or fault not in ("no-dockerignore", "quickstart")
    assert (".dockerignore" in content) == has_ignore_file
    for name in ("main.py", MODELS[kind]):
        assert content[name] == (INFERENCE / kind / "no-user" / "fixed" / name).read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_and_fixed_differ_only_in_what_the_fault_needs(fault):
    broken, fixed = files(INFERENCE / fault / "broken"), files(INFERENCE / fault / "fixed")
    differing = {name for name in broken.keys() | fixed.keys() if broken.get(name) != fixed.get(name)}
    assert differing == set(FAULTS[fault][1])


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_breaks_the_rules_of_its_fault_and_fixed_breaks_none(fault):
    known = {rule.name for rule in catalogue.rules().values()}
    broken, fixed = (mllint.lint([INFERENCE / fault / state]) for state in ("broken", "fixed"))
    assert {finding.rule.name for finding in broken.findings} == set(FAULTS[fault][0]) & known
    assert fixed.findings == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_fixed_is_what_the_fixes_make_of_broken(fault):
    broken = INFERENCE / fault / "broken"
    repaired = mllint.fix([broken], unsafe=True, write=False)
    made = {change.path.relative_to(broken).as_posix(): change.after for change in repaired.changes}
    if fault in BY_HAND:
        assert repaired.report.findings
        assert made == {}
    else:
        assert files(broken) | made == files(INFERENCE / fault / "fixed")


@pytest.mark.parametrize("fault", FAULTS)
def test_fixed_pins_every_requirement(fault):
    for requirement in requirements((INFERENCE / fault / "fixed" / "requirements.txt").read_text("utf-8")):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement


def test_the_extra_service_has_the_pins_of_the_contexts_and_onnx_to_save_the_model():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["service"]
    pins = requirements((CPU / "no-user" / "fixed" / "requirements.txt").read_text("utf-8"))
    found = {(pin.name, pin.specifier) for pin in map(Requirement, extra) if pin.name != "onnx"}
    assert found == {(pin.name, pin.specifier) for pin in pins}


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


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that trains the model."""
    needs("joblib", "onnx", "sklearn")
    spec = importlib.util.spec_from_file_location("train", INFERENCE / "train.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_saved_pickle_is_the_model_that_the_script_trains(script):
    import joblib

    saved = joblib.load(CPU / "no-user" / "fixed" / MODELS["cpu"])
    assert saved.predict_proba([SETOSA])[0] == pytest.approx(script.train().predict_proba([SETOSA])[0])


def test_the_saved_graph_computes_what_the_model_does(script):
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    saved = onnx.load(INFERENCE / "gpu" / "no-user" / "fixed" / MODELS["gpu"])
    onnx.checker.check_model(saved, full_check=True)
    (probabilities,) = ReferenceEvaluator(saved).run(None, {"features": np.array([SETOSA], np.float32)})
    model = script.train()
    assert probabilities[0] == pytest.approx(model.predict_proba([SETOSA])[0], rel=1e-5)
    assert [(each.key, each.value) for each in saved.metadata_props] == [("species", ",".join(model.classes_))]
