"""Globs as .gitignore has them, for the paths in the configuration."""

from __future__ import annotations

import re
from functools import cache

_TOKENS = re.compile(
    r"(?P<folders>(?:^|(?<=/))\*\*(?:/|$))|(?P<name>(?:^|(?<=/))\*(?=/|$))|\*+|\[[!^]?\]?[^]]*\]|\\.|.", re.DOTALL
)


def glob_matches(glob: str, path: str) -> bool:
    """Whether a path with forward slashes (a folder's ending in one) matches a glob or lies in a folder that does.

    A glob with no slash but at its end matches at any depth, one with a slash from the folder it belongs to; with a
    slash at its end it matches folders only. A glob that means nothing (empty, `[z-a]`) matches nothing.
    """
    return _pattern(glob).match(path) is not None


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    prefix = "" if "/" in glob.rstrip("/") else "(?:.*/)?"
    body = "".join(_translated(token) for token in _TOKENS.finditer(glob.strip("/")))
    suffix = "/.*" if glob.endswith("/") else "(?:/.*)?"
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
