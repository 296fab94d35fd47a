"""DF1: text that BuildKit refuses."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.sources.dockerfile import KEYWORDS, Dockerfile, Instruction


@check("DF101")
def syntax_error(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Text that stops the build before it begins."""
    for problem in dockerfile.problems:
        yield Finding(Location(dockerfile.source, problem.span), f"{problem.message}: the build stops here")
    known = [each for each in dockerfile.instructions if each.keyword in KEYWORDS]
    first = next((each for each in known if each.keyword != "ARG"), None)
    if first is not None and first.keyword != "FROM":
        message = f"{first.keyword} stands before the first FROM, where only ARG may: the build stops here"
        yield Finding(Location(dockerfile.source, first.keyword_span), message, "begin the file with FROM")
    elif first is None and dockerfile.instructions:
        where = Location(dockerfile.source, dockerfile.instructions[-1].span)
        yield Finding(where, "the file has no FROM: there is no image to build", "begin the file with FROM")


@check("DF102")
def unknown_instruction(dockerfile: Dockerfile) -> Iterator[Finding]:
    """A word in the place of an instruction that is none."""
    for each in dockerfile.instructions:
        for instruction in (each, each.inner) if each.inner else (each,):
            if instruction.keyword not in KEYWORDS:
                yield _unknown(dockerfile, instruction)


def _unknown(dockerfile: Dockerfile, instruction: Instruction) -> Finding:
    import difflib

    near = difflib.get_close_matches(instruction.keyword, sorted(KEYWORDS), 1, 0.6)
    message = f"{instruction.keyword} is no instruction: the build stops here"
    repair = f"did you mean {near[0]}?" if near else "a line that continues the one above needs a \\ at the end of that one"
    return Finding(Location(dockerfile.source, instruction.keyword_span), message, repair)
