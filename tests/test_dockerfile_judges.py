"""Dockerfiles held against BuildKit's own parser (the package `dockerfile`) and a port of it (`e2b-dockerfile-utils`).

MLLINT_EXAMPLES tells how many mixes of lines to try, MLLINT_CORPUS names a folder of Dockerfiles to compare as well.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import dockerfile as buildkit
import e2b_dockerfile_utils as e2b
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_dockerfile import assert_lossless, parse

from mllint.sources.dockerfile import KEYWORDS, Dockerfile
from mllint.sources.file_names import is_dockerfile_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mllint.sources.dockerfile import Instruction

    Judge = Callable[[str], "list[Reading] | None"]

EXAMPLES = int(os.environ.get("MLLINT_EXAMPLES", "300"))
CORPUS = os.environ.get("MLLINT_CORPUS", "")


class Reading(NamedTuple):
    """What all parsers can say of an instruction; without an ONBUILD's heredocs, see `DEVIATIONS`."""

    keyword: str
    inner: str
    flags: tuple[str, ...]
    arguments: tuple[str, ...]
    is_exec_form: bool
    lines: tuple[int, int]
    heredocs: tuple[tuple[str, str], ...]


class Deviation(NamedTuple):
    """Where a judge reads otherwise than today's BuildKit: why, a text that shows it, and how to tell such texts."""

    reason: str
    sample: str
    applies: Callable[[Dockerfile], bool]


def where(applies: Callable[[Instruction], object]) -> Callable[[Dockerfile], bool]:
    """Whether it applies to an instruction, or to one inside ONBUILD."""
    return lambda parsed: any(applies(each) or (each.inner and applies(each.inner)) for each in parsed.instructions)


def in_front(made: Instruction) -> str:
    """The text between the keyword and the arguments: flags and white space."""
    return made.source.text[made.keyword_span.end : made.rest.offset(0) if made.rest.text else made.span.end]


# The package `dockerfile` 3.4.0 is archived and holds the parser of an older BuildKit. Besides, it cuts a text at a NUL
# and crashes at a surrogate, which no mix of lines has, says nothing of the heredocs of ONBUILD, and leaves a line
# nameless that holds nothing but the escape character.
OF_BUILDKIT = [
    Deviation(
        "`check` became a directive later; there it ends the head of the file",
        "# check=skip=all\n# escape=`\nRUN a `\n b\n",
        lambda parsed: "check" in [each.name for each in parsed.directives[:-1]],
    ),
    Deviation(
        "text behind a JSON array made it no array later; there it is dropped",
        'CMD ["a"] b\n',
        where(lambda each: not each.is_exec_form and re.match(r"(?:CMD\s)?\s*\[.*\]", each.rest.text)),
    ),
    Deviation(
        "a heredoc's name may stand behind blanks later",
        "RUN cat << EOF\na\nEOF\n",
        where(lambda each: re.search(r"<<[ \t\r]", each.rest.text)),
    ),
    Deviation(
        "the type of a HEALTHCHECK ends at a byte that is a blank in Latin-1, also inside a character",
        "HEALTHCHECK CMD\xa0a\n",
        where(lambda each: each.keyword == "HEALTHCHECK" and not each.rest.text.isascii()),
    ),
    Deviation(
        "flags are cut byte by byte, so that each byte of a character becomes one of Latin-1",
        "COPY --chown=\u00e9 a b\n",
        where(lambda each: not in_front(each).isascii()),
    ),
]

OF_PORT = [
    Deviation(
        "an instruction inside ONBUILD is not read",
        "ONBUILD RUN a\n",
        where(lambda each: each.keyword == "ONBUILD"),
    ),
    Deviation(
        "white space is what Python takes for it",
        "RUN a \x1c\n",
        lambda parsed: bool(re.search("[\x1c-\x1f]", parsed.source.text)),
    ),
    Deviation(
        "so it is behind the value of a directive",
        "# escape=`\x85\nRUN a `\n b\n",
        lambda parsed: any(each.value != each.value.strip() for each in parsed.directives),
    ),
    Deviation(
        "the type of a HEALTHCHECK ends at any blank of Unicode",
        "HEALTHCHECK CMD\xa0a\n",
        where(lambda each: each.keyword == "HEALTHCHECK" and not each.rest.text.isascii()),
    ),
    Deviation(
        "quotes and escapes keep the blanks of a COPY together, which BuildKit wants the exec form for",
        'COPY "a b" c\n',
        where(lambda each: each.keyword in ("ADD", "COPY") and re.search(r"[\"'\\`]|[^\x00-\x7f]", each.rest.text)),
    ),
]


def excused(parsed: Dockerfile, deviations: Sequence[Deviation]) -> bool:
    return any(deviation.applies(parsed) for deviation in deviations)


def is_known(keyword: str, inner: str) -> bool:
    """Whether the parsers cut the arguments; for other words the judges say nothing of any use."""
    return keyword in KEYWORDS and (not inner or (inner in KEYWORDS and inner != "ONBUILD"))


def ours(parsed: Dockerfile) -> list[Reading]:
    return [
        Reading(
            each.keyword,
            each.inner.keyword if each.inner else "",
            each.flags,
            each.arguments if is_known(each.keyword, each.inner.keyword if each.inner else "") else (),
            each.is_exec_form or bool(each.inner and each.inner.is_exec_form),
            (each.start_line, each.end_line),
            () if each.inner else tuple((heredoc.name, chomped(heredoc.content)) for heredoc in each.heredocs),
        )
        for each in parsed.instructions
    ]


def by_buildkit(text: str) -> list[Reading] | None:
    """None where it refuses the text, or cuts a character in two."""
    try:
        commands = buildkit.parse_string(text)
    except (buildkit.GoParseError, UnicodeDecodeError):
        return None
    return [
        Reading(
            (each.cmd or "").upper(),
            (each.sub_cmd or "").upper(),
            each.flags,
            each.value if is_known((each.cmd or "").upper(), (each.sub_cmd or "").upper()) else (),
            each.json,
            (each.start_line, each.end_line),
            tuple((heredoc.name, chomped(heredoc.content)) for heredoc in each.heredocs),
        )
        for each in commands
    ]


def chomped(content: str) -> str:
    """Without the tabs that `<<-` takes away, about which this parser leaves the decision to others."""
    return re.sub(r"(?m)^\t+", "", content)


def by_port(text: str) -> list[Reading] | None:
    """None where it refuses the text, as it does for an unknown instruction."""
    try:
        instructions = e2b.parse_dockerfile_ast(text).instructions
    except e2b.DockerfileSyntaxError:
        return None
    return [
        Reading(
            each.name,
            "",
            tuple(each.flags),
            tuple(arg for index, arg in enumerate(each.args) if each.name not in ("ENV", "LABEL") or index % 3 < 2),
            each.json,
            (each.start_line, each.end_line),
            tuple((heredoc.name, chomped(heredoc.content)) for heredoc in each.heredocs),
        )
        for each in instructions
    ]


# --- mixes of lines ---------------------------------------------------------------------------------------------------

LINES = [
    *(
        "FROM python:3.11",
        "FROM a AS b",
        "ARG X=1 Y",
        "ARG",
        "USER 1 \\  ",
        "STOPSIGNAL 9",
        "MAINTAINER a b",
        "FOO bar",
    ),
    *("RUN echo a", "RUN echo \\", "RUN a \\\\", "RUN a\\", "RUN x\\ \\", "RUN x `", "RUN", "RUN \u00a0x", "RUN é \\"),
    *("RUN <<EOF", "RUN a<<EOF", "RUN 3<<EOF x", "RUN cat <<-'X' > /y", 'RUN a <<"E F"', "RUN 'a <<EOF", "RUN <<-X"),
    *("EOF", "\tX", "X", "A", "B", "E", "E F", "  b && \\", "# c", "#", "", "   ", "\t", "\t\r", "\\"),
    *(
        "COPY a b",
        "COPY --from=b /a /b",
        "COPY <<A <<B /d/",
        "COPY --link a\tb",
        'ADD ["a b","c"]',
        "RUN [ -f a ] && b",
    ),
    *('CMD ["a", "b"]', "CMD [\"a\", 'b']", "CMD [1]", 'SHELL ["a"]', 'VOLUME ["/a"]', "VOLUME /a /b", "EXPOSE 80  81"),
    *('ENV a=b c="d e"', "ENV a b c", "ENV a", "ENV a=b c", "ENV a='x y", "LABEL a=\\", 'LABEL x="y\\"z" w=\'q r\''),
    *("HEALTHCHECK --interval=5s CMD curl x", "HEALTHCHECK NONE", 'HEALTHCHECK CMD ["x"]', "WORKDIR  /a b "),
    *(
        "ONBUILD RUN x",
        "ONBUILD COPY <<E /x",
        "ONBUILD",
        "ONBUILD COPY --from=x a b",
        "ONBUILD ENV a=b c",
        "ONBUILD \\",
    ),
    *('ONBUILD CMD ["a"]', "ONBUILD ONBUILD RUN a", "ONBUILD HEALTHCHECK --interval=1s CMD x", "ONBUILD --x RUN a"),
    *("# escape=`", "# syntax=docker/dockerfile:1", "# check=skip=all"),
    *("RUN --mount=type=cache,target=/x --network=none y", "RUN --mount=\"type=x\" '--y' z", "RUN ${A:-b} ${C^^} <<E"),
]
MARKS = st.text(st.sampled_from(list(" \t\\`\"'<>-=#[],{}$éA1\r\v\f\x85\u00a0\u2028\x1c,")), max_size=6)
BEGINNINGS = st.sampled_from(["", "RUN ", "ENV ", "COPY ", "ONBUILD ", "CMD ", "# "])
LINE = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(LINES),
    st.builds(str.__add__, st.sampled_from(LINES), MARKS),
    st.builds(str.__add__, BEGINNINGS, MARKS),
)
MIXES = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(LINE, min_size=1, max_size=8),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def assert_agreed(parsed: Dockerfile, judge: Judge) -> None:
    """Both read the same, or both refuse."""
    expected = judge(parsed.source.text)
    assert is_refused(parsed) if expected is None else ours(parsed) == expected


def is_refused(parsed: Dockerfile) -> bool:
    return bool(parsed.problems) or any(each.keyword not in KEYWORDS for each in parsed.instructions)


@MANY
@given(MIXES)
def test_mixes_of_lines_are_read_as_buildkit_reads_them(text):
    parsed = parse(text)
    assert_lossless(parsed)
    assume(not excused(parsed, OF_BUILDKIT))
    assert_agreed(parsed, by_buildkit)


@MANY
@given(MIXES)
def test_mixes_of_lines_are_read_as_a_port_of_buildkit_reads_them(text):
    parsed = parse(text)
    assume(not excused(parsed, OF_PORT))
    assert_agreed(parsed, by_port)


@pytest.mark.parametrize(
    ("judge", "deviation"),
    [
        *((by_buildkit, each) for each in OF_BUILDKIT),
        *((by_port, each) for each in OF_PORT),
    ],
    ids=lambda value: value.reason if isinstance(value, Deviation) else value.__name__,
)
def test_a_known_deviation_is_still_one(judge, deviation):
    parsed = parse(deviation.sample)
    assert deviation.applies(parsed)
    assert judge(deviation.sample) != ours(parsed)


def test_a_corpus_is_read_as_buildkit_reads_it():
    if not CORPUS:
        pytest.skip("MLLINT_CORPUS names no folder of Dockerfiles")
    paths = [path for path in sorted(Path(CORPUS).rglob("*")) if is_dockerfile_name(path.name) and path.is_file()]
    texts = {path: path.read_bytes().decode("utf-8-sig") for path in paths}
    # A NUL is a placeholder for content that was not kept.
    differing = [path for path, text in texts.items() if "\0" not in text and not is_agreed(text)]
    assert texts
    assert differing == []


def is_agreed(text: str) -> bool:
    parsed = parse(text)
    judge, deviations = (by_port, OF_PORT) if excused(parsed, OF_BUILDKIT) else (by_buildkit, OF_BUILDKIT)
    if excused(parsed, deviations):
        return True
    expected = judge(text)
    return is_refused(parsed) if expected is None else ours(parsed) == expected
