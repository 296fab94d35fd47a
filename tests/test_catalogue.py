"""The catalogue: the rule files and what selectors mean, and that every rule is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mllint.checks
from mllint import catalogue, examples
from mllint.catalogue import CatalogueError
from mllint.findings import Severity
from mllint.image.stage import Stage

ROOT = Path(__file__).parent.parent
SAMPLE = Path(__file__).parent / "sample_rules" / "runtime" / "ML399-probe-module-missing.md"

RULE = """\
---
id: {id}
name: {name}
severity: {severity}
presets: {presets}
fix: none
supersedes: {supersedes}
peers:
  hadolint: {hadolint}
  buildkit: {buildkit}
  trivy: []
  checkov: []
  kics: {kics}
  tally: {tally}
---

# {title}
"""


def write_rule(folder: Path, family: str, identity: str, **fields: str) -> Path:
    """A small rule file; `identity` is `ID-name`."""
    id_, _, name = identity.partition("-")
    values = dict.fromkeys(("presets", "supersedes", "hadolint", "buildkit", "kics", "tally"), "[]")
    values |= {"severity": "warning", "id": id_, "name": name, "title": name.replace("-", " ").capitalize(), **fields}
    path = folder / family / f"{identity}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RULE.format(**values))
    return path


def forget() -> None:
    catalogue.rules.cache_clear()
    catalogue._index.cache_clear()


@pytest.fixture
def three_rules(tmp_path, monkeypatch):
    """A catalogue of three rules, in place of the real one."""
    default = "[default, strict]"
    write_rule(tmp_path, "base_image", "ML101-unpinned-base-image", presets="[strict]", hadolint="[DL3006, DL3007]")
    write_rule(tmp_path, "base_image", "ML102-latest-tag", presets=default, hadolint="[DL3007]", kics="[Latest Tag]")
    write_rule(
        tmp_path, "shell", "DF301-from-as-casing", buildkit="[FromAsCasing]", tally="[gpu/latest-tag, latest-tag]"
    )
    monkeypatch.setattr(catalogue, "root", lambda: tmp_path)
    forget()
    yield tmp_path
    forget()


def test_a_rule_is_read_from_its_file():
    assert catalogue.read_rule(SAMPLE)._asdict() == {
        "id": "ML399",
        "name": "probe-module-missing",
        "title": "The probe imports a module that nothing installs",
        "severity": Severity.ERROR,
        "family": "runtime",
        "presets": ("default", "strict"),
        "fix": "sometimes",
        "supersedes": (),
        "aliases": (
            "hadolint:DL9001",
            "trivy:DS-9001",
            "kics:Probe Without Its Module",
            "tally:gpu/probe-module",
        ),
        "proof": None,
    }


def test_rules_come_in_order_of_their_ids(three_rules):
    assert list(catalogue.rules()) == ["DF301", "ML101", "ML102"]


def test_text_begins_with_the_title(three_rules):
    assert catalogue.text(catalogue.rules()["ML102"]).strip() == "# Latest tag"


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("ML101", {"ML101"}),
        ("ml101", {"ML101"}),
        ("latest-tag", {"ML102"}),
        ("base_image", {"ML101", "ML102"}),
        ("Base-Image", {"ML101", "ML102"}),
        ("ML", {"ML101", "ML102"}),
        ("DF", {"DF301"}),
        ("df3", {"DF301"}),
        ("ML10", {"ML101", "ML102"}),
        ("DL3006", {"ML101"}),
        ("hadolint:DL3007", {"ML101", "ML102"}),
        ("HADOLINT:dl3007", {"ML101", "ML102"}),
        ("fromascasing", {"DF301"}),
        ("tally:gpu/latest-tag", {"DF301"}),
        ("kics:Latest Tag", {"ML102"}),
        ("default", {"ML102"}),
        ("strict", {"ML101", "ML102"}),
        ("all", {"ML101", "ML102", "DF301"}),
        ("M", set()),
        ("ML1011", set()),
        ("buildkit:DL3006", set()),
        ("DL3", set()),
        ("", set()),
    ],
)
def test_selectors(three_rules, selector, ids):
    assert catalogue.resolve(selector) == ids


def test_selectors_take_the_place_of_the_preset(three_rules):
    assert catalogue.select([], "default") == {"ML102"}
    assert catalogue.select(["DF", "DL3006"], "default") == {"DF301", "ML101"}
    assert catalogue.select(["labels"], "default") == set()


@pytest.mark.parametrize(
    ("selector", "suggestion"),
    [
        ("latest-tags", "latest-tag"),
        ("unpinned_base_image", "unpinned-base-image"),
        ("requirement", "requirements"),
        ("LM102", "ML102"),
        ("stict", "strict"),
        ("nothing like it", None),
    ],
)
def test_suggestions(three_rules, selector, suggestion):
    assert catalogue.suggest(selector) == suggestion


@pytest.mark.parametrize(
    ("old", "new", "place_and_message"),
    [
        ("---\nid: ML399", "id: ML399", ":1: the file does not begin with front matter"),
        ("fix: sometimes\n", "", ":1: the front matter has no `fix`"),
        ("fix:", "fixed: no\nfix:", ":6: unknown key `fixed`; known: id, name"),
        ("fix: sometimes", "fix: safe", ":6: `fix` is one of none, sometimes, always, not safe"),
        ("fix: sometimes", "fix: [none", ":7: front matter: "),
        ("fix:", "proof: paper\nfix:", ":6: `proof` is engine, or left out, not paper"),
        ("id: ML399", "id: ML398", ":2: id and name want the file to be called ML398-probe-module-missing.md"),
        ("severity: error", "severity: fatal", ":4: `severity` is one of error, warning, info, style, not fatal"),
        ("[default, strict]", "[default]", ":5: `presets` is one of [default, strict], [strict], [], not [default]"),
        ("supersedes: []", "supersedes: ML301", ":7: `supersedes` is a list of ids"),
        ("tally: ", "taly: ", ":8: `peers` holds a list of codes for each of hadolint, buildkit"),
        ("[DL9001]", "DL9001", ":8: `peers` holds a list of codes for each of hadolint, buildkit"),
        ("# The probe", "The probe", ":10: the text does not begin with a `# Title`"),
    ],
)
def test_a_broken_rule_file_is_told_with_its_place(tmp_path, old, new, place_and_message):
    path = tmp_path / "runtime" / SAMPLE.name
    path.parent.mkdir()
    path.write_text(SAMPLE.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as raised:
        catalogue.read(tmp_path)
    assert str(raised.value).startswith(f"{path}{place_and_message}")


@pytest.mark.parametrize(
    ("family", "identity", "message"),
    [
        ("base-image", "ML101-latest-tag", ":2: the folder base-image is no family; families: input, base_image"),
        ("base_image", "ML201-latest-tag", ":2: ids of the family base_image are ML1 and two digits, not ML201"),
        ("base_image", "ML1010-latest-tag", ":2: ids of the family base_image are ML1 and two digits, not ML1010"),
        ("base_image", "ML101-latest_tag", ":3: a name is lower-case words with hyphens between them"),
    ],
)
def test_ids_names_and_families_belong_together(tmp_path, family, identity, message):
    path = write_rule(tmp_path, family, identity)
    with pytest.raises(CatalogueError) as raised:
        catalogue.read(tmp_path)
    assert str(raised.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("identity", "fields", "message"),
    [
        ("ML101-other", {}, ":2: another rule has the same id"),
        ("ML102-first", {}, ":3: another rule has the same name"),
        ("ML102-other", {"supersedes": "[ML109]"}, ":7: no other rule has the id ML109"),
        ("ML102-other", {"supersedes": "[ML102]"}, ":7: no other rule has the id ML102"),
    ],
)
def test_ids_and_names_are_unique_and_superseded_rules_exist(tmp_path, identity, fields, message):
    write_rule(tmp_path, "base_image", "ML101-first")
    path = write_rule(tmp_path, "base_image", identity, **fields)
    with pytest.raises(CatalogueError) as raised:
        catalogue.read(tmp_path)
    assert str(raised.value) == f"{path}{message}"


def test_every_rule_file_has_its_function_and_every_function_its_file():
    assert sorted(mllint.checks.modules()) == sorted(catalogue.rules())
    judging = mllint.checks.judging(Stage, frozenset(catalogue.rules()))
    assert {check.rule for check in judging} < set(mllint.checks.REGISTRY)
    assert sorted(mllint.checks.REGISTRY) == sorted(catalogue.rules())
    for rule, check in mllint.checks.REGISTRY.items():
        family = catalogue.rules()[rule].family
        assert check.function.__module__.removeprefix("mllint.checks.").split(".")[0] == family, rule


def test_a_run_imports_only_what_its_rules_need(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\n")
    code = "import sys, mllint; mllint.lint(select=['healthcheck-module-missing']); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    imported = set(ran.stdout.split())
    assert "mllint.checks.runtime.probe" in imported
    assert "mllint.checks.models.torch" not in imported
    assert not imported & {"configparser", "docker", "pickletools", "rich", "tomllib"}


def test_every_rule_has_a_bad_and_a_good_example():
    for rule in catalogue.rules().values():
        path = ROOT / "rules" / rule.family / f"{rule.id}-{rule.name}.md"
        cases = examples.cases(path.read_text("utf-8"), path)
        examples.validate(rule, cases)
        assert {case.is_bad for case in cases} == {True, False}
