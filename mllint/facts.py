"""Typed access to the tables of facts in `rules/facts/`, one YAML file a table.

A table is a mapping with `about` (what it holds), `source`, `date` (YYYY-MM-DD) and `rows`, a list of mappings. A row
may give its own `source` and `date`, and has a `status`, `verified` or `memory`, unless the table gives one for all.
Where `key` names a column, no two rows have the same value in it. What the columns of each table mean stands in its
`about`; `rules/facts/README.md` is the list of them.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_PACKAGE = Path(__file__).parent
_SHARED = ("source", "date", "status")
_DATE = regex(r'^date: "(\d{4}-\d\d-\d\d)"$', re.MULTILINE)
_HEAD = 4096
"""Bytes at the beginning of a table's file that surely hold its `date`: to read the whole tables would take long."""


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


@cache
def by(name: str, column: str) -> Mapping[str, tuple[dict[str, Any], ...]]:
    """The rows of a table by what they have in a column, in the table's order; a row without the column is left out.

    Where the table's `key` is that column, each value has a single row.
    """
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(name):
        if column in row:
            found[row[column]].append(row)
    return {value: tuple(same) for value, same in found.items()}


@cache
def newest() -> date:
    """The day of the table that was brought up to date last."""
    from datetime import date

    heads = [_head(path) for path in (root() / "facts").glob("*.yaml")]
    return date.fromisoformat(max(match[1] for head in heads if (match := _DATE.search(head))))


def age() -> int:
    """The days from the newest table to today, or to the day of SOURCE_DATE_EPOCH, which makes a run reproducible."""
    from datetime import UTC, datetime

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if re.fullmatch(r"[0-9]{1,11}", epoch) else time.time()
    return max((datetime.fromtimestamp(seconds, UTC).date() - newest()).days, 0)


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD).decode("utf-8", "replace").replace("\r\n", "\n")
