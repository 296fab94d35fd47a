"""DF301: limits of requirements that the shell takes for redirections."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.installing.indexed import tool
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.shell_tree import Redirect, Word
from mllint.sources.text import Span

_MANAGERS = frozenset({"pip", "uv pip", "uv", "conda", "micromamba", "poetry", "pipenv"})
_LIMIT = regex(r"=\s*[\d$]|[\d$]")
_QUOTES = regex("[\"'`\\\\\n]")


@check("DF301")
def shell_redirect_in_pip(stage: Stage) -> Iterator[Finding]:
    """A requirement that the shell cuts at its `>` or `<`."""
    for step in stage.steps if stage in stage.build.needed else ():
        for install in step.installs:
            if install.manager.name in _MANAGERS and not step.instruction.is_exec_form:
                for word, redirect in _cut(install):
                    yield _finding(stage, install, word, redirect)


def _cut(install: Install) -> Iterator[tuple[Word, Redirect]]:
    """The words that lose their limit, each with the redirection that it becomes."""
    command = install.executed.command
    for redirect in command.redirects:
        before = max((each for each in command.words if each.span.end <= redirect.span.start), key=_end, default=None)
        if before is None or redirect.target is None or redirect.operator not in ("<", ">"):
            continue
        is_close = before.span.end == redirect.span.start and redirect.target.span.start == redirect.span.start + 1
        target = redirect.target.text
        is_operand = any(each.span == before.span for each in install.operands)
        if is_operand and _LIMIT.match(target) and (is_close or target.startswith("=")):
            yield before, redirect


def _end(word: Word) -> int:
    return word.span.end


def _finding(stage: Stage, install: Install, word: Word, redirect: Redirect) -> Finding:
    source, span = stage.build.source, Span(word.span.start, redirect.span.end)
    assert redirect.target is not None
    written, file = source.slice(span), redirect.target.text
    if redirect.operator == "<":
        effect = f"it reads the file {file}, which is not there, and the build fails"
    else:
        effect = f"{tool(install)} installs {word.text} without the limit and leaves a file named {file}"
    return Finding(
        Location(source, span),
        f"the shell cuts {written} at the {redirect.operator}: {effect}",
        f'put it in quotes: "{written}"',
        fix=_quoted(stage, install, span),
        severity=Severity.ERROR if redirect.operator == "<" else None,
    )


def _quoted(stage: Stage, install: Install, span: Span) -> Fix | None:
    """The requirement in quotes, where no others stand around it or in it."""
    source, step = stage.build.source, install.step
    written = source.slice(span)
    front = source.text[step.instruction.span.start : span.start]
    is_inside = front.count('"') % 2 == 1 or front.count("'") % 2 == 1
    if step.trigger is not None or is_inside or _QUOTES.search(written):
        return None
    return Fix("safe", f'write "{written}"', (replace(source, span, f'"{written}"'),))
