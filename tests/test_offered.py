"""Releases and wheels of the package index."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint import facts
from mllint.image.installing import offered
from mllint.image.installing.offered import Platform

GLIBC = Platform("glibc", "2.36", is_arm=False)
MUSL = Platform("musl", None, is_arm=False)
ARM = Platform("glibc", "2.36", is_arm=True)
OLD = Platform("glibc", "2.17", is_arm=False)


@pytest.mark.parametrize(
    ("name", "version"),
    [("scikit-learn", "1.4.1"), ("onnxruntime", "1.17.2"), ("tensorflow", "2.16.0"), ("numpy", "1.26.5")],
)
def test_a_release_that_is_not_there_is_missing(name, version):
    assert offered.is_missing(name, version)
    assert all(not offered.is_missing(name, near) for near in offered.nearest(name, version))


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("scikit-learn", "1.4.1.post1"),
        ("scikit-learn", "1.4.1.POST1"),
        ("fastapi", "0.110"),
        ("numpy", "1.26.5rc1"),
        ("numpy", "1.26.5+local"),
        ("numpy", "99"),
        ("numpy", "latest"),
        ("no-such-distribution", "1.0"),
    ],
)
def test_what_is_or_may_be_there_is_not_missing(name, version):
    assert not offered.is_missing(name, version)


def test_the_release_whose_number_goes_on_is_the_nearest():
    assert offered.nearest("scikit-learn", "1.4.1") == ("1.4.1.post1",)
    assert offered.nearest("onnxruntime", "1.17.2") == ("1.17.1", "1.17.3")


@pytest.mark.parametrize(
    ("name", "version", "minor", "platform", "expected"),
    [
        ("numpy", "1.24.4", "3.11", GLIBC, True),
        ("numpy", "1.24.4", "3.12", GLIBC, False),
        ("tokenizers", "0.21.1", "3.13", GLIBC, True),
        ("tokenizers", "0.21.1", "3.8", GLIBC, False),
        ("transformers", "4.45.0", "3.12", MUSL, True),
        ("torch", "2.4.1", "3.11", MUSL, False),
        ("torch", "2.4.1", "3.11", ARM, True),
        ("torch", "2.8.0", "3.11", OLD, False),
    ],
)
def test_a_wheel_fits_an_interpreter_and_a_platform(name, version, minor, platform, expected):
    found = offered.offer(name, version)
    assert found is not None
    assert found.has_wheel(minor, platform) is expected


def test_requires_python_shuts_out_what_it_names_alone():
    numpy = offered.offer("numpy", "2.1.0")
    accelerate = offered.offers("accelerate")[0]
    assert numpy is not None
    assert (numpy.admits("3.9"), numpy.admits("3.10")) == (False, True)
    assert accelerate.requires_python == ">3.6.0"
    assert accelerate.admits("3.6")


@settings(max_examples=100)
@given(st.sampled_from([row["name"] for row in facts.rows("releases")]), st.text(max_size=12))
def test_any_text_after_a_pin_is_judged(name, version):
    assert offered.is_missing(name, version) in (True, False)
    assert offered.offer(name, version) is None or not offered.is_missing(name, "0.0.0.dev1")


@pytest.mark.parametrize("name", [row["name"] for row in facts.rows("releases")])
def test_no_release_of_the_table_is_missing(name):
    assert not any(offered.is_missing(name, version) for version in offered.releases(name))
