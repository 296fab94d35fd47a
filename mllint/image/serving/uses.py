"""The programs that a stage runs while it is built, when it is started and when its health is asked for, each with what
is inside the image at that moment."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location, Related
from mllint.image import programs
from mllint.image.paths import joined
from mllint.image.service import PYTHON, SHELL_SCRIPT, file_of_image, interpreted, python_of_base
from mllint.image.shell.commands import Executed, argv, executed, from_argv, from_text
from mllint.image.shell.scope import Scope
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown
from mllint.image.view import View
from mllint.patterns import regex
from mllint.sources.text import Logical, Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.programs import Found
    from mllint.image.stage import Stage, State, Step
    from mllint.image.values import Value
    from mllint.sources.shell_tree import Word

_BUILT_IN = frozenset(
    ". : [ [[ alias bg bind break builtin cd command continue declare dirs disown echo enable eval exec exit export"
    " false fg getopts hash help history jobs kill let local logout mapfile popd printf pushd pwd read readarray"
    " readonly return set shift shopt source suspend test time times trap true type typeset ulimit umask unalias"
    " unset wait".split()
)
"""What a shell runs itself; some are keywords."""
_PLAIN_NAME = regex(r"[\w./+-]+")


class Use(NamedTuple):
    """A program that is surely run."""

    executed: Executed
    view: View
    state: State
    step: Step | None
    """The RUN it stands in; None once the image is built."""
    source: Source
    """What it is written in: the Dockerfile, a compose file, or a script."""
    place: Location
    """The word that names it, or the script that it stands in."""

    @property
    def path(self) -> Value | None:
        """Its PATH; None for the standard one."""
        found = self.executed.environment.get("PATH")
        return self.state.env.get("PATH") if found is None else found

    def look_up(self, name: str) -> Found:
        """The program behind a name, or a path; that of a mount counts as unknown."""
        found = programs.program(self.view, name, self.path, self.executed.directory)
        if found is None and self.step is not None:
            places = [name] if "/" in name else [f"{folder}/{name}" for folder in self.view.search(self.path)]
            for mount in self.step.mounts:
                if any(mount.covers(place) is not False for place in places):
                    return Unknown(f"{name} may be in a mount")
        return found

    def where(self, word: Word) -> Location:
        """The place of one of its words; of a script's, that of the script."""
        return Location(self.source, word.span) if self.source is self.place.source else self.place

    def related(self, word: Word) -> tuple[Related, ...]:
        """The place in the script that it stands in, if it does."""
        here = Location(self.source, word.span)
        return () if self.source is self.place.source else (Related(here, "it is run here"),)

    @property
    def names(self) -> Iterator[tuple[str, Word]]:
        """The programs themselves: the one that is run, and in front of it `sudo` and its like."""
        each = self.executed
        for wrapper in each.wrappers:
            word = next((word for word in each.command.words if word.value.rpartition("/")[2] == wrapper), None)
            if word is not None and wrapper not in _BUILT_IN:
                yield word.value, word
        word = each.words[0]
        if _is_program(word):
            yield word.value, word


def _is_run(each: Executed) -> bool:
    """Whether a program surely runs, and not only is looked for: `command -v`."""
    asks = each.wrappers[:1] == ("command",) and each.command.words[1:2] and each.command.words[1].value in ("-v", "-V")
    return each.is_sure and not asks


def _is_program(word: Word) -> bool:
    return word.is_literal and word.value not in _BUILT_IN and _PLAIN_NAME.fullmatch(word.value) is not None


def of_step(stage: Stage, step: Step) -> Iterator[Use]:
    """What a RUN runs, each behind what the commands in front of it in the same RUN did."""
    log = stage.log
    at, end = stage.view_before(step).end, log.ends[id(step)]
    for index, each in enumerate(step.commands):
        behind = {other.span for other in step.commands[index:]}
        # What no later command causes belongs to those in front.
        while at < end and log.events[at].cause.span not in behind:
            at += 1
        if _is_run(each):
            view = View(stage.root.base, stage.build.context, log.events, at)
            source = stage.build.source
            yield Use(each, view, step.before, step, source, Location(source, each.words[0].span))
        while at < end and log.events[at].cause.span == each.span:
            at += 1


def of_healthcheck(stage: Stage) -> Iterator[Use]:
    """What the health check of the image runs, and the shell scripts of the context that it starts."""
    setting = stage.end.healthcheck
    if stage.healthcheck is None or setting is None or setting.instruction is None:
        return
    for each in executed(setting.instruction, stage.end):
        yield from _with_script(stage, each, stage.build.source, ())


def of_test(stage: Stage, source: Source, words: tuple[Word, ...]) -> Iterator[Use]:
    """The same for the words of a health check that a compose file gives."""
    for each in from_argv(words, Scope(stage.end, stage.end.directory)):
        yield from _with_script(stage, each, source, ())


def of_process(stage: Stage) -> Iterator[Use]:
    """What `docker run` starts, as far as this file says so: the ENTRYPOINT with its CMD, what the entry scripts run,
    and CMD once more where such a script ends in `exec "$@"`."""
    process = stage.process
    if process is None:
        return
    step = process.entrypoint or process.command
    if step is None:
        return
    closing = process.command if process.entrypoint is not None and process.command is not None else None
    arguments = argv(closing.instruction) if closing is not None and closing.instruction.is_exec_form else ()
    if not step.instruction.is_exec_form:
        found = executed(step.instruction, stage.end)
    else:
        words = (*python_of_base(stage), *argv(step.instruction), *arguments)
        found = tuple(from_argv(words, Scope(stage.end, stage.end.directory)))
    for each in found:
        yield from _with_script(stage, each, stage.build.source, arguments)


def _with_script(stage: Stage, each: Executed, source: Source, arguments: tuple[Word, ...]) -> Iterator[Use]:
    """A command, and what the shell script that it runs does; `arguments` stand for `"$@"` there."""
    if not _is_run(each) or each.runner:
        return
    place = Location(source, each.words[0].span)
    script = _script(stage, each)
    if script is None or each.name in POSIX_SHELLS:
        yield Use(each, stage.view, stage.end, None, source, place)
    if script is None:
        return
    scope = Scope(stage.end, each.directory)
    scope.variables |= each.environment
    for inner in from_text(Logical.of(script, Span(0, len(script.text))), scope):
        if not _is_run(inner) or inner.runner:
            continue
        if inner.words[0].text.strip('"') in ("$@", "${@}") and arguments:
            own = Scope(stage.end, inner.directory)
            own.variables |= inner.environment
            own.exported = frozenset(inner.environment)
            for last in from_argv(arguments, own):
                yield Use(last, stage.view, stage.end, None, source, Location(source, last.words[0].span))
        else:
            yield Use(inner, stage.view, stage.end, None, script, place)


def _script(stage: Stage, each: Executed) -> Source | None:
    """The shell script of the context that a command runs, by itself or through a shell."""
    paths = [each.words[0].value]
    if each.name in POSIX_SHELLS:
        paths = [word.value for word in each.words[1:] if not word.value.startswith("-")][:1]
    elif "/" not in paths[0]:
        paths = [f"{folder}/{paths[0]}" for folder in stage.view.search(stage.end.env.get("PATH"))]
    for path in paths:
        source = file_of_image(stage, path)
        if source is not None and (each.name in POSIX_SHELLS or SHELL_SCRIPT.match(source.text)):
            return source
    return None


def code(stage: Stage, use: Use) -> tuple[Source, str | None] | None:
    """The Python that a `python` command runs, and the folder that it imports from first (None where nobody knows); the
    text behind `-c` has no path. None for any other command, and for code that the context did not bring."""
    each = use.executed
    if not PYTHON.fullmatch(each.name):
        return None
    folder = each.directory if isinstance(each.directory, str) else None
    name, _, is_module = interpreted(each)
    if name:
        path = joined(each.directory, name)
        if not is_module:
            folder = posixpath.dirname(path) if isinstance(path, str) else None
        source = file_of_image(stage, name.replace(".", "/") + ".py" if is_module else name)
        return (source, folder) if source is not None else None
    at = each.arguments.index("-c") + 1 if "-c" in each.arguments else len(each.arguments)
    return (Source("", each.arguments[at]), folder) if at < len(each.arguments) else None
