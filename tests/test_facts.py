from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date

import pytest
import yaml

from mllint import facts

TABLES = sorted(path.stem for path in (facts.root() / "facts").glob("*.yaml"))


def test_there_are_tables():
    assert "secrets" in TABLES


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_it_is_and_where_it_comes_from(name):
    table = facts.table(name)
    assert {"about", "source", "date", "rows"} <= set(table)
    assert set(table) <= {"about", "source", "date", "status", "key", "rows"}
    assert all(table[field].strip() for field in ("about", "source"))
    assert table["rows"]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_dated_and_has_a_status(name):
    for row in facts.rows(name):
        assert row["status"] in ("verified", "memory"), row
        assert row["source"].strip(), row
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row["date"]), row
        assert date(2024, 1, 1) <= date.fromisoformat(row["date"]), row


@pytest.mark.parametrize("name", TABLES)
def test_no_two_rows_have_the_same_key(name):
    key = facts.table(name).get("key")
    if key:
        keys = Counter(row[key] for row in facts.rows(name))
        assert [value for value, times in keys.items() if times > 1] == []


@pytest.mark.parametrize("name", TABLES)
def test_no_mapping_of_a_table_gives_a_key_twice(name):
    text = (facts.root() / "facts" / f"{name}.yaml").read_text("utf-8")
    nodes = [yaml.compose(text, yaml.CSafeLoader)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"{name}.yaml:{node.start_mark.line + 1}"
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


@pytest.mark.parametrize("name", TABLES)
def test_every_scalar_is_text(name):
    values = [facts.table(name)]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value
        else:
            assert type(value) is str


def test_a_row_takes_from_the_table_what_it_does_not_say():
    rows = {row["name"]: row for row in facts.rows("secrets")}
    assert rows["WANDB_API_KEY"]["status"] == facts.table("secrets")["status"] == "memory"
    assert rows["HF_TOKEN"]["status"] == "verified"
    assert rows["HF_TOKEN"]["source"].startswith("https://huggingface.co/")
    assert rows["HF_TOKEN"]["date"] == facts.table("secrets")["date"]


def test_a_table_is_the_same_compiled(tmp_path, monkeypatch):
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "secrets.json").write_text(json.dumps(facts.table("secrets")), "utf-8")
    expected = facts.table("secrets")
    monkeypatch.setattr(facts, "root", lambda: tmp_path)
    facts.table.cache_clear()
    try:
        assert facts.table("secrets") == expected
    finally:
        facts.table.cache_clear()


def test_an_unknown_table_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"no_such_table\.yaml"):
        facts.table("no_such_table")
