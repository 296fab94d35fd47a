"""Text in Markdown that forges render."""

from __future__ import annotations

from mllint.patterns import regex

_MARKDOWN = regex(r"[\\`*_~\[\]|$]")


def escaped(text: str) -> str:
    """One line of text that Markdown and HTML leave alone, also in a cell of a table."""
    plain = _MARKDOWN.sub(lambda match: f"\\{match[0]}", text)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
