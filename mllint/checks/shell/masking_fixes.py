"""Repairs of a RUN that hides a failure."""

from itertools import pairwise

from mllint.edits import delete, insert, replace
from mllint.findings import Edit, Fix
from mllint.image.shell.commands import QUESTIONS
from mllint.image.shell.masked import Masked
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction
from mllint.sources.shell_tree import Chain, Command, Node
from mllint.sources.text import Source, Span

_ALWAYS_TRUE = regex(r"\s*\|\|\s*(?:true|:)$")
_ONLY_HEREDOC = regex(r"\d*<<-?\s*\S+")


def unmasked(stage: Stage, step: Step, found: Masked) -> Fix | None:
    """The RUN without what hides the failure; None where more than that has to be changed."""
    source, instruction = stage.build.source, step.instruction
    if step.trigger is not None or found.is_announced:
        return None
    if found.way == "caught" and found.by is not None:
        # Where something else stands in front of it, that alone was to be allowed to fail.
        match = _ALWAYS_TRUE.search(source.slice(found.by)) if is_own(step, found) else None
        edits = [delete(source, Span(found.by.start + match.start(), found.by.end))] if match else []
    elif found.way == "followed" and instruction.heredocs:
        edits = [] if found.is_listed else _stopping(instruction)
    elif found.way == "followed":
        edits = _joined(source, found.chain, stage.build.dockerfile.escape)
    else:
        return None
    return Fix("unsafe", "let the build fail with the install", tuple(edits)) if edits else None


def is_own(step: Step, found: Masked) -> bool:
    """Whether `|| true` stands directly behind an install, rather than behind another command of its chain."""
    return found.by is not None and any(each.span.start == found.by.start for each in step.installs)


def _stopping(instruction: Instruction) -> list[Edit]:
    """`set -e` as the first line of a heredoc."""
    body = instruction.heredocs[0].body
    is_all = len(instruction.heredocs) == 1 and _ONLY_HEREDOC.fullmatch(instruction.rest.text.strip())
    if not is_all or body.text.startswith("#!") or "||" in body.text:
        return []
    first = next(line for line in body.text.split("\n") if line.strip())
    return [insert(instruction.source, body.offset(0), f"{first[: len(first) - len(first.lstrip())]}set -e\n")]


def _joined(source: Source, nodes: tuple[Node, ...], escape: str) -> list[Edit]:
    """`&&` for each `;` between some nodes; none where one of them is a question or has an alternative."""
    if any(_is_asked(node) for node in nodes):
        return []
    edits = []
    for node, following in pairwise(nodes):
        between = source.text[node.span.end : following.span.start]
        front, semicolon, rest = between.partition(";")
        if not semicolon or front.strip() or rest.replace(escape, "").strip():
            return []
        edits.append(replace(source, Span(node.span.end, node.span.end + len(front) + 1), " &&"))
    return edits


def _is_asked(node: Node) -> bool:
    if isinstance(node, Chain):
        return "||" in node.operators or any(map(_is_asked, node.parts))
    return isinstance(node, Command) and node.name in QUESTIONS
