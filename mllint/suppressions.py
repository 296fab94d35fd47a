"""Comments that switch rules off: ours, and those of hadolint, BuildKit and tally through the rules' aliases.

Ours is `# mllint: ignore[ML302,unpinned-base-image] reason`; without brackets it hides every rule. It reaches the
instruction below it or the one it stands in, in a requirements file its own line or, alone on a line, the next
requirement; `ignore-file` reaches all of the file. The peers' comments reach what they reach for the peer, except that
hadolint's may have blank lines and other comments behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mllint import catalogue
from mllint.patterns import regex
from mllint.sources.requirements import Empty, RequirementsFile
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.findings import Finding
    from mllint.sources.dockerfile import Comment, Dockerfile, Instruction
    from mllint.sources.text import Source

UNUSED = "ML001"
"""The rule about comments that hide nothing."""

_OURS = regex(r"(?i)(?:^|#)\s*mllint:\s*(?P<verb>[\w-]*)[ \t]*(?P<bracket>\[(?P<names>[^\]]*)\]?)?(?P<reason>.*)")
_HADOLINT = regex(r"(?i)hadolint\s+(?P<reach>global\s+|stage\s+)?ignore\s*=\s*(?P<names>[\w\s,]+)(?:#.*)?")
_TALLY = regex(r"(?i)tally\s+(?P<reach>global\s+)?ignore\s*=\s*(?P<names>[^;]+)(?:;.*)?")
_BUILDKIT = regex(r"(?i)check\s*=\s*(?:[^;]*;)*?\s*skip\s*=\s*(?P<names>[^;]+)(?:;.*)?")
_PEERS = (("hadolint", _HADOLINT), ("tally", _TALLY), ("buildkit", _BUILDKIT))
_NAME = regex(r"[^,\s]+")


class Selector(NamedTuple):
    """A name in a comment and where it stands; `rules` are the ids it means, none where it is unknown."""

    name: str
    span: Span
    rules: frozenset[str]

    @property
    def is_about_comments(self) -> bool:
        """Whether it names just the rule about unused comments, so that it cannot be called unused itself."""
        return self.rules == {UNUSED}


@dataclass(slots=True)
class Suppression:
    """One comment; `lines` are the first and last line it reaches, None where it reaches all of the file."""

    source: Source
    span: Span
    selectors: tuple[Selector, ...]
    lines: tuple[int, int] | None
    is_ours: bool
    fault: str = ""
    """Why a comment of ours cannot be understood; it then hides nothing."""
    used: set[Selector] = field(default_factory=set)
    """The selectors that hid a finding."""

    def hides(self, finding: Finding) -> bool:
        """Whether it hides a finding; remembers which of its selectors did."""
        assert finding.rule is not None, "the engine gives every finding its rule"
        if finding.location.path != self.source.path:
            return False
        if self.lines is not None and not self.lines[0] <= finding.location.start[0] <= self.lines[1]:
            return False
        hiding = [each for each in self.selectors if finding.rule.id in each.rules]
        self.used.update(hiding)
        return bool(hiding)


def in_dockerfile(dockerfile: Dockerfile) -> list[Suppression]:
    """The suppressions in the comments of a Dockerfile: they reach the next instruction, or the one they stand in."""
    found: list[Suppression] = []
    for comment in dockerfile.comments:
        following = next((each for each in dockerfile.instructions if each.start_line > comment.line), None)
        found += _of_comment(dockerfile, comment, following)
    for instruction in dockerfile.instructions:
        for comment in instruction.comments:
            found += _of_comment(dockerfile, comment, instruction)
    for directive in dockerfile.directives:
        match = _BUILDKIT.fullmatch(f"{directive.name}={directive.value}")
        if match:
            selectors = _foreign(match["names"], directive.span, "buildkit")
            found.append(Suppression(dockerfile.source, directive.span, selectors, None, False))
    return found


def in_requirements(file: RequirementsFile) -> list[Suppression]:
    """The suppressions in a requirements file: at the end of a line they reach that line, alone the next one."""
    found: list[Suppression] = []
    for index, line in enumerate(file.lines):
        if line.comment is None:
            continue
        behind = (each for each in file.lines[index:] if not isinstance(each, Empty))
        target = next(behind, line) if isinstance(line, Empty) else line
        reach = (file.source.position(target.span.start)[0], file.source.position(target.span.end)[0])
        found += _ours(file.source, line.comment.span, reach)
    return found


def _of_comment(dockerfile: Dockerfile, comment: Comment, reached: Instruction | None) -> Iterator[Suppression]:
    lines = (reached.start_line, reached.end_line) if reached else (comment.line, comment.line)
    yield from _ours(dockerfile.source, comment.span, lines)
    for peer, pattern in _PEERS:
        match = pattern.fullmatch(comment.text)
        if match is None:
            continue
        reach = (match.groupdict().get("reach") or "").strip().lower()
        whole = {"global": None, "stage": _stage_lines(dockerfile, lines), "": lines}
        yield Suppression(
            dockerfile.source, comment.span, _foreign(match["names"], comment.span, peer), whole[reach], False
        )


def _stage_lines(dockerfile: Dockerfile, lines: tuple[int, int]) -> tuple[int, int]:
    starts = [each.start_line for each in dockerfile.instructions if each.keyword == "FROM"]
    end = len(dockerfile.source.line_starts) + 1
    return lines[0], next((start for start in starts if start > lines[0]), end) - 1


def _ours(source: Source, span: Span, reach: tuple[int, int]) -> Iterator[Suppression]:
    match = _OURS.search(source.slice(span))
    if match is None:
        return
    verb = match["verb"].lower()
    fault = _fault(match)
    selectors: tuple[Selector, ...] = ()
    if not fault:
        names = [(each.group(), each.span()) for each in _NAME.finditer(source.text, *_range(match, "names", span))]
        selectors = tuple(Selector(name, Span(*place), catalogue.resolve(name)) for name, place in names)
        selectors = selectors or (Selector("", span, catalogue.resolve("all")),)
    yield Suppression(source, span, selectors, None if verb == "ignore-file" else reach, True, fault)


def _range(match: re.Match[str], group: str, span: Span) -> tuple[int, int]:
    start, end = match.span(group)
    return (span.start + start, span.start + end) if start >= 0 else (0, 0)


def _fault(match: re.Match[str]) -> str:
    if match["verb"].lower() not in ("ignore", "ignore-file"):
        return "is none that mllint understands"
    if match["bracket"] is not None:
        if not match["bracket"].endswith("]"):
            return "has no closing bracket"
        return "" if _NAME.search(match["names"]) else "names no rule between its brackets"
    word = re.match(r"[=:\s]*([\w-]+)", match["reason"])
    return "names its rules without brackets" if word and catalogue.resolve(word[1]) else ""


def _foreign(names: str, span: Span, peer: str) -> tuple[Selector, ...]:
    return tuple(Selector(name, span, _rules_of(peer, name.lower())) for name in _NAME.findall(names))


def _rules_of(peer: str, name: str) -> frozenset[str]:
    """Our rules for a peer's code. tally also speaks for hadolint and BuildKit, and leaves its namespaces out at will;
    `all` means all that the peer has, so none of ours alone."""
    found = set()
    for rule in catalogue.rules().values():
        for alias in rule.aliases:
            namespace, _, code = alias.lower().partition(":")
            spellings = {"all", code}
            if peer == "tally":
                spellings |= {f"{namespace}/{code}", code.rpartition("/")[2]}
            if name in spellings and (namespace == peer or (peer == "tally" and namespace in ("hadolint", "buildkit"))):
                found.add(rule.id)
    return frozenset(found)
