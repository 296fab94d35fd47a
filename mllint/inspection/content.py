"""What will be inside the image: its Python, the distributions, programs, and the files that are brought."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image import programs, python
from mllint.image.events import Gone, Interpreter
from mllint.image.layers import inputs, makes_layer
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.shell import commands
from mllint.image.values import Unknown
from mllint.image.view import covers
from mllint.inspection.origins import about, answer, not_known, of_base, of_cause, of_instruction, of_span
from mllint.inspection.records import Answer, Environment, Files, Known, Layer, Package, Program, Python
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.copies import Copy, CopySource
    from mllint.image.events import Distribution
    from mllint.image.stage import Stage, Step
    from mllint.image.values import Value
    from mllint.inspection.records import Origin

_OF_INTEREST = tuple(
    "python python3 pip uv sh bash tini dumb-init curl wget git gcc make ffmpeg nvidia-smi nvcc".split()
)
_LOCK = regex(r"(?:^|/)(?:(?:uv|poetry|pdm)\.lock|pylock(?:\.[^/.]+)?\.toml)$")
# What the shell does by itself, and what every shell has as a program too.
_OF_THE_SHELL = frozenset(
    ": . [ [[ alias bg break builtin cd command continue declare echo eval exec exit export false fg getopts hash local"
    " popd printf pushd pwd read readonly return set shift shopt source test times trap true type typeset ulimit umask"
    " unset wait".split()
)


def interpreter(stage: Stage) -> Answer[Python | None]:
    """What `python3`, else `python`, starts."""
    open_question: Unknown | None = None
    for name in ("python3", "python"):
        found = python.interpreter(stage.view, name, stage.end.get("PATH"))
        if isinstance(found, Interpreter) and found.prefix.startswith(UNKNOWN_FOLDER):
            return not_known(stage, "which Python {} has")
        if isinstance(found, Interpreter):
            origin = of_cause(stage, found.cause)
            path = posixpath.join(found.bin, name)
            return Known(Python(path, answer(found.version, origin), found.prefix, found.kind), origin)
        open_question = open_question or (found and about(stage, found, "which Python {} has"))
    return open_question or Known(None, of_base(stage))


def interpreters(stage: Stage) -> Iterator[tuple[Interpreter, python.Environment]]:
    """The Pythons of the image with what they see: the one that `python3` starts first, then others that have
    distributions of their own."""
    seen: set[str] = set()
    for name in ("python3", "python"):
        main = python.interpreter(stage.view, name, stage.end.get("PATH"))
        if isinstance(main, Interpreter) and main.prefix not in seen:
            seen.add(main.prefix)
            inside = python.environment(stage.view, main, stage.end)
            if inside.distributions or not main.prefix.startswith(UNKNOWN_FOLDER):
                yield main, inside
    for other in _remaining(stage):
        if other.prefix not in seen:
            seen.add(other.prefix)
            inside = python.environment(stage.view, other, stage.end)
            if any(each.manager != "base" for each in inside.distributions.values()):
                yield other, inside


def _remaining(stage: Stage) -> Iterator[Interpreter]:
    """Those that are still there at the end, the latest first."""
    gone: list[str] = []
    for event in stage.view.behind():
        if isinstance(event, Gone) and event.cause.is_sure:
            gone.append(event.path)
        elif isinstance(event, Interpreter) and not any(covers(path, event.prefix) for path in gone):
            yield event


def environment(stage: Stage, found: Interpreter, seen: python.Environment) -> Environment:
    """One of the Pythons with its distributions."""
    origin = of_cause(stage, found.cause)
    brought = seen.brought()
    reasons = [about(stage, seen.unknown, "which packages {} has").reason] if seen.unknown is not None else []
    prefix: Answer[str] = Known(found.prefix, origin)
    if found.prefix.startswith(UNKNOWN_FOLDER):
        prefix = not_known(stage, "where {} has its Python")
    is_settled = all(is_locked(each) for each in seen.distributions.values() if each.manager != "base")
    if brought.unknown and not is_settled:
        more = f" and {len(brought.unknown) - 1} more" if len(brought.unknown) > 1 else ""
        reasons.append(f"what {brought.unknown[0]}{more} requires is not in the tables")
    return Environment(
        prefix,
        answer(found.version, origin),
        found.kind,
        origin,
        tuple(_package(stage, each) for _, each in sorted(seen.distributions.items())),
        0 if is_settled else len(brought.via.keys() - seen.distributions.keys()),
        0 if is_settled else len(brought.possible.keys() - seen.distributions.keys()),
        tuple(reasons),
    )


def is_locked(each: Distribution) -> bool:
    """Whether a lock file names a distribution, and so all that comes with it too."""
    return each.place is not None and _LOCK.search(each.place[0].path) is not None


def _package(stage: Stage, each: Distribution) -> Package:
    origin = of_span(*each.place) if each.place is not None else of_cause(stage, each.cause)
    return Package(each.name, tuple(sorted(each.extras)), answer(each.version, origin), each.manager, origin)


def packages_unknown(stage: Stage) -> Unknown | None:
    """Why distributions may be there that no environment tells of."""
    doubt = stage.view.doubt("distributions")
    if doubt is None and isinstance(stage.root.base.python, Unknown):
        return not_known(stage, "which packages {} has")
    return doubt


def found_programs(stage: Stage) -> Iterator[Program]:
    """The programs one looks for, and those that the file itself runs."""
    named = _named(stage)
    path = stage.end.get("PATH")
    for name in dict.fromkeys((*_OF_INTEREST, *named)):
        found = programs.program(stage.view, name, path, stage.end.directory)
        place: Answer[str | None]
        if isinstance(found, programs.Program):
            place = Known(found.path or "", of_cause(stage, found.cause))
        else:
            place = found or Known(None, of_base(stage))
        brought_by = found.brought_by if isinstance(found, programs.Program) else ""
        yield Program(name, place, brought_by, name in named)


def _named(stage: Stage) -> tuple[str, ...]:
    """The programs that the image's own instructions run."""
    process = stage.process
    executed = [*(process.commands if process is not None else ())]
    check = stage.end.healthcheck
    if check is not None and check.instruction is not None and not check.value.is_none:
        executed += commands.executed(check.instruction)
    for step in stage.steps_before(None):
        executed += step.commands
    names = (each.words[0] for each in executed if each.words)
    literal = (word.value for word in names if word.is_literal and word.value)
    return tuple(sorted({name for name in literal if name not in _OF_THE_SHELL and not name.startswith("-")}))


def files(stage: Stage) -> Iterator[Files]:
    """What each COPY and ADD of the image brings."""
    for step in stage.steps_before(None):
        if step.copy is not None:
            yield _files(stage, step, step.copy)


def _files(stage: Stage, step: Step, copy: Copy) -> Files:
    origin = of_instruction(step.instruction)
    count = size = None
    if copy.origin == "context" and copy.sources and not any(source.is_remote for source in copy.sources):
        read = inputs(step, stage.build.context).files
        count, size = len(read), sum(entry.size for entry in read)
    owner: Answer[str | None] = Known("root" if copy.origin == "context" else None, origin)
    if copy.owner is not None:
        owner = answer(copy.owner.user, origin)
    mode = f"{copy.mode:o}" if isinstance(copy.mode, int) else copy.mode if isinstance(copy.mode, str) else None
    return Files(
        step.instruction.keyword,
        tuple(_sources(step, copy)),
        _destination(stage, copy, origin),
        _bringer(stage, copy),
        count,
        size,
        owner,
        mode,
        origin,
    )


def _destination(stage: Stage, copy: Copy, origin: Origin) -> Answer[str]:
    if isinstance(copy.destination, str) and copy.destination.startswith(UNKNOWN_FOLDER):
        return not_known(stage, "the working directory of {}")
    return answer(copy.destination, origin)


def _sources(step: Step, copy: Copy) -> Iterator[Answer[str]]:
    for heredoc in step.instruction.heredocs:
        yield Known(f"<<{heredoc.name}", of_instruction(step.instruction))
    for each in copy.sources:
        yield answer(_written(copy, each), of_instruction(step.instruction, each.word.span))


def _written(copy: Copy, source: CopySource) -> Value:
    """A path of the build context relative to it, one of another root absolute."""
    if isinstance(source.path, Unknown) or source.is_remote:
        return source.path
    return source.path or "." if copy.origin == "context" else f"/{source.path}"


def _bringer(stage: Stage, copy: Copy) -> str:
    if copy.stage is not None:
        return f"stage {_title(stage.build.stages[copy.stage])}"
    return copy.image or "context"


def _title(stage: Stage) -> str:
    return stage.name or str(stage.index)


def layers(stage: Stage) -> Iterator[Layer]:
    """The layers of the image and of the stages it is made from, in the order of the file."""
    for each in stage.build.needed:
        for step in each.steps:
            if makes_layer(step):
                read = inputs(step, stage.build.context)
                yield Layer(
                    step.instruction.keyword,
                    " ".join((*step.instruction.flags, *step.instruction.rest.text.split())),
                    _title(each),
                    each.is_in_image,
                    read.arguments,
                    len(read.files),
                    sum(entry.size for entry in read.files),
                    (*(f"stage {_title(stage.build.stages[index])}" for index in read.stages), *read.elsewhere),
                    of_instruction(step.instruction),
                )
