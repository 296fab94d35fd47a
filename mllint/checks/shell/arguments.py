"""DF310: build arguments that change nothing."""

import re
from collections.abc import Iterator
from typing import Literal

from mllint.checks import check
from mllint.checks.moving import block
from mllint.edits import delete, line_above
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.build import Build
from mllint.image.content.unused import Unused, line_of_use
from mllint.image.content.unused import unused as unused_arguments
from mllint.sources.text import Span

# Characters that a value has at least of which one says where else it stands.
_LEAST = 3


@check("DF310")
def unused_arg(build: Build) -> Iterator[Finding]:
    """A build argument that nothing reads."""
    for each in unused_arguments(build):
        where = Location(build.source, each.word.span)
        if each.wanted:
            yield _wanted(build, each, where)
            continue
        line = None if each.has_twin else _written_out(build, each)
        message = _told(each)
        # Where the value is written out, the argument may have been meant for that place.
        fix = _removed(build, each, "safe" if line is None else "unsafe")
        repair = "remove it" if line is None else _repaired(build, each, line)
        # A build system may hand the same arguments to every file.
        is_handed = "=" not in each.word.text and each.outside is None
        yield Finding(where, message, repair, fix=fix, is_strict=is_handed)


def _told(each: Unused) -> str:
    """What is wrong with a declaration that nothing reads."""
    passed = f"--build-arg {each.name} changes nothing"
    if each.outside is not None:
        declared, reads = each.outside
        return (
            f"ARG {each.name} does nothing: nothing behind it in its stage reads it, and the FROM in line"
            f" {reads.start_line} reads that of line {declared.start_line}"
        )
    if each.has_twin:
        return f"ARG {each.name} does nothing: nothing behind it in its stage reads it"
    if each.is_global:
        return f"no FROM reads {each.name}, and no stage declares it: {passed}"
    if each.is_sure:
        return f"nothing behind ARG {each.name} reads it: {passed}"
    return f"nothing behind ARG {each.name} reads it: --build-arg {each.name} reaches the environment of RUNs at most"


def _repaired(build: Build, each: Unused, line: int) -> str:
    """The two ways where the value stands in a line below."""
    repair = f"remove it, or use it where its value is written out in line {line}"
    above = (stage for stage in build.stages if stage.instruction.end_line < line)
    is_below_from = each.is_global and next(above, None) is not None
    return f"{repair}, with ARG {each.name} repeated below the FROM of that stage" if is_below_from else repair


def _written_out(build: Build, each: Unused) -> int | None:
    """The first line below a declaration that holds its value as it stands."""
    value = each.word.text.partition("=")[2].strip("\"'")
    if len(value) < _LEAST:
        return None
    # A word may stand anywhere by chance.
    line = r"\s*(?i:FROM)\s+(?:--\S+\s+)*\S*?" if value.isalpha() else r"(?!\s*#).*?"
    pattern = re.compile(rf"(?m)^{line}(?<![\w.-]){re.escape(value)}(?![\w.]|-\d)")
    found = pattern.search(build.source.text, build.source.line_span(each.instruction.end_line).end)
    return build.source.position(found.end())[0] if found is not None else None


def _wanted(build: Build, each: Unused, where: Location) -> Finding:
    """A finding for an argument that stages read without declaring it."""
    step = each.wanted[0]
    message = (
        f"the {step.instruction.keyword} in line {line_of_use(step, each.name)} finds {each.name} empty, as only FROM"
        " lines see what is declared above the first of them"
    )
    names = [*_with_comma(each), each.name]
    if len(names) > 1:
        message += f"; and {names[0]}, whose name takes in the comma behind it"
    related = tuple(Related(Location(build.source, step.instruction.span), "reads it") for step in each.wanted)
    edits = tuple(line_above(build.dockerfile, step.instruction, f"ARG {' '.join(names)}") for step in each.wanted)
    fix: Fix | None = Fix(
        "unsafe", f"declare {' and '.join(names)} where {'it is' if len(names) == 1 else 'they are'} read", edits
    )
    if any(step.trigger is not None for step in each.wanted):
        fix = None
    repair = f"repeat it below the FROM of the stage: ARG {' '.join(names)}"
    if len(names) > 1:
        repair += ", without the comma"
    return Finding(where, message, repair, related, fix=fix, severity=Severity.WARNING)


def _with_comma(each: Unused) -> list[str]:
    """The names in front of commas in a declaration that the same instructions read."""
    names = [word.text[:-1] for word in each.instruction.words if word.text.endswith(",")]
    texts = [step.instruction.text for step in each.wanted]
    return [name for name in names if any(re.search(rf"\$\{{?{re.escape(name)}\b", text) for text in texts)]


def _removed(build: Build, each: Unused, applicability: Literal["safe", "unsafe"]) -> Fix | None:
    """The file without the declaration, and without a line that held nothing else."""
    instruction, source = each.instruction, build.source
    title = f"remove ARG {each.name}"
    if len(instruction.words) > 1:
        start = each.word.span.start
        while source.text[start - 1] in " \t":
            start -= 1
        return Fix(applicability, title, (delete(source, Span(start, each.word.span.end)),))
    if instruction.comments:
        return None
    lines = block(build.dockerfile, instruction)
    if lines.first < instruction.start_line:
        # The comment may be about those that follow as well.
        below = instruction.end_line + 1
        if any(other.start_line == below for other in build.dockerfile.instructions):
            lines = lines._replace(first=instruction.start_line)
    return Fix(applicability, title, (lines.removed(),))
