"""ML410: what conda downloads and leaves in a layer."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.commands import indent_of
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction

_CONDAS = ("conda", "micromamba")
_CLEANS = regex(r"\b(?:conda|mamba|micromamba)\b[^\n&|;]*\bclean\b|\brm\b[^\n&|;]*\bpkgs\b|\bfind\b[^\n&|;]*pkgs")
_CLEAN = "clean -afy"
# Files that a test reads, and nobody builds.
_FIXTURE = regex(r"(?:^|[/_])tests?[/_]+(?:[\w.-]*[/_])?(?:resources|fixtures|testdata)(?:[/_]|$)|(?:^|/)testdata/")


@check("ML410")
def conda_cache_kept(stage: Stage) -> Iterator[Finding]:
    """conda leaves the archives that it downloads in a layer of the image."""
    is_built = not _FIXTURE.search(stage.build.source.path)
    for step in stage.steps if stage.is_in_image and is_built else ():
        calls = [each for each in step.installs if each.manager.name in _CONDAS and each.is_certain]
        calls = [each for each in calls if not each.has("--download-only", "--dry-run")]
        if calls and not _is_cleared(step):
            last = calls[-1]
            name = last.executed.name
            message = f"{name} leaves the archives that it downloads, and its index, in this layer of the image"
            repair = f"end the RUN with {last.executed.words[0].value} {_CLEAN}"
            if all(each.verb == "update" and [word.value for word in each.operands] == ["conda"] for each in calls):
                repair = f"leave the update of conda to a newer base, or {repair}"
            yield Finding(Location(stage.build.source, calls[0].span), message, repair, fix=_cleaning(stage, last))


def _is_cleared(step: Step) -> bool:
    """Whether the RUN removes the cache, has it in a mount, or keeps it in a place of its own."""
    text = step.instruction.rest.text + "".join(heredoc.content for heredoc in step.instruction.heredocs)
    if _CLEANS.search(text) or "CONDA_PKGS_DIRS" in {*step.before.env, *step.before.args} or "CONDA_PKGS_DIRS" in text:
        return True
    return any(mount.kind in ("cache", "tmpfs") and "pkgs" in str(mount.target) for mount in step.mounts)


def _cleaning(stage: Stage, last: Install) -> Fix | None:
    """The cache removed behind the last call, on a line of its own where the call is one of several lines."""
    instruction = last.step.instruction
    source, words = stage.build.source, last.executed.command.words
    program = words[0]
    is_plain = source.slice(program.span) == program.value == last.executed.words[0].value
    if not is_plain or instruction.is_exec_form or last.step.trigger is not None or last.executed.wrappers:
        return None
    call = f"{program.value} {_CLEAN}"
    between = _between(stage, instruction, last) if instruction.start_line != instruction.end_line else " && "
    return Fix("safe", f"add {call}", (insert(source, last.span.end, f"{between}{call}"),))


def _between(stage: Stage, instruction: Instruction, last: Install) -> str:
    """What joins the call to the last of a RUN of several lines, in the style of that RUN."""
    if instruction.heredocs:
        return " && "
    source, escape = stage.build.source, stage.build.dockerfile.escape
    if source.text[last.span.end :].lstrip(" ").startswith((f"&& {escape}", f"&&{escape}")):
        return f" && {escape}\n{indent_of(source, last.span.start) or '    '}"
    return f" {escape}\n    && "
