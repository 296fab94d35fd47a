"""The provider graph: what distributions provide, what they bring along, and that its table is whole."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from mllint import facts
from mllint.image.distributions import (
    closure,
    guess_import,
    has_script,
    imports,
    providers_of_import,
    providers_of_script,
    scripts,
)
from mllint.image.values import Unknown

ROWS = facts.rows("distributions")
NAMES = sorted({row["name"] for row in ROWS})
SCRIPT = Path(__file__).parent.parent / "rules" / "facts" / "refresh_distributions.py"


def roots(*requirements):
    """Roots as written in a requirements file: `name[extra]` or `name==version`."""
    parsed = map(Requirement, requirements)
    return [(each.name, next((s.version for s in each.specifier), None), frozenset(each.extras)) for each in parsed]


def brings(name, *requirements, python="3.11", newest=False):
    return closure(roots(*requirements), python, newest=newest).brings(name)


@pytest.mark.parametrize(
    ("requirement", "present", "absent"),
    [
        ("fastapi==0.110.0", ["fastapi", "starlette", "pydantic", "typing-extensions"], ["uvicorn", "requests"]),
        ("fastapi[standard]==0.115.13", ["uvicorn", "httpx", "python-multipart", "httptools"], ["requests"]),
        ("fastapi[all]==0.110.0", ["uvicorn", "uvloop", "orjson"], []),
        ("uvicorn[standard]==0.27.0", ["httptools", "uvloop", "pyyaml", "click"], ["requests", "fastapi"]),
        ("transformers==4.57.6", ["requests", "tokenizers", "huggingface-hub"], ["torch", "httpx"]),
        ("transformers==5.18.0", ["huggingface-hub"], ["requests", "torch"]),
        ("transformers[torch]==4.57.6", ["torch", "accelerate"], []),
        ("huggingface-hub==0.36.0", ["requests"], ["httpx"]),
        ("huggingface-hub==1.33.0", ["httpx"], ["requests"]),
        ("scikit-learn==1.4.1.post1", ["numpy", "scipy", "joblib", "threadpoolctl"], ["requests", "pandas"]),
        ("tensorflow==2.16.1", ["requests", "numpy", "keras"], ["torch"]),
    ],
)
def test_what_a_release_brings(requirement, present, absent):
    brought = closure(roots(requirement), "3.11")
    assert {name: brought.brings(name) for name in present} == dict.fromkeys(present, "present")
    assert {name: brought.brings(name) for name in absent} == dict.fromkeys(absent, "absent")


def test_it_says_through_which_root_a_distribution_comes():
    brought = closure(roots("flask==3.0.0", "transformers==4.57.6"), "3.11")
    assert brought.via["requests"] == "transformers"
    assert brought.via["werkzeug"] == "flask"
    assert brought.via["flask"] == "flask"


def test_names_are_normalised():
    assert brings("Scikit_Learn", "scikit.learn==1.6.1") == "present"
    assert brings("typing.extensions", "FastAPI==0.110.0") == "present"
    assert imports("Scikit_Learn", "1.6.1") == imports("scikit-learn", "1.6.1")


def test_an_unknown_distribution_makes_absence_unknown():
    answer = brings("requests", "fastapi==0.110.0", "our-own-models")
    assert answer == Unknown("what our-own-models requires is not known")
    assert brings("starlette", "fastapi==0.110.0", "our-own-models") == "present"
    assert not closure(roots("our-own-models"), "3.11").is_complete


def test_an_unknown_extra_makes_absence_unknown():
    assert closure(roots("fastapi[nothing-of-that-name]==0.110.0"), "3.11").unknown == (
        "fastapi[nothing-of-that-name]",
    )


def test_a_release_that_no_row_has_makes_absence_unknown():
    assert isinstance(brings("requests", "fastapi==999.0"), Unknown)
    assert isinstance(closure([("fastapi", "no version", frozenset())], "3.11").brings("requests"), Unknown)


def test_releases_that_differ_leave_an_unpinned_root_open():
    assert brings("requests", "transformers") == Unknown("only some releases of transformers require requests")
    assert brings("uvicorn", "fastapi") == Unknown("only some releases of fastapi require uvicorn")
    assert brings("starlette", "fastapi") == "present"


def test_the_newest_release_decides_where_that_is_asked_for():
    assert brings("requests", "transformers", newest=True) == "absent"
    assert brings("uvicorn", "fastapi", newest=True) == "absent"


def test_a_requirement_keeps_another_s_dependency_back():
    assert brings("requests", "transformers==4.57.6", "accelerate==1.15.0") == "present"


def test_a_pin_beside_it_decides_the_release_of_a_dependency():
    assert brings("typing-inspection", "fastapi==0.110.0", "pydantic==2.6.1") == "absent"
    assert isinstance(brings("typing-inspection", "fastapi==0.110.0"), Unknown)


def test_a_local_build_counts_as_its_release():
    assert brings("mpmath", "torch==2.4.0+cu121") == "present"


def test_markers_are_weighed_for_the_interpreter():
    assert brings("typing-extensions", "uvicorn==0.27.0", python="3.10") == "present"
    assert brings("typing-extensions", "uvicorn==0.27.0", python="3.12.4") == "absent"
    open_ = brings("typing-extensions", "uvicorn==0.27.0", python=None)
    assert open_ == Unknown("uvicorn requires typing-extensions with some versions of Python only")


def test_it_tells_what_rests_on_memory():
    assert closure(roots("uvicorn==0.27.0"), "3.12").from_memory == ()
    assert "flask" in closure(roots("flask==2.0.0"), "3.12").from_memory


def test_nothing_asked_for_brings_nothing():
    brought = closure([], "3.11")
    assert brought.is_complete
    assert brought.brings("requests") == "absent"


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("scikit-learn", "1.6.1", {"sklearn"}),
        ("scikit-learn", "1.2.0", {"sklearn"}),
        ("opencv-python", None, {"cv2"}),
        ("opencv-python-headless", "4.8.1.78", {"cv2"}),
        ("Pillow", Unknown("a variable"), {"PIL"}),
        ("PyYAML", None, {"yaml"}),
        ("python-multipart", "0.0.9", {"multipart"}),
        ("types-requests", None, set()),
    ],
)
def test_import_names(name, version, expected):
    found = imports(name, version)
    assert not isinstance(found, Unknown)
    assert {each for each in found if not each.startswith("_")} == expected


def test_what_differs_between_releases_is_unknown_without_one():
    assert isinstance(imports("python-multipart", Unknown("a variable")), Unknown)
    assert isinstance(scripts("fastapi", "0.1.0"), Unknown)


def test_no_release_has_a_program_that_none_of_the_known_ones_has():
    assert isinstance(has_script("fastapi", "0.1.0", "fastapi"), Unknown)
    assert has_script("fastapi", "0.1.0", "curl") is False
    assert has_script("uvicorn", Unknown("a variable"), "uvicorn") is True
    assert isinstance(has_script("our-own-models", "1.0", "curl"), Unknown)


def test_the_import_names_of_an_unknown_distribution_can_only_be_guessed():
    assert imports("our-own-models", "1.0") == Unknown("what our-own-models provides is not known")
    assert guess_import("Our.own-models") == "our_own_models"


@pytest.mark.parametrize(
    ("name", "version", "program", "is_there"),
    [
        ("gunicorn", "20.1.0", "gunicorn", True),
        ("uvicorn", None, "uvicorn", True),
        ("fastapi", "0.110.0", "fastapi", False),
        ("fastapi", "0.115.13", "fastapi", True),
        ("huggingface-hub", "2.0.0", "huggingface-cli", False),
        ("requests", None, "requests", False),
    ],
)
def test_scripts(name, version, program, is_there):
    found = scripts(name, version)
    assert not isinstance(found, Unknown)
    assert (program in found) == is_there


def test_providers_come_likeliest_first():
    assert providers_of_import("sklearn.svm") == ("scikit-learn",)
    assert providers_of_import("cv2")[:2] == ("opencv-python", "opencv-python-headless")
    assert providers_of_import("google.protobuf.message") == ("protobuf",)
    assert providers_of_import("requests.adapters")[0] == "requests"
    assert providers_of_import("nothing_of_that_name") == providers_of_import("") == ()
    assert providers_of_script("gunicorn") == ("gunicorn",)
    assert providers_of_script("nothing-of-that-name") == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(NAMES), max_size=4), st.sampled_from([None, "3.9", "3.11"]), st.booleans())
def test_the_closure_of_any_distributions_holds_together(names, python, newest):
    brought = closure([(name, None, frozenset()) for name in names], python, newest=newest)
    assert set(names) <= set(brought.via)
    assert not set(brought.via) & set(brought.possible)
    assert set(brought.via.values()) <= set(names)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.text(max_size=8), st.text(max_size=8))
def test_no_text_of_a_user_is_an_error(name, text, other):
    closure([(name, text, frozenset([other])), (other, None, frozenset())], "3.11").brings(text)
    imports(name, text)
    scripts(text, other)
    providers_of_import(text)
    guess_import(text)


def texts(row):
    """The requirement texts of a row."""
    return [
        text for each in (row.get("requires", ""), *row.get("extras", {}).values()) for text in each.split(", ") if text
    ]


def test_names_and_extras_of_the_table_are_normalised():
    assert [row["name"] for row in ROWS if row["name"] != canonicalize_name(row["name"])] == []
    assert [extra for row in ROWS for extra in row.get("extras", {}) if extra != canonicalize_name(extra)] == []


def test_a_row_says_something_and_nothing_else():
    columns = {"name", "imports", "scripts", "first", "last", "requires", "extras", "status", "date", "source"}
    for row in ROWS:
        assert set(row) <= columns, row
        assert {"imports", "requires"} & set(row) or row["status"] == "memory", row
        assert ("first" in row) == ("last" in row), row
        assert "requires" in row or not ({"first", "extras"} & set(row)), row
        assert row["status"] == "memory" or {"first", "requires"} <= set(row), row


def test_ranges_are_sorted_and_do_not_overlap():
    ranges = {}
    for row in ROWS:
        if "first" in row:
            span = (Version(row["first"]), Version(row["last"]))
            assert span[0] <= span[1], row
            ranges.setdefault((row["name"], row["status"]), []).append(span)
    for key, spans in ranges.items():
        assert all(before[1] < after[0] for before, after in pairwise(spans)), key


def test_a_distribution_has_one_row_for_all_releases_at_most():
    whole = [row["name"] for row in ROWS if "first" not in row]
    assert len(whole) == len(set(whole))


def test_requirement_texts_parse_and_ask_for_the_version_of_python_alone():
    for text in {text for row in ROWS for text in texts(row)}:
        requirement = Requirement(text)
        assert requirement.name == canonicalize_name(requirement.name), text
        assert requirement.url is None, text
        if requirement.marker is not None:
            variables = {word for word in str(requirement.marker).replace("(", " ").split() if word.isidentifier()}
            assert variables <= {"python_version", "and", "or"}, text


def test_import_names_are_names():
    for row in ROWS:
        assert all(part.isidentifier() for name in row.get("imports", "").split() for part in name.split(".")), row


@pytest.fixture(scope="module")
def refresh():
    spec = importlib.util.spec_from_file_location("refresh_distributions", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


METADATA = """\
Metadata-Version: 2.1
Name: Some_Server
Version: {version}
Requires-Python: >=3.9
Provides-Extra: Fast_IO
Requires-Dist: Click (>=7,!=8.0)
Requires-Dist: colorama; sys_platform == "win32"
Requires-Dist: tomli>=1 ; python_version < "3.11"
Requires-Dist: old; python_version < "3.8"
Requires-Dist: uvloop[x]>=0.14; platform_system == "Linux" and extra == "Fast_IO"
"""


def wheel(folder, version="1.0", metadata=METADATA):
    path = folder / f"some_server-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"some_server-{version}.dist-info/METADATA", metadata.format(version=version))
        archive.writestr(
            f"some_server-{version}.dist-info/entry_points.txt",
            "[console_scripts]\nserve = some_server:main\n[plugins]\nx = y:z\n",
        )
        for name in (
            "some_server/__init__.py",
            "google/parts/__init__.py",
            "tests/__init__.py",
            "some.libs/x.so",
            "_fast.so",
        ):
            archive.writestr(name, "")
        archive.writestr(f"some_server-{version}.data/scripts/served", "")
    return path


def test_a_wheel_is_read(refresh, tmp_path):
    name, release = refresh.read_wheel(wheel(tmp_path), "2026-01-01")
    assert name == "some-server"
    assert release == refresh.Release(
        first="1.0",
        last="1.0",
        imports="google.parts some_server",
        scripts="serve served",
        requires=("click>=7", "tomli>=1; python_version<'3.11'"),
        extras={"fast-io": ("uvloop[x]>=0.14",)},
        date="2026-01-01",
    )


def test_what_is_no_wheel_is_told(refresh, tmp_path):
    path = tmp_path / "some_server-1.0-py3-none-any.whl"
    path.write_text("no archive")
    with pytest.raises(ValueError, match="some_server"):
        refresh.read_wheel(path, "2026-01-01")


def report(folder, *versions):
    """A report of `pip install --dry-run` that chose these releases."""
    requires = ["Click>=7", "importlib-metadata; python_version<'3.8'", "uvloop>=0.14; extra == 'fast_io'"]
    chosen = [
        {"metadata": {"name": "Some.Server", "version": version, "requires_dist": requires, "requires_python": ">=3.9"}}
        for version in versions
    ]
    path = folder / "report.json"
    path.write_text(json.dumps({"version": "1", "install": chosen}))
    return path


def test_a_report_of_pip_tells_what_a_release_requires(refresh, tmp_path):
    ((name, release),) = refresh.read_report(report(tmp_path, "1.1"), "2026-01-01")
    assert name == "some-server"
    assert (release.first, release.last, release.requires) == ("1.1", "1.1", ("click>=7",))
    assert release.extras == {"fast-io": ("uvloop>=0.14",)}


def test_a_report_takes_nothing_away_that_was_read_of_a_wheel(refresh, tmp_path):
    read = [
        refresh.read_wheel(wheel(tmp_path), "2026-01-01"),
        *refresh.read_report(report(tmp_path, "1.0"), "2026-01-01"),
    ]
    (row,) = refresh.refresh({"rows": [], "date": "2026-01-01"}, read, "2026-01-01")
    assert (row["imports"], row["scripts"], row["requires"]) == ("google.parts some_server", "serve served", "click>=7")


def test_releases_that_require_the_same_become_one_row(refresh, tmp_path):
    both = [refresh.read_wheel(wheel(tmp_path, version), "2026-01-01")[1] for version in ("1.10", "1.9")]
    newer = both[0]._replace(requires=("click>=8", "tomli>=1; python_version<'3.11'"))
    (row,) = refresh.merged([newer, both[1]])
    assert (row.first, row.last, row.requires) == ("1.9", "1.10", both[1].requires)


def test_releases_that_require_other_distributions_stay_apart(refresh, tmp_path):
    old = refresh.read_wheel(wheel(tmp_path, "1.0"), "2026-01-01")[1]
    wide = old._replace(last="3.0")
    new = old._replace(first="2.0", last="2.0", requires=("httpx",))
    assert [(row.first, row.last) for row in refresh.merged([wide, new])] == [
        ("1.0", "1.0"),
        ("2.0", "2.0"),
        ("3.0", "3.0"),
    ]


def test_the_table_read_and_written_is_the_same(refresh, tmp_path, monkeypatch):
    copy = tmp_path / "distributions.yaml"
    copy.write_bytes(refresh.TABLE.read_bytes())
    monkeypatch.setattr(refresh, "TABLE", copy)
    table = facts.table("distributions")
    refresh.write(table, refresh.refresh(table, [], table["date"]), table["date"])
    assert copy.read_bytes() == SCRIPT.with_name("distributions.yaml").read_bytes()
