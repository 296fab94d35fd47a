"""Which release of Poetry a build runs, and what it is asked that it no longer does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image import python
from mllint.image.copies import context_path
from mllint.image.events import Interpreter
from mllint.image.packages import install_of
from mllint.image.paths import joined
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.requirements import Requirement, parse_requirement
from mllint.sources.text import Logical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.packages import Install
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.shell_tree import Word

NEWEST = "newest"
_OLDEST_MINOR = 10
"""The minor release of Python 3 that Poetry 2.5 needs; to older ones pip gives an older Poetry."""
_SCRIPT = "install.python-poetry.org"
_RELEASE = regex(r"\d+(?:\.\d+)*")


class Refused(NamedTuple):
    """A call that Poetry does not take."""

    executed: Executed
    row: Mapping[str, str]
    """Of the table `poetry_options`."""
    word: Word
    """The option, or the command."""
    release: str
    """Of Poetry; NEWEST where the build takes that."""
    asked: Install | None
    """The call of pip that installs Poetry."""


def refused(stage: Stage, step: Step) -> Iterator[Refused]:
    """The calls in a RUN that the Poetry there surely refuses."""
    for each in step.commands:
        row, word = _row(each) if each.name == "poetry" and each.is_sure and not each.wrappers else (None, None)
        if row is None or word is None:
            continue
        release, asked = _release(stage, step, each)
        is_gone = release is not None and (release == NEWEST or _parts(release) >= _parts(row["gone"]))
        if release is not None and is_gone and not ("plugin" in row and _has_plugin(stage, step, each, row["plugin"])):
            yield Refused(each, row, word, release, asked)


def _row(each: Executed) -> tuple[Mapping[str, str] | None, Word | None]:
    operands = [word for word in each.words[1:] if not word.value.startswith("-")]
    for row in facts.rows("poetry_options") if operands else ():
        if row["command"] != operands[0].value:
            continue
        option = row.get("option")
        word = next((word for word in each.words if word.value == option), None) if option else operands[0]
        if word is not None:
            return row, word
    return None, None


def _parts(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def _before(stage: Stage, step: Step, each: Executed) -> Iterator[tuple[Step, Executed]]:
    for earlier in (*stage.steps_before(step), step):
        for command in earlier.commands:
            if earlier is not step or command.span.start < each.span.start:
                yield earlier, command


def _release(stage: Stage, step: Step, each: Executed) -> tuple[str | None, Install | None]:
    """The release that the last command to install Poetry brings; None where that is not known."""
    found: tuple[str | None, Install | None] = None, None
    for earlier, command in _before(stage, step, each):
        call = install_of(earlier, command)
        line = _asked(call) if call is not None else None
        if line is not None:
            found = _of_line(line), call
        elif _SCRIPT in earlier.instruction.rest.text and command.name.startswith("python"):
            found = _of_script(earlier, command), None
    if found[0] == NEWEST and not _is_new_enough(stage, step):
        return None, None
    return found


def _asked(call: Install) -> Requirement | None:
    lines = list(call.requirements)
    if call.manager.name == "pipx":
        lines = [parse_requirement(Logical(word.value, (0,), (word.span.start,)), []) for word in call.operands]
    return next((line for line in lines if isinstance(line, Requirement) and line.key == "poetry"), None)


def _of_line(line: Requirement) -> str | None:
    if line.url is not None or line.variables:
        return None
    exact = line.exact_version
    if exact is not None:
        return exact if _RELEASE.fullmatch(exact) else None
    return None if line.specifier else NEWEST


def _of_script(step: Step, command: Executed) -> str | None:
    given = command.environment.get("POETRY_VERSION", step.before.get("POETRY_VERSION"))
    option = re.search(r"--version[= ](\S+)", " ".join(command.arguments))
    version = option[1] if option else given
    if version is None:
        return NEWEST
    return version if isinstance(version, str) and _RELEASE.fullmatch(version) else None


def _is_new_enough(stage: Stage, step: Step) -> bool:
    found = python.interpreter(stage.view_before(step), "python3", step.before.env.get("PATH"))
    minor = found.minor if isinstance(found, Interpreter) else Unknown("which Python Poetry has is not known")
    return isinstance(minor, str) and int(minor.partition(".")[2] or 0) >= _OLDEST_MINOR


def _has_plugin(stage: Stage, step: Step, each: Executed, plugin: str) -> bool:
    """Whether a plugin is, or may be, installed before."""
    for _, command in _before(stage, step, each):
        if any(plugin in value or value in ("-r", "--requirement") for value in command.arguments):
            return True
    path = joined(each.directory, "pyproject.toml")
    found = context_path(stage, step, path) if isinstance(path, str) else None
    source = stage.build.context.text(found) if found else None
    return source is None or "requires-plugins" in source.text
