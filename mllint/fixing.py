"""Repairs files by the fixes of their findings, round by round, until nothing more can be repaired.

All happens in memory: a round lints the files as the rounds before it left them. `mllint.writing` puts them to disk.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mllint import engine
from mllint.choices import SettingsLookup
from mllint.discovery import discover
from mllint.findings import Edit, Finding, NewFile, Refused, Severity
from mllint.inputs import Inputs, Unreadable
from mllint.sources.pip_encoding import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mllint.choices import Choices
    from mllint.discovery import Found
    from mllint.findings import Fix, Report
    from mllint.sources.text import Source

    Contents = Mapping[Path, bytes]
    Lint = Callable[[Inputs], Report]
    _Key = tuple[str, str, tuple[tuple[str, str], ...]]

ROUNDS = 10
"""Rounds after which files that still change are left as they are then."""


class Change(NamedTuple):
    """A file that repairs change or make."""

    path: Path
    name: str
    """How reports name it."""
    before: bytes | None
    """None where the file is not there yet."""
    after: bytes


class Repairs(NamedTuple):
    """What a group of files came to."""

    contents: Contents
    """The bytes of every file that changed."""
    repaired: tuple[Finding, ...]
    refused: tuple[Refused, ...]
    rounds: int


def repair(lint: Lint, cwd: Path, given: Contents, unsafe: bool, editable: Callable[[Path], bool]) -> Repairs:
    """Apply the fixes that `lint` finds in files that belong together.

    `given` are contents to start from instead of those on disk; `unsafe` is whether fixes that want a look are wanted
    too; a fix that edits a path that is not `editable` is left alone.
    """
    return _Repair(lint, cwd, given, unsafe, editable).run()


class _Repair:
    def __init__(self, lint: Lint, cwd: Path, given: Contents, unsafe: bool, editable: Callable[[Path], bool]) -> None:
        self.lint = lint
        self.cwd = cwd
        self.given = given
        self.unsafe = unsafe
        self.editable = editable
        self.contents: dict[Path, bytes] = {}
        self.state = self._look({})
        self.repaired: list[Finding] = []
        self.refused: dict[_Key, Refused] = {}

    def run(self) -> Repairs:
        rounds = 0
        while rounds < ROUNDS and (batch := self._batch()):
            rounds += 1
            if self._try(batch) is not None:
                self._singly(batch)
        return Repairs(self.contents, tuple(self.repaired), tuple(self.refused.values()), rounds)

    def _try(self, batch: Sequence[Finding]) -> str | None:
        """Repair several findings at once, or none of them where that does harm: what harm is told."""
        attempt = self.contents | self._edited(batch)
        after = self._look(attempt)
        harm = _harm(self.state, after, attempt)
        if harm is None:
            self.contents, self.state = attempt, after
            self.repaired += batch
        return harm

    def _singly(self, batch: Sequence[Finding]) -> None:
        """Find out which fixes of a round that does harm are to blame, by trying each by itself."""
        for key in map(_key, batch):
            # The one before it may have moved it, or made it needless.
            finding = next((each for each in self._fixable() if _key(each) == key), None)
            harm = self._try([finding]) if finding is not None else None
            if finding is not None and harm is not None:
                self.refused[key] = Refused(finding, harm)

    def _look(self, contents: Contents) -> _Looked:
        inputs = Inputs(self.cwd, {**self.given, **contents})
        return _Looked(inputs, self.lint(inputs))

    def _batch(self) -> list[Finding]:
        """The findings to repair in one round: no edit of one touches what another edits."""
        taken = _Taken()
        return [finding for finding in self._fixable() if finding.fix is not None and taken.take(finding.fix)]

    def _fixable(self) -> Iterator[Finding]:
        for finding in self.state.report.findings:
            fix = finding.fix
            if fix is None or (fix.applicability == "unsafe" and not self.unsafe):
                continue
            if _key(finding) not in self.refused and all(map(self._can, fix.edits)):
                yield finding

    def _can(self, edit: Edit | NewFile) -> bool:
        path = self._path(edit)
        if not self.editable(path):
            return False
        if isinstance(edit, NewFile):
            return not self.state.inputs.exists(path)
        return self.state.coded(path, edit.location.source) is not None

    def _path(self, edit: Edit | NewFile) -> Path:
        return Path(os.path.normpath(self.cwd / edit.path))

    def _edited(self, batch: Sequence[Finding]) -> dict[Path, bytes]:
        """The new bytes of the files that a round changes or makes."""
        edits: dict[Path, dict[Edit, None]] = {}
        made: dict[Path, bytes] = {}
        for finding in batch:
            for edit in finding.fix.edits if finding.fix else ():
                if isinstance(edit, NewFile):
                    made[self._path(edit)] = edit.text.encode()
                else:
                    edits.setdefault(self._path(edit), {})[edit] = None
        return made | {path: self._applied(path, list(several)) for path, several in edits.items()}

    def _applied(self, path: Path, edits: list[Edit]) -> bytes:
        """The bytes of a file after edits that do not overlap."""
        source = edits[0].location.source
        coded = self.state.coded(path, source)
        assert coded is not None, "only files that can be written back are edited"
        pieces: list[str] = []
        at = 0
        for edit in sorted(edits, key=lambda each: each.location.span):
            span = edit.location.span
            pieces += [source.text[at : span.start], edit.text]
            at = span.end
        # What a fix writes is ASCII, or comes from the file itself.
        return coded.bom + "".join((*pieces, source.text[at:])).encode(coded.encoding)


class _Looked:
    """What one lint has read and found."""

    def __init__(self, inputs: Inputs, report: Report) -> None:
        self.inputs = inputs
        self.report = report
        self._coded: dict[Source, _Coded | None] = {}

    def coded(self, path: Path, source: Source) -> _Coded | None:
        """How the text of a source is written as the bytes of its file; None where it cannot be. Asked once for all the
        edits of a file: each finding of a list may have those of the whole list."""
        if source not in self._coded:
            self._coded[source] = _coded(self.inputs, path, source)
        return self._coded[source]


class _Taken:
    """What the fixes of a round edit."""

    def __init__(self) -> None:
        self.by_path: dict[str, list[Edit | NewFile]] = {}
        self.fixes: set[tuple[Edit | NewFile, ...]] = set()

    def take(self, fix: Fix) -> bool:
        """Whether a fix fits beside those taken before; it is then taken. The same edits twice are one fix."""
        if fix.edits in self.fixes:
            return True
        if any(_overlap(edit, other) for edit in fix.edits for other in self.by_path.get(edit.path, ())):
            return False
        self.fixes.add(fix.edits)
        for edit in fix.edits:
            self.by_path.setdefault(edit.path, []).append(edit)
        return True


def _overlap(one: Edit | NewFile, other: Edit | NewFile) -> bool:
    """Whether two edits of one file get in each other's way."""
    if isinstance(one, NewFile) or isinstance(other, NewFile):
        return True
    first, second = sorted((one.location.span, other.location.span))
    # Of two texts put in at one place nobody could tell which comes first.
    return first.start == second.start or second.start < first.end


class _Coded(NamedTuple):
    encoding: str
    bom: bytes


def _coded(inputs: Inputs, path: Path, source: Source) -> _Coded | None:
    """How the text of a source is written as the bytes of its file; None where the file is not read or is another by
    now, or what it says cannot be written back as it was."""
    try:
        data = inputs.data(path)
    except Unreadable:
        return None
    # Almost always UTF-8; requirements files may be in anything that pip reads.
    for coded in (_Coded("utf-8", b"\xef\xbb\xbf" if source.has_bom else b""), _as_pip(data)):
        if coded is not None and _encoded(source.text, coded) == data:
            return coded
    return None


def _as_pip(data: bytes) -> _Coded | None:
    try:
        decoded = decode(data)
    except UnicodeDecodeError:
        return None
    return _Coded(decoded.encoding, decoded.bom)


def _encoded(text: str, coded: _Coded) -> bytes | None:
    try:
        return coded.bom + text.encode(coded.encoding)
    except UnicodeEncodeError:
        return None


def _harm(before: _Looked, after: _Looked, contents: Contents) -> str | None:
    """What harm a round does: new text that does not parse, inputs that cannot be read, errors or warnings that were
    not there before; None where it does none."""
    for error in after.report.errors:
        if error not in before.report.errors:
            return f"{error.path} could no longer be read: {error.message}"
    is_mended = False
    for path in contents:
        was, now = before.inputs.problems(path), after.inputs.problems(path)
        if broken := now - was:
            return f"{after.inputs.display(path)} would not parse: {min(broken)}"
        is_mended = is_mended or bool(was - now)
    if is_mended:
        # What can be read for the first time may be found fault with for the first time.
        return None
    old, new = _counted(before.report), _counted(after.report)
    added = [key for key in new if new[key] > old[key]]
    if not added:
        return None
    known = {finding.message for finding in before.report.findings}
    new_ones = [finding for finding in after.report.findings if _counts_as(finding) in added]
    finding = next((each for each in new_ones if each.message not in known), new_ones[0])
    place = f"{finding.location.path}:{finding.location.start[0]}"
    return f"it would bring {finding.rule.id if finding.rule else ''} at {place}: {finding.message}"


def _counted(report: Report) -> Counter[tuple[str, str]]:
    return Counter(key for finding in report.findings if (key := _counts_as(finding)) is not None)


def _counts_as(finding: Finding) -> tuple[str, str] | None:
    """What a fault is counted by: a fix moves lines and changes messages, but brings no new one of a kind."""
    if finding.rule is None or finding.severity is None or not finding.severity.at_least(Severity.WARNING):
        return None
    return finding.rule.id, finding.location.path


def _key(finding: Finding) -> _Key:
    """What a fix is known by in later rounds, when its place is another."""
    assert finding.rule is not None, "the engine gives every finding its rule"
    edits = finding.fix.edits if finding.fix else ()
    return finding.rule.id, finding.message, tuple((edit.path, edit.text) for edit in edits)


def fix(
    paths: Sequence[Path], cwd: Path, choices: Choices, given: Contents, unsafe: bool
) -> tuple[Report, tuple[Change, ...]]:
    """Repair everything that paths stand for; where contents are given, only these. The report is of what is left.

    The Dockerfiles of one build context are repaired together with what they read, and apart from those of others: what
    goes wrong in one leaves the others alone.
    """
    lookup = SettingsLookup(choices)
    contents: dict[Path, bytes] = {}
    repaired: list[Finding] = []
    refused: list[Refused] = []
    for group in _groups(discover(paths, Inputs(cwd, given), lookup, choices.context)):

        def lint(inputs: Inputs, group: Sequence[Path] = group) -> Report:
            return engine.run(discover(group, inputs, lookup, choices.context), inputs)

        done = repair(lint, cwd, given, unsafe, lambda path: not given or path in given)
        contents |= done.contents
        repaired += done.repaired
        refused += done.refused
    inputs = Inputs(cwd, {**given, **contents})
    report = engine.run(discover(paths, inputs, lookup, choices.context), inputs)
    return report._replace(repaired=tuple(repaired), refused=tuple(refused)), _changes(contents, given, cwd)


def _groups(found: Found) -> list[list[Path]]:
    """What belongs together, as paths to check: Dockerfiles whose contexts lie in one another may share files."""
    roots = {target.context.root for target in found.targets}
    groups: dict[Path, list[Path]] = {}
    for target in found.targets:
        root = target.context.root
        groups.setdefault(_outermost(root, roots) or root, []).append(target.path)
    for loose in found.requirements:
        if loose.is_named or not found.targets:
            groups.setdefault(_outermost(loose.path, roots) or loose.path, []).append(loose.path)
    return list(groups.values())


def _outermost(path: Path, roots: Collection[Path]) -> Path | None:
    return next((folder for folder in reversed((path, *path.parents)) if folder in roots), None)


def _changes(contents: Contents, given: Contents, cwd: Path) -> tuple[Change, ...]:
    """The files that are not as they were, in the order of their paths."""
    inputs = Inputs(cwd, given)
    found = (
        Change(path, inputs.display(path), inputs.data(path) if inputs.exists(path) else None, contents[path])
        for path in sorted(contents)
    )
    return tuple(change for change in found if change.before != change.after)
