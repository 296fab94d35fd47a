"""Rules about failures that a RUN hides."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.shell.hiding import hidden
from mllint.checks.shell.masking_fixes import is_own, unmasked
from mllint.findings import Finding, Location
from mllint.image.packages import Install
from mllint.image.shell.masked import Masked, masked
from mllint.image.shell.noticed import is_noticed
from mllint.image.stage import Stage, Step
from mllint.wording import enumerated

_NAMED = 3
_HOW = {
    "followed": "the commands behind it decide",
    "piped": "the last command of the pipe decides",
    "repeated": "the loop goes on",
}
_STOP = ", or begin the RUN with set -e"
_REPAIR = {
    "followed": "join them with &&",
    "piped": "have SHELL name bash with -o pipefail",
    "repeated": "add || exit 1 inside of the loop",
}


@check("DF303")
def masked_failure(stage: Stage) -> Iterator[Finding]:
    """An install, or with the preset strict another command, fails and the build goes on."""
    for step in stage.steps if stage in stage.build.needed else ():
        groups: dict[tuple[str, int], list[tuple[Install, Masked]]] = {}
        installs = {each.executed.command.span: each for each in step.installs}
        for each in masked(step) if installs else ():
            install = installs.get(each.command.span)
            if install is not None and not is_noticed(stage, install, each):
                groups.setdefault((each.way, each.by.end if each.by else 0), []).append((install, each))
        seen = set()
        for (way, _), found in groups.items():
            if way not in seen:
                seen.add(way)
                yield _finding(stage, step, found)
        yield from hidden(stage, step)


def _finding(stage: Stage, step: Step, hidden: list[tuple[Install, Masked]]) -> Finding:
    install, found = hidden[0]
    source = stage.build.source
    by = "||" + source.slice(found.by).rpartition("||")[2] if found.by is not None else ""
    how = f"{by} hides it" if by else _HOW[found.way]
    call = "pip install" if install.manager.name == "pip" else f"{install.executed.name} {install.verb}"
    lost = _lost([each for each, _ in hidden])
    message = f"{call} can fail unseen, as {how}: the build goes on as if {lost} were installed"
    fix = unmasked(stage, step, found)
    where, repair = Location(source, install.span), _repair(step, found, by)
    return Finding(where, message, repair, fix=fix, is_strict=found.is_announced)


def _repair(step: Step, found: Masked, by: str) -> str:
    if not by:
        return _REPAIR[found.way] + (_STOP if found.way != "piped" and not found.is_listed else "")
    if is_own(step, found):
        return f"remove {by}, or leave the package out"
    return f"put the one command that may fail in parentheses with it: (COMMAND {by})"


def _lost(installs: list[Install]) -> str:
    """What is missing when the installs fail."""
    names: list[str] = []
    for each in installs:
        names += [word.text.strip("\"'") for word in each.operands if "://" not in word.value]
        names += [f"what {word.text} asks for" for word in each.files]
    names = [name for name in dict.fromkeys(names) if name not in ("pip", ".")]
    return enumerated(names, _NAMED) or "its packages"
