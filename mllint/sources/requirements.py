"""Requirements files as pip reads them: what each line asks for, and where it says so.

Follows `pip/_internal/req/req_file.py` and `constructors.py` of pip 23 to 26. Where these differ, an option is known if
any of them knows it, and versions and names are judged by the newest (no legacy versions, which pip 24.1 gave up).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.pip_options import PER_REQUIREMENT, Complaint, Option, Text, split_options
from mllint.sources.requirement_parts import COMMON, Parts, Range, editable_parts, parts_of, wheel_version
from mllint.sources.text import Logical, Source, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Empty(NamedTuple):
    """Nothing for pip: a comment alone, or continuation marks alone."""

    span: Span
    """From the first to the last visible character of the joined line, the comment included."""
    comment: Text | None
    variables: tuple[Text, ...]
    """Parts known only when pip runs: its `${NAME}` references, or what the caller said is unknown."""
    ignored: tuple[Option | Text, ...]
    """Options and words which pip accepts on such a line, and then leaves without any effect."""


class Invalid(NamedTuple):
    """A line pip stops at, with what it complains of and the part it complains about."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    message: str
    at: Span


class Options(NamedTuple):
    """A line of global options; pip lets several stand on one line."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    options: tuple[Option, ...]


class Include(NamedTuple):
    """`-r`: another requirements file, by a path relative to this one or a URL."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    path: str
    path_span: Span


class Constraint(NamedTuple):
    """`-c`: a constraints file, by a path relative to this one or a URL."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    path: str
    path_span: Span


class Editable(NamedTuple):
    """`-e`: a project as its source tree, from a local path or a version control URL."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    url: str
    """The path or URL, without the extras of a path."""
    url_span: Span
    """The whole value of the option."""
    name: str | None
    extras: tuple[str, ...]
    options: tuple[Option, ...]
    """`--config-settings` for its build."""

    @property
    def key(self) -> str | None:
        """The name normalised by PEP 503, None where the line does not tell it."""
        return normalised(self.name) if self.name else None


_CLAUSE = regex(r"(?:^|,)\s*(===|[=!<>~]=|[<>])\s*([^,\s]+)")
_CONTENT_PIN = regex(r"[#&](?:sha[0-9]{1,3}|md5)=[0-9a-f]|[@/](?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-z])")


class Requirement(NamedTuple):
    """A distribution to install: by name, or by `url`, which may also be a local path."""

    span: Span
    comment: Text | None
    variables: tuple[Text, ...]
    ignored: tuple[Option | Text, ...]
    text: str
    """The requirement as written, without options and comment."""
    options: tuple[Option, ...]
    """`--hash`, `--config-settings` and `--global-option`, which hold for this requirement."""
    name: str | None
    """As written, in the line or in a wheel's file name; None where it is not known before the build."""
    name_span: Span | None
    extras: tuple[str, ...]
    specifier: str
    specifier_span: Span | None
    marker: str | None
    marker_span: Span | None
    url: str | None
    url_span: Span | None

    @property
    def key(self) -> str | None:
        """The name normalised by PEP 503."""
        return normalised(self.name) if self.name else None

    @property
    def hashes(self) -> tuple[str, ...]:
        """The values of `--hash`, as `sha256:…`."""
        return tuple(option.value for option in self.options if option.name == "--hash" and option.value)

    @property
    def clauses(self) -> tuple[tuple[str, str], ...]:
        """Operator and version of each clause of the specifier."""
        return tuple((clause[1], clause[2]) for clause in _CLAUSE.finditer(self.specifier))

    @property
    def exact_version(self) -> str | None:
        """The one version this admits, as written: of `==` without wildcard, `===` or a wheel's file name. None where a
        variable holds it."""
        if _holds_variable(self.specifier_span or self.url_span, self.variables):
            return None
        if self.url is not None:
            return wheel_version(self.url)
        return next((version for operator, version in self.clauses if _is_exact(operator, version)), None)

    @property
    def pinned(self) -> bool:
        """Whether it always gives the same code: an exact version, or a direct reference with hash or full commit."""
        if self.url is not None:
            return bool(self.hashes) or _CONTENT_PIN.search(self.url) is not None
        return any(_is_exact(operator, version) for operator, version in self.clauses)

    @property
    def has_upper_bound(self) -> bool:
        """Whether releases still to come are shut out."""
        if self.url is not None:
            return self.pinned or self.exact_version is not None
        return any(operator in ("<", "<=", "~=", "==", "===") for operator, _ in self.clauses)


Line = Empty | Invalid | Options | Include | Constraint | Editable | Requirement
"""A logical line, continuations joined. The first fields of all say the same: see `Empty`."""


class RequirementsFile(NamedTuple):
    """A parsed requirements or constraints file: each non-blank line of the source lies in the span of one line."""

    source: Source
    lines: tuple[Line, ...]


@lru_cache(maxsize=4096)
def normalised(name: str) -> str:
    """The name of a distribution normalised by PEP 503, as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_exact(operator: str, version: str) -> bool:
    return operator == "===" or (operator == "==" and not version.endswith(".*"))


def _holds_variable(spot: Span | None, variables: tuple[Text, ...]) -> bool:
    return spot is not None and any(each.span.start < spot.end and spot.start < each.span.end for each in variables)


_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_COMMENT = regex(r"(?:^|(?<=\s))#")
_VARIABLE = regex(r"\$\{[A-Z0-9_]+\}")
_OPTION_START = regex(r"(?:^|(?<= ))-")
_Frame = tuple[Span, Text | None, tuple[Text, ...], tuple[Option | Text, ...]]


def parse(source: Source) -> RequirementsFile:
    """Parse a requirements or constraints file; what pip would stop at becomes `Invalid`, and the rest is read on."""
    return RequirementsFile(source, tuple(_lines(source)))


def parse_requirement(logical: Logical, unknown: Sequence[Range] = ()) -> Requirement | Invalid:
    """Read one requirement as given to `pip install` as a word, quotes already taken away.

    `unknown` are ranges of the text known only at run time (shell variables), in order: nothing in them is judged.
    """
    start, end = _trimmed(logical.text)
    variables = tuple(Text(logical.text[a:b], logical.span(a, b)) for a, b in unknown)
    masked = _masked(logical.text, unknown)[start:end]
    body = logical.part(start, end)
    return _requirement(body, masked, (logical.span(start, end), None, variables, ()), ())


def _lines(source: Source) -> Iterator[Line]:
    """The logical lines, joined by pip's rules: a comment line ends a continuation and never begins one."""
    joined: list[tuple[str, int]] = []
    start = end = 0
    for physical in source.text.splitlines(keepends=True):
        at, end = end, end + len(physical)
        text = physical.rstrip(_LINE_ENDS)
        is_comment = text.lstrip().startswith("#")
        if text.endswith("\\") and not is_comment:
            start = start if joined else at
            joined.append((text.strip("\\"), at + len(text) - len(text.lstrip("\\"))))
        elif joined:
            # pip puts a space before the comment; here the line end stands for it.
            joined.append((" " + text, at - 1) if is_comment else (text, at))
            yield parse_line(_join(joined), _visible(source, start, end))
            joined = []
        elif is_comment:
            span = _visible(source, at, end)
            yield Empty(span, Text(source.slice(span), span), (), ())
        elif common := COMMON.fullmatch(source.text, at, at + len(text)):
            yield _common(source, common)
        elif text.strip():
            yield parse_line(Logical(text, (0,), (at,)), _visible(source, at, end))
    if joined:
        yield parse_line(_join(joined), _visible(source, start, end))


def _join(pieces: list[tuple[str, int]]) -> Logical:
    kept = [piece for piece in pieces if piece[0]] or pieces[:1]
    starts, length = [], 0
    for text, _ in kept:
        starts.append(length)
        length += len(text)
    return Logical("".join(text for text, _ in kept), tuple(starts), tuple(origin for _, origin in kept))


def _trimmed(text: str) -> Range:
    stripped = text.strip()
    start = len(text) - len(text.lstrip()) if stripped else 0
    return start, start + len(stripped)


def _visible(source: Source, start: int, end: int) -> Span:
    first, last = _trimmed(source.text[start:end])
    return Span(start + first, start + last)


def _common(source: Source, match: re.Match[str]) -> Requirement:
    """The requirement of an unbroken line that `COMMON` matches in the text of the source."""
    comment = None
    end = match.end("text")
    if (at := match.start("comment")) >= 0:
        comment = Text(match["comment"].rstrip(), Span(at, at + len(match["comment"].rstrip())))
        end = comment.span.end
    parts = Parts(*(match.span(field) for field in Parts._fields))
    frame = (Span(match.start("text"), end), comment, (), ())
    return _assemble(source.text, Span, parts, match["text"], frame, ())


def parse_line(logical: Logical, span: Span) -> Line:
    """Read any logical line, also one that stands in another file; `span` is what it covers there."""
    mark = _COMMENT.search(logical.text)
    content = logical.text[: mark.start()] if mark else logical.text
    comment = None
    if mark:
        shown = logical.text[mark.start() :].rstrip()
        comment = Text(shown, logical.span(mark.start(), mark.start() + len(shown)))
    first, last = _trimmed(content)
    if first == last:
        return Empty(span, comment, (), ())
    body = logical.part(first, last)
    variables = [match.span() for match in _VARIABLE.finditer(body.text)]
    known = tuple(Text(body.text[a:b], body.span(a, b)) for a, b in variables)
    dash = _OPTION_START.search(body.text)
    arguments_end = dash.start() if dash else len(body.text)
    try:
        options, stray = split_options(body, arguments_end)
    except Complaint as complaint:
        return Invalid(span, comment, known, (), complaint.message, body.span(complaint.start, complaint.end))
    if not arguments_end:
        return _option_line((span, comment, known, ()), options, stray)
    own = tuple(option for option in options if option.name in PER_REQUIREMENT)
    idle = [option for option in options if option.name not in PER_REQUIREMENT]
    arguments = body.part(0, arguments_end - 1 if dash else arguments_end)
    masked = _masked(body.text, variables)[: len(arguments.text)]
    return _requirement(arguments, masked, (span, comment, known, _ignored(idle, stray)), own)


def _masked(text: str, unknown: Sequence[Range]) -> str:
    """The text with unknown parts as zeros, which may stand in names, versions, paths and strings alike."""
    pieces, at = [], 0
    for start, end in unknown:
        pieces += [text[at:start], "0" * (end - start)]
        at = end
    return "".join(pieces) + text[at:]


def _option_line(frame: _Frame, options: list[Option], stray: list[Text]) -> Line:
    """A line without requirement: of `-e`, `-r` and `-c`, in this order, pip heeds the first alone."""
    span, comment, variables, _ = frame
    for name in ("--editable", "--requirement", "--constraint"):
        chosen = next((option for option in options if option.name == name), None)
        if chosen is None or chosen.value is None or chosen.value_span is None:
            continue
        others = [option for option in options if option is not chosen]
        if name == "--editable":
            own = tuple(option for option in others if option.name == "--config-settings")
            idle = [option for option in others if option.name != "--config-settings"]
            return _editable((span, comment, variables, _ignored(idle, stray)), chosen.value, chosen.value_span, own)
        kind = Include if name == "--requirement" else Constraint
        return kind(span, comment, variables, _ignored(others, stray), chosen.value, chosen.value_span)
    idle = [option for option in options if option.name in PER_REQUIREMENT]
    heeded = tuple(option for option in options if option.name not in PER_REQUIREMENT)
    return Options(span, comment, variables, _ignored(idle, stray), heeded)


def _ignored(options: list[Option], stray: list[Text]) -> tuple[Option | Text, ...]:
    return tuple(sorted([*options, *stray], key=lambda each: each.span.start))


def _editable(frame: _Frame, value: str, spot: Span, options: tuple[Option, ...]) -> Editable | Invalid:
    variables = [match.span() for match in _VARIABLE.finditer(value)]
    masked = _masked(value, variables)
    try:
        parts = editable_parts(masked)
    except Complaint as complaint:
        if not variables:
            return Invalid(*frame, complaint.message, spot)
        parts = Parts(url=(0, len(value)))
    name = value[slice(*parts.name)]
    known = name if name and name == masked[slice(*parts.name)] else None
    return Editable(*frame, value[slice(*parts.url)], spot, known, _names(value[slice(*parts.extras)]), options)


def _requirement(body: Logical, masked: str, frame: _Frame, options: tuple[Option, ...]) -> Requirement | Invalid:
    """One requirement; `masked` is its text with zeros for unknown parts. What cannot be read because of them is left
    without name and URL."""
    try:
        parts = parts_of(masked)
    except Complaint as complaint:
        if masked == body.text:
            return Invalid(*frame, complaint.message, body.span(complaint.start, complaint.end))
        parts = Parts()
    return _assemble(body.text, body.span, parts, body.text.rstrip(), frame, options)


def _assemble(
    text: str, place: Callable[[int, int], Span], parts: Parts, whole: str, frame: _Frame, options: tuple[Option, ...]
) -> Requirement:
    def cut(spot: Range) -> tuple[str, Span] | tuple[None, None]:
        return (text[slice(*spot)], place(*spot)) if spot[0] >= 0 else (None, None)

    name, name_span = cut(parts.name)
    if _holds_variable(name_span, frame[2]):
        name = name_span = None
    specifier, specifier_span = cut(parts.specifier)
    return Requirement(
        *(*frame, whole, options, name, name_span, _names(text[slice(*parts.extras)]), specifier or "", specifier_span),
        *(*cut(parts.marker), *cut(parts.url)),
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(listed.replace(",", " ").split())
