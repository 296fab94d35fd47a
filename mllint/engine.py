"""Runs the checks over the targets and settles what is reported: severities, suppressions, order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mllint import catalogue, checks, suppressions
from mllint.contexts import name_below
from mllint.findings import Edit, Finding, Related, Report, Series, Undecided
from mllint.image.build import Build
from mllint.image.stage import Stage
from mllint.sources.generated import is_generated, made_from
from mllint.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mllint.config import Settings
    from mllint.discovery import Found, Target
    from mllint.image.packages import Closure, Install
    from mllint.inputs import Inputs
    from mllint.sources.requirements import RequirementsFile
    from mllint.suppressions import Suppression

# The families that speak of every image, whatever its operating system.
_ANY_SYSTEM = frozenset({"base_image", "labels", "syntax"})
_NAMED = 3
"""How many of a series a message names."""


@dataclass(frozen=True, eq=False)
class Use:
    """An install that reads a requirements file, with all else that it reads."""

    stage: Stage
    install: Install
    read: Closure


@dataclass(frozen=True, eq=False)
class Requirements:
    """A requirements file with the installs that read it, over all Dockerfiles of the run."""

    file: RequirementsFile
    uses: tuple[Use, ...]
    is_constraints: bool


@dataclass(frozen=True, eq=False)
class Comments:
    """The suppressions of one file after everything else was settled, with the rules that ran on it."""

    suppressions: tuple[Suppression, ...]
    ran: frozenset[str]


class _File:
    """What one file's settings mean for the rules."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings = settings
        self.rules = enabled(settings, name_below(path, settings.root))
        self.severity = {
            rule: severity for selector, severity in settings.severity.items() for rule in catalogue.resolve(selector)
        }

    def settle(self, rule: str, found: Iterable[Finding]) -> Iterator[Finding]:
        """Give findings their rule and severity."""
        entry = catalogue.rules()[rule]
        for finding in found:
            severity = self.severity.get(rule) or finding.severity or entry.severity
            yield _without_edits_of_generated(finding._replace(rule=entry, severity=severity))

    def shows(self, finding: Finding) -> bool:
        """Whether the preset has a case as mild as this."""
        return not finding.is_strict or self.settings.preset != "default"


def enabled(settings: Settings, path: str) -> frozenset[str]:
    """The ids of the rules that run on a file, given by its path relative to the configuration's folder."""
    chosen = catalogue.select(settings.select or (), settings.preset) | _resolved(settings.extend_select)
    return chosen - _resolved(settings.ignore) - _resolved(settings.ignored_at(path))


def _resolved(selectors: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(catalogue.resolve(selector) for selector in selectors))


def run(found: Found, inputs: Inputs, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check everything that was found."""
    return _Run(inputs, progress).report(found)


class _Run:
    def __init__(self, inputs: Inputs, progress: Callable[[int, int], None] | None) -> None:
        self.inputs = inputs
        self.progress = progress
        self.findings: list[Finding] = []
        self.undecided: set[Undecided] = set()
        self.hushed = 0
        self.files: list[str] = []
        self.uses: dict[Path, list[Use]] = {}
        self.settings: dict[Path, Settings] = {}
        self.constraints: set[Path] = set()
        self.ignored: set[tuple[str, str]] = set()

    def report(self, found: Found) -> Report:
        for done, target in enumerate(found.targets, start=1):
            self._dockerfile(target)
            if self.progress:
                self.progress(done, len(found.targets))
        for loose in found.requirements:
            if loose.path not in self.uses and (loose.is_named or not found.targets):
                self.uses[loose.path] = []
                self.settings[loose.path] = loose.settings
        for path in sorted(self.uses):
            self._requirements(path)
        return Report(
            # What is wrong with a file that several Dockerfiles bring is said once.
            tuple(sorted(dict.fromkeys(self.findings), key=_order)),
            tuple(sorted(self.inputs.errors, key=lambda error: (error.path, error.line or 0, error.message))),
            tuple(sorted(self.undecided, key=lambda each: (each.path, each.line, each.message))),
            tuple(sorted(set(self.files))),
            self.hushed,
            tuple(sorted(self.ignored)),
        )

    def _dockerfile(self, target: Target) -> None:
        path, dockerfile = target.path, target.dockerfile
        build = Build(dockerfile, target.context, target.settings, target.services)
        file = _File(build.settings, path)
        self.ignored |= {(selector, reason) for selector, reason in build.settings.ignore.items() if reason}
        self.files.append(dockerfile.source.path)
        if build.stages and build.final is None:
            self.inputs.fail(path, f"has no stage {build.settings.target}")
        subjects: list[object] = [dockerfile, build, *build.stages]
        found = self._checked(file, subjects)
        self._settle(file, found, suppressions.in_dockerfile(dockerfile))
        self._note_undecided(build)
        for stage in build.stages:
            for step in stage.steps:
                for install in step.installs:
                    self._follow(stage, install)

    def _follow(self, stage: Stage, install: Install) -> None:
        """Remember which requirements files a Dockerfile installs, to check each of them once."""
        read = stage.closure(install)
        context = stage.build.context
        for paths, is_constraints in ((read.files, False), (read.constraints, True)):
            for name in paths:
                path = context.root / name
                self.uses.setdefault(path, []).append(Use(stage, install, read))
                self.settings.setdefault(path, stage.build.settings)
                if is_constraints:
                    self.constraints.add(path)

    def _requirements(self, path: Path) -> None:
        parsed = self.inputs.requirements(path)
        if parsed is None:
            return
        file = _File(self.settings[path], path)
        self.files.append(parsed.source.path)
        uses = tuple(self.uses[path])
        is_constraints = path in self.constraints or (not uses and "constraints" in path.name.lower())
        subject = Requirements(parsed, uses, is_constraints)
        self._settle(file, self._checked(file, [subject]), suppressions.in_requirements(parsed))

    def _checked(self, file: _File, subjects: Iterable[object]) -> list[Finding]:
        # A trigger that several stages carry out is at fault once.
        found: dict[Finding, None] = {}
        for subject in subjects:
            kind: type = type(subject)
            for each in checks.judging(kind, file.rules):
                if _concerns(each.rule, subject):
                    found |= dict.fromkeys(file.settle(each.rule, each.function(subject)))
        return list(found)

    def _settle(self, file: _File, found: list[Finding], comments: list[Suppression]) -> None:
        # All are asked for: a comment is not unused where it hides what another preset would show.
        hidden = {id(finding) for finding in found if _is_hidden(finding, comments)}
        loud = _without_superseded([finding for finding in found if file.shows(finding)])
        kept = [finding for finding in loud if id(finding) not in hidden]
        self.hushed += len(loud) - len(kept)
        self.findings += _told_once(kept)
        if suppressions.UNUSED in file.rules:
            unused = self._checked(file, [Comments(tuple(comments), file.rules)])
            about = [each for each in comments if any(selector.is_about_comments for selector in each.selectors)]
            self.findings += [finding for finding in unused if not _is_hidden(finding, about)]

    def _note_undecided(self, build: Build) -> None:
        for stage in build.needed:
            why = stage.base.why_unknown
            if why:
                self.undecided.add(Undecided(build.source.path, stage.instruction.start_line, why))


def _concerns(rule: str, subject: object) -> bool:
    """Whether a rule has something to say of a subject: the inside of a Windows image is another world."""
    is_windows = isinstance(subject, Stage) and subject.is_windows
    return not is_windows or catalogue.rules()[rule].family in _ANY_SYSTEM


def _without_edits_of_generated(finding: Finding) -> Finding:
    """What a program writes is changed where the program reads it."""
    edits = finding.fix.edits if finding.fix else ()
    edited = dict.fromkeys(each.location.source for each in edits if isinstance(each, Edit))
    source = next(filter(is_generated, edited), None)
    if source is None:
        return finding
    inputs = " and ".join(made_from(source)) or "what it is made from"
    return finding._replace(fix=None, repair=f"{finding.repair}; {source.path} is generated: change {inputs}")


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    line, column = finding.location.start
    assert finding.rule is not None
    return finding.location.path, line, column, finding.rule.id, finding.message


def _told_once(found: list[Finding]) -> Iterator[Finding]:
    """The findings of a file, with one in the place of each series, where the first of it is."""
    groups: dict[object, list[tuple[Finding, Series]]] = {}
    for finding in found:
        if finding.series is None:
            yield finding
        else:
            alike = (finding.rule, finding.severity, finding.is_strict, finding.series.message)
            groups.setdefault(alike, []).append((finding, finding.series))
    for group in groups.values():
        first, series = group[0]
        if len(group) == 1:
            yield first
            continue
        subjects = enumerated([each.subject for _, each in group], _NAMED)
        outcomes = "".join(dict.fromkeys(each.outcome for _, each in group))
        related = tuple(Related(each.location, "and here") for each, _ in group[1:])
        yield first._replace(message=f"{subjects} {series.message}{outcomes}", repair=series.repair, related=related)


def _without_superseded(found: list[Finding]) -> list[Finding]:
    silent = {
        (other, finding.location) for finding in found for other in (finding.rule.supersedes if finding.rule else ())
    }
    return [each for each in found if each.rule is None or (each.rule.id, each.location) not in silent]


def _is_hidden(finding: Finding, comments: list[Suppression]) -> bool:
    # Every comment is asked: the one that hides nothing that others do not is still no unused one.
    answers = [comment.hides(finding) for comment in comments]
    return any(answers)
