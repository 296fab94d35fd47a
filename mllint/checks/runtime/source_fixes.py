"""Where Python source writes what a repair changes."""

import ast

from mllint.sources.python import Call
from mllint.sources.text import Source, Span


def keyword(source: Source, call: Call, name: str, value: object) -> Span | None:
    """The place of the literal that a call gives a keyword; None where it stands elsewhere under a name."""
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Call) and node.lineno == call.line:
            for each in node.keywords:
                given = each.value
                if each.arg == name and isinstance(given, ast.Constant) and given.value == value:
                    return _span(source, given)
    return None


def _span(source: Source, node: ast.Constant) -> Span | None:
    """The span of a literal on one line; the columns of ast count bytes."""
    if node.end_lineno != node.lineno or node.lineno > len(source.line_starts) or node.end_col_offset is None:
        return None
    line = source.line_span(node.lineno)
    data = source.slice(line).encode()
    start = line.start + len(data[: node.col_offset].decode())
    end = line.start + len(data[: node.end_col_offset].decode())
    # Python also ends lines at a lone carriage return and at a form feed.
    return Span(start, end) if source.text[start:end] == ast.get_source_segment(source.text, node) else None
