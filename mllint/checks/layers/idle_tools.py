"""ML414: programs in the image that its service never starts."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.layers.compilers import without
from mllint.findings import Finding, Location
from mllint.image.content.idle_tools import Idle, idle_tools
from mllint.image.stage import Stage
from mllint.wording import enumerated


@check("ML414")
def tools_nobody_starts(stage: Stage) -> Iterator[Finding]:
    """Editors and the like, and what downloads though nothing downloads."""
    found = idle_tools(stage)
    for_people = [each for each in found if each.is_for_people]
    uncalled = [each for each in found if not each.is_for_people]
    if for_people:
        names, verb = _names(for_people)
        yield _finding(
            stage, for_people, f"{names} {verb} in the image: people at a terminal use that, no service does"
        )
    if uncalled:
        names, _ = _names(uncalled)
        what = "installed, and neither the Dockerfile nor anything that the image runs calls"
        plural = len({each.word.value for each in uncalled}) > 1
        yield _finding(stage, uncalled, f"{names} {'are' if plural else 'is'} {what} {'them' if plural else 'it'}")


def _names(found: Sequence[Idle]) -> tuple[str, str]:
    unique = list(dict.fromkeys(each.word.value.partition("=")[0] for each in found))
    return enumerated(unique), "stays" if len(unique) == 1 else "stay"


def _finding(stage: Stage, found: Sequence[Idle], message: str) -> Finding:
    fix = without(stage.build.source, [(each.install, each.word) for each in found])
    where = Location(stage.build.source, found[0].word.span)
    return Finding(where, message, "leave it out" if len(found) == 1 else "leave them out", fix=fix)
