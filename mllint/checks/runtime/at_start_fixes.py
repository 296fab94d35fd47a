"""Takes installs out of the start of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint import edits
from mllint.checks import placing
from mllint.findings import Fix
from mllint.image.copies import relative
from mllint.image.effects.targets import is_set
from mllint.image.paths import search_path
from mllint.image.programs import Program, program
from mllint.image.serving.uv_runs import sync
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from mllint.findings import Edit
    from mllint.image.packages import Install
    from mllint.image.serving.installs import Late
    from mllint.image.serving.uv_runs import UvRun
    from mllint.image.stage import Stage, Step
    from mllint.sources.shell_tree import Word
    from mllint.sources.text import Source

_PLAIN_PATH = regex(r"/[\w./+-]+")
# Options of `uv run` that make no difference to a program that is started without it.
_OF_UV_ALONE = frozenset("--no-dev --frozen --locked --no-sync --offline -q --quiet --".split())
_DECLARES = frozenset("CMD ENTRYPOINT EXPOSE HEALTHCHECK LABEL STOPSIGNAL VOLUME".split())
_AND = regex(r"[ \t]*&&[ \t]*")


def takes_lock_as_it_is(stage: Stage, run: UvRun) -> bool:
    """Whether a call does not look whether the lock file is up to date."""
    names = ("UV_FROZEN", "UV_LOCKED")
    return run.call.has("--frozen", "--locked") or any(is_set(stage.end.env.get(name)) for name in names)


def without_sync(run: UvRun, is_same: bool) -> Fix | None:
    """`--no-sync` behind `uv run`."""
    words = run.executed.command.words
    at = next((index for index, word in enumerate(words) if word.value == "run"), None)
    if at is None or not _is_plain(run, words[at]):
        return None
    text = ', "--no-sync"' if _is_in_list(run, words[at]) else " --no-sync"
    edit = edits.insert(run.source, words[at].span.end, text)
    return Fix("safe" if is_same else "unsafe", "leave the environment as the build made it", (edit,))


def without_uv(stage: Stage, run: UvRun) -> Fix | None:
    """The program of the environment in the place of `uv run`."""
    each, found = run.executed, sync(stage, run)
    words = each.command.words
    if found is None or found.is_made or each.wrappers != ("uv",) or set(each.runner[2:]) - _OF_UV_ALONE:
        return None
    name = "python" if each.name.endswith(".py") else each.words[0].value
    first = each.words[0]
    if not isinstance(program(stage.view, f"{found.environment}/bin/{name}", None), Program):
        return None
    if not _is_plain(run, words[0]) or not _is_plain(run, first):
        return None
    in_front = "" if name == first.value else '"python", ' if _is_in_list(run, first) else "python "
    changes: list[Edit] = [edits.replace(run.source, Span(words[0].span.start, first.span.start), in_front)]
    path = stage.end.env.get("PATH")
    if isinstance(path, Unknown) or not _PLAIN_PATH.fullmatch(found.environment):
        return None
    if search_path(path)[:1] != [f"{found.environment}/bin"]:
        changes.append(placing.at_end(stage, f'ENV PATH="{found.environment}/bin:$PATH"'))
    return Fix("safe", f"start {name} of {found.environment} itself", tuple(changes))


def _is_in_list(run: UvRun, word: Word) -> bool:
    return run.source.slice(word.span) == f'"{word.value}"'


def _is_plain(run: UvRun, word: Word) -> bool:
    """Whether a word stands in the file as the program gets it, in a list or in a shell's text."""
    return run.source.slice(word.span) in (word.value, f'"{word.value}"')


def in_the_build(stage: Stage, late: Late) -> Fix | None:
    """The install in a RUN of its own, behind what it needs and in front of the source that follows."""
    call, source = late.call, late.source
    if call is None or not late.is_sure or late.executed.environment or late.executed.assignments:
        return None
    above = _behind_needs(stage, call)
    command = late.executed.command
    gone = _cut(source, command.span)
    if gone is None or above is None or late.executed.directory != stage.end.directory:
        return None
    if not all(word.is_literal and source.slice(word.span) == word.value for word in command.words):
        return None
    text = " ".join(word.value for word in command.words)
    changes = (edits.delete(source, gone), edits.line_below(above.instruction, f"RUN {text}"))
    return Fix("unsafe", f"run {late.shown} in the build", changes)


def _behind_needs(stage: Stage, call: Install) -> Step | None:
    """The last step of a stage that pip needs, which the copies of source behind it are not."""
    read = stage.closure(call)
    if call.manager.name not in ("pip", "uv pip") or not read.is_complete or read.has_unread_constraints:
        return None
    if any(word.value.startswith((".", "/")) for word in call.operands):
        return None
    needed = {*read.files, *read.constraints}
    for step in reversed(placing.own_steps(stage)):
        matches = (
            [match for each in step.copy.sources for match in each.matches(stage.build.context)] if step.copy else []
        )
        brings = any(relative(path, match.path) is not None for match in matches for path in needed)
        is_source = step.copy is not None and not brings
        if not is_source and step.instruction.keyword not in _DECLARES:
            return step
    return None


def _cut(source: Source, span: Span) -> Span | None:
    """A command with the `&&` behind it, or the line that is nothing else; None for one that stands elsewhere."""
    behind = _AND.match(source.text, span.end)
    if behind is not None:
        return Span(span.start, behind.end())
    line = source.line_span(source.position(span.start)[0])
    is_alone = source.slice(line).strip() == source.slice(span).strip()
    return Span(line.start, line.end + 1) if is_alone and source.text[line.end : line.end + 1] == "\n" else None
