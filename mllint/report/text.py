"""The report for people: for each finding a line that stands alone in a log, its place, its repair, related places."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from mllint.report.frame import frame
from mllint.report.shown import settled, shown, visible
from mllint.report.summary import count, repairs, sentence
from mllint.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.findings import Finding, InputError, Location, Report, Undecided
    from mllint.report.frame import Frame
    from mllint.sources.text import Source

_BOLD, _DIM = "1", "2"
_COLORS = {"error": "1;31", "warning": "1;33", "info": "1;36", "style": "1;35"}
_EXAMPLES = 3
_PLACES = 2


def render(report: Report, *, color: bool, width: int, statistics: bool, quiet: bool) -> str:
    """The report as text for a terminal of `width` columns, with ANSI colours if `color`; empty or ending in a newline.

    `quiet` leaves only the findings, one line each, and the inputs that could not be read. `statistics` shows how often
    each rule was broken instead of the findings. Nothing of a file reaches the terminal but visible characters.
    """
    painter = _Painter(color, width)
    blocks: list[str] = []
    if statistics:
        blocks += _statistics(report)
    elif quiet:
        blocks += map(painter.headline, report.findings)
    else:
        blocks += [f"{painter.block(finding)}\n" for finding in report.findings]
    blocks += map(painter.unread, report.errors)
    if not quiet:
        if report.undecided:
            blocks.append(_left_open(report.undecided))
        blocks += [f"Ignored by configuration: {shown(rule)} ({shown(why)})" for rule, why in report.ignored]
        blocks += painter.repairs(report)
        blocks.append(sentence(report))
    return "".join(f"{block}\n" for block in blocks)


def render_repairs(report: Report, *, color: bool) -> str:
    """What repairs would do, in a few lines, without the findings."""
    painter = _Painter(color, 0)
    blocks = [*map(painter.unread, report.errors), *painter.repairs(report, "Would repair")]
    return "".join(f"{block}\n" for block in blocks or ["Nothing to repair"])


class _Painter:
    def __init__(self, color: bool, width: int) -> None:
        self._color = color
        self._width = width

    def headline(self, finding: Finding) -> str:
        """`path:line:column severity ID message [name]`."""
        rule, severity = settled(finding)
        line, column = finding.location.start
        place = self._paint(_BOLD, visible(finding.location.path)) + f":{line}:{column}"
        level = self._paint(_COLORS[severity.value], severity.value)
        identifier, name = self._paint(_BOLD, rule.id), self._paint(_DIM, f"[{rule.name}]")
        return f"{place} {level} {identifier} {shown(finding.message)} {name}"

    def block(self, finding: Finding) -> str:
        """The headline with everything that belongs to it below."""
        groups: dict[tuple[Source, str], list[Location]] = {}
        for related in finding.related:
            groups.setdefault((related.location.source, related.message), []).append(related.location)
        drawn = [finding.location, *(places[0] for places in groups.values() if len(places) == 1)]
        gutter = max(len(str(place.start[0])) for place in drawn)
        severity = settled(finding)[1]
        frame = self._frame(finding.location, gutter)
        lines = [self.headline(finding), *self._drawn(frame, gutter, "^", _COLORS[severity.value])]
        margin = " " * gutter
        if finding.repair:
            lines += self._advice(margin, "help", finding.repair)
        if finding.fix:
            lines += self._advice(margin, f"{finding.fix.applicability} fix", finding.fix.title)
        for (source, message), places in groups.items():
            start = f"{margin} {self._paint(_DIM, '-->')} {visible(source.path)}"
            if len(places) > 1:
                lines.append(f"{start} {_lines(places)}: {shown(message)}")
                continue
            line, column = places[0].start
            lines.append(f"{start}:{line}:{column} {shown(message)}")
            if (source, line) != (finding.location.source, finding.location.start[0]):
                lines += self._drawn(self._frame(places[0], gutter), gutter, "-", _DIM)
        return "\n".join(lines)

    def unread(self, error: InputError) -> str:
        """`path:line error message`."""
        line = f":{error.line}" if error.line is not None else ""
        place = self._paint(_BOLD, visible(error.path)) + line
        return f"{place} {self._paint(_COLORS['error'], 'error')} {shown(error.message)}"

    def repairs(self, report: Report, done: str = "Repaired") -> Iterator[str]:
        """What was repaired, a line a finding with its place before the repair, and what was undone."""
        if report.repaired:
            yield f"{done} {repairs(report)}:"
        for finding in report.repaired:
            yield f"  {self._repair(finding)}"
        for finding, reason in report.refused:
            yield f"Left as it is: {self._repair(finding)}: {shown(reason)}"

    def _repair(self, finding: Finding) -> str:
        title = finding.fix.title if finding.fix else ""
        place = f"{visible(finding.location.path)}:{finding.location.start[0]}"
        return f"{place} {self._paint(_BOLD, settled(finding)[0].id)} {shown(title)}"

    def _frame(self, place: Location, gutter: int) -> Frame:
        return frame(place.source, place.span, self._width - gutter - len(" | "))

    def _drawn(self, drawn: Frame, gutter: int, mark: str, code: str) -> Iterator[str]:
        if not drawn.text:
            return
        bar = self._paint(_DIM, "|")
        yield f"{self._paint(_DIM, f'{drawn.line:>{gutter}}')} {bar} {drawn.text}"
        further = f" and {count(drawn.further_lines, 'more line')}" if drawn.further_lines else ""
        yield f"{' ' * gutter} {bar} {' ' * drawn.indent}{self._paint(code, mark * drawn.marks + further)}"

    def _advice(self, margin: str, label: str, text: str) -> Iterator[str]:
        first, *others = text.split("\n")
        yield f"{margin} {self._paint(_DIM, '=')} {self._paint(_BOLD, label)}: {shown(first)}"
        indent = " " * len(f"{margin} = {label}: ")
        yield from (indent + shown(line) for line in others)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


def _lines(places: Sequence[Location]) -> str:
    """`line 4`, `lines 4, 6 to 9 and 12`."""
    lines = sorted({place.start[0] for place in places})
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    parts = []
    for run in runs:
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [*map(str, run)]
    return f"line{'s' if len(lines) > 1 else ''} {enumerated(parts)}"


def _statistics(report: Report) -> list[str]:
    """A line a rule, the most often broken first: how often, ID, worst severity, name, how many can be fixed."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_rule[settled(finding)[0].id].append(finding)
    most = max(map(len, by_rule.values()), default=0)
    longest = max(map(len, by_rule), default=0)
    lines = []
    for identifier, findings in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0])):
        severity = min((settled(finding)[1] for finding in findings), key=lambda level: level.rank)
        fixable = sum(finding.fix is not None for finding in findings)
        times = f"{len(findings):>{len(str(most))}}"
        remark = f" ({fixable} fixable)" if fixable else ""
        name = settled(findings[0])[0].name
        lines.append(f"{times}  {identifier:<{longest}}  {severity.value:<7}  {name}{remark}")
    return lines


def _left_open(undecided: tuple[Undecided, ...]) -> str:
    """One line for all questions: the most frequent with a few of their places, and how many more there are."""
    asked = Counter(question.message for question in undecided)
    examples = []
    for message, times in asked.most_common(_EXAMPLES):
        places = [f"{visible(q.path)}:{q.line}" for q in undecided if q.message == message][:_PLACES]
        if times > _PLACES:
            places.append(f"{times - _PLACES} more")
        examples.append(f"{shown(message)} ({', '.join(places)})")
    if len(asked) > _EXAMPLES:
        examples.append(f"and {len(asked) - _EXAMPLES} more in --format json")
    return f"{count(len(undecided), 'question')} left open: {'; '.join(examples)}"
