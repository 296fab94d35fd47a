"""`.gitignore` files: which files git leaves out, by its own rules (gitignore(5) and git's dir.c and wildmatch.c).

A path's bytes are matched, as git does: `?` takes one byte of a character's UTF-8, and classes know ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.text import Source, Span

if TYPE_CHECKING:
    from collections.abc import Callable


class Pattern(NamedTuple):
    """One line of the file."""

    text: str
    """As written, without the trailing blanks that say nothing."""
    glob: str
    """What is matched: without `!`, trailing slash and leading slash."""
    negated: bool
    folders_only: bool
    anchored: bool
    """Matched against the path from the file's folder, not against the name alone."""
    span: Span
    line: int


@dataclass(frozen=True, eq=False)
class GitIgnore:
    """The patterns of one file. Paths are relative to the folder it lies in, with forward slashes; a link to a folder
    is no folder."""

    patterns: tuple[Pattern, ...]

    def match(self, path: str, is_dir: bool) -> Pattern | None:
        """The pattern that decides on a path, by this file alone: of the first parent that it ignores, else of the
        path itself. The path is ignored unless that pattern is negated."""
        end = path.find("/")
        while end >= 0:
            pattern = self.own(path[:end], is_dir=True)
            if pattern is not None and not pattern.negated:
                return pattern
            end = path.find("/", end + 1)
        return self.own(path, is_dir)

    def own(self, path: str, is_dir: bool) -> Pattern | None:
        """The last pattern that matches the path, whatever befalls its parents."""
        path = _octets(path)
        name = path[path.rfind("/") + 1 :]
        for pattern, test in self._tests:
            if (is_dir or not pattern.folders_only) and test(path if pattern.anchored else name):
                return pattern
        return None

    @cached_property
    def _tests(self) -> tuple[tuple[Pattern, Callable[[str], object]], ...]:
        return tuple((pattern, _matcher(pattern.glob)) for pattern in reversed(self.patterns))


class Ignored(NamedTuple):
    """What the files from the root of a repository down to one folder say of that folder's entries."""

    folder: str = ""
    """The path from the root; empty for the root itself."""
    files: tuple[tuple[int, GitIgnore], ...] = ()
    """Innermost first, each with the length of the path prefix that leads to it."""
    pattern: Pattern | None = None
    """The pattern that ignores the folder and so all of it."""

    @classmethod
    def root(cls, file: GitIgnore | None) -> Ignored:
        """The root of the repository, with the file in it."""
        return cls(files=((0, file),) if file else ())

    def enter(self, name: str, file: GitIgnore | None) -> Ignored:
        """The folder `name` in this one, with the file in it; git does not read the file of an ignored folder."""
        folder = self._path(name)
        pattern = self.match(name, is_dir=True)
        if pattern is not None and not pattern.negated:
            return Ignored(folder, (), pattern)
        return Ignored(folder, ((len(folder) + 1, file), *self.files) if file else self.files)

    def match(self, name: str, is_dir: bool) -> Pattern | None:
        """The pattern that decides on an entry of this folder; it is ignored unless that pattern is negated."""
        if self.pattern is not None:
            return self.pattern
        path = self._path(name)
        for prefix, file in self.files:
            pattern = file.own(path[prefix:], is_dir)
            if pattern is not None:
                return pattern
        return None

    def ignores(self, name: str, is_dir: bool) -> bool:
        """Whether git ignores an entry of this folder."""
        pattern = self.match(name, is_dir)
        return pattern is not None and not pattern.negated

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


def parse(source: Source) -> GitIgnore:
    """Reads a file. To git no line is an error: one that is no valid pattern matches nothing."""
    patterns = []
    for line in range(1, len(source.line_starts) + 1):
        span = source.line_span(line)
        # git holds lines as C strings, which end at a NUL.
        text = source.slice(span).partition("\0")[0]
        text = text[: _kept(text)]
        body = text.removeprefix("!").removesuffix("/")
        glob = body.removeprefix("/")
        if glob and not text.startswith("#"):
            folders_only = text.endswith("/")
            span = Span(span.start, span.start + len(text))
            patterns.append(Pattern(text, glob, text.startswith("!"), folders_only, "/" in body, span, line))
    return GitIgnore(tuple(patterns))


def _kept(text: str) -> int:
    """The length of a line without its trailing blanks, of which one behind a backslash stays."""
    end = len(text.rstrip(" "))
    backslashes = end - len(text[:end].rstrip("\\"))
    return end + 1 if backslashes % 2 and end < len(text) else end


def _octets(text: str) -> str:
    """The UTF-8 bytes of a text, as one character each."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


_WILD = regex(r"[*?\[\\]")


@lru_cache(maxsize=2048)
def _matcher(glob: str) -> Callable[[str], object]:
    """The test of a glob on a path or name, given as octets."""
    glob = _octets(glob)
    wild = _WILD.search(glob)
    if wild is None:
        return glob.__eq__
    # git compares the text before the first wildcard apart: stars behind it count as those at the start of a glob.
    literal, rest = glob[: wild.start()], glob[wild.start() :]
    return re.compile(re.escape(literal) + _expression(rest) + r"\Z", re.DOTALL).match


_TOKEN = regex(
    r"(?P<folders>(?:(?<![^/])\*\*+/)+)"
    r"|(?P<all>(?<![^/])\*\*+(?=\\/|\Z))"
    r"|\*+(?P<between>[^*[\\]+)(?=\*)"
    r"|(?P<star>\*+)"
    r"|\\(?P<escaped>.)"
    r"|(?P<plain>[^[\\])",
    re.DOTALL,
)


def _expression(glob: str) -> str:
    """A glob as git's wildmatch reads it, as a regular expression."""
    pieces: list[str] = []
    at = 0
    while at < len(glob):
        token = _TOKEN.match(glob, at)
        bracket = None if token else _bracket(glob, at)
        if token:
            pieces.append(_piece(token))
            at = token.end()
        elif bracket:
            pieces.append(bracket[0])
            at = bracket[1]
        else:
            return "(?!)"
    return "".join(pieces)


def _piece(token: re.Match[str]) -> str:
    if token["folders"]:
        return "(?:.*/)?"
    if token["all"]:
        return ".*"
    if token["between"]:
        # What stands between two stars may stay where it is found first: other places would only take longer.
        return f"(?>[^/]*?{''.join(_plain(char) for char in token['between'])})"
    if token["star"]:
        return "[^/]*"
    return re.escape(token["escaped"]) if token["escaped"] else _plain(token["plain"])


def _plain(char: str) -> str:
    return "[^/]" if char == "?" else re.escape(char)


_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "cntrl": "\0-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": " \t\r\n",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_MEMBER = regex(r"\[:(?P<name>[^]]*):\]|(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^]\\]))?", re.DOTALL)


def _bracket(glob: str, at: int) -> tuple[str, int] | None:
    """The expression for the bracket at an offset, which never matches a slash, and where it ends; None where it does
    not end or names an unknown class, so that the glob matches nothing."""
    at += 1
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    first = at
    while at == first or glob[at : at + 1] != "]":
        member = _MEMBER.match(glob, at)
        if member is None or member["name"] not in (None, *_CLASSES):
            return None
        at = member.end()
        members.append(_members(member))
    accepted = "".join(members)
    return f"[^/{accepted}]" if negated else f"(?!/)[{accepted}]", at + 1


def _members(member: re.Match[str]) -> str:
    """The members of a class that a character, a range or a name adds; of a range from high to low the first is one."""
    if member["name"]:
        return _CLASSES[member["name"]]
    low = member["low"][-1]
    high = (member["high"] or low)[-1]
    return f"{re.escape(low)}-{re.escape(high)}" if low <= high else re.escape(low)
