"""`.dockerignore` files: which paths stay out of the build context.

Lines are read as BuildKit's frontend reads them, and matched as moby/patternmatcher 0.6 does while BuildKit walks the
context on a machine with forward slashes. That is not gitignore: every pattern is anchored at the root of the context,
`data/` is `data`, and a `!` pattern brings paths back from below an excluded folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from operator import methodcaller
from posixpath import normpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.text import Problem, Source, Span

if TYPE_CHECKING:
    from collections.abc import Callable

_BLANKS = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000"
)
"""What Go's `strings.TrimSpace` takes off; `str.strip` takes four control characters more."""


class Pattern(NamedTuple):
    """One line of the file."""

    text: str
    """As written, without the blanks around it."""
    cleaned: str
    """The path that is matched: without `!` and leading slash, `.` and `..` resolved."""
    negated: bool
    span: Span
    line: int


class _Verdict(NamedTuple):
    """What the patterns say of a path: enough to judge its children without trying its parents again."""

    matched: int
    """Bit n is set when pattern n matched the path or a parent of it."""
    decided: int
    """The index of the pattern that decides, -1 where none matches."""


_UNMATCHED = _Verdict(0, -1)


@dataclass(frozen=True, eq=False)
class IgnoreFile:
    """The patterns of one file, and what they say of paths.

    Paths are relative to the root of the context, with forward slashes. An excluded folder is in the context all the
    same, as the parent it is, when something below it is not excluded.
    """

    patterns: tuple[Pattern, ...]
    problems: tuple[Problem, ...]
    """With any of these the build fails; their patterns are not among `patterns`."""

    def match(self, path: str) -> Pattern | None:
        """The pattern that decides on a path, itself or through one of its parents; None where no pattern speaks."""
        decided = self._verdict(path).decided
        return self.patterns[decided] if decided >= 0 else None

    def excludes(self, path: str) -> bool:
        """Whether a path is left out of the context."""
        pattern = self.match(path)
        return pattern is not None and not pattern.negated

    def prunes(self, directory: str) -> bool:
        """Whether a folder is left out with everything that could be below it, so that nobody need look inside."""
        decided = self._verdict(directory).decided
        if decided < 0 or self.patterns[decided].negated:
            return False
        later = self.patterns[decided + 1 :]
        return not any(pattern.negated and _reaches_below(pattern.cleaned, directory) for pattern in later)

    @cached_property
    def _tests(self) -> tuple[Callable[[str], object], ...]:
        return tuple(_matcher(pattern.cleaned) for pattern in self.patterns)

    @cached_property
    def _folders(self) -> dict[str, _Verdict]:
        return {"": _UNMATCHED}

    def _verdict(self, path: str) -> _Verdict:
        folder = path.rpartition("/")[0]
        parent = self._folders.get(folder)
        if parent is None:
            parent = _UNMATCHED
            for upper in accumulate(folder.split("/"), "{}/{}".format):
                parent = self._folders[upper] = self._folders.get(upper) or self._child(parent, upper)
        return self._child(parent, path)

    def _child(self, parent: _Verdict, path: str) -> _Verdict:
        hits = [at for at, test in enumerate(self._tests) if test(path)]
        if not hits:
            return parent
        matched, decided, excluded = 0, -1, False
        for at, pattern in enumerate(self.patterns):
            # A pattern that would change nothing is not tried, and then not remembered for the children either.
            if parent.matched >> at & 1 or (pattern.negated == excluded and at in hits):
                matched |= 1 << at
                decided, excluded = at, not pattern.negated
        return _Verdict(matched, decided)


def parse(source: Source) -> IgnoreFile:
    """Reads a file: blank lines and those with `#` in the first column say nothing, every other line is a pattern."""
    patterns: list[Pattern] = []
    problems: list[Problem] = []
    for line in range(1, len(source.line_starts) + 1):
        span = source.line_span(line)
        text = source.slice(span)
        written = text.strip(_BLANKS)
        whole = _clean(written)
        if not whole or text.startswith("#"):
            continue
        start = span.start + text.index(written)
        span = Span(start, start + len(written))
        cleaned = whole.removeprefix("!")
        fault = _fault(cleaned)
        if fault:
            problems.append(Problem(span, f"the pattern {written} {fault}"))
        else:
            patterns.append(Pattern(written, cleaned, whole.startswith("!"), span, line))
    return IgnoreFile(tuple(patterns), tuple(problems))


def _clean(written: str) -> str:
    """A trimmed line as it is matched, `!` included. BuildKit cleans twice, the first time with `!` set aside, so
    that `./!a` and `/!a` are negated too."""
    mark = "!" if written.startswith("!") else ""
    path = written.removeprefix("!").strip(_BLANKS)
    if path:
        path = _clean_path(path)
        path = path.removeprefix("/") or path
    whole = f"{mark}{path}".strip(_BLANKS)
    return _clean_path(whole) if whole else ""


def _clean_path(path: str) -> str:
    """Go's `filepath.Clean`, which differs from `normpath` in two slashes at the start."""
    cleaned = normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


_LISTED = r"(?:\\.|[^]\\-])"
_FIRST_CHUNK = regex(rf"\**+(?:\\.|\[\^?+(?:{_LISTED}(?:-{_LISTED})?+)++\]|[^[\\*])*+", re.DOTALL)
"""The pattern up to a star inside it, as far as it is well-formed."""


def _fault(cleaned: str) -> str | None:
    """Why BuildKit refuses a pattern: when it reads it, as Go's `filepath.Match` finds the first chunk ill-formed, or
    when it first tries it, as Go's `regexp` does not compile."""
    if not cleaned:
        return "names no path: the build fails"
    stop = _FIRST_CHUNK.sub("", cleaned, count=1)
    if stop.startswith("["):
        return "has a [ that begins no valid character class: the build fails"
    if stop.startswith("\\"):
        return "ends in a backslash: the build fails"
    if "[" in cleaned or "\\" in cleaned:
        try:
            _matcher(cleaned)
        except re.error as error:
            return f"is not valid ({error.msg}): the build fails as soon as it is tried on a path"
    return None


_SPECIAL = regex(r"[*?\[\]\\]")


@lru_cache(maxsize=2048)
def _matcher(cleaned: str) -> Callable[[str], object]:
    """The test of a pattern on one path, its parents aside. Raises `re.error` where Go's regexp does not compile."""
    if not _SPECIAL.search(cleaned):
        return cleaned.__eq__
    if cleaned.endswith("**") and not _SPECIAL.search(cleaned, 0, len(cleaned) - 2):
        return methodcaller("startswith", cleaned[:-2])
    if cleaned.startswith("**") and not _SPECIAL.search(cleaned, 2):
        suffix = cleaned[2:]
        return lambda path: path.endswith(suffix) or f"/{path}" == suffix
    expression = "".join(_piece(token) for token in _TOKEN.finditer(cleaned))
    return re.compile(expression + r"\Z", re.ASCII).match


_TOKEN = regex(
    r"(?P<folders>(?:\*\*/?)+)"
    r"|\*(?P<between>[^*[\]\\|^]+)(?=\*(?!\*))"
    r"|(?P<class>\[\^?+(?:\\.|[^\\])(?:\\.|[^]\\])*+\])"
    # Unicode classes, quotes and characters by number, which `re` writes otherwise or not at all.
    r"|(?P<foreign>\\(?:Q.*|[pP](?:[CLMNPSZ]|\{\^?\w+\})|x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})|0|[1-7][0-7])|\\\Z)"
    r"|\\.|.",
    re.DOTALL | re.ASCII,
)
_MARKS = {"*": "[^/]*", "?": "[^/]", "^": "^", "|": "|(?s:.*)"}
"""moby escapes neither `^` nor, by a slip, `|` (its table has no bit for it): they keep what they mean in Go's regexp,
where each side of `|` is anchored at one end only."""


def _piece(token: re.Match[str]) -> str:
    """The regular expression for one token of a pattern. Only `*` and `?` in a character class, which moby garbles,
    stand for themselves here."""
    text = token[0]
    if token["folders"]:
        return ".*" if token.end() == len(token.string) else "(?:.*/)?"
    if token["between"]:
        # What stands between two stars may stay where it is found first: other places would only take longer.
        return f"(?>[^/]*?{''.join(_MARKS.get(char) or re.escape(char) for char in token['between'])})"
    if token["class"]:
        negation = "^" if text.startswith("[^") else ""
        return f"[{negation}{_MEMBER.sub(_member, text[1 + len(negation) : -1])}]"
    if token["foreign"]:
        return "(?!)"
    if text == "[":
        raise re.error("a [ is never closed")
    return _MARKS.get(text) or _escape(text)


_MEMBER = regex(r"(?P<low>\\.|.)(?:-(?P<high>\\.|.))?", re.DOTALL)


def _member(member: re.Match[str]) -> str:
    """The same for a character or range in a character class."""
    low, high = _escape(member["low"]), member["high"]
    return f"{low}-{_escape(high)}" if high else low


def _escape(text: str) -> str:
    """A plain character, or a backslash with its character, which Go's regexp reads as an escape of its own."""
    char = text[-1]
    if len(text) == 1 or (char.isascii() and not char.isalnum()):
        return re.escape(char)
    if char in "aftnrvdDsSwWAbB":
        return text
    if char == "z":
        return r"\Z"
    raise re.error(f"{text} is no escape; folders are separated by /")


_WITHIN_FOLDER = regex(r"(?!.*\*\*)[^\[\]\\^|]*", re.DOTALL)
"""A part of a pattern that matches one name, never a slash."""


def _reaches_below(cleaned: str, directory: str) -> bool:
    """Whether a pattern could match a path below a folder."""
    parts = cleaned.split("/")
    names = directory.split("/")
    for part, name in zip(parts, names, strict=False):
        if not _WITHIN_FOLDER.fullmatch(part):
            return True
        if not _matcher(part)(name):
            return False
    return len(parts) > len(names)
