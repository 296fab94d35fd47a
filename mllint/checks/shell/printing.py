"""DF307: steps that only print."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from mllint.checks import check
from mllint.checks.moving import block
from mllint.checks.shell.lost import body_of, flat
from mllint.findings import Finding, Fix, Location
from mllint.image.compiling import is_for_tests
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.patterns import regex

# What only prints whatever it is told; `ls PATH` fails without the path, and may be there for that.
_PRINTS = frozenset({"date", "df", "du", "env", "printenv", "pwd", "tree", "uname", "whoami"})
_FILTERS = frozenset({"grep", "head", "sort", "tail", "wc"})
_LISTS = {
    "pip": ("list", "freeze"),
    "pip3": ("list", "freeze"),
    "uv": ("pip list", "pip freeze"),
    "conda": ("list", "info"),
    "mamba": ("list", "info"),
}
_TRIES = frozenset({"--dry-run", "--simulate"})
# A comment that tells what such a call is good for.
_MEANT = regex(r"\bdry.?run|\bcache|\blist of packages", re.IGNORECASE)
# One that says that the output is wanted.
_CHECKS = regex(r"\b(?:verif|check|debug|show|print)", re.IGNORECASE)


@check("DF307")
def useless_step(stage: Stage) -> Iterator[Finding]:
    """A RUN that changes nothing and prints something for whoever watches the build."""
    for kind, group in groupby(stage.steps if stage in stage.build.needed else (), _kind):
        steps = list(group)
        if kind:
            yield _idle(stage, steps, kind)
        else:
            yield from (finding for step in steps for finding in _dry(stage, step))


def _kind(step: Step) -> Literal["prints", "lists"] | None:
    """Whether a RUN only prints, what packages there are or something else."""
    commands = step.commands if step.trigger is None else ()
    # With a mount it may leave something there.
    is_print = bool(commands) and not step.mounts and all(map(_only_prints, commands))
    if not is_print or all(each.name in _FILTERS for each in commands):
        return None
    return "lists" if any(each.name in _LISTS for each in commands) else "prints"


def _idle(stage: Stage, steps: list[Step], kind: Literal["prints", "lists"]) -> Finding:
    """A finding for RUNs that follow each other."""
    named = [each for each in steps[0].commands if each.name not in _FILTERS]
    written = min(named, key=lambda each: each.span.start)
    what = " ".join(word.text for word in written.words[:4])
    outcome = "changes nothing in the image: its output is seen once, and never again from the cache"
    repair = "leave this RUN out"
    if len(steps) > 1:
        more = "the RUN below it" if len(steps) == 2 else f"the {len(steps) - 1} RUNs below it"
        what, repair = f"{what}, and {more},", f"leave {'both' if len(steps) == 2 else 'them'} out"
        outcome = outcome.replace("changes", "change").replace("its output", "their output")
    is_strict = kind == "lists" or is_for_tests(stage) or _CHECKS.search(_comment(stage, steps[0])) is not None
    where = Location(stage.build.source, steps[0].instruction.span)
    return Finding(where, f"{what} {outcome}", repair, fix=_removed(stage, steps), is_strict=is_strict)


def _dry(stage: Stage, step: Step) -> Iterator[Finding]:
    """The first install of a RUN that installs nothing, and of which nobody takes what it prints."""
    tries = [each for each in step.commands if _tried(each)] if step.trigger is None else []
    alone = {each.span for each in flat(body_of(step))} if tries else set()
    # Where one is written down or piped, another is there to be seen.
    for each in tries if all(_is_dry(each) and each.command.span in alone for each in tries) else ():
        above = _comment(stage, step)
        if each.is_sure and not _MEANT.search(above):
            what = " ".join(word.text for word in each.words[: each.arguments.index(_tried(each)) + 2])
            outcome = "it only resolves, and what it prints is seen once"
            if step.mounts:
                outcome = "what it resolves, and fetches into a cache, the install itself would too"
            where = Location(stage.build.source, each.span)
            repair = "leave it out: an install without --no-deps resolves by itself, and prints the same"
            fix = _removed(stage, [step]) if len(step.commands) == 1 and not above else None
            yield Finding(where, f"{what} installs nothing: {outcome}", repair, fix=fix, is_strict=True)
            return


def _comment(stage: Stage, step: Step) -> str:
    return stage.build.source.comment_above(step.instruction.span.start)


def _is_dry(each: Executed) -> bool:
    is_redirected = any(redirect.operator.startswith(">") for redirect in each.command.redirects)
    is_written = any(word.partition("=")[0] == "--report" for word in each.arguments)
    return _tried(each) != "" and not is_redirected and not is_written


def _tried(each: Executed) -> str:
    """The option by which a call of an installer installs nothing, empty where it has none."""
    is_install = each.name in _LISTS and "install" in each.arguments
    return next((word for word in each.arguments if is_install and word in _TRIES), "")


def _only_prints(each: Executed) -> bool:
    if any(redirect.operator.startswith(">") for redirect in each.command.redirects):
        return False
    words = [word for word in each.arguments if not word.startswith("-")]
    if each.name == "echo":
        # An argument that is printed may be there to have the steps below it carried out anew.
        return not any("$" in word.text and not word.substitutions for word in each.words[1:])
    if each.name == "ls":
        return not words
    if each.name in _LISTS:
        is_list = " ".join(words).startswith(_LISTS[each.name])
        return is_list or _is_dry(each)
    return each.name in _PRINTS or each.name in _FILTERS


def _removed(stage: Stage, steps: list[Step]) -> Fix | None:
    instructions = [step.instruction for step in steps]
    if any(each.heredocs or each.comments for each in instructions):
        return None
    title = "remove the RUN" if len(steps) == 1 else f"remove the {len(steps)} RUNs"
    return Fix("safe", title, tuple(block(stage.build.dockerfile, each).removed() for each in instructions))
