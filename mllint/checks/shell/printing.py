"""DF307: steps that only print."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.moving import block
from mllint.findings import Finding, Fix, Location
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step

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


@check("DF307")
def useless_step(stage: Stage) -> Iterator[Finding]:
    """A RUN that changes nothing and prints something for whoever watches the build."""
    for step in stage.steps if stage in stage.build.needed else ():
        # What is resolved with a cache mounted leaves it filled for the steps below.
        commands = step.commands if step.trigger is None and not step.mounts else ()
        if not commands or not all(map(_only_prints, commands)) or all(each.name in _FILTERS for each in commands):
            continue
        named = [each for each in commands if each.name not in _FILTERS]
        written = min(named, key=lambda each: each.span.start)
        what = " ".join(word.text for word in written.words[:4])
        message = f"{what} changes nothing in the image: its output is seen once, and never again from the cache"
        where = Location(stage.build.source, step.instruction.span)
        yield Finding(where, message, "leave this RUN out", fix=_removed(stage, step))


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
        return is_list or ("install" in words and not _TRIES.isdisjoint(each.arguments))
    return each.name in _PRINTS or each.name in _FILTERS


def _removed(stage: Stage, step: Step) -> Fix | None:
    if step.instruction.heredocs or step.instruction.comments:
        return None
    return Fix("safe", "remove the RUN", (block(stage.build.dockerfile, step.instruction).removed(),))
