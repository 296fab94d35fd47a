"""What a health check asks for by HTTP, told from its Python or from its words for curl and wget, and how the standard
library of Python asks for the same."""

import ast
from typing import NamedTuple

from mllint.image.shell.commands import Executed
from mllint.patterns import regex

_CLIENTS = ("requests", "httpx")
_NODES = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.Expr, ast.Assign, ast.Assert, ast.If, ast.IfExp),
    *(ast.Call, ast.keyword, ast.Attribute, ast.Name, ast.Load, ast.Store, ast.Constant, ast.JoinedStr),
    *(ast.FormattedValue, ast.Subscript, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not),
)
_OUTCOMES = frozenset({"raise_for_status", "status_code", "ok", "is_success", "is_error"})
_ATTRIBUTES = _OUTCOMES | {"get", "exit", "environ", "getenv"}
_NAMES = frozenset({"sys", "os", "exit", "quit", "bool", "int", "str"})
_NUMBERS = frozenset({0, 1, 200, 299, 300, 399, 400})

_URL = regex(r"(?:http://)?[A-Za-z0-9\[](?:[\w./:?=&%\[\]-]|\$\w+|\$\{\w+(?::-\w+)?\})*")
_SECONDS = regex(r"\d+(?:\.\d+)?")
# Options that leave open only whether an answer came, each with its value behind a line feed or without.
_OPTIONS = {
    "curl": regex(
        r"-(?!-)(?P<short>[fsSLv]*)(?:o\n?(?:/dev/null|-)|m\n?(?P<seconds>[\d.]+))?"
        r"|--(?P<long>fail|fail-with-body)|--(?:silent|show-error|location|no-progress-meter|verbose)"
        r"|--output\n(?:/dev/null|-)|--max-time\n(?P<time>[\d.]+)|--connect-timeout\n[\d.]+"
    ),
    "wget": regex(
        r"-(?!-)(?:nv|[qS]*)(?:O\n?(?:/dev/null|-)|T\n?(?P<seconds>[\d.]+)|t\n?\d+)?"
        r"|--(?:quiet|spider|no-verbose|server-response)|--output-document[=\n](?:/dev/null|-)"
        r"|--timeout[=\n](?P<time>[\d.]+)|--tries[=\n]\d+"
    ),
}


class Asked(NamedTuple):
    """A URL that has to answer."""

    url: str
    """As a Python expression."""
    timeout: str | None
    is_strict: bool
    """Whether an answer that is an error fails the check, as it does with the standard library."""
    needs_os: bool = False


def code(asked: Asked) -> str:
    """The Python that asks: it ends with an exception where there is no answer, or the answer is an error."""
    modules = "os, urllib.request" if asked.needs_os else "urllib.request"
    timeout = f", timeout={asked.timeout}" if asked.timeout else ""
    return f"import {modules}; urllib.request.urlopen({asked.url}{timeout})"


def by_python(text: str) -> Asked | None:
    """What the code behind -c asks for with requests or httpx; None for anything it does besides."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes = list(ast.walk(tree))
    bound = _bound(nodes)
    calls = _calls(nodes, bound)
    if len(calls) != 1 or len(calls[0].args) != 1 or any(each.arg != "timeout" for each in calls[0].keywords):
        return None
    url = calls[0].args[0]
    given = {id(node) for value in (url, *(each.value for each in calls[0].keywords)) for node in ast.walk(value)}
    if not _starts_with_http(url) or not all(_is_plain(node, bound, id(node) in given) for node in nodes):
        return None
    timeout = ast.unparse(calls[0].keywords[0].value) if calls[0].keywords else None
    written = ast.get_source_segment(text, url)
    if written is None or (timeout is not None and not _SECONDS.fullmatch(timeout)):
        return None
    used = {node.id for node in ast.walk(url) if isinstance(node, ast.Name)}
    is_strict = any(isinstance(node, ast.Attribute) and node.attr in _OUTCOMES for node in nodes)
    return Asked(written, timeout, is_strict, "os" in used) if used <= {"os"} else None


def _calls(nodes: list[ast.AST], bound: dict[str, str]) -> list[ast.Call]:
    """The calls that ask."""
    return [node for node in nodes if isinstance(node, ast.Call) and bound.get(_dotted(node.func)) == "get"]


def end_of_call(text: str) -> int | None:
    """Where the one call that asks ends in code of one line that `by_python` understands."""
    nodes = list(ast.walk(ast.parse(text)))
    calls = _calls(nodes, _bound(nodes))
    return calls[0].end_col_offset if text.isascii() and "\n" not in text else None


def _bound(nodes: list[ast.AST]) -> dict[str, str]:
    """The names that the code binds: those that stand for a call of `get`, for a client, and for an answer."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in _CLIENTS:
                    name = alias.asname or alias.name
                    found |= {name: "client", f"{name}.get": "get"}
        elif isinstance(node, ast.ImportFrom) and node.module in _CLIENTS:
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = "answer"
    return found


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _starts_with_http(url: ast.expr) -> bool:
    first = url.values[0] if isinstance(url, ast.JoinedStr) and url.values else url
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith("http://")


def _is_plain(node: ast.AST, bound: dict[str, str], is_given: bool) -> bool:
    """Whether it belongs to what is understood: a request, and an exit that follows from the answer."""
    match node:
        case ast.Import():
            return all(alias.name in (*_CLIENTS, "sys", "os") for alias in node.names)
        case ast.ImportFrom():
            return node.module in _CLIENTS and all(alias.name == "get" for alias in node.names)
        case ast.Attribute():
            return node.attr in _ATTRIBUTES
        case ast.Name():
            return node.id in _NAMES or node.id in bound
        case ast.Constant() if not is_given:
            return node.value in _NUMBERS
    return isinstance(node, _NODES)


def by_tool(executed: Executed) -> Asked | None:
    """What curl or wget is asked to fetch; None where an option means more than that."""
    options = _OPTIONS.get(executed.name)
    texts = [unquoted(word.text) for word in executed.words[1:]]
    if options is None or any("\n" in text for text in texts):
        return None
    urls, timeout, is_strict = [], None, executed.name == "wget"
    line = "\n".join(texts)
    while line:
        match = options.match(line)
        if match is None or not match.group() or line[match.end() : match.end() + 1] not in ("", "\n"):
            url, _, line = line.partition("\n")
            urls.append(url)
            continue
        found = match.groupdict()
        timeout = found["seconds"] or found["time"] or timeout
        is_strict = is_strict or "f" in (found.get("short") or "") or bool(found.get("long"))
        line = line[match.end() + 1 :]
    if len(urls) != 1 or not _URL.fullmatch(urls[0]) or not (timeout is None or _SECONDS.fullmatch(timeout)):
        return None
    url = urls[0] if urls[0].startswith("http://") else f"http://{urls[0]}"
    return Asked(f"'{url}'", timeout, is_strict)


def unquoted(text: str) -> str:
    """A word without the quotes around it; one in single quotes that a shell would else expand is left as it is."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and not (text[0] == "'" and "$" in text):
        return text[1:-1]
    return text
