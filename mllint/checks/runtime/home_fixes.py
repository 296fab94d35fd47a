"""Moves what `pip install --user` puts into root's home folder to a virtual environment outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import edits
from mllint.checks import placing
from mllint.checks.commands import with_packages
from mllint.checks.requirements import environments
from mllint.findings import Fix
from mllint.image import python
from mllint.image.content.rights import ROOT_HOME
from mllint.image.events import Interpreter
from mllint.image.packages import BUILD_TOOLS
from mllint.image.service import PYTHON
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.findings import Edit
    from mllint.image.packages import Install
    from mllint.image.stage import Stage, Step
    from mllint.sources.text import Source

_OLD = "/root/.local"
# The packages and scripts that pip puts there lie alike in a virtual environment.
_MOVED = regex(r"/root/\.local(?:/(?:bin|lib)(?:/.*)?|/)?")
_CACHES = regex(r"(?:/root|~|\$HOME|\$\{HOME\})/\.cache(?:/.*)?")
_PIP = regex(r"pip[0-9.]*")
_MINOR = regex(r"\d+\.\d+$")
# What starts the Python of an image, or that of an operating system.
_NAMES = {"image": "python", "system": "python3"}
_NEEDLESS = frozenset({"--user", "--break-system-packages"})


def to_environment(stage: Stage) -> Fix | None:
    """What makes packages of root available to every user; None where it takes more than another folder."""
    found = moving_edits(stage)
    return Fix("unsafe", f"install into the virtual environment {environments.PATH}", found) if found else None


def moving_edits(stage: Stage) -> tuple[Edit, ...]:
    """The edits of that; none where it takes more."""
    move = _move(stage)
    made = _python(move) if move is not None else None
    prepared = _prepared(move, made) if move is not None and made is not None else None
    if move is None or made is None or prepared is None:
        return ()
    mentions: list[Edit] = []
    for step in move.steps:
        found = _replaced(step)
        if found is None:
            return ()
        mentions += found
    removed = [edit for install in move.installs for edit in _without_options(install)]
    if None in removed:
        return ()
    activation = _activation(move, _NAMES[made.kind])
    return (*prepared, *mentions, *(edit for edit in removed if edit is not None), *activation)


class _Move(NamedTuple):
    stage: Stage
    """Where the process runs."""
    builder: Stage
    """Where the packages are installed: another stage, or the same."""
    copy: Step | None
    """What brings them from there."""
    installs: tuple[Install, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of the stages concerned."""
        own = self.stage.steps_before(None)
        others = () if self.copy is None else self.builder.steps_before(None)
        return (*own, *(step for step in others if step not in own))

    @property
    def first(self) -> Step:
        """The first that installs."""
        return self.installs[0].step


def _move(stage: Stage) -> _Move | None:
    copies = [step for step in stage.steps_before(None) if _brings_home(step)]
    if len(copies) > 1:
        return None
    copy = copies[0] if copies else None
    builder = stage
    if copy is not None and copy.copy is not None and copy.copy.stage is not None:
        builder = stage.build.stages[copy.copy.stage]
    steps = (*builder.steps_before(None), *(stage.steps_before(None) if copy is not None else ()))
    calls = [each for step in steps for each in step.installs if each.manager.language == "python"]
    own = tuple(each for each in calls if each.has("--user"))
    # What the image's own Python has is not seen from a virtual environment.
    others = [each for each in calls if not each.has("--user")]
    is_simple = all(_is_plain(each) and each.step in builder.steps for each in own) and all(map(_is_of_seeds, others))
    return _Move(stage, builder, copy, own) if own and is_simple else None


def _brings_home(step: Step) -> bool:
    copy = step.copy
    if copy is None or copy.stage is None or len(copy.sources) != 1:
        return False
    is_there = isinstance(copy.destination, str) and copy.destination.rstrip("/") == _OLD
    return is_there and copy.sources[0].path == _OLD[1:] and step.trigger is None


def _is_plain(install: Install) -> bool:
    """Whether a call is one of the stage's own pip by its bare name, as root."""
    each, step = install.executed, install.step
    words = [word.value for word in each.words[:3]]
    is_pip = _PIP.fullmatch(words[0]) or (PYTHON.fullmatch(words[0]) and words[1:] == ["-m", "pip"])
    is_shell = not step.instruction.is_exec_form and not step.instruction.heredocs
    is_own = is_shell and step.trigger is None and not each.wrappers and each.user is None and each.is_sure
    return bool(is_pip and is_own and install.manager.name == "pip" and step.before.account.is_root)


def _is_of_seeds(install: Install) -> bool:
    """Whether a call installs nothing but pip itself and what it builds with."""
    names = [getattr(each, "name", "") for each in install.requirements]
    return bool(names) and not install.files and all(name in BUILD_TOOLS for name in names)


def _python(move: _Move) -> Interpreter | None:
    """The Python that installs; None where the stage of the process has another, or there is an environment yet."""
    before, after = move.builder.view_before(move.first), move.stage.view
    if not before.base.is_plain or any(view.find(environments.PATH) is not None for view in (move.builder.view, after)):
        return None
    for kind, name in _NAMES.items():
        made = python.interpreter(before, name, move.first.before.env.get("PATH"))
        used = python.interpreter(after, name, move.stage.end.env.get("PATH"))
        if not isinstance(made, Interpreter) or not isinstance(used, Interpreter) or made.kind != kind:
            continue
        is_same = made.prefix == used.prefix and isinstance(made.minor, str) and made.minor == used.minor
        return made if is_same and all(_is_for(install, made) for install in move.installs) else None
    return None


def _is_for(install: Install, made: Interpreter) -> bool:
    """Whether the name of pip or of Python in a call is not that of another release."""
    number = _MINOR.search(install.executed.words[0].value)
    return number is None or number[0] == made.minor


def _prepared(move: _Move, made: Interpreter) -> list[Edit] | None:
    """The edits that an environment of a Python needs first: Debian and Ubuntu have `venv` in a package of its own.
    None where more than that may be missing."""
    if made.kind == "image":
        return []
    package = environments.package_of_python(move.builder, move.installs[0])
    is_default = move.builder.root.base.family in ("debian", "ubuntu") and "python3" in made.names
    if package is None or not is_default or environments.relies_on_system(move.stage):
        return None
    if environments.has_venv(package):
        return []
    edit = with_packages(move.builder, package, ["python3-venv"])
    return [edit] if edit is not None else None


def _replaced(step: Step) -> list[Edit] | None:
    """The edits that put the environment in the place of the folder of packages in an instruction; None where it
    names something else in root's home."""
    instruction = step.instruction
    source, found = instruction.source, []
    for match in ROOT_HOME.finditer(source.text, instruction.span.start, instruction.span.end):
        if any(each.span.start <= match.start() < each.span.end for each in instruction.comments):
            continue
        if _CACHES.fullmatch(match[0]):
            continue
        if not _MOVED.fullmatch(match[0]) or step.trigger is not None:
            return None
        found.append(edits.replace(source, Span(match.start(), match.start() + len(_OLD)), environments.PATH))
    return found


def _without_options(install: Install) -> Iterator[Edit | None]:
    """What takes out the options that an environment has no use for; None for one that stays."""
    for word in install.executed.words:
        if word.value in _NEEDLESS:
            yield remove_word(install.step.instruction.source, word.span, install.step.before.escape)


def remove_word(source: Source, span: Span, escape: str) -> Edit | None:
    """Take a word out of a command, and its line where it has one of its own; None where that is the last of several
    lines."""
    text = source.text
    start = span.start
    while text[start - 1] in " \t":
        start -= 1
    if text[start - 1] != "\n":
        return edits.delete(source, Span(start, span.end))
    line = source.position(start)[0]
    if text[span.end : source.line_span(line).end].strip() != escape:
        return None
    return edits.delete_lines(source, line, line)


def _activation(move: _Move, program: str) -> Iterator[Edit]:
    """What makes the environment, and puts it on the PATH of both stages unless that has the old folder."""
    dockerfile = move.stage.build.dockerfile
    lines, path = [f"RUN {program} -m venv {environments.PATH}"], environments.ENTER
    if not any(_sets_path(step) for step in move.builder.steps_before(move.first)):
        # One that comes later would put the folder there twice.
        if any(_sets_path(step) for step in move.builder.steps_before(None)):
            for install in move.installs:
                yield edits.insert(dockerfile.source, install.executed.words[0].span.start, f"{environments.PATH}/bin/")
        else:
            lines.append(path)
    yield placing.above(dockerfile, _head(move).instruction, *lines)
    if move.copy is not None and not any(_sets_path(step) for step in move.stage.steps_before(None)):
        yield edits.line_below(move.copy.instruction, path)


def _sets_path(step: Step) -> bool:
    pairs = step.instruction.pairs if step.instruction.keyword == "ENV" else ()
    return any(pair.key.text == "PATH" and f"{_OLD}/bin" in pair.value.text for pair in pairs)


def _head(move: _Move) -> Step:
    """The first of the copies that lead up to the first install."""
    steps = placing.own_steps(move.builder)
    at = steps.index(move.first)
    while at and steps[at - 1].instruction.keyword in ("COPY", "ADD"):
        at -= 1
    return steps[at]
