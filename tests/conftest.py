"""Makes the examples of the rules into tests, one a case: `pytest -k ML302` runs those of one rule."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mllint import catalogue, examples

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure(config: pytest.Config) -> None:
    """Register the collector as a plugin of its own, as the hooks of this file are asked about `tests/` only."""
    config.pluginmanager.register(RuleCollector())


class RuleCollector:
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> RuleFile | None:
        is_rule = file_path.suffix == ".md" and file_path.name != "README.md"
        if is_rule and parent.config.rootpath / "rules" in file_path.parents:
            return RuleFile.from_parent(parent, path=file_path)
        return None


class RuleFile(pytest.File):
    def collect(self) -> Iterator[CaseItem]:
        try:
            rule = catalogue.read_rule(self.path)
            cases = examples.cases(self.path.read_text("utf-8"), self.path)
            examples.validate(rule, cases)
        except catalogue.CatalogueError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            yield CaseItem.from_parent(self, name=case.name, rule=rule, case=case)


class CaseItem(pytest.Item):
    def __init__(self, *, rule: catalogue.Rule, case: examples.Case, **node):
        super().__init__(**node)
        self.rule = rule
        self.case = case

    def runtest(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            failures = examples.run(self.case, self.rule, Path(folder))
        if failures:
            pytest.fail("\n".join([f"{self.case.path}:{self.case.line}: {self.case.name}", *failures]), pytrace=False)

    def reportinfo(self):
        return self.path, self.case.line - 1, f"{self.rule.id} {self.case.name}"
