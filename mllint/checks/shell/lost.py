"""Rules about what a RUN does to its own shell, which ends with it."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.moving import block
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.paths import UNKNOWN_FOLDER, joined
from mllint.image.shell.commands import shell_text
from mllint.image.stage import Stage, State, Step
from mllint.patterns import regex
from mllint.sources import shell
from mllint.sources.shell_tree import Chain, Command, Group, Node
from mllint.sources.text import Span

_VARIABLES = frozenset({"export", "declare", "typeset", "readonly", "unset"})
_OPTIONS = frozenset({"set", "shopt", "umask", "ulimit", "alias", "unalias"})
_FOLDERS = frozenset({"cd", "pushd", "popd"})
_ENVIRONMENTS = {"conda": ("activate",), "mamba": ("activate",), "micromamba": ("activate",), "nvm": ("use",)}
# Scripts that only set variables, by how they are commonly called; any other may do more than that. Those of virtual
# environments are the concern of ML313.
_SETTING_SCRIPT = regex(r"(?:^|[/.])(?:set_?env\.sh|setvars\.sh|env|bashrc|bash_profile|profile|setup\.(?:ba|z)sh)$")
_NAME = regex(r"\$\{?(\w+)\}?")


class _Lost(NamedTuple):
    """A command that changes nothing but its shell."""

    command: Command
    what: str
    outcome: str
    repair: str


@check("DF302")
def lost_effect(stage: Stage) -> Iterator[Finding]:
    """A RUN that only sets something in a shell that ends with it."""
    for step in stage.steps:
        if step.instruction.keyword != "RUN" or not step.has_posix_shell or step.trigger is not None:
            continue
        commands = list(flat(body_of(step)))
        lost = [_lost(step, each) for each in commands]
        # What stands last has had no command to serve; a cd there is mostly a way back.
        first, last = (lost[0], lost[-1]) if lost else (None, None)
        if first is not None and None not in lost:
            yield _finding(stage, step, first, len(commands) == 1)
        elif last is not None and _leaves_variable(last.command):
            yield _finding(stage, step, last, False)


def body_of(step: Step) -> tuple[Node, ...]:
    """What the shell of a RUN runs; nothing where the RUN is no shell's."""
    text = shell_text(step.instruction)
    return shell.parse(text).body if text is not None else ()


def flat(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """What runs one behind the other in the shell itself: commands, and pipelines and branches as a whole."""
    for node in nodes:
        if isinstance(node, Chain):
            yield from flat(node.parts)
        elif isinstance(node, Group) and not node.is_subshell:
            yield from flat(node.body)
        else:
            yield node


def _leaves_variable(command: Command) -> bool:
    return command.name in ("export", "source", ".") or command.name in _ENVIRONMENTS


def _lost(step: Step, node: Node) -> _Lost | None:
    if not isinstance(node, Command) or any(each.operator.startswith(">") for each in node.redirects):
        return None
    written = step.instruction.source.slice(node.span)
    first = node.words[1].value if len(node.words) > 1 else ""
    if not node.words or node.name in _VARIABLES:
        names = ", ".join(each.name for each in node.assignments)
        outcome = "no later instruction and no container sees it"
        return _Lost(node, f"the value of {names}", outcome, "write ENV, or remove it") if names else None
    if node.name in _FOLDERS:
        return _lost_folder(step, node, first)
    if node.name in _OPTIONS:
        repair = "put it into each RUN that needs it, or into SHELL"
        return _Lost(node, written, "no later RUN has it", repair)
    sources = node.name in (".", "source") and len(node.words) == 2 and _SETTING_SCRIPT.search(first)
    if sources or first in _ENVIRONMENTS.get(node.name, ()):
        repair = "repeat it in each RUN that needs it, and set with ENV what the container needs"
        return _Lost(node, f"what {written} sets", "no later instruction and no container sees it", repair)
    return None


def _lost_folder(step: Step, command: Command, folder: str) -> _Lost | None:
    before = step.before.directory
    if joined(before, folder) == before:
        return None
    repair = f"write WORKDIR {folder} instead, or go there in the RUN that needs it"
    where = "where this one did" if before.startswith(UNKNOWN_FOLDER) else f"in {before} again"
    written = step.instruction.source.slice(command.span)
    return _Lost(command, written, f"the next instruction starts {where}", repair)


def _finding(stage: Stage, step: Step, lost: _Lost, is_alone: bool) -> Finding:
    where = Location(stage.build.source, lost.command.span)
    message = f"{lost.what} ends with this RUN: {lost.outcome}"
    # Mostly there is nothing behind it that it would hold for.
    severity = Severity.INFO if lost.command.name == "set" else None
    fix = _lasting(stage, step, lost.command) if is_alone else None
    return Finding(where, message, lost.repair, fix=fix, severity=severity)


def _lasting(stage: Stage, step: Step, command: Command) -> Fix | None:
    """The instruction that does for good what the only command of a RUN does for its shell."""
    instruction = step.instruction
    if instruction.heredocs or instruction.comments or instruction.is_exec_form:
        return None
    if command.name == "set":
        return Fix("safe", "remove the RUN without effect", (block(stage.build.dockerfile, instruction).removed(),))
    if command.name == "export":
        written, title = _as_env(step.before, command), "set it with ENV"
    else:
        written, title = _as_workdir(command), "set it with WORKDIR"
    if written is None:
        return None
    span = Span(instruction.keyword_span.start, instruction.span.end)
    return Fix("unsafe", title, (replace(stage.build.source, span, written),))


def _as_workdir(command: Command) -> str | None:
    words = command.words
    if command.name != "cd" or len(words) != 2 or not words[1].is_literal or words[1].value.startswith(("-", "~")):
        return None
    return f"WORKDIR {words[1].text}"


def _as_env(state: State, command: Command) -> str | None:
    """An ENV with the same values; None where it would read them in another way."""
    pairs = []
    for each in command.assignments:
        value = each.value.text if each.value is not None else None
        if value is None or each.value is None or each.value.substitutions or "\n" in value:
            return None
        if not each.value.is_literal and not all(_is_set(state, name) for name in _NAME.findall(value)):
            return None
        pairs.append(f"{each.name}={value}")
    return f"ENV {' '.join(pairs)}" if pairs and len(command.words) == 1 else None


def _is_set(state: State, name: str) -> bool:
    return name == "PATH" or isinstance(state.get(name), str)
