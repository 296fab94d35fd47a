from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from typer.testing import CliRunner

from mllint import facts
from mllint.cli.commands import command_line

app = command_line()
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


def words(row: dict, *columns: str) -> list[str]:
    """The words of columns, each a text or a list of texts."""
    values = [row.get(column, "") for column in columns]
    return " ".join(each if isinstance(each, str) else " ".join(each) for each in values).split()


def versions(name: str) -> list[Version]:
    (row,) = facts.by("releases", "name")[name]
    return [Version(version) for version in row["versions"].split()]


def test_rows_are_found_by_what_a_column_has():
    (torch,) = facts.by("releases", "name")["torch"]
    assert torch["status"] == "verified"
    assert "2.15.0" in torch["versions"].split()
    assert [row for row in facts.rows("wheels") if row["name"] == "torch"] == list(facts.by("wheels", "name")["torch"])
    assert "no-such-distribution" not in facts.by("wheels", "name")
    assert all("use" in row for rows in facts.by("apt_names", "use").values() for row in rows)


def test_the_newest_table_dates_them_all():
    assert facts.newest() == max(date.fromisoformat(facts.table(name)["date"]) for name in TABLES)


@pytest.mark.parametrize(("epoch", "days"), [("1795305600", 0), ("1795392000", 1), ("0", 0)])
def test_the_age_of_the_tables_follows_a_reproducible_clock(epoch, days, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    monkeypatch.setattr(facts, "newest", lambda: date(2026, 11, 22))
    assert facts.age() == days


@pytest.mark.parametrize("epoch", ["", "soon", "-1", "9" * 11, "9" * 5000])
def test_any_clock_gives_an_age(epoch, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert facts.age() >= 0


def run_when(days: int, *arguments: str):
    """A run on the day so many days after the newest table."""
    noon = datetime.combine(facts.newest(), time(12), UTC) + timedelta(days=days)
    return CliRunner().invoke(app, list(arguments), env={"SOURCE_DATE_EPOCH": str(int(noon.timestamp()))})


def test_the_version_tells_the_age_of_the_tables():
    result = run_when(12, "--version")
    assert f"tables of facts: {facts.newest()} (12 days old)" in result.stdout.splitlines()


@pytest.mark.parametrize(("days", "times"), [(0, 0), (365, 0), (366, 1)])
@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_run_with_old_tables_says_so_once_and_apart_from_the_report(days, times, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM python:latest\n")
    result = run_when(days, "check", "--no-config", "--format", form)
    assert result.stderr.count("days old") == times
    assert "days old" not in result.stdout
    assert result.exit_code == 1


def test_a_quiet_run_says_nothing_of_old_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM python:latest\n")
    assert "days old" not in run_when(1000, "check", "--no-config", "--quiet").stderr


def test_the_releases_of_a_distribution_are_in_order_and_final():
    for row in facts.rows("releases"):
        found = [Version(version) for version in row["versions"].split()]
        assert found, row
        assert all(before < after for before, after in pairwise(found)), row["name"]
        assert not any(version.is_prerelease for version in found), row["name"]


def test_a_missing_release_is_missing_and_its_neighbour_exists():
    assert {"name": "scikit-learn", "version": "1.4.1", "near": "1.4.1.post1"}.items() <= (
        facts.by("missing_releases", "name")["scikit-learn"][0].items()
    )
    for row in facts.rows("missing_releases"):
        there = versions(row["name"])
        assert Version(row["version"]) not in there, row
        assert row["near"] == "none" or Version(row["near"]) in there, row


def test_a_yanked_release_exists():
    for row in facts.rows("yanked"):
        assert Version(row["version"]) in versions(row["name"]), row
        assert row["reason"].strip(), row


def test_the_wheels_of_a_distribution_are_runs_of_its_releases():
    for name, rows in facts.by("wheels", "name").items():
        there = versions(name)
        bounds = [Version(row[end]) for row in rows for end in ("first", "last")]
        assert set(bounds) <= set(there), name
        assert bounds == sorted(bounds), name
        assert all(last < first for last, first in pairwise(bounds[1:-1]) if last != first), name
        assert len({row["first"] for row in rows}) == len(rows), name


def test_a_row_of_wheels_speaks_its_notation():
    token = re.compile(r"any|py[23]|[23]\.\d+[t+]?")
    for row in facts.rows("wheels"):
        assert all(token.fullmatch(word) for word in row["python"].split()), row
        SpecifierSet(row.get("requires_python", ""))
        assert all(re.fullmatch(r"2\.\d+", row.get(column, "2.17")) for column in ("glibc", "arm64")), row
        assert row.get("musl", "yes") == "yes", row
        assert row.get("sdist", "no") == "no", row


@pytest.mark.parametrize(
    ("name", "version", "python", "others"),
    [
        ("torch", "2.15.0", "3.11 3.12 3.13 3.14 3.15", {"glibc": "2.28", "sdist": "no"}),
        ("opencv-python", "4.8.1.78", "3.7+", {"glibc": "2.17", "arm64": "2.17"}),
        ("xgboost", "3.4.1", "py3", {"requires_python": ">=3.12"}),
        ("fastapi", "0.165.0", "any", {"requires_python": ">=3.11"}),
        ("flash-attn", "2.8.3.post2", "", {}),
    ],
)
def test_what_can_be_installed_of_a_release(name, version, python, others):
    (row,) = [
        row
        for row in facts.by("wheels", "name")[name]
        if Version(row["first"]) <= Version(version) <= Version(row["last"])
    ]
    assert [word for word in row["python"].split() if not word.endswith("t")] == python.split()
    assert others.items() <= row.items()


def test_the_ranges_of_python_images_are_of_their_minor():
    for row in facts.rows("python_images"):
        first, last = Version(row["first"]), Version(row["last"])
        assert first <= last, row
        assert {f"{bound.major}.{bound.minor}" for bound in (first, last)} == {row["minor"]}, row
        assert row["distro"] in ("debian", "alpine"), row
        assert row["ended"] in ("yes", "no"), row


def test_no_cuda_image_is_said_twice():
    tags = Counter((row["version"], row["distro"]) for row in facts.rows("cuda_images"))
    assert [tag for tag, times in tags.items() if times > 1] == []
    flavours = {word for row in facts.rows("cuda_images") for word in row["flavours"].split()}
    kinds = {"base", "runtime", "devel"}
    assert flavours == kinds | {f"cudnn{major}-{kind}" for major in ("", "8", "9") for kind in ("runtime", "devel")}
    assert all(len(row["version"].split(".")) == 3 for row in facts.rows("cuda_images"))


def test_a_distribution_release_has_a_python_and_a_library():
    for row in facts.rows("distro_pythons"):
        assert re.fullmatch(r"3\.\d+", row["python"]), row
        assert row["managed"] in ("yes", "no"), row
        assert row["distro"] in facts.by("distros", "distro"), row
        assert row["libc"] == ("musl" if row["family"] == "alpine" else "glibc"), row
        Version(row["libc_version"])
    known = facts.by("distro_pythons", "suite")
    assert known["bookworm"][0]["managed"] == "yes"
    assert known["jammy"][0]["managed"] == "no"


def test_no_image_has_and_lacks_a_program():
    for row in facts.rows("base_programs"):
        present, absent = words(row, "present"), words(row, "absent")
        assert not set(present) & set(absent), row["image"]
        assert len(set(absent)) == len(absent), row["image"]
        assert all(re.fullmatch(r"[\w.+-]+", word) for word in present + absent), row["image"]


def test_a_pattern_of_an_image_is_there_once_and_the_one_for_all_tags_is_last():
    tags = defaultdict(list)
    for row in facts.rows("base_programs"):
        tags[row["image"]].append(row.get("tag"))
    for image, patterns in tags.items():
        assert len(set(patterns)) == len(patterns), image
        assert None not in patterns[:-1], image


def test_what_a_package_brings():
    known = {(row["package"], family): row for row in facts.rows("system_packages") for family in row["family"].split()}
    assert len(known) == sum(len(row["family"].split()) for row in facts.rows("system_packages"))
    assert "curl" in words(known["curl", "debian"], "programs")
    assert {"gcc", "g++", "make"} <= set(words(known["build-essential", "ubuntu"], "programs"))
    assert "nc" in words(known["netcat-openbsd", "debian"], "programs")
    assert "ps" in words(known["procps", "debian"], "programs")
    assert "curl" not in words(known["wget", "debian"], "programs", "perhaps")
    for row in known.values():
        assert not set(words(row, "programs")) & set(words(row, "perhaps")), row["package"]


def test_a_name_of_apt_is_told_for_known_suites():
    suites = {"bullseye", "bookworm", "trixie", "focal", "jammy", "noble"}
    for row in facts.rows("apt_names"):
        told = words(row, "gone", "many", "one")
        assert set(told) <= suites, row
        assert len(set(told)) == len(told), row


@pytest.mark.parametrize("name", ["base_programs", "system_packages", "cuda_images", "distro_pythons"])
def test_what_is_from_memory_is_told_apart(name):
    assert {row["status"] for row in facts.rows(name)} == {"verified", "memory"}
