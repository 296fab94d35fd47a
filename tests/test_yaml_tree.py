from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mllint.sources.yaml_tree import read_yaml

TEXT = "a: &x [é, 'q', {b: 1.10}]\r\nc:\r\n  - *x\r\n  # note\r\n\r\nd: |\r\n  text\r\n\r\n  # text\r\ne: !t f\r\n"
FRAGMENTS = st.sampled_from(
    ["a", "é", "😀", "1", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "'", "&x ", "*x", "# n", "|\n  "]
)


def places(node):
    if node.kind == "table":
        return {name: (key.span, value.span, places(value)) for name, (key, value) in node.entries.items()}
    return [(item.span, places(item)) for item in node.items] or node.text


def both(text):
    with_libyaml = read_yaml(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader", raising=False)
        return with_libyaml, read_yaml(text)


def test_spans():
    root, problems = read_yaml(TEXT)
    assert problems == []
    shown = {name: TEXT[value.span.start : value.span.end] for name, (_, value) in root.entries.items()}
    assert shown == {
        "a": "[é, 'q', {b: 1.10}]",
        "c": "- *x",
        "d": "|\r\n  text\r\n\r\n  # text",
        "e": "f",
    }
    assert root.entries["c"][1].items[0] is root.entries["a"][1]
    assert [value.kind for _, value in root.entries.values()] == ["list", "list", "string", "tagged"]


@settings(max_examples=200, deadline=None)
@example(text="{a: }")
@given(text=st.lists(FRAGMENTS, max_size=25).map("".join))
def test_libyaml_and_python_give_the_same_places(text):
    (root, problems), (root_of_python, problems_of_python) = both(text)
    assert bool(problems) == bool(problems_of_python)
    if root and root_of_python:
        assert places(root) == places(root_of_python)


@pytest.mark.parametrize("text", ['"\\UFFFFFFFF"', "\ud800", '"\\ud800"', "%YAML 99.1\n---\n"])
def test_impossible_characters_do_not_raise(text):
    for _, problems in both(text):
        assert all(problem.message for problem in problems)
