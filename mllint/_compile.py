"""The build hook that puts the rules into a wheel, their front matter and tables compiled to JSON.

hatchling runs this file by its path, where neither mllint nor what it depends on needs to be importable.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilderConfig


class RulesHook(BuildHookInterface[WheelBuilderConfig]):
    """Adds `rules/` to a wheel as `mllint/rules`; an editable install reads the checkout's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        rules = Path(self.root, "rules")
        self.compiled = TemporaryDirectory()
        include = build_data["force_include"]
        include[str(rules)] = "mllint/rules"
        compiled = {**_compiled(rules), "checks.json": _checks(Path(self.root, "mllint", "checks"))}
        for name, content in compiled.items():
            path = Path(self.compiled.name, name.replace("/", "-"))
            path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
            include[str(path)] = f"mllint/rules/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.compiled.cleanup()


def _compiled(rules: Path) -> dict[str, Any]:
    """The JSON files of a wheel by their paths in `mllint/rules`: the catalogue and each table of facts."""
    entries = [_entry(path) for path in rules.glob("*/*.md") if path.name != "README.md"]
    catalogue = {"catalogue.json": sorted(entries, key=lambda entry: str(entry["id"]))}
    tables = {f"facts/{path.stem}.json": _load(path.read_text(encoding="utf-8")) for path in rules.glob("facts/*.yaml")}
    return catalogue | tables


def _checks(folder: Path) -> dict[str, str]:
    """The module of each rule's check, as `mllint.checks.modules` finds it in a checkout."""
    names = {path: ".".join(path.relative_to(folder).with_suffix("").parts) for path in sorted(folder.glob("*/*.py"))}
    rules = {path: re.findall(r'^@check\("(\w+)"\)$', path.read_text(encoding="utf-8"), re.MULTILINE) for path in names}
    return {rule: name for path, name in names.items() for rule in rules[path]}


def _entry(path: Path) -> dict[str, Any]:
    """A rule's front matter with its family and title: what a run needs; the rest of its Markdown stays in the file."""
    header, _, body = path.read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    title = body.lstrip("\n").partition("\n")[0].removeprefix("# ").strip()
    return {"family": path.parent.name, "title": title, **_load(header)}


def _load(text: str) -> dict[str, Any]:
    """A mapping in YAML with every scalar a string, as mllint reads it in a checkout."""
    content: dict[str, Any] = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return content
