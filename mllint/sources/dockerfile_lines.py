"""Which lines of a Dockerfile make which instruction.

dockerfile-parse splits the file. Before it sees the text, a mask replaces what it misreads by comment lines of the same
number: the bodies of heredocs, empty lines inside an instruction, a continuation with nothing behind it. Measured
against BuildKit's own parser, the package alone misreads one real Dockerfile in eight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import NamedTuple

from dockerfile_parse import DockerfileParser

from mllint.patterns import regex
from mllint.sources import words
from mllint.sources.text import Logical, Source, Span

# White space for Go's regular expressions is less than for Python's.
_DIRECTIVE = regex("#[\t\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\f\r ]*=[\t\f\r ]*(.+?)[\t\f\r ]*$")
_DIRECTIVES = ("check", "escape", "syntax")
# An escape that is itself escaped continues nothing.
_CONTINUED = {mark: re.compile(f"(?<!{re.escape(mark)}){re.escape(mark)}[ \\t]*$") for mark in "\\`"}
_GAP = "[\t\v\f\r ]+"
_TAKES_HEREDOC = regex(
    f"[{words.SPACE}]*(?:ONBUILD{_GAP}(?:--[^\t\v\f\r ]*{_GAP})*)?(?:ADD|COPY|RUN){_GAP}", re.IGNORECASE
)
_HEREDOC_WORD = regex(r"\d*<<(-?)\s*([^<]*)$", re.DOTALL)
_HEREDOC_QUOTE = regex(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.|\Z)", re.DOTALL)
_VARIABLE = r"\$(?!\{)|\$\{(?:[A-Za-z_]\w*|[0-9]+|[@*#?$!-])(?:\}|(?::?[-+?]|##?|%%?|//?)[^}]*\})"
_SHELL_WORD = regex(
    rf"(?:<<[\t\r ]*|[^{words.SPACE}\"'\\$]|\\(?:.|\Z)|{_VARIABLE}|\"(?:[^\"\\$]|\\.|{_VARIABLE})*\"|'[^']*')+",
    re.DOTALL,
)


class HeredocLines(NamedTuple):
    """A heredoc of an instruction and its body."""

    name: str
    expand: bool
    chomp: bool
    body: Logical


@dataclass(slots=True)
class Block:
    """The lines of one instruction: as one logical line, with the comments between them and the heredocs behind."""

    start_line: int
    end_line: int
    end: int
    logical: Logical
    heredocs: list[HeredocLines]
    comments: list[tuple[str, int, Span]]


@dataclass(slots=True)
class Layout:
    """A file cut into directives, comments and the blocks of its instructions."""

    escape: str = "\\"
    directives: list[tuple[str, str, Span]] = field(default_factory=list)
    comments: list[tuple[str, int, Span]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    problems: list[tuple[Span, str]] = field(default_factory=list)


def lay_out(source: Source) -> Layout:
    """Cut a Dockerfile into blocks of lines; lines count from 1."""
    layout = Layout()
    _Masker(source, layout).run()
    return layout


class _Masker:
    def __init__(self, source: Source, layout: Layout) -> None:
        self.source = source
        self.layout = layout
        self.lines = [line.rstrip("\r") for line in source.text.split("\n")]
        self.masked = list(self.lines)
        self.heredocs: dict[int, list[HeredocLines]] = {}
        self.ends: dict[int, int] = {}

    def run(self) -> None:
        first = self._directives()
        self._mask_from(first)
        # White space for Python, but not for BuildKit.
        text = re.sub("[\x1c-\x1f]", ".", "\n".join(self.masked)) + "\n"
        parser = DockerfileParser(fileobj=BytesIO(text.encode("utf-8", "replace")), env_replace=False)
        for item in parser.structure:
            if item["instruction"] != "COMMENT":
                self.layout.blocks.append(self._block(item["startline"], item["endline"]))

    def _directives(self) -> int:
        """Read the directives at the head; returns the index of the first line behind them."""
        seen = set()
        for index, line in enumerate(self.lines):
            match = _DIRECTIVE.match(line.lstrip(words.WHITE))
            name = match.group(1).lower() if match else ""
            if match is None or name not in _DIRECTIVES:
                return index
            span = self.source.line_span(index + 1)
            if name in seen:
                self.layout.problems.append((span, f"only one {name} directive can be used"))
            elif name == "escape" and match.group(2) not in ("\\", "`"):
                self.layout.problems.append((span, f"the escape character is \\ or `, not {match.group(2)}"))
            elif name == "escape":
                self.layout.escape = match.group(2)
            seen.add(name)
            self.layout.directives.append((name, match.group(2), span))
            self.masked[index] = "#"
            if self.layout.escape == "`":
                self.masked[0] = "# escape=`"
        return len(self.lines)

    def _mask_from(self, index: int) -> None:
        while index < len(self.lines):
            text = self.lines[index].strip(words.WHITE)
            if text and text[0] == "#":
                self.layout.comments.append(self._comment(index))
                # dockerfile-parse reads a directive where BuildKit reads a comment.
                self.masked[index] = "#"
            elif text:
                index = self._mask_instruction(index)
                continue
            index += 1

    def _mask_instruction(self, start: int) -> int:
        """Mask what dockerfile-parse would misread of one instruction; returns the index of the line behind it."""
        continued = _CONTINUED[self.layout.escape]
        index, last, has_heredoc_mark = start, start, False
        while index < len(self.lines):
            line = self.lines[index]
            if index > start and line.lstrip(words.WHITE)[:1] == "#":
                index += 1
                continue
            if index > start and not line.strip(words.WHITE):
                self.masked[index] = "#"
                index += 1
                continue
            last = index
            index += 1
            has_heredoc_mark = has_heredoc_mark or "<<" in line
            if not continued.search(line):
                if line.rstrip().endswith(self.layout.escape):
                    self.masked[last] = line + "."
                break
        else:
            self.masked[last] = continued.sub("", self.lines[last]) + " ."
            # BuildKit counts the comments and empty lines it skipped in search of more to the instruction.
            self.ends[start] = index - (2 if self.source.text.endswith("\n") else 1)
        if not has_heredoc_mark:
            return index
        logical = self._join(start, last, [])
        if not _TAKES_HEREDOC.match(logical.text):
            return index
        return self._mask_heredocs(start, index, logical)

    def _mask_heredocs(self, start: int, index: int, logical: Logical) -> int:
        for name, chomp, expand, place in _heredoc_marks(logical.text):
            first = index
            while index < len(self.lines) and (self.lines[index].lstrip("\t") if chomp else self.lines[index]) != name:
                index += 1
            if index >= len(self.lines):
                span = logical.span(*place)
                self.layout.problems.append((span, f"the heredoc {name} has no end: a line that holds only {name}"))
            body = self._body(first, min(index, len(self.lines)), chomp)
            self.heredocs.setdefault(start, []).append(HeredocLines(name, expand, chomp, body))
            index = min(index + 1, len(self.lines))
            self.masked[first:index] = ["#"] * (index - first)
            self.ends[start] = index - 1
        return index

    def _body(self, first: int, end: int, chomp: bool) -> Logical:
        """Lines `first` to `end` (exclusive), with line ends; `<<-` takes the tabs in front of each line away."""
        starts = [*self.source.line_starts, len(self.source.text)]
        if not chomp:
            return Logical.of(self.source, Span(starts[first], starts[end] if end > first else starts[first]))
        at = 0
        parts: list[str] = []
        pieces: list[int] = []
        origins: list[int] = []
        for line in range(first, end):
            text = self.source.text[starts[line] : starts[line + 1]]
            kept = text.lstrip("\t")
            pieces.append(at)
            origins.append(starts[line] + len(text) - len(kept))
            parts.append(kept)
            at += len(kept)
        return Logical("".join(parts), tuple(pieces) or (0,), tuple(origins) or (starts[first],))

    def _block(self, start: int, end: int) -> Block:
        comments: list[tuple[str, int, Span]] = []
        logical = self._join(start, end, comments)
        last = max(end, self.ends.get(start, end))
        finish = self.source.line_span(last + 1).end
        return Block(start + 1, last + 1, finish, logical, self.heredocs.get(start, []), comments)

    def _join(self, start: int, end: int, comments: list[tuple[str, int, Span]]) -> Logical:
        """The lines of an instruction as the one line BuildKit makes of them."""
        continued = _CONTINUED[self.layout.escape]
        at = 0
        parts: list[str] = []
        pieces: list[int] = []
        origins: list[int] = []
        for index in range(start, end + 1):
            line = self.lines[index]
            offset = self.source.line_starts[index]
            if index > start and line.lstrip(words.WHITE)[:1] == "#":
                comments.append(self._comment(index))
                continue
            if index > start and not line.strip(words.WHITE):
                continue
            match = continued.search(line)
            kept = line[: match.start()] if match else line
            if kept or not pieces:
                pieces.append(at)
                origins.append(offset)
                parts.append(kept)
                at += len(kept)
        return Logical("".join(parts), tuple(pieces), tuple(origins))

    def _comment(self, index: int) -> tuple[str, int, Span]:
        text = self.lines[index].lstrip(words.WHITE)
        start = self.source.line_starts[index] + len(self.lines[index]) - len(text)
        return text[1:].strip(), index + 1, Span(start, start + len(text))


def _heredoc_marks(line: str) -> list[tuple[str, bool, bool, tuple[int, int]]]:
    """Name, chomp, expand and place of each `<<NAME` word; none at all where BuildKit cannot cut the line into words:
    a quote stays open, or `${…}` is none of its variables."""
    marks = []
    at = 0
    for match in _SHELL_WORD.finditer(line):
        if line[at : match.start()].strip():
            return []
        at = match.end()
        mark = _HEREDOC_WORD.match(match.group())
        if mark and mark[2]:
            name = _HEREDOC_QUOTE.sub(_unquoted, mark[2])
            marks.append((name, bool(mark[1]), not _is_quoted(mark[2]), match.span()))
    return [] if line[at:].strip() else marks


def _unquoted(piece: re.Match[str]) -> str:
    if piece[2] is not None:
        return re.sub(r'\\(["$\\])', r"\1", piece[2])
    return piece[1] or piece[3] or ""


def _is_quoted(mark: str) -> bool:
    """Whether a part of the word stands in quotes; an escaped character is none for BuildKit."""
    return any(piece[3] is None for piece in _HEREDOC_QUOTE.finditer(mark))
