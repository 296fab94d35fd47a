"""ML108: a base whose C library is older than what the wheels were made for."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, is_first_use
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.installing import indexed
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.old_glibc import Glibc, TooNew, glibc_of, too_new
from mllint.image.stage import Stage


class _Case(NamedTuple):
    asked: Asked
    found: TooNew
    is_verified: bool
    """Whether the interpreter rests on no fact from memory."""
    tool: str


@check("ML108")
def glibc_too_old(stage: Stage) -> Iterator[Finding]:
    """An image whose glibc is too old for the wheels of what is installed."""
    here = glibc_of(stage.base)
    if stage.base.kind != "image" or here is None or not is_first_use(stage):
        return
    cases = sorted(_cases(stage, here), key=lambda case: (not case.found.fails, case.found.taken is not None))
    if not cases:
        return
    word, worst = stage.from_word, cases[0]
    name = f"{stage.base.text} (from {word.text})" if "$" in word.text else stage.base.text
    others = len({case.asked.name for case in cases} - {worst.asked.name})
    more = f" and of {others} more" if others else ""
    found = worst.found
    message = f"{name} has glibc {here.version}, and the wheels of {found.release}{more} ask for {found.needed}"
    is_error = found.fails and here.is_verified and worst.is_verified and worst.asked.version is not None
    asked = [Related(Location(case.asked.source, case.asked.span), "asked for here") for case in cases]
    yield Finding(
        Location(stage.build.source, word.span),
        f"{message}: {_effect(worst)}",
        f"start from an image with glibc {found.needed} or newer, such as one of Debian 12 or Ubuntu 22.04",
        (*defaults(stage, word.text), *asked),
        severity=None if is_error else Severity.WARNING,
    )


def _cases(root: Stage, here: Glibc) -> Iterator[_Case]:
    for stage in root.on_top:
        for install in (each for step in stage.steps for each in step.installs):
            where = place(stage, install)
            public = indexed.asked(stage, install) if indexed.is_public(stage, install) else ()
            for each in (*public, *indexed.locked(stage, install)) if where is not None else ():
                found = too_new(each, where, here) if where is not None else None
                if where is not None and found is not None:
                    yield _Case(each, found, where.is_verified, indexed.tool(install))


def _effect(case: _Case) -> str:
    if case.found.fails and case.asked.locked is not None:
        return f"{case.asked.source.path.rpartition('/')[2]} has no source of it either, and {case.tool} ends the build"
    if case.found.fails:
        return f"{case.tool} finds no matching distribution and the build fails"
    if case.found.taken is not None and not case.found.has_source:
        return f"{case.tool} takes the old {case.found.taken} instead"
    return f"{case.tool} builds it from source"
