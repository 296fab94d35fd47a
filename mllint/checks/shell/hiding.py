"""Failures of what is no install that a RUN hides: findings of DF303 for those who look closely."""

from collections.abc import Iterator
from typing import TypeGuard

from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.shell.commands import shell_text
from mllint.image.shell.masked import DOES_NOTHING
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources import shell
from mllint.sources.shell_tree import Chain, Command, Group, Node, Pipeline
from mllint.sources.text import Source, Span

_INSTALLS = regex(r"(?:.*/)?[\w.-]*install[\w.-]*\.(?:sh|bash|py)")
_BUILDS = regex(r"(?:.*/)?[\w.-]*(?:build|compile|make)[\w.-]*\.(?:sh|bash|py)")
_SAYS = DOES_NOTHING | {"echo", "printf"}
_LONGEST = 40


def hidden(stage: Stage, step: Step) -> Iterator[Finding]:
    """What hides the failure of other commands than installs."""
    is_written = step.instruction.keyword == "RUN" and step.has_posix_shell and step.trigger is None
    text = shell_text(step.instruction) if is_written else None
    if text is None:
        return
    body = shell.parse(text).body
    installs = [each.span for each in step.installs]
    source = stage.build.source
    for node in _nodes(body):
        if isinstance(node, Chain):
            yield from _attempts(source, node)
        elif isinstance(node, Pipeline) and not _holds(node.span, installs):
            is_alone = node in body and not isinstance(node.parts[-2], Chain)
            yield from _into_true(source, node, is_alone, step.before.escape)
    if len(body) > 1 and not any(_holds(node.span, installs) for node in body):
        yield from _ended(source, body)


def _nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if isinstance(node, Chain):
            yield from _nodes(node.parts)
        elif isinstance(node, Group):
            yield from _nodes(node.body)


def _holds(span: Span, others: list[Span]) -> bool:
    return any(span.start <= each.start < span.end for each in others)


def _attempts(source: Source, chain: Chain) -> Iterator[Finding]:
    """A script that installs, and one that builds instead, whatever went wrong."""
    for at, operator in enumerate(chain.operators):
        first, second = _last(chain.parts[at]), chain.parts[at + 1]
        if operator != "||" or not _is_call(first) or not _is_call(second):
            continue
        one, other = first.words[0], second.words[0]
        if not _INSTALLS.fullmatch(one.value) or not _BUILDS.fullmatch(other.value):
            continue
        names = _short(one.value), _short(other.value)
        where = Location(source, Span(first.span.start, second.span.end))
        last = _last(chain.parts[at + 2]) if chain.operators[at + 1 : at + 2] == ("||",) else None
        if last is not None and _is_call(last) and last.words[0].value in _SAYS:
            written = source.slice(last.span)
            told = written if len(written) <= _LONGEST else f"{last.words[0].value} ..."
            message = f"{told} lets {names[1]} fail as well: the image is built without what it was to bring"
            yield Finding(where, message, f"remove the last || {told}", is_strict=True)
            continue
        message = (
            f"{names[1]} runs after any failure of {names[0]}, a dead mirror too: then it compiles what was to be"
            f" downloaded, and what else {names[0]} installs may be missing"
        )
        repair = (
            f"have {names[0]} end with a code of its own where there is nothing to install, and build on that alone"
        )
        yield Finding(where, message, repair, severity=Severity.INFO, is_strict=True)


def _into_true(source: Source, pipe: Pipeline, is_alone: bool, escape: str) -> Iterator[Finding]:
    """A pipe into `true`, which reads nothing."""
    last = pipe.parts[-1]
    if not _is_call(last) or last.words[0].value not in DOES_NOTHING or len(last.words) > 1 or last.redirects:
        return
    first, name = _last(pipe.parts[-2]), last.words[0].value
    message = (
        f"{_cut(source.slice(first.span))} is piped into {name}, which reads nothing: || is what lets a command fail"
    )
    where = Location(source, Span(first.span.start, last.span.end))
    # In a list, || true would let all in front of it fail too.
    repair = f"write || {name}, or leave it out" if is_alone else f"write (COMMAND || {name}), or leave it out"
    fix = _allowed(source, first.span, last.span, is_alone, escape)
    yield Finding(where, message, repair, fix=fix, severity=Severity.INFO, is_strict=True)


def _allowed(source: Source, first: Span, last: Span, is_alone: bool, escape: str) -> Fix | None:
    """`||` in the place of the pipe, in parentheses where other commands stand in front."""
    between = source.text[first.end : last.start]
    if between.count("|") != 1 or between.replace(escape, "").strip(" \t\r\n|"):
        return None
    at = first.end + between.find("|")
    edits = [replace(source, Span(at, at + 1), "||")]
    if not is_alone:
        edits = [insert(source, first.start, "("), *edits, insert(source, last.end, ")")]
    return Fix("unsafe", "write ||", tuple(edits))


def _ended(source: Source, body: tuple[Node, ...]) -> Iterator[Finding]:
    """`exit 0` behind all that a RUN does."""
    last, before = body[-1], _last(body[-2])
    if not isinstance(last, Command) or [word.value for word in last.words] != ["exit", "0"]:
        return
    if not _is_call(before):
        return
    message = f"exit 0 ends the RUN well whatever becomes of {_cut(source.slice(before.span))}: its failure goes unseen"
    repair = "remove exit 0, or write || true behind the one command that may fail"
    yield Finding(Location(source, last.span), message, repair, severity=Severity.INFO, is_strict=True)


def _is_call(node: Node) -> TypeGuard[Command]:
    """Whether it starts a program, rather than setting variables alone."""
    return isinstance(node, Command) and bool(node.words)


def _last(node: Node) -> Node:
    while isinstance(node, Chain):
        node = node.parts[-1]
    return node


def _short(path: str) -> str:
    return path.rpartition("/")[2]


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST + 1].rpartition(' ')[0] or text[:_LONGEST]} ..."
