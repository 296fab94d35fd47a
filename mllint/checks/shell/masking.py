"""Rules about failures that a RUN hides."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.shell.masking_fixes import unmasked
from mllint.findings import Finding, Location
from mllint.image.packages import Install
from mllint.image.shell.masked import Masked, masked
from mllint.image.stage import Stage


class _Said(NamedTuple):
    """What is said of one way to hide a failure."""

    how: str
    repair: str


_SAYS = {
    "caught": _Said("{by} hides it", "remove {by}, or leave the package out"),
    "followed": _Said("the commands behind it decide", "join them with &&, or begin the RUN with set -e"),
    "piped": _Said("the last command of the pipe decides", "have SHELL name bash with -o pipefail"),
    "repeated": _Said("the loop goes on", "add || exit 1 inside of the loop, or begin the RUN with set -e"),
}


@check("DF303")
def masked_failure(stage: Stage) -> Iterator[Finding]:
    """An install fails and the build goes on."""
    for step in stage.steps if stage in stage.build.needed else ():
        installs = {each.executed.command.span: each for each in step.installs}
        seen: set[str] = set()
        for each in masked(step) if installs else ():
            install = installs.get(each.command.span)
            if install is not None and each.way not in seen:
                seen.add(each.way)
                yield _finding(stage, install, each)


def _finding(stage: Stage, install: Install, found: Masked) -> Finding:
    says = _SAYS[found.way]
    source = stage.build.source
    by = "||" + source.slice(found.by).rpartition("||")[2] if found.by is not None else ""
    call = "pip install" if install.manager.name == "pip" else f"{install.executed.name} {install.verb}"
    message = f"{call} can fail unseen, as {says.how.format(by=by)}: the build goes on without what it installs"
    where = Location(source, install.span)
    fix = unmasked(stage, install.step, found)
    return Finding(where, message, says.repair.format(by=by), fix=fix, is_strict=found.is_announced)
