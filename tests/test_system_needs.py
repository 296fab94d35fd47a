from __future__ import annotations

import pytest

from mllint import facts
from mllint.image.libraries import libraries_of


@pytest.mark.parametrize("row", facts.rows("library_needs"), ids=lambda row: row["name"])
def test_the_packages_that_a_finding_names_bring_the_libraries(row):
    brought = set().union(*(libraries_of(package)[0] or () for package in row["packages"].split()))
    assert set(row["libraries"].split()) <= brought


@pytest.mark.parametrize("row", facts.rows("tool_needs"), ids=lambda row: row["name"])
def test_the_packages_that_a_finding_names_bring_the_programs(row):
    for program, package in zip(row["programs"].split(), row["packages"].split(), strict=True):
        rows = [each for each in facts.by("system_packages", "package")[package] if "debian" in each["family"]]
        assert program in rows[0]["programs"].split()


def test_no_package_is_in_two_rows():
    packages = [package for row in facts.rows("system_libraries") for package in row["packages"].split()]
    assert len(packages) == len(set(packages))


def test_a_base_has_no_library_that_it_lacks():
    wanted = {name for row in facts.rows("library_needs") for name in row["libraries"].split()}
    for row in facts.rows("base_libraries"):
        present, absent = (set(row.get(column, "").split()) for column in ("present", "absent"))
        assert present.isdisjoint(absent)
        assert present | absent <= wanted
