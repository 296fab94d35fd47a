"""ML903: programs that Python distributions start."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.system import fixes
from mllint.findings import Finding, Location, Related
from mllint.image.serving import tools
from mllint.image.serving.tools import Need
from mllint.image.stage import Stage


@check("ML903")
def system_tool_missing_for_package(stage: Stage) -> Iterator[Finding]:
    """A distribution that starts a program of the operating system that the image does not have."""
    for need in tools.missing(stage) if stage.is_final else ():
        yield _finding(stage, need)


def _finding(stage: Stage, need: Need) -> Finding:
    asked = need.asked
    names, base = " and ".join(need.programs), stage.root.base.text
    message = f"{asked.name} runs {names}, which {base} does not have and nothing installs: {need.fails}"
    packages = " ".join(need.packages)
    is_apt = stage.root.base.family in ("debian", "ubuntu")
    repair = f"apt-get install -y --no-install-recommends {packages}" if is_apt else f"install {names}"
    related = (Related(Location(*asked.place), "it is asked for here"),) if asked.place is not None else ()
    where = Location(stage.build.source, asked.cause.span)
    fix = fixes.at_step(stage, asked.cause.step, need.packages) if is_apt else None
    return Finding(where, message, repair, related, fix, is_strict=need.is_partial)
