"""Typed access to the tables of facts in `rules/facts/`, one YAML file a table.

A table is a mapping with `about` (what it holds), `source`, `date` (YYYY-MM-DD) and `rows`, a list of mappings. A row
may give its own `source` and `date`, and has a `status`, `verified` or `memory`, unless the table gives one for all.
Where `key` names a column, no two rows have the same value in it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent
_SHARED = ("source", "date", "status")


@cache
def root() -> Path:
    """The folder of the rules: inside the package where it was installed from a wheel, else that of the checkout."""
    packed = _PACKAGE / "rules"
    return packed if packed.is_dir() else _PACKAGE.parent / "rules"


@cache
def table(name: str) -> dict[str, Any]:
    """The table `rules/facts/<name>.yaml` as it stands: mappings, lists, and every scalar a str (`3.10` stays "3.10").

    All callers share the answer: read it, never change it. Raises FileNotFoundError where there is no such table.
    """
    compiled = root() / "facts" / f"{name}.json"
    if compiled.is_file():
        import json

        content: dict[str, Any] = json.loads(compiled.read_bytes())
    else:
        import yaml

        content = yaml.load(compiled.with_suffix(".yaml").read_bytes(), getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return content


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """The rows of a table, each with its `source`, `date` and `status`, its own or else the table's."""
    whole = table(name)
    shared = {field: whole[field] for field in _SHARED if field in whole}
    return tuple({**shared, **row} for row in whole["rows"])
