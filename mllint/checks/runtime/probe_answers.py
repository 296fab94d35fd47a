"""Rules about what a health check makes of the answer it gets."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import asking, probe, probe_fixes
from mllint.checks.runtime.asking import Asked
from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location
from mllint.image.serving import passing, probes, uses
from mllint.image.serving.probes import Probe
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage
from mllint.sources.shell_tree import Chain, Command

_GOES_ON = "a model that failed to load answers 500 or 503, and the container stays healthy"


@check("ML341")
def healthcheck_ignores_status(stage: Stage) -> Iterator[Finding]:
    """A health check for which every answer is a good one."""
    for each in probes.of(stage) if stage.is_final else ():
        if passing.why(each, stage.end.shell) is None and not probe.is_broken(stage, each):
            for use in each.uses:
                yield from _ignoring(stage, each, use)


def _ignoring(stage: Stage, each: Probe, use: Use) -> Iterator[Finding]:
    asked = _asked(stage, each, use)
    if asked is None or asked.is_strict:
        return
    if use.executed.name == "curl":
        message = f"{each.who} runs curl without --fail, which takes every answer for a good one: {_GOES_ON}"
        yield Finding(use.place, message, "write curl --fail", fix=_with_fail(stage, asked, use))
    else:
        message = f"{each.who} does not look at the status of the answer: {_GOES_ON}"
        repair = "call raise_for_status(), or ask with urllib.request, which raises where the answer is an error"
        yield Finding(use.place, message, repair, fix=_with_status(stage, asked, each, use))


def _asked(stage: Stage, each: Probe, use: Use) -> Asked | None:
    """What a program of the check asks for, where only its own outcome decides."""
    if each.text is not None and not _decides(each, use):
        return None
    if use.executed.name == "curl":
        return asking.by_tool(use.executed)
    code = uses.code(stage, use)
    return asking.by_python(code[0].text) if code is not None else None


def _decides(each: Probe, use: Use) -> bool:
    """Whether nothing reads what it prints: it is one of the commands that `&&` and `||` join."""
    script = each.script
    node = script.body[0] if script is not None and len(script.body) == 1 else None
    parts = node.parts if isinstance(node, Chain) else (node,)
    start = use.executed.command.words[0].span.start
    return any(isinstance(part, Command) and part.words and part.words[0].span.start == start for part in parts)


def _with_fail(stage: Stage, asked: Asked, use: Use) -> Fix | None:
    word = use.executed.words[0]
    text = use.source.slice(word.span)
    if use.source is not use.place.source or text[-1:] not in "l\"'" or not text.strip("\"'").endswith("curl"):
        return None
    option = f", {text[0]}--fail{text[0]}" if text[0] in "\"'" else " --fail"
    if text[0] not in "\"'" and _is_member(use):
        option = ", --fail"
    return Fix(probe_fixes.applicability(stage, asked), "add --fail", (insert(use.source, word.span.end, option),))


def _is_member(use: Use) -> bool:
    """Whether it stands in a list of YAML without quotes."""
    behind = use.source.text[use.executed.words[0].span.end :].lstrip(" ")
    return behind.startswith(",")


def _with_status(stage: Stage, asked: Asked, each: Probe, use: Use) -> Fix | None:
    """`raise_for_status()` behind the one call that asks."""
    word = next(
        (word for at, word in enumerate(use.executed.words) if at and use.executed.words[at - 1].value == "-c"), None
    )
    text = use.source.slice(word.span) if word is not None and use.source is use.place.source else ""
    call = asking.end_of_call(text[1:-1]) if word is not None and text[1:-1] == word.value else None
    if word is None or call is None:
        return None
    edit = insert(use.source, word.span.start + 1 + call, ".raise_for_status()")
    return Fix(probe_fixes.applicability(stage, asked), "raise where the answer is an error", (edit,))


@check("ML342")
def healthcheck_always_passes(stage: Stage) -> Iterator[Finding]:
    """A health check that cannot fail."""
    for each in probes.of(stage) if stage.is_final else ():
        found = passing.why(each, stage.end.shell)
        if found is None:
            continue
        where = each.where if found.span is None else Location(each.where.source, found.span)
        does = "runs" if each.text is None else "ends with"
        message = f"{each.who} {does} {found.end} and so always passes: a server that hangs counts as healthy"
        fix = None
        if found.span is not None:
            fix = Fix(
                "unsafe", "fail where the server does not answer", (replace(each.where.source, found.span, "exit 1"),)
            )
        yield Finding(where, message, "let the command that asks the server decide", fix=fix)
