"""Globs as .gitignore has them, for the paths in the configuration."""

from __future__ import annotations

import re
from functools import cache

from mllint.patterns import regex

_TOKENS = regex(
    r"(?P<folders>(?:^|(?<=/))\*\*(?:/|$))|(?P<name>(?:^|(?<=/))\*(?=/|$))|\*+|\[[!^]?\]?[^]]*\]|\\.|.", re.DOTALL
)


def ancestry(path: str) -> list[str]:
    """The folders a path lies in, outermost first and each with a slash at its end, and the path itself."""
    parts = path.strip("/").split("/")
    return [*("/".join(parts[:depth]) + "/" for depth in range(1, len(parts))), path]


def glob_covers(glob: str, path: str) -> bool:
    """Whether a glob matches a path or a folder it lies in."""
    return any(glob_matches(glob, place) for place in ancestry(path))


def glob_matches(glob: str, path: str) -> bool:
    """Whether a glob matches just this path, which has forward slashes and, if it is a folder, one at its end.

    A glob with no slash but at its end matches at any depth, one with a slash from the folder it belongs to; with a
    slash at its end it matches folders only. A glob that means nothing (empty, `[z-a]`) matches nothing.
    """
    return _pattern(glob).match(path) is not None


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    prefix = "" if "/" in glob.rstrip("/") else "(?:.*/)?"
    body = "".join(_translated(token) for token in _TOKENS.finditer(glob.strip("/")))
    suffix = "/" if glob.endswith("/") else "/?"
    try:
        return re.compile(f"(?s:{prefix}{body}{suffix})\\Z" if body else "(?!)")
    except re.error:
        return re.compile("(?!)")


def _translated(token: re.Match[str]) -> str:
    text = token[0]
    if token["folders"]:
        return "(?:.*/)?" if text.endswith("/") else ".+"
    if token["name"]:
        return "[^/]+"
    if text[0] == "*":
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if len(text) > 1 and text[0] == "[":
        negated = text[1] in "!^"
        return f"(?!/)[{'^' if negated else ''}{_escaped(text[2 if negated else 1 : -1])}]"
    return re.escape(text[-1])


def _escaped(members: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
