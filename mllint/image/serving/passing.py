"""Health checks that pass whatever the server does, because of how they end."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.service import PYTHON, interpreted
from mllint.sources.shell_tree import Branches, Chain, Command, Group, Pipeline
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.image.serving.probes import Probe
    from mllint.image.shell.commands import Executed
    from mllint.sources.shell_tree import Node

# Programs, and what a shell does itself, that ask nobody and cannot fail.
_ALWAYS = frozenset({"true", ":", "echo", "printf", "date", "pwd", "whoami", "hostname", "uptime", "sleep"})
# At the end of a pipe they succeed once what they read has ended.
_DRAINS = _ALWAYS | {"cat", "tee"}
_LEAVES = frozenset({"exit", "return", "exec", "set", "trap"})
_BROAD = frozenset({"Exception", "BaseException"})
_EXITS = frozenset({"exit", "quit", "sys.exit", "os._exit"})


class Passing(NamedTuple):
    """Why a health check always passes."""

    end: str
    """What makes it so, as written."""
    span: Span | None = None
    """The command behind `||` that does, where it is all that does; None else."""


def why(probe: Probe, shell: tuple[str, ...]) -> Passing | None:
    """Why a health check cannot fail; None where it can, or nobody knows. `shell` is the one of the image."""
    if probe.text is None:
        each = probe.uses[0].executed if len(probe.uses) == 1 else None
        is_inert = each is not None and (each.name in _ALWAYS - {":"} or _is_inert_python(each))
        return Passing(" ".join(word.value for word in each.words)) if each is not None and is_inert else None
    script = probe.script
    if script is None or not script.body or "pipefail" in " ".join(shell) + probe.text.text:
        return None
    if not _always_all(script.body):
        return None
    last = script.body[-1]
    if len(script.body) == 1 and isinstance(last, Chain) and last.operators[-1:] == ("||",) and len(last.parts) == 2:
        span = Span(last.parts[1].span.start, last.parts[1].span.end)
        return Passing(f"|| {_words(last.parts[1])}", span)
    return Passing(_words(last.parts[-1] if isinstance(last, Chain | Pipeline) else last))


def _words(node: Node) -> str:
    return " ".join(word.value for word in node.words) if isinstance(node, Command) else "what is 0 either way"


def _always_all(body: Sequence[Node]) -> bool:
    """Whether commands one behind the other end with 0: the last one decides, unless one in front leaves."""
    *front, last = body
    return not any(_may_leave(node) for node in front) and _always(last)


def _may_leave(node: Node) -> bool:
    match node:
        case Command():
            return node.name in _LEAVES
        case Chain() | Pipeline():
            return any(_may_leave(part) for part in node.parts)
        case Group():
            return any(_may_leave(part) for part in node.body)
    return not isinstance(node, Command)


def _always(node: Node) -> bool:
    match node:
        case Command():
            return not node.is_negated and (node.name in _ALWAYS or _exits_well(node))
        case Pipeline():
            last = node.parts[-1]
            return isinstance(last, Command) and not last.is_negated and last.name in _DRAINS
        case Chain():
            return _always_chain(node)
        case Group():
            return _always_all(node.body)
        case Branches():
            # Without an else it ends with 0 where no test holds.
            return bool(node.bodies) and all(body and _always_all(body) for body in node.bodies)
    return False


def _always_chain(node: Chain) -> bool:
    if any(_may_leave(part) and not _always(part) for part in node.parts):
        return False
    found = _always(node.parts[0])
    for operator, part in zip(node.operators, node.parts[1:], strict=True):
        found = (found or _always(part)) if operator == "||" else (found and _always(part))
    return found


def _exits_well(node: Command) -> bool:
    return node.name == "exit" and [word.value for word in node.words[1:]] == ["0"]


def _is_inert_python(each: Executed) -> bool:
    """Whether a `python` command does nothing that can fail."""
    if not PYTHON.fullmatch(each.name) or interpreted(each)[0]:
        return False
    if each.arguments[:1] in (("--version",), ("-V",)):
        return True
    at = each.arguments.index("-c") + 1 if "-c" in each.arguments else len(each.arguments)
    try:
        tree = ast.parse(each.arguments[at]) if at < len(each.arguments) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return tree is not None and all(_is_inert(node) for node in tree.body)


def _is_inert(node: ast.stmt) -> bool:
    match node:
        case ast.Import():
            return all(alias.name in ("sys", "os", "time") for alias in node.names)
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Call(func=func, args=arguments, keywords=[])):
            values = [each.value for each in arguments if isinstance(each, ast.Constant)]
            name = ast.unparse(func)
            is_plain = len(values) == len(arguments)
            return is_plain and (name == "print" or (name in _EXITS and values in ([], [0], [None])))
        case ast.Try(handlers=handlers, finalbody=[]):
            caught = handlers[-1].type
            is_broad = caught is None or ast.unparse(caught) in _BROAD
            # SystemExit, by which a body says that it failed, is no Exception.
            leaves = any(ast.unparse(each.func) in _EXITS for each in ast.walk(node) if isinstance(each, ast.Call))
            inner = [each for handler in handlers for each in handler.body]
            return is_broad and not leaves and all(_is_inert(each) for each in (*inner, *node.orelse))
    return False
