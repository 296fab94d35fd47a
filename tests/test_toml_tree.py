from __future__ import annotations

import json
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.toml_tree import read_toml

KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.text('a.é😀 #="]', max_size=4).map(json.dumps),
    st.just("'a.b'"),
)
SCALARS = st.one_of(
    st.sampled_from(
        [
            "1",
            "1.50",
            "true",
            "1979-05-27 07:32:00",
            "07:32:00",
            "''",
            "'#]'",
            "'''a\n''b'''",
            '"""a\\"\n""b"""',
            '""""q""""',
        ]
    ),
    st.text('a"é😀\\#,]}', max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # list\n" + ",\n".join(items) + "]"),
        st.dictionaries(KEYS, inner, max_size=2).map(
            lambda table: "{" + ", ".join(f"{k} = {v}" for k, v in table.items()) + "}"
        ),
    ),
    max_leaves=6,
)
DOTTED = st.lists(KEYS, min_size=1, max_size=3).map(" . ".join)
LINES = st.one_of(
    st.builds("{} = {} # note".format, DOTTED, VALUES),
    st.builds("[ {} ]".format, DOTTED),
    st.builds("[[{}]]".format, DOTTED),
    st.just("  # [note]"),
)


def check(node, value, text):
    """Each key and each scalar stands where its node says."""
    if node.kind == "table":
        assert list(node.entries) == list(value)
        for name, (key, child) in node.entries.items():
            assert list(tomllib.loads(f"{text[key.span.start : key.span.end]} = 1")) == [name]
            check(child, value[name], text)
    elif node.kind == "list":
        for item, element in zip(node.items, value, strict=True):
            check(item, element, text)
    else:
        assert tomllib.loads(f"value = {text[node.span.start : node.span.end]}") == {"value": value}


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=8), line_end=st.sampled_from(["\n", "\r\n"]))
def test_keys_and_values_stand_where_the_nodes_say(lines, line_end):
    kept: list[str] = []
    for line in lines:
        try:
            tomllib.loads("\n".join([*kept, line]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(line)
    text = line_end.join(kept).replace("\r\n", "\n").replace("\n", line_end)
    root, problems = read_toml(text)
    assert problems == []
    check(root, tomllib.loads(text), text)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.text(), st.text("[]{}=.'\"#\n a1,\\", max_size=30)))
def test_any_text_gives_a_tree_or_a_problem(text):
    root, problems = read_toml(text)
    assert (root is None) == bool(problems)
    assert all(0 <= problem.span.start <= problem.span.end <= len(text) for problem in problems)


def test_what_python_cannot_hold_is_a_problem():
    for text in ("a = " + "1" * 5000, "a." * 5000 + "a = 1", "a = " + "[" * 50_000):
        root, problems = read_toml(text)
        assert root is None
        assert len(problems) == 1
