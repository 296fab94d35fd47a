"""What the parser makes of Dockerfiles: instructions, their words and places, and what it calls wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources import dockerfile
from mllint.sources.dockerfile import Dockerfile, Instruction
from mllint.sources.text import Logical, Source, Span


def parse(text: str) -> Dockerfile:
    return dockerfile.parse(Source("Dockerfile", text))


def only(text: str) -> Instruction:
    (instruction,) = parse(text).instructions
    return instruction


def lines_of(text: str) -> list[tuple[str, int, int]]:
    return [(each.keyword, each.start_line, each.end_line) for each in parse(text).instructions]


def place(text: str, span: Span) -> tuple[str, int, int]:
    """The text of a span with its line and column."""
    source = Source("Dockerfile", text)
    return (source.slice(span), *source.position(span.start))


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nRUN b\n", [("FROM", 1, 1), ("RUN", 2, 2)]),
        ("FROM a\n\n  # c\n\nrun b", [("FROM", 1, 1), ("RUN", 5, 5)]),
        ("FROM a\r\nRUN b \\\r\n c\r\n", [("FROM", 1, 1), ("RUN", 2, 3)]),
        ("RUN a \\\n\n# c\n  \n b\nCMD d\n", [("RUN", 1, 5), ("CMD", 6, 6)]),
        ("RUN a \\  \n b\n", [("RUN", 1, 2)]),
        ("RUN a \\\\\nCMD b\n", [("RUN", 1, 1), ("CMD", 2, 2)]),
        ("RUN a \\\n\\\nb\nCMD c", [("RUN", 1, 3), ("CMD", 4, 4)]),
        ("CMD b\nRUN a \\\n", [("CMD", 1, 1), ("RUN", 2, 2)]),
        ("RUN a \\\n# c\n\n", [("RUN", 1, 3)]),
        ("RUN a \\\n\r", [("RUN", 1, 2)]),
        ("RUN <<EOF\nRUN b\nEOF\nCMD c\n", [("RUN", 1, 3), ("CMD", 4, 4)]),
        ("COPY <<A <<B /d/\na\nA\nb\nB\nCMD c\n", [("COPY", 1, 5), ("CMD", 6, 6)]),
        ("ONBUILD RUN <<E\na\nE\nCMD c", [("ONBUILD", 1, 3), ("CMD", 4, 4)]),
        ("RUN a \\\n <<EOF\nb\nEOF\n", [("RUN", 1, 4)]),
        ("# escape=`\nRUN a `\n b \\\nCMD c\n", [("RUN", 2, 3), ("CMD", 4, 4)]),
        ("RUN a `\nCMD c\n", [("RUN", 1, 1), ("CMD", 2, 2)]),
        ("#\u0085escape=`\nRUN a `\nCMD c\n", [("RUN", 2, 2), ("CMD", 3, 3)]),
    ],
)
def test_lines_of_instructions(text, expected):
    assert lines_of(text) == expected


def test_the_span_of_an_instruction_ends_where_its_last_line_does():
    text = "FROM a\r\n  RUN b \\\r\n # c\r\n d\r\nCMD e"
    spans = [place(text, each.span) for each in parse(text).instructions]
    assert spans == [("FROM a", 1, 1), ("RUN b \\\r\n # c\r\n d", 2, 3), ("CMD e", 5, 1)]


def test_a_continued_instruction_is_one_line_that_knows_its_places():
    text = "RUN é && \\\n # why\n\n  pip install \\\n    torch\n"
    made = only(text)
    assert made.rest.text == "é &&   pip install     torch"
    at = made.rest.text.index("torch")
    assert place(text, made.rest.span(at, at + 5)) == ("torch", 5, 5)
    assert place(text, made.rest.span(0, 1)) == ("é", 1, 5)


# --- comments and directives ------------------------------------------------------------------------------------------


def test_comments_between_and_inside_instructions():
    text = "#first\nFROM a # no comment\n\t# second \nRUN b \\\n  # inside\n c\n#"
    parsed = parse(text)
    assert [(each.text, each.line) for each in parsed.comments] == [("first", 1), ("second", 3), ("", 7)]
    assert place(text, parsed.comments[1].span) == ("# second ", 3, 2)
    assert parsed.instructions[0].arguments == ("a", "#", "no", "comment")
    inside = parsed.instructions[1].comments
    assert [(each.text, each.line, place(text, each.span)) for each in inside] == [("inside", 5, ("# inside", 5, 3))]


def test_lines_of_a_heredoc_are_no_comments():
    parsed = parse("RUN <<EOF\n# a\nEOF\n")
    assert parsed.comments == ()
    assert parsed.instructions[0].comments == ()


@pytest.mark.parametrize(
    ("head", "names", "escape"),
    [
        ("# syntax=docker/dockerfile:1\n", ["syntax"], "\\"),
        ("#ESCAPE = `\n# Check = skip=all ; error=true\n", ["escape", "check"], "`"),
        ("# check=skip=all\n# escape=`\n", ["check", "escape"], "`"),
        ("# a comment\n# escape=`\n", [], "\\"),
        ("\n# escape=`\n", [], "\\"),
        ("# unknown=x\n# escape=`\n", [], "\\"),
    ],
)
def test_directives_stand_at_the_head(head, names, escape):
    parsed = parse(f"{head}FROM a\n")
    assert [each.name for each in parsed.directives] == names
    assert parsed.escape == escape


def test_the_value_of_a_directive():
    text = "# syntax = docker/dockerfile:1 \nFROM a\n"
    (directive,) = parse(text).directives
    assert directive.value == "docker/dockerfile:1"
    assert place(text, directive.span) == ("# syntax = docker/dockerfile:1 ", 1, 1)


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("FROM python:3.12  AS\tbase", ("python:3.12", "AS", "base")),
        ('COPY "a b" c', ('"a', 'b"', "c")),
        ("EXPOSE 80 443/tcp", ("80", "443/tcp")),
        ("VOLUME /a /b", ("/a", "/b")),
        ("RUN  a  b ", ("a  b",)),
        ("USER a b", ("a b",)),
        ("WORKDIR /a b", ("/a b",)),
        ("ARG A=1 B='x y' C", ("A=1", "B='x y'", "C")),
        ("CMD a 'b c'", ("a 'b c'",)),
        ("ENTRYPOINT", ()),
        ("MAINTAINER a <b@c.example>", ("a <b@c.example>",)),
        ("HEALTHCHECK NONE", ("NONE",)),
        ("HEALTHCHECK --retries=3 cmd curl  x", ("cmd", "curl  x")),
        ('HEALTHCHECK CMD ["curl", "x"]', ("CMD", "curl", "x")),
        ("ONBUILD COPY a b", ("a", "b")),
        ("FOO a b", ("a b",)),
    ],
)
def test_arguments(text, arguments):
    assert only(text).arguments == arguments


@pytest.mark.parametrize(
    ("text", "is_exec_form", "arguments"),
    [
        ('CMD ["a", "b c"]', True, ("a", "b c")),
        ('CMD [ "a" ,\\\n  "b" ]', True, ("a", "b")),
        ("CMD []", True, ()),
        ('CMD ["\\u00e9\\n\\"", "\\/"]', True, ('é\n"', "/")),
        ('CMD ["\\ud800"]', True, ("�",)),
        ("CMD ['a']", False, ("['a']",)),
        ('CMD ["a",]', False, ('["a",]',)),
        ('CMD ["a"] b', False, ('["a"] b',)),
        ('CMD ["a" "b"]', False, ('["a" "b"]',)),
        ('COPY ["a b", "/c d"]', True, ("a b", "/c d")),
        ('ONBUILD CMD ["a"]', False, ("a",)),
    ],
)
def test_exec_forms(text, is_exec_form, arguments):
    made = only(text)
    assert made.is_exec_form == is_exec_form
    assert made.arguments == arguments


def test_members_of_an_exec_form_know_their_places():
    text = 'CMD ["é", \\\n "b"]'
    assert [place(text, word.span) for word in only(text).words] == [('"é"', 1, 6), ('"b"', 2, 2)]


def test_flags():
    text = 'RUN --mount=type=cache,target=/x --mount="type=secret,id=a b" --network=none make'
    made = only(text)
    assert made.flags == ("--mount=type=cache,target=/x", "--mount=type=secret,id=a b", "--network=none")
    assert made.arguments == ("make",)
    assert place(text, made.flag_words[1].span) == ('--mount="type=secret,id=a b"', 1, 34)
    assert [made.flag(name) and made.flag(name).text for name in ("network", "mount", "security")] == [
        "none",
        "type=secret,id=a b",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "flags", "arguments"),
    [
        ("COPY --link --from=a b c", ("--link", "--from=a"), ("b", "c")),
        ("COPY a --link b", (), ("a", "--link", "b")),
        ("RUN -- --x", (), ("--x",)),
        ("RUN '--x' y", (), ("'--x' y",)),
        ("COPY \\\n  --from=a \\\n  b c", ("--from=a",), ("b", "c")),
    ],
)
def test_flags_end_at_the_first_other_word(text, flags, arguments):
    made = only(text)
    assert (made.flags, made.arguments) == (flags, arguments)


def test_a_bare_flag_is_true():
    flag = only("COPY --link a b").flag("link")
    assert flag is not None
    assert flag.text == "true"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ENV A=1 B=2", [("A", "1", "="), ("B", "2", "=")]),
        ("ENV A=\"1 2\" B='3 4' C=5\\ 6", [("A", '"1 2"', "="), ("B", "'3 4'", "="), ("C", "5\\ 6", "=")]),
        ("ENV A 1  2 ", [("A", "1  2", "")]),
        ("ENV A b=c", [("A", "b=c", "")]),
        ("ENV A=", [("A", "", "=")]),
        ("ENV A=b=c", [("A", "b=c", "=")]),
        ("LABEL a.b=c \\\n  d=e", [("a.b", "c", "="), ("d", "e", "=")]),
        ('LABEL "a b"=c', [('"a b"', "c", "=")]),
        ("# escape=`\nENV A=b` c", [("A", "b` c", "=")]),
    ],
)
def test_pairs_of_env_and_label(text, pairs):
    assert [(pair.key.text, pair.value.text, pair.separator) for pair in only(text).pairs] == pairs


def test_pairs_know_their_places():
    text = "ENV A=1 \\\n  PATH=/é:$PATH"
    pair = only(text).pairs[1]
    assert place(text, pair.key.span) == ("PATH", 2, 3)
    assert place(text, pair.value.span) == ("/é:$PATH", 2, 8)


def test_onbuild_holds_an_instruction():
    text = "ONBUILD copy --from=a b c"
    inner = only(text).inner
    assert inner is not None
    assert (inner.keyword, inner.flags, inner.arguments) == ("COPY", ("--from=a",), ("b", "c"))
    assert place(text, inner.keyword_span) == ("copy", 1, 9)


# --- heredocs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN <<EOF\na\n b\nEOF\n", [("EOF", "a\n b\n", True)]),
        ("RUN <<'EOF'\n$a\nEOF\n", [("EOF", "$a\n", False)]),
        ('RUN <<"E F"\na\nE F\n', [("E F", "a\n", False)]),
        ("RUN <<E\\'F\na\nE'F\n", [("E'F", "a\n", True)]),
        ("RUN <<EOF\nEOF\n", [("EOF", "", True)]),
        ("RUN <<EOF\r\na\r\nEOF\r\n", [("EOF", "a\r\n", True)]),
        ("RUN <<-EOF\n\ta\n\t\tb\n\tEOF\n", [("EOF", "a\nb\n", True)]),
        ("RUN <<EOF\n\tEOF\nEOF\n", [("EOF", "\tEOF\n", True)]),
        ("RUN cat <<EOF > /a && b\nx\nEOF\n", [("EOF", "x\n", True)]),
        ("RUN cat << EOF\nx\nEOF\n", [("EOF", "x\n", True)]),
        ("RUN 3<<EOF a\nx\nEOF\n", [("EOF", "x\n", True)]),
        ("RUN echo ${A:-b} <<EOF\nx\nEOF\n", [("EOF", "x\n", True)]),
        ("COPY <<A <<B /d/\nB\nA\nA\nB\n", [("A", "B\n", True), ("B", "A\n", True)]),
        ("COPY --chown=1 <<EOF /a\nx\nEOF\n", [("EOF", "x\n", True)]),
    ],
)
def test_heredocs(text, expected):
    made = only(text)
    assert [(each.name, each.content, each.expand) for each in made.heredocs] == expected
    assert parse(text).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "RUN a<<EOF",
        "RUN '<<EOF'",
        "RUN 'a <<EOF",
        "RUN cat <<<EOF",
        "RUN cat <<-",
        "RUN echo ${A^^} <<EOF",
        'RUN ["<<EOF"]',
        "CMD <<EOF",
        "ENV A=<<EOF",
    ],
)
def test_what_is_no_heredoc(text):
    assert lines_of(f"{text}\nCMD b\n") == [(text.partition(" ")[0], 1, 1), ("CMD", 2, 2)]


def test_the_heredoc_of_onbuild_belongs_to_the_instruction_inside():
    made = only("ONBUILD RUN <<E\na\nE\n")
    assert made.inner is not None
    assert (made.heredocs, [each.content for each in made.inner.heredocs]) == ((), ["a\n"])


def test_the_body_of_a_heredoc_knows_its_places():
    text = "RUN <<-EOF\n\ta\n\t\té b\n\tEOF\n"
    body = only(text).heredocs[0].body
    at = body.text.index("é")
    assert place(text, body.span(at, at + 3)) == ("é b", 3, 3)


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("", 1, 1, "the file has no instructions: there is nothing to build")]),
        ("# a\n", [("", 1, 1, "the file has no instructions: there is nothing to build")]),
        ("# escape=x\nFROM a", [("# escape=x", 1, 1, "the escape character is \\ or `, not x")]),
        ("# check=a\n# check=b\nFROM a", [("# check=b", 2, 1, "only one check directive can be used")]),
        ("FROM", [("FROM", 1, 1, "FROM takes an image, or an image, AS and a name")]),
        ("FROM a b", [("FROM", 1, 1, "FROM takes an image, or an image, AS and a name")]),
        (
            "FROM a AS 1b",
            [("FROM", 1, 1, "1b is no name for a stage: letters, digits and _.- behind a letter are")],
        ),
        ("COPY a", [("COPY", 1, 1, "COPY needs a source and a destination")]),
        ("COPY a <<E\nx\nE", [("COPY", 1, 1, "the destination of COPY cannot be a heredoc")]),
        ("RUN a <<E\nx", [("<<E", 1, 7, "the heredoc E has no end: a line that holds only E")]),
        ("RUN [1]", [("RUN [1]", 1, 1, "an exec form is a JSON array of strings only")]),
        ("SHELL bash", [("SHELL", 1, 1, "SHELL needs a JSON array of strings")]),
        ("ENV A", [("A", 1, 5, "ENV A has no value")]),
        ("ENV A=1 B", [("B", 1, 9, "ENV: B has no =; write name=value, or quote blanks")]),
        ("ENV =1", [("ENV", 1, 1, "ENV needs a name")]),
        ("LABEL", [("LABEL", 1, 1, "LABEL needs a name")]),
        ("ARG A =1", [("ARG", 1, 1, "ARG needs a name")]),
        ("EXPOSE", [("EXPOSE", 1, 1, "EXPOSE needs a port")]),
        ("VOLUME []", [("VOLUME", 1, 1, "VOLUME needs a path")]),
        ("WORKDIR", [("WORKDIR", 1, 1, "WORKDIR needs an argument")]),
        ("HEALTHCHECK curl x", [("HEALTHCHECK", 1, 1, "HEALTHCHECK needs CMD and a command, or NONE")]),
        ("HEALTHCHECK CMD", [("HEALTHCHECK", 1, 1, "HEALTHCHECK CMD needs a command")]),
        ("HEALTHCHECK NONE a", [("HEALTHCHECK", 1, 1, "HEALTHCHECK NONE takes nothing more")]),
        (
            "HEALTHCHECK --timeout=5 CMD a",
            [("--timeout=5", 1, 13, "--timeout is a duration such as 30s, not 5")],
        ),
        ("HEALTHCHECK --retries=x CMD a", [("--retries=x", 1, 13, "--retries is a number, not x")]),
        ("ONBUILD", [("ONBUILD", 1, 1, "ONBUILD needs an instruction")]),
        ("ONBUILD FROM a", [("ONBUILD", 1, 1, "FROM cannot stand in ONBUILD")]),
        ("ADD --from=a b c", [("--from=a", 1, 5, "ADD has no flag --from")]),
        ("WORKDIR --x /a", [("--x", 1, 9, "WORKDIR has no flag --x")]),
        ("COPY --from a b", [("--from", 1, 6, "--from needs a value: --from=…")]),
        ("COPY --from=a --from=b c d", [("--from=b", 1, 15, "--from stands twice")]),
        ("COPY --link=yes a b", [("--link=yes", 1, 6, "--link is true or false")]),
    ],
)
def test_problems(text, expected):
    assert [(*place(text, span), message) for span, message in parse(text).problems] == expected


@pytest.mark.parametrize(
    "text",
    [
        "RUN",
        "CMD",
        "ENTRYPOINT []",
        "from a as B.c-d_1",
        "ARG A= B=c D",
        "ENV A=",
        "RUN --mount=type=cache,target=/a --mount=type=ssh --network=none --security=insecure a",
        "COPY --link=TRUE --parents --exclude=a --exclude=b c d",
        "ADD --checksum=sha256:0 --keep-git-dir=true https://a.example/b.git /c",
        "FROM --platform=$BUILDPLATFORM a",
        "HEALTHCHECK --interval=1m30s --start-period=0 --start-interval=0.5s --retries=0 CMD a",
        "HEALTHCHECK NONE",
        "ONBUILD ARG A",
        "STOPSIGNAL 9",
        "MAINTAINER a",
        "UNKNOWN a",
    ],
)
def test_no_problems(text):
    assert parse(text).problems == ()


def test_a_broken_file_still_gives_all_that_can_be_read():
    parsed = parse("WORKDIR\nFROM a\nFOO\nCOPY b\nRUN <<E\nc")
    assert [each.keyword for each in parsed.instructions] == ["WORKDIR", "FROM", "FOO", "COPY", "RUN"]
    assert [parsed.source.position(problem.span.start)[0] for problem in parsed.problems] == [1, 4, 5]


# --- nothing is lost --------------------------------------------------------------------------------------------------


def assert_lossless(parsed: Dockerfile) -> None:
    """The pieces are the file, and every place lies where the tree says."""
    source = parsed.source
    assert "".join(parsed.pieces) == source.text
    end = 0
    for each in parsed.instructions:
        assert end <= each.span.start <= each.span.end <= len(source.text)
        end = each.span.end
        # A line that holds the escape character alone may stand in front of the keyword.
        assert each.start_line <= source.position(each.span.start)[0]
        assert source.position(each.span.end)[0] == each.end_line
        assert_placed(source, each)
    for comment in (*parsed.comments, *(inside for each in parsed.instructions for inside in each.comments)):
        assert source.slice(comment.span).startswith("#")
        assert source.position(comment.span.start)[0] == comment.line
    for problem in parsed.problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(source.text)


def assert_placed(source: Source, made: Instruction) -> None:
    if "\\" not in source.slice(made.keyword_span) and "`" not in source.slice(made.keyword_span):
        assert source.slice(made.keyword_span).upper() == made.keyword
    assert_true_to(source, made.rest)
    for heredoc in made.heredocs:
        assert heredoc.body.text == heredoc.content
        assert_true_to(source, heredoc.body)
    words = [*made.flag_words, *made.words, *(word for pair in made.pairs for word in (pair.key, pair.value))]
    for word in words:
        assert made.span.start <= word.span.start <= word.span.end <= made.span.end
    if made.inner is not None:
        assert_placed(source, made.inner)


def assert_true_to(source: Source, logical: Logical) -> None:
    assert "".join(source.text[logical.offset(at)] for at in range(len(logical.text))) == logical.text


@settings(max_examples=200)
@given(st.text(st.sampled_from(list("RUN COPY ENV\n\n\\\\`\"'<<E-=#[],{}$\té\r\x0b\x0c\x1c\x85\xa0\u2028\ud800\0"))))
def test_any_text_gives_a_tree_of_its_own_places(text):
    assert_lossless(parse(text))


@settings(max_examples=100)
@given(st.text())
def test_any_text_at_all_gives_a_tree(text):
    assert_lossless(parse(f"RUN {text}"))
