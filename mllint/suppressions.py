"""Comments that switch rules off: ours, and those of hadolint, BuildKit and tally through the rules' aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mllint.sources.requirements import RequirementsFile
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.findings import Finding
    from mllint.sources.dockerfile import Comment, Dockerfile
    from mllint.sources.text import Source

_OURS = re.compile(r"mllint:\s*ignore(?P<file>-file)?\s*(?:\[(?P<rules>[^\]]*)\])?")
_HADOLINT = re.compile(r"hadolint\s+(?P<file>global\s+)?ignore\s*=\s*(?P<rules>[\w,\s]+?)\s*(?:#|$)", re.IGNORECASE)
_TALLY = re.compile(r"tally\s+(?P<file>global\s+)?ignore\s*=\s*(?P<rules>[^;\s][^;]*)", re.IGNORECASE)
_BUILDKIT = re.compile(r"check\s*=\s*(?:[^;]*;)*\s*skip\s*=\s*(?P<rules>[\w,]+)", re.IGNORECASE)


@dataclass(slots=True)
class Suppression:
    """One comment: the selectors it names, each with where it stands, and the lines it reaches (None: all)."""

    source: Source
    span: Span
    selectors: tuple[tuple[str, Span], ...]
    lines: tuple[int, int] | None
    is_ours: bool
    namespace: str = ""
    used: set[str] = field(default_factory=set)
    """Selectors that hid a finding."""

    def covers(self, finding: Finding) -> bool:
        """Whether a finding lies within its reach."""
        if finding.location.path != self.source.path:
            return False
        if self.lines is None:
            return True
        return self.lines[0] <= finding.location.start[0] <= self.lines[1]


def in_dockerfile(dockerfile: Dockerfile) -> list[Suppression]:
    """The suppressions in the comments of a Dockerfile: they reach the next instruction, or the one they stand in."""
    found = []
    source = dockerfile.source
    instructions = dockerfile.instructions
    for comment in dockerfile.comments:
        following = next((each for each in instructions if each.start_line > comment.line), None)
        reach = (following.start_line, following.end_line) if following else (comment.line, comment.line)
        found += _of_comment(source, comment, reach)
    for instruction in instructions:
        for comment in instruction.comments:
            found += _of_comment(source, comment, (instruction.start_line, instruction.end_line))
    for directive in dockerfile.directives:
        match = _BUILDKIT.match(f"{directive.name}={directive.value}")
        if match:
            selectors = _selectors(match.group("rules"), directive.span.start, "buildkit:")
            found.append(Suppression(source, directive.span, selectors, None, False, "buildkit:"))
    return found


def in_requirements(file: RequirementsFile) -> list[Suppression]:
    """The suppressions in a requirements file: at the end of a line they reach that line, alone the next one."""
    found = []
    for index, line in enumerate(file.lines):
        if line.comment is None:
            continue
        is_alone = line.comment.span.start == line.span.start
        target = file.lines[index + 1] if is_alone and index + 1 < len(file.lines) else line
        reach = (file.source.position(target.span.start)[0], file.source.position(target.span.end)[0])
        found += _ours(file.source, line.comment.text, line.comment.span, reach)
    return found


def _of_comment(source: Source, comment: Comment, reach: tuple[int, int]) -> Iterator[Suppression]:
    yield from _ours(source, comment.text, comment.span, reach)
    for pattern, namespace in ((_HADOLINT, "hadolint:"), (_TALLY, "tally:"), (_BUILDKIT, "buildkit:")):
        match = pattern.match(comment.text)
        if match:
            whole = "file" in match.groupdict() and match.group("file") is not None
            selectors = _selectors(match.group("rules"), comment.span.start, namespace)
            yield Suppression(source, comment.span, selectors, None if whole else reach, False, namespace)


def _ours(source: Source, text: str, span: Span, reach: tuple[int, int]) -> Iterator[Suppression]:
    match = _OURS.search(text)
    if match is None:
        return
    start = span.end - len(source.slice(span).split("mllint:", 1)[1]) - len("mllint:")
    names = match.group("rules") or ""
    selectors = _selectors(names, start + match.start("rules") - match.start() if names else start, "")
    yield Suppression(source, span, selectors, None if match.group("file") else reach, True)


def _selectors(names: str, start: int, namespace: str) -> tuple[tuple[str, Span], ...]:
    found = []
    for match in re.finditer(r"[^,\s]+", names):
        name = match.group()
        full = name if namespace == "" or ":" in name or name.lower() == "all" else namespace + name
        found.append((full, Span(start + match.start(), start + match.end())))
    return tuple(found)
