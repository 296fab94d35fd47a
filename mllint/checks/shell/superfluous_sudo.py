"""DF312: sudo where root works already."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import delete
from mllint.findings import Edit, Finding, Fix, Location
from mllint.image.programs import program
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.text import Span

# Options that change nothing for root.
_IDLE_OPTION = regex(r"-[EHnS]+|--preserve-env|--non-interactive|--set-home")
_KEEPS_ENVIRONMENT = regex(r"-\w*E\w*|--preserve-env.*")
# Programs of the system itself, which neither PATH nor what ENV sets makes others of.
_OF_SYSTEM = frozenset(
    "addgroup adduser apt apt-get cat chmod chown cp curl dnf dpkg groupadd install ldconfig ln locale-gen make"
    " microdnf mkdir mv rm sed tar tee touch unzip update-alternatives update-ca-certificates useradd usermod"
    " wget yum".split()
)


@check("DF312")
def sudo_as_root(stage: Stage) -> Iterator[Finding]:
    """A RUN of root that asks for root's rights."""
    for step in stage.steps if stage in stage.build.needed else ():
        calls = [each for each in step.commands if each.wrappers[:1] == ("sudo",) and each.user == "root"]
        if not calls or step.before.account.is_root is not True or not _has_sudo(stage, step):
            continue
        first = calls[0]
        keeps = any(_KEEPS_ENVIRONMENT.fullmatch(word.value) for word in first.command.words[1:3])
        loss = "" if keeps else ", and hides from it what ENV has set"
        message = f"this RUN is root's already: sudo gives {first.name} no more rights{loss}"
        where = Location(stage.build.source, first.command.words[0].span)
        yield Finding(where, message, "leave sudo out", fix=_without(step, calls))


def _has_sudo(stage: Stage, step: Step) -> bool:
    """Whether it may be there: where it surely is not, the RUN fails, which ML901 says."""
    return program(stage.view_after(step), "sudo", step.before.env.get("PATH"), step.before.directory) is not None


def _without(step: Step, calls: list[Executed]) -> Fix | None:
    edits = [_left_out(step, each) for each in calls]
    found = [edit for edit in edits if edit is not None]
    if step.trigger is not None or step.instruction.is_exec_form or len(found) < len(edits):
        return None
    is_safe = all(each.name in _OF_SYSTEM for each in calls)
    return Fix("safe" if is_safe else "unsafe", "leave sudo out", tuple(dict.fromkeys(found)))


def _left_out(step: Step, each: Executed) -> Edit | None:
    """sudo and its options up to the program or a variable for it; None where an option has a meaning of its own."""
    source = step.instruction.source
    sudo, *behind = each.command.words
    rest = [word for word in behind if not _IDLE_OPTION.fullmatch(word.value)]
    if source.slice(sudo.span) != "sudo" or not rest or rest[0].value.startswith("-"):
        return None
    return delete(source, Span(sudo.span.start, rest[0].span.start))
