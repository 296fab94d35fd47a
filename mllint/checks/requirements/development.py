"""ML616: tools of developers in the image of a service."""

import posixpath
from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.requirements.calls import is_workshop, uses_of
from mllint.edits import delete, delete_lines, newline
from mllint.engine import Requirements, Use
from mllint.findings import Edit, Finding, Fix, Location, NewFile, Related
from mllint.image.installing.development import runs_any, unused
from mllint.image.stage import Stage
from mllint.sources.generated import is_generated
from mllint.sources.requirements import Requirement
from mllint.sources.text import Source, Span
from mllint.wording import enumerated

_SHOWN = 2


@check("ML616")
def dev_tools_in_inference_image(subject: Stage | Requirements) -> Iterator[Finding]:
    """Test runners, formatters and linters that the image of a service holds and never runs."""
    uses = uses_of(subject)
    if isinstance(subject, Requirements):
        yield from _in_file(subject, uses)
        return
    for use in uses:
        names = unused(use.stage, use.install) if use.install.requirements else frozenset()
        lines = [each for each in use.install.requirements if isinstance(each, Requirement) and each.key in names]
        # A lower bound alone lifts what the base has.
        lines = [each for each in lines if {operator for operator, _ in each.clauses} != {">="}]
        if lines:
            where = Location(subject.build.source, _name_span(lines[0]))
            repair = f"leave {_them(lines)} to the machine or stage that runs the tests"
            fix = _without_words(use, lines)
            yield Finding(where, _message(lines), repair, fix=fix, is_strict=not _serves([use]))


def _in_file(requirements: Requirements, uses: Sequence[Use]) -> Iterator[Finding]:
    found = [(use, unused(use.stage, use.install)) for use in uses]
    names = frozenset[str]().union(*(each for _, each in found))
    lines = [each for each in requirements.file.lines if isinstance(each, Requirement) and each.key in names]
    # What a tool wrote into a list may be what something else asks for.
    if not lines or is_generated(requirements.file.source):
        return
    # Another Dockerfile may have a stage for the tests that installs from the same file.
    if any(runs_any(use.stage.build, names) for use, each in found if not each):
        return
    source, where = requirements.file.source, [use for use, each in found if each]
    place = Location(source, _name_span(lines[0]))
    call = Location(where[0].stage.build.source, where[0].install.span)
    if is_workshop(requirements):
        name = posixpath.basename(source.path)
        repair = f"install {name} in a stage for the tests alone, or only where a build argument asks for it"
        yield Finding(call, _message(lines), repair, (Related(place, "asked for here"),), is_strict=True)
        return
    repair = f"move {_them(lines)} to a {_beside(source)} that only developers and CI install"
    is_shared = len(where) < len(requirements.uses)
    fix = None if is_shared else _split(where[0], source, lines)
    related = (Related(call, "installed here"),)
    yield Finding(place, _message(lines), repair, related, fix=fix, is_strict=not _serves(where))


def _them(lines: Sequence[Requirement]) -> str:
    return "it" if len({line.key for line in lines}) == 1 else "them"


def _serves(uses: Sequence[Use]) -> bool:
    """Whether one of the images starts a server."""
    return any(use.stage.build.final is not None and use.stage.build.final.server is not None for use in uses)


def _name_span(line: Requirement) -> Span:
    return line.name_span or line.span


def _message(lines: Sequence[Requirement]) -> str:
    names = list(dict.fromkeys(str(line.name) for line in lines))
    verb, them, makes = ("is", "it", "it makes") if len(names) == 1 else ("are", "them", "they make")
    outcome = f"{makes} the image larger, and each advisory on {them} is one on the service"
    return f"{enumerated(names, _SHOWN)} {verb} installed into the image, where nothing runs {them}: {outcome}"


def _beside(source: Source) -> str:
    stem, dot, ending = posixpath.basename(source.path).rpartition(".")
    return f"{stem}-dev{dot}{ending}"


def _split(use: Use, source: Source, lines: Sequence[Requirement]) -> Fix | None:
    """The lines in a file of their own, which takes in the first one."""
    path = posixpath.join(posixpath.dirname(source.path), _beside(source))
    build = use.stage.build
    is_there = build.context.inputs.exists(build.context.inputs.cwd / path)
    rows = [(source.position(each.span.start)[0], source.position(each.span.end)[0]) for each in lines]
    if is_there or any(first != last for first, last in rows):
        return None
    texts = [f"-r {posixpath.basename(source.path)}", *(source.slice(source.line_span(row)) for row, _ in rows)]
    text = "".join(f"{each.rstrip()}{newline(source)}" for each in texts)
    gone = tuple(delete_lines(source, row, row) for row, _ in rows)
    return Fix("unsafe", f"move {_them(lines)} to {path}", (*gone, NewFile(path, text)))


def _without_words(use: Use, lines: Sequence[Requirement]) -> Fix | None:
    """The call without the words; None where it would be left with none."""
    install, source = use.install, use.stage.build.source
    words = [word for word in install.operands if any(each.span == word.span for each in lines)]
    is_rest = len(words) < len(install.operands) or install.files
    if len(words) != len(lines) or not is_rest or install.step.trigger is not None:
        return None
    return Fix("unsafe", f"leave {_them(lines)} out", tuple(_cut(source, word.span) for word in words))


def _cut(source: Source, span: Span) -> Edit:
    """A word with the blanks in front of it."""
    start = span.start
    while source.text[start - 1] in " \t":
        start -= 1
    return delete(source, Span(start, span.end))
