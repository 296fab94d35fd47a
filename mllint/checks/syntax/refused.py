"""DF101 and DF102: text that BuildKit refuses."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location
from mllint.patterns import regex
from mllint.sources.dockerfile import KEYWORDS, Dockerfile, Instruction
from mllint.sources.text import Span

_OWN_FRONTEND = regex(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@]|$)")
_NO_UNIT = regex(r"--(?:interval|timeout|start-period|start-interval)=[1-9]\d*")
_TEMPLATE_MARK = regex(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)|<%.*?(?:%>|$)|<<\w+>>|%%\w+%%")


@check("DF101")
def syntax_error(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Text that stops the build before it begins."""
    if _has_foreign_frontend(dockerfile):
        return
    mark = _template_mark(dockerfile)
    if mark is not None:
        shown = _shown(dockerfile.source.slice(mark))
        message = f"{shown} belongs to a template, which no build can read: the build stops here"
        yield Finding(Location(dockerfile.source, mark), message, "render the template, and check what comes out")
        return
    for problem in dockerfile.problems:
        where = Location(dockerfile.source, problem.span)
        yield Finding(where, f"{problem.message}: the build stops here", fix=_in_seconds(where))
    yield from _without_from(dockerfile)


def _in_seconds(where: Location) -> Fix | None:
    """The unit that a duration of a health check lacks."""
    written = where.source.slice(where.span)
    if _NO_UNIT.fullmatch(written) is None:
        return None
    return Fix("unsafe", f"write {written}s", (insert(where.source, where.span.end, "s"),))


def _without_from(dockerfile: Dockerfile) -> Iterator[Finding]:
    first = next((each for each in dockerfile.instructions if each.keyword != "ARG"), None)
    repair = "begin the file with FROM and the image to build on"
    if first is None and dockerfile.instructions:
        where = Location(dockerfile.source, dockerfile.instructions[-1].keyword_span)
        yield Finding(where, "the file has no FROM: there is no image to build", repair)
    elif first is not None and first.keyword != "FROM" and first.keyword in KEYWORDS:
        message = f"{first.keyword} stands before the first FROM, where only ARG may: the build stops here"
        yield Finding(Location(dockerfile.source, first.keyword_span), message, repair)


@check("DF102")
def unknown_instruction(dockerfile: Dockerfile) -> Iterator[Finding]:
    """A word in the place of an instruction that is none; lines in a row have one cause and give one finding."""
    if _has_foreign_frontend(dockerfile) or _template_mark(dockerfile) is not None:
        return
    row: list[Instruction] = []
    for each in dockerfile.instructions:
        if each.keyword not in KEYWORDS:
            row.append(each)
            continue
        yield from _unknown(dockerfile, row)
        row = []
        if each.inner is not None and each.inner.keyword not in KEYWORDS:
            yield from _unknown(dockerfile, [each.inner], "each build on top of this image")
    yield from _unknown(dockerfile, row)


def _unknown(dockerfile: Dockerfile, row: Sequence[Instruction], what: str = "the build") -> Iterator[Finding]:
    if not row:
        return
    written = _shown(dockerfile.source.slice(row[0].keyword_span))
    where = Location(dockerfile.source, row[0].keyword_span)
    if len(row) == len(dockerfile.instructions) > 3:
        yield Finding(where, f"{written} is no instruction, nor is any line below: this is no Dockerfile")
        return
    more = f", nor what begins the next {_counted(len(row) - 1, 'line')}" if len(row) > 1 else ""
    message = f"{written} is no instruction{more}: {what} stops here"
    yield Finding(where, message, _repair(dockerfile, row), fix=_renamed(row) or _continued(dockerfile, row))


def _counted(number: int, noun: str) -> str:
    return noun if number == 1 else f"{number} {noun}s"


def _near(row: Sequence[Instruction]) -> list[str]:
    """The instructions that may be meant."""
    import difflib

    return difflib.get_close_matches(row[0].keyword, sorted(KEYWORDS), 2, 0.7) if len(row) == 1 else []


def _renamed(row: Sequence[Instruction]) -> Fix | None:
    """The one instruction that can be meant, in capitals where they stand there."""
    near = _near(row)
    if len(near) != 1:
        return None
    source, span = row[0].source, row[0].keyword_span
    meant = near[0] if source.slice(span).isupper() else near[0].lower()
    return Fix("unsafe", f"write {meant}", (replace(source, span, meant),))


def _continued(dockerfile: Dockerfile, row: Sequence[Instruction]) -> Fix | None:
    """The marks that continue the instruction above, where the lines directly below it are set in."""
    source = dockerfile.source
    at = next((at for at, each in enumerate(dockerfile.instructions) if each is row[0]), 0)
    lines = [*dockerfile.instructions[at - 1 : at], *row[:-1]]
    if not at or row[0].span.start == source.line_starts[row[0].start_line - 1]:
        return None
    if any(one.end_line + 1 != other.start_line for one, other in zip(lines, row, strict=True)) or lines[0].heredocs:
        return None
    edits = tuple(insert(source, source.line_span(each.end_line).end, f" {dockerfile.escape}") for each in lines)
    return Fix("unsafe", f"continue the line above with {dockerfile.escape}", edits)


def _repair(dockerfile: Dockerfile, row: Sequence[Instruction]) -> str:
    near = _near(row)
    if near:
        return f"did you mean {near[0]}?"
    if row[0] is dockerfile.instructions[0]:
        return "begin the file with FROM and the image to build on"
    return f"to continue the line above, end it with {dockerfile.escape}"


def _has_foreign_frontend(dockerfile: Dockerfile) -> bool:
    """Whether `# syntax=` hands the file to a frontend with instructions of its own."""
    named = next((each.value for each in dockerfile.directives if each.name == "syntax"), None)
    return named is not None and _OWN_FRONTEND.match(named) is None


def _template_mark(dockerfile: Dockerfile) -> Span | None:
    """The first template mark on a line that BuildKit would refuse: those in commands and strings are none."""
    source = dockerfile.source
    refused = [problem.span.start for problem in dockerfile.problems]
    refused += [each.span.start for each in dockerfile.instructions if each.keyword not in KEYWORDS]
    for start in sorted(refused):
        line = source.line_span(source.position(start)[0])
        match = _TEMPLATE_MARK.search(source.text, line.start, line.end)
        if match is not None:
            return Span(*match.span())
    return None


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
