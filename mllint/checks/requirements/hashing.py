"""ML622: hashes of some requirements and not of others."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import is_own, uses_of
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.hashing import Line, Partly, partly
from mllint.image.stage import Stage
from mllint.sources.text import Source


@check("ML622")
def partly_hashed_requirements(subject: Stage | Requirements) -> Iterator[Finding]:
    """A call that wants a hash of everything, and what it is given without one."""
    seen = set[Source]()
    for use in uses_of(subject):
        found = partly(use.stage, use.install)
        own = [line for line in found.missing if is_own(subject, use, line.source)] if found else []
        if found is not None and own and (own[0].source not in seen or isinstance(subject, Stage)):
            seen.add(own[0].source)
            yield _finding(use, found, own[0], len(own) - 1)


def _finding(use: Use, found: Partly, line: Line, others: int) -> Finding:
    tool, call = indexed.tool(use.install), Location(use.stage.build.source, use.install.span)
    more = f" and {others} more" if others else ""
    has = "have" if others else "has"
    what = f"{line.name}{more}, a folder, {has} no hash" if line.is_folder else f"{line.name}{more} {has} no --hash"
    if found.first is None:
        message = f"{what}, and --require-hashes wants one of every requirement: {tool} stops and the build fails"
    else:
        message = f"{what}, and {found.first.name} has one: {tool} then wants one of everything, and the build fails"
    repair = "let uv pip compile --generate-hashes or pip-compile --generate-hashes write the whole file"
    if line.is_folder or line.source is use.stage.build.source:
        repair = "install it in a call of its own"
    related = [Related(call, "installed here")] if line.source is not use.stage.build.source else []
    if found.first is not None:
        related.insert(0, Related(Location(found.first.source, found.first.span), "the hash"))
    return Finding(Location(line.source, line.span), message, repair, tuple(related))
