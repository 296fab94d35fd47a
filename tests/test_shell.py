"""Shell trees: which commands a text runs, whether surely, with which words, and where these stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources import dockerfile, shell
from mllint.sources.shell_tree import Branches, Chain, Command, Group, Loop, Node, Pipeline, Word
from mllint.sources.text import Logical, Source


def commands(nodes: tuple[Node, ...], certain: bool = True) -> Iterator[tuple[Command, bool]]:
    """Every simple command in the order of the text, and whether it surely runs when all before it succeed."""
    for node in nodes:
        if isinstance(node, Command):
            for word in _words(node):
                yield from commands(word.substitutions, certain)
            yield node, certain
        elif isinstance(node, Pipeline):
            yield from commands(node.parts, certain)
        elif isinstance(node, Chain):
            yield from _chain_commands(node, certain)
        elif isinstance(node, Group):
            yield from commands(node.body, certain)
        elif isinstance(node, Branches):
            yield from commands(node.tests, certain)
            for body in node.bodies:
                yield from commands(body, False)
        elif isinstance(node, Loop):
            yield from commands(node.tests, certain)
            yield from commands(node.body, False)


def _chain_commands(chain: Chain, certain: bool) -> Iterator[tuple[Command, bool]]:
    yield from commands(chain.parts[:1], certain)
    for operator, part in zip(chain.operators, chain.parts[1:], strict=True):
        yield from commands((part,), certain and operator == "&&")


def _words(command: Command) -> Iterator[Word]:
    yield from command.words
    yield from (each.value for each in command.assignments if each.value is not None)
    yield from (each.target for each in command.redirects if each.target is not None)


def parse(text: str) -> shell.Script:
    return shell.parse(Logical(text, (0,), (0,)))


def runs(text: str) -> list[tuple[str, bool]]:
    """Each command as one text, with whether it surely runs."""
    found = commands(parse(text).body)
    return [(" ".join(word.value for word in command.words), is_certain) for command, is_certain in found]


def only(text: str) -> Command:
    ((command, _),) = commands(parse(text).body)
    return command


def all_words(command: Command) -> list[Word]:
    values = [each.value for each in command.assignments] + [each.target for each in command.redirects]
    return [*command.words, *(word for word in values if word is not None)]


# --- what runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b && c; d", [("a b", True), ("c", True), ("d", True)]),
        ("a || b", [("a", True), ("b", False)]),
        ("a || b && c", [("a", True), ("b", False), ("c", True)]),
        ("a && b || c || d", [("a", True), ("b", True), ("c", False), ("d", False)]),
        ("(a && b) || { c; d; }", [("a", True), ("b", True), ("c", False), ("d", False)]),
        ("a | b |& c", [("a", True), ("b", True), ("c", True)]),
        ("! a && b &", [("a", True), ("b", True)]),
        (
            "if a; then b; elif c; then d; else e; fi",
            [("a", True), ("c", True), ("b", False), ("d", False), ("e", False)],
        ),
        ("case $x in a) b;; *) c;; esac", [("b", False), ("c", False)]),
        ("for i in 1 2; do a $i; done", [("a $i", False)]),
        ("while a; do b; done", [("a", True), ("b", False)]),
        ("f() { a; }; b", [("b", True)]),
        (
            'a $(b) "$(c || d)" `e`',
            [("b", True), ("c", True), ("d", False), ("e", True), ("a $(b) $(c || d) `e`", True)],
        ),
        ("X=$(a) && b > $(c)", [("a", True), ("", True), ("c", True), ("b", True)]),
        ("a $((1+2)) <(b)", [("b", True), ("a $((1+2)) <(b)", True)]),
        ("[ -f a ] && b", [("[ -f a ]", True), ("b", True)]),
        ("[[ -f a ]] || b", [("[[ -f a ]]", True), ("b", False)]),
        ("a \\\n  b && \\\n  c", [("a b", True), ("c", True)]),
        ("a # b\nc", [("a", True), ("c", True)]),
        ("", []),
        ("# a", []),
    ],
)
def test_commands_and_whether_they_surely_run(text, expected):
    assert runs(text) == expected
    assert parse(text).is_clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a && ", [("a", True)]),
        ("&& b", [("b", True)]),
        ("a; b 'c", [("a", True), ("b", True)]),
        ("if a; then b", [("a", True)]),
        ("a $(b", [("b", True), ("a $(b", True)]),
        ("| a", [("a", True)]),
        ("a |", [("a", True)]),
    ],
)
def test_broken_text_still_gives_what_can_be_read(text, expected):
    assert not parse(text).is_clean
    assert runs(text) == expected


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a b\\ c \\$d", ["a", "b c", "$d"]),
        ('a "b\\"c" "\\d" "\\$e"', ["a", 'b"c', "\\d", "$e"]),
        ("a 'b'\"c\"d", ["a", "bcd"]),
        ("a b=c --d='e f'", ["a", "b=c", "--d=e f"]),
        ("pip install 'torch>=2.0,<3' \"numpy[extra]==1\"", ["pip", "install", "torch>=2.0,<3", "numpy[extra]==1"]),
        ("a b#c", ["a", "b#c"]),
    ],
)
def test_values_without_quotes(text, values):
    command = only(text)
    assert [word.value for word in command.words] == values
    assert all(word.is_literal for word in command.words)


def test_a_word_with_two_variables_is_one_word():
    (command,) = shell.parse(Logical("wget $URL/Python-$V.tgz -q", (0,), (0,))).body
    assert [word.text for word in command.words] == ["wget", "$URL/Python-$V.tgz", "-q"]
    assert not command.words[1].is_literal


@pytest.mark.parametrize("word", ["$A", "${A:-b}", "x$A", '"$A"', "`a`", "$(a)", '"x $(a)"', "$((1))"])
def test_what_the_shell_expands_is_not_literal(word):
    command = [command for command, _ in commands(parse(f"run {word} 'a$b' \\$c").body)][-1]
    assert [each.is_literal for each in command.words] == [True, False, True, True]


@pytest.mark.parametrize(
    ("text", "words", "redirects"),
    [
        ("pip install torch>=2.0 numpy", ["pip", "install", "torch", "numpy"], [(">", "=2.0")]),
        (
            "pip install -U torch>=2.0 numpy>=1.26 --no-cache-dir",
            ["pip", "install", "-U", "torch", "numpy", "--no-cache-dir"],
            [(">", "=2.0"), (">", "=1.26")],
        ),
        ("a > b 2>&1", ["a"], [(">", "b"), (">&", "1")]),
        ("a >>b <c d", ["a", "d"], [(">>", "b"), ("<", "c")]),
        ("> b a", ["a"], [(">", "b")]),
        ("a 'b' > c d", ["a", "b", "d"], [(">", "c")]),
        ("a &> /dev/null", ["a"], [("&>", "/dev/null")]),
        ("a <<<'b c'", ["a"], [("<<<", "b c")]),
    ],
)
def test_redirects_take_one_word(text, words, redirects):
    command = only(text)
    assert [word.value for word in command.words] == words
    assert [(each.operator, each.target and each.target.value) for each in command.redirects] == redirects
    assert text[command.span.start : command.span.end] == text


@pytest.mark.parametrize("front", ["a && ", "a || ", "a | ", "! ", "a; ", "a && b || ", "if a; then b; fi; "])
def test_a_redirect_belongs_to_the_last_command(front):
    found = [command for command, _ in commands(parse(f"{front}pip install torch>=2.0 numpy").body)]
    assert [word.value for word in found[-1].words] == ["pip", "install", "torch", "numpy"]
    assert [len(command.redirects) for command in found] == [0] * (len(found) - 1) + [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat <<EOF > /x && a\nb $c\nEOF\nd", [("cat", ["EOF", "/x"]), ("a", []), ("d", [])]),
        ("cat <<'EOF' | a /y\nb\nEOF", [("cat", ["EOF"]), ("a /y", [])]),
        ("python <<-EOF\n\timport b\n\tEOF\n", [("python", ["EOF"])]),
        ("cat > /x <<EOF\nrm -rf /\nEOF", [("cat", ["/x", "EOF"])]),
    ],
)
def test_the_body_of_a_heredoc_is_no_command(text, expected):
    found = [command for command, _ in commands(parse(text).body)]
    assert [
        (
            " ".join(word.value for word in each.words),
            [redirect.target.value for redirect in each.redirects if redirect.target],
        )
        for each in found
    ] == expected


@pytest.mark.parametrize(
    ("text", "words", "assignments"),
    [
        ("A=1 B='x y' pip install c", ["pip", "install", "c"], {"A": "1", "B": "x y"}),
        ("A=1", [], {"A": "1"}),
        ("export A=1 B", ["export"], {"A": "1", "B": None}),
        ("export PATH=/a:$PATH", ["export"], {"PATH": "/a:$PATH"}),
        ("A= b", ["b"], {"A": None}),
    ],
)
def test_assignments(text, words, assignments):
    command = only(text)
    assert [word.value for word in command.words] == words
    assert {each.name: each.value and each.value.value for each in command.assignments} == assignments


# --- places -----------------------------------------------------------------------------------------------------------


def test_places_over_continuations_comments_and_text_beyond_ascii():
    text = "FROM a\nRUN echo 'é ü' && \\\n # why: 日本\n\n    pip install \\\n    'torch>=2' >/dev/null"
    source = Source("Dockerfile", text)
    run = dockerfile.parse(source).instructions[1]
    found = [command for command, _ in commands(shell.parse(run.rest).body)]
    words = [(source.slice(word.span), source.position(word.span.start)) for each in found for word in each.words]
    assert words == [
        ("echo", (2, 5)),
        ("'é ü'", (2, 10)),
        ("pip", (5, 5)),
        ("install", (5, 9)),
        ("'torch>=2'", (6, 5)),
    ]
    assert source.slice(found[1].span) == "pip install \\\n    'torch>=2' >/dev/null"


def test_places_in_a_heredoc():
    text = "RUN <<-EOF\n\tset -e\n\t\tpip install é\n\tEOF\n"
    source = Source("Dockerfile", text)
    body = dockerfile.parse(source).instructions[0].heredocs[0].body
    last = [command for command, _ in commands(shell.parse(body).body)][-1]
    assert [(source.slice(word.span), source.position(word.span.start)) for word in last.words] == [
        ("pip", (3, 3)),
        ("install", (3, 7)),
        ("é", (3, 15)),
    ]


PIECES = st.sampled_from(
    "a b pip install && || ; | & ( ) { } [ ] [[ ]] if then else fi for in do done while case esac $x ${x $( ` ' \" \\ "
    "> >= <<EOF EOF < << ! = A=1 # \n \t é 日 \ud800 \0 function f() export $(( )) <( * ? ~".split(" ")
)


@settings(max_examples=200)
@given(st.lists(st.one_of(PIECES, st.just(" "), st.just("\n")), max_size=25).map("".join))
def test_any_text_gives_words_that_lie_in_it(text):
    for command, _ in commands(parse(text).body):
        assert 0 <= command.span.start < command.span.end <= len(text)
        for word in all_words(command):
            assert text[word.span.start : word.span.end] == word.text
            assert command.span.start <= word.span.start <= word.span.end <= command.span.end
