"""The action for GitHub: its metadata, and its steps run as a runner runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml
from checkout import ROOT, skip_without_index

CPU = ROOT / "fixtures/inference/cpu"
TEXT = {"type": "string", "minLength": 1}
STEP = {
    "type": "object",
    "properties": {"name": TEXT, "id": TEXT, "if": TEXT, "env": {"additionalProperties": TEXT}},
    "oneOf": [
        {"required": ["run", "shell"], "properties": {"run": TEXT, "shell": {"const": "bash"}}},
        {
            "required": ["uses"],
            "properties": {"uses": {"type": "string", "pattern": "^[^@]+@[0-9a-f]{40}$"}, "with": {}},
        },
    ],
    "unevaluatedProperties": False,
}
COMPOSITE_ACTION = {
    "type": "object",
    "required": ["name", "description", "runs"],
    "properties": {
        "name": TEXT,
        "description": {"type": "string", "minLength": 1, "maxLength": 125},
        "author": TEXT,
        "branding": {"properties": {"icon": TEXT, "color": TEXT}, "required": ["icon", "color"]},
        "inputs": {
            "propertyNames": {"pattern": "^[a-z][a-z-]*$"},
            "additionalProperties": {
                "required": ["description"],
                "properties": {"description": TEXT, "default": {"type": "string"}, "required": {"type": "boolean"}},
                "additionalProperties": False,
            },
        },
        "runs": {
            "required": ["using", "steps"],
            "properties": {"using": {"const": "composite"}, "steps": {"items": STEP}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def test_the_metadata_is_that_of_a_composite_action():
    jsonschema.Draft202012Validator.check_schema(COMPOSITE_ACTION)
    jsonschema.Draft202012Validator(COMPOSITE_ACTION).validate(ACTION)


def test_no_input_is_pasted_into_a_script():
    assert [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step.get("run", "")] == []


def test_every_input_reaches_a_step():
    used = {name for step in ACTION["runs"]["steps"] for name in re.findall(r"inputs\.([a-z-]+)", yaml.safe_dump(step))}
    assert used == ACTION["inputs"].keys()


@dataclass
class Runner:
    """A runner on which the action is installed, with a checkout of one repository."""

    folder: Path
    outputs: dict[str, str]

    @property
    def workspace(self) -> Path:
        return self.folder / "a checkout"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.md"

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess:
        """Run one step of the action with inputs of a workflow, which writes `fail_on` for `fail-on`."""
        (step,) = (step for step in ACTION["runs"]["steps"] if step["name"] == name)
        script, output = self.folder / "step.sh", self.folder / "output"
        script.write_text(step["run"])
        output.write_text("")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "RUNNER_"))}
        environment |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(output),
        }
        environment |= {name: self.value(text, inputs) for name, text in step["env"].items()}
        finished = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{key}"] = value
        return finished

    def value(self, text: str, inputs: dict[str, str]) -> str:
        """What a runner makes of an expression, which is empty where nothing has set it."""
        known = {f"inputs.{name}": entry.get("default", "") for name, entry in ACTION["inputs"].items()}
        known |= {f"inputs.{name.replace('_', '-')}": given for name, given in inputs.items()}
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: (known | self.outputs).get(match[1], ""), text)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Runner:
    runner = Runner(tmp_path_factory.mktemp("runner"), {})
    runner.workspace.mkdir()
    for name in ("pip", "typing", "venv"):  # modules of the checkout that Python must not take for its own
        (runner.workspace / f"{name}.py").write_text("raise SystemExit('imported from the checkout')\n")
    finished = runner.step("Install mllint")
    if finished.returncode:
        skip_without_index(runner.folder)
    assert finished.returncode == 0, finished.stderr
    return runner


@pytest.fixture
def runner(installed) -> Runner:
    """A runner with a fresh checkout of a sound and two faulty services, one of them in a folder with a blank."""
    shutil.rmtree(installed.workspace)
    installed.summary.unlink(missing_ok=True)
    for name, context in (
        ("sound", "no-user/fixed"),
        ("root", "no-user/broken"),
        ("shell form", "shell-form/broken"),
    ):
        shutil.copytree(CPU / context, installed.workspace / name, ignore=shutil.ignore_patterns("__pycache__"))
    return installed


def annotations(finished: subprocess.CompletedProcess) -> list[str]:
    """`file ID` of each annotation."""
    assert finished.returncode in (0, 1), finished.stderr
    found = re.findall(r"^::(?:error|warning|notice) file=(.*?),line=.*?title=(\w+) ", finished.stdout, re.MULTILINE)
    return [" ".join(each) for each in found]


def test_findings_are_annotations_and_fail_the_step(runner):
    finished = runner.step("Check")
    assert annotations(finished) == ["root/Dockerfile ML201", "shell form/Dockerfile ML303"]
    assert finished.returncode == 1


def test_findings_are_in_the_summary_of_the_job(runner):
    runner.summary.write_text("An earlier step.\n")
    runner.step("Check")
    summary = runner.summary.read_text("utf-8")
    assert summary.startswith("An earlier step.\n")
    assert re.search(r"^\| warning \| root/Dockerfile:\d+:\d+ \| \[ML201 ", summary, re.MULTILINE)


def test_nothing_fails_the_step_with_never(runner):
    finished = runner.step("Check", fail_on="never")
    assert len(annotations(finished)) == 2
    assert finished.returncode == 0


def test_paths_are_lines_and_may_have_blanks(runner):
    assert annotations(runner.step("Check", paths="shell form\nsound\n")) == ["shell form/Dockerfile ML303"]
    assert annotations(runner.step("Check", paths="  sound  \n\nroot/Dockerfile")) == ["root/Dockerfile ML201"]


def test_an_input_is_never_run(runner):
    finished = runner.step("Check", paths="$(touch stolen)\n`touch stolen`\n; touch stolen\n--help")
    assert finished.returncode == 2
    assert not (runner.workspace / "stolen").exists()


def test_the_other_inputs_are_the_options_of_check(runner):
    assert annotations(runner.step("Check", select="ML201,ML301")) == ["root/Dockerfile ML201"]
    assert annotations(runner.step("Check", ignore="ML201")) == ["shell form/Dockerfile ML303"]
    settings = runner.workspace / "my settings.yaml"
    settings.write_text("ignore: {ML303: reviewed}\n")
    assert annotations(runner.step("Check", config=settings.name)) == ["root/Dockerfile ML201"]
    assert "sound/Dockerfile ML101" in annotations(runner.step("Check", preset="strict"))
    (runner.workspace / "empty context").mkdir()
    finished = runner.step("Check", paths="sound", context="empty context", select="ML503")
    assert set(annotations(finished)) == {"sound/Dockerfile ML503"}


def test_a_path_that_is_not_there_fails_the_step(runner):
    finished = runner.step("Check", paths="services/gone")
    assert finished.returncode == 2
    assert "services/gone" in finished.stdout
