"""Dockerfiles as lossless trees, read the way BuildKit reads them.

The package dockerfile-parse finds the instructions and their lines; what it is known to misread (heredocs, empty lines
inside an instruction, a continuation at the end of the file …) is masked first, line for line, by
`mllint.sources.dockerfile_lines`. Text and columns always come from the source.
"""

from __future__ import annotations

from typing import NamedTuple

from mllint.sources import dockerfile_lines as lines
from mllint.sources import dockerfile_shapes, words
from mllint.sources.text import Logical, Problem, Source, Span
from mllint.sources.words import Word

KEYWORDS = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME"
    " WORKDIR".split()
)


class Directive(NamedTuple):
    """A parser directive at the head of the file: `# syntax=…`, `# escape=…`, `# check=…`."""

    name: str
    value: str
    span: Span


class Comment(NamedTuple):
    """A comment line; `text` is what follows the number sign, trimmed."""

    text: str
    line: int
    span: Span


class Heredoc(NamedTuple):
    """A here-document of an instruction; `expand` tells whether variables in its `content` are replaced."""

    name: str
    content: str
    expand: bool
    chomp: bool
    body: Logical


class Pair(NamedTuple):
    """A `key=value` of ENV or LABEL; `separator` is empty in the old form with a blank."""

    key: Word
    value: Word
    separator: str


class Instruction(NamedTuple):
    """One instruction. `words` are its arguments after the flags: the members of the exec form, the words of a list,
    or the one shell string; for ENV and LABEL see `pairs`."""

    keyword: str
    """Upper case."""
    keyword_span: Span
    flag_words: tuple[Word, ...]
    words: tuple[Word, ...]
    pairs: tuple[Pair, ...]
    is_exec_form: bool
    heredocs: tuple[Heredoc, ...]
    inner: Instruction | None
    """What ONBUILD will run."""
    start_line: int
    end_line: int
    span: Span
    rest: Logical
    """Everything behind the keyword and the flags, as one line."""
    source: Source
    comments: tuple[Comment, ...] = ()
    """Comment lines inside the instruction."""

    @property
    def text(self) -> str:
        """As it is written, without heredocs."""
        return self.source.slice(self.span)

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags as BuildKit sees them: `--from=builder`."""
        return tuple(word.text for word in self.flag_words)

    def flag(self, name: str) -> Word | None:
        """The value of the last flag `--name=value`; for a bare `--name` a word with the text `true`."""
        for word in reversed(self.flag_words):
            key, equals, value = word.text[2:].partition("=")
            if key == name:
                return Word(value if equals else "true", word.span)
        return None

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments as BuildKit's parser hands them on: ENV and LABEL give key and value in turn, ONBUILD what its
        instruction has."""
        if self.inner:
            return self.inner.arguments
        if self.pairs:
            return tuple(word.text for pair in self.pairs for word in (pair.key, pair.value))
        return tuple(word.text for word in self.words)


class Dockerfile(NamedTuple):
    """A parsed Dockerfile; broken text still gives all that can be read, and what is wrong in `problems`."""

    source: Source
    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]
    instructions: tuple[Instruction, ...]
    problems: tuple[Problem, ...]
    escape: str

    @property
    def pieces(self) -> tuple[str, ...]:
        """The file in order, cut around its instructions; joined they are the file."""
        text, at, out = self.source.text, 0, []
        for instruction in self.instructions:
            out += [text[at : instruction.span.start], text[instruction.span.start : instruction.span.end]]
            at = instruction.span.end
        return (*out, text[at:])


def parse(source: Source) -> Dockerfile:
    """Read a Dockerfile. Never raises: whatever the text, a tree comes back."""
    layout = lines.lay_out(source)
    reader = _Reader(source, layout.escape)
    instructions = tuple(reader.instruction(block) for block in layout.blocks)
    if not instructions:
        reader.problems.append(Problem(Span(0, 0), "the file has no instructions: there is nothing to build"))
    directives = tuple(Directive(name, value, span) for name, value, span in layout.directives)
    comments = tuple(Comment(text, line, span) for text, line, span in layout.comments)
    reader.problems += [Problem(span, message) for span, message in layout.problems]
    problems = tuple(sorted(reader.problems, key=lambda problem: problem.span.start))
    return Dockerfile(source, directives, comments, instructions, problems, layout.escape)


class _Reader:
    """Turns blocks of lines into instructions, collecting what is wrong with them."""

    def __init__(self, source: Source, escape: str) -> None:
        self.source = source
        self.escape = escape
        self.problems: list[Problem] = []

    def instruction(self, block: lines.Block) -> Instruction:
        logical = words.strip(block.logical)
        heredocs = tuple(Heredoc(doc.name, doc.body.text, doc.expand, doc.chomp, doc.body) for doc in block.heredocs)
        made = self._from_line(logical, block, heredocs)
        comments = tuple(Comment(text, line, span) for text, line, span in block.comments)
        return made._replace(comments=comments) if comments else made

    def _from_line(self, logical: Logical, block: lines.Block, heredocs: tuple[Heredoc, ...]) -> Instruction:
        blank = words.BLANKS.search(logical.text)
        cut = blank.start() if blank else len(logical.text)
        keyword = logical.text[:cut].upper()
        flags, rest = words.take_flags(logical.part(cut, len(logical.text)))
        rest = words.strip(rest)
        keyword_span = logical.span(0, cut)
        span = Span(keyword_span.start, block.end)
        listed, pairs, is_exec, inner = self._arguments(keyword, rest, span, block, heredocs)
        made = Instruction(
            keyword,
            keyword_span,
            tuple(flags),
            tuple(listed),
            tuple(pairs),
            is_exec,
            () if inner else heredocs,
            inner,
            block.start_line,
            block.end_line,
            span,
            rest,
            self.source,
        )
        if keyword in KEYWORDS:
            self.problems += dockerfile_shapes.faults(made)
        return made

    def _arguments(
        self, keyword: str, rest: Logical, span: Span, block: lines.Block, heredocs: tuple[Heredoc, ...]
    ) -> tuple[list[Word], list[Pair], bool, Instruction | None]:
        whole = [Word(rest.text, rest.span(0, len(rest.text)))] if rest.text else []
        if not rest.text or keyword not in KEYWORDS:
            return whole, [], False, None
        if keyword in ("ENV", "LABEL"):
            return [], self._pairs(rest, keyword), False, None
        if keyword == "ARG":
            return words.quoted_words(rest, self.escape), [], False, None
        if keyword in ("FROM", "EXPOSE"):
            return words.blank_separated(rest), [], False, None
        if keyword == "ONBUILD":
            return [], [], False, self._from_line(rest, block, heredocs)
        if keyword == "HEALTHCHECK":
            return self._health_check(rest, span)
        if keyword in ("ADD", "COPY", "VOLUME"):
            members = self._json(rest, span)
            return (words.blank_separated(rest), [], False, None) if members is None else (members, [], True, None)
        if keyword in ("CMD", "ENTRYPOINT", "RUN", "SHELL"):
            members = self._json(rest, span)
            return (whole, [], False, None) if members is None else (members, [], True, None)
        return whole, [], False, None

    def _json(self, rest: Logical, span: Span) -> list[Word] | None:
        try:
            return words.json_words(rest)
        except words.NotStrings as error:
            self.problems.append(Problem(span, str(error)))
            return None

    def _health_check(self, rest: Logical, span: Span) -> tuple[list[Word], list[Pair], bool, Instruction | None]:
        blank = words.BLANKS.search(rest.text)
        cut = blank.start() if blank else len(rest.text)
        kind = Word(rest.text[:cut], rest.span(0, cut))
        command = words.strip(rest.part(cut, len(rest.text)))
        if not command.text:
            return [kind], [], False, None
        members = self._json(command, span)
        if members is not None:
            return [kind, *members], [], True, None
        return [kind, Word(command.text, command.span(0, len(command.text)))], [], False, None

    def _pairs(self, rest: Logical, keyword: str) -> list[Pair]:
        found = words.quoted_words(rest, self.escape)
        if found and "=" not in found[0].text:
            return self._old_pair(rest, keyword)
        pairs = []
        for word in found:
            key, equals, value = word.text.partition("=")
            if not equals:
                self.problems.append(
                    Problem(word.span, f"{keyword}: {word.text} has no =; write name=value, or quote blanks")
                )
                continue
            # A continuation inside a word makes its source longer than its text: its key is then its whole span.
            split = word.span.start + len(key) + 1
            if word.span.end - word.span.start != len(word.text):
                pairs.append(Pair(Word(key, word.span), Word(value, word.span), "="))
            else:
                pairs.append(
                    Pair(Word(key, Span(word.span.start, split - 1)), Word(value, Span(split, word.span.end)), "=")
                )
        return pairs

    def _old_pair(self, rest: Logical, keyword: str) -> list[Pair]:
        blank = words.BLANKS.search(rest.text)
        if blank is None:
            self.problems.append(Problem(rest.span(0, len(rest.text)), f"{keyword} {rest.text} has no value"))
            return []
        key = Word(rest.text[: blank.start()], rest.span(0, blank.start()))
        value = Word(rest.text[blank.end() :], rest.span(blank.end(), len(rest.text)))
        return [Pair(key, value, "")]
