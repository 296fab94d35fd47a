"""DF316: builds that start any number of compilers."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.shell_tree import Word

_MAKES = frozenset({"make", "gmake"})
_LIMITS = regex(r"-l.*|--load-average.*|--max-load.*")
_NINJA = regex(r"\bninja\b|CMAKE_GENERATOR", re.IGNORECASE)


@check("DF316")
def unlimited_jobs(stage: Stage) -> Iterator[Finding]:
    """make with -j and no number behind it."""
    for step in stage.steps if stage in stage.build.needed else ():
        for each in step.commands if step.trigger is None else ():
            option = _option(stage, each)
            if option is not None:
                call = f"{each.name} --build {option.value}" if each.name == "cmake" else f"{each.name} {option.value}"
                message = (
                    f"{call} without a number starts as many compilers at once as there are files ready to compile:"
                    " where the memory does not suffice for them, one is killed and the build fails"
                )
                repair = f"write {option.value}{_count(option)}: as many as there are processors"
                if _is_all(each, option):
                    repair += ', in front of "all", which is a target and no number'
                where = Location(stage.build.source, option.span)
                yield Finding(where, message, repair, fix=_limit(stage, step, option), severity=Severity.INFO)
                break


def _option(stage: Stage, each: Executed) -> Word | None:
    """The option that allows any number of jobs."""
    names: tuple[str, ...] = ("-j", "--jobs")
    if each.name == "cmake" and "--build" in each.arguments:
        names = ("-j", "--parallel")
        if _NINJA.search(stage.build.source.text):
            return None
    elif each.name not in _MAKES:
        return None
    words = each.words[1:]
    for word, following in zip_longest(words, words[1:]):
        if word.value in names and (following is None or (following.is_literal and not following.value.isdigit())):
            return None if any(_LIMITS.fullmatch(other.value) for other in words) else word
    return None


def _is_all(each: Executed, option: Word) -> bool:
    """Whether the target behind the option reads as if it were the number."""
    return [word.value for word in each.words if word.span.start > option.span.start][:1] == ["all"]


def _count(option: Word) -> str:
    between = {"--jobs": "=", "--parallel": " "}.get(option.value, "")
    return f'{between}"$(nproc)"'


def _limit(stage: Stage, step: Step, option: Word) -> Fix | None:
    """The number of processors behind the option."""
    source = stage.build.source
    if step.instruction.is_exec_form or step.instruction.heredocs or source.slice(option.span) != option.value:
        return None
    return Fix("safe", "start a job for each processor", (insert(source, option.span.end, _count(option)),))
