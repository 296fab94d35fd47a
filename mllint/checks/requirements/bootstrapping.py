"""ML642: the script that installs pip, run by a Python that it refuses."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.content.fetching import Fetch, fetches, host
from mllint.image.installing.bootstrapping import Refused, refused
from mllint.image.stage import Stage


@check("ML642")
def get_pip_too_new(stage: Stage) -> Iterator[Finding]:
    """get-pip.py of today with a Python of yesterday."""
    for step in stage.steps if stage in stage.build.needed else ():
        for each in fetches(step):
            found = refused(stage, each)
            if found is not None:
                yield _finding(stage, each, found)


def _finding(stage: Stage, fetch: Fetch, found: Refused) -> Finding:
    source, program = stage.build.source, found.executed.words[0].value
    who = program if found.minor in program else f"{program} ({found.minor} here)"
    message = (
        f"{fetch.name} asks for Python {found.least} or later, and {who} runs it: it ends with an error, and the build"
        " stops"
    )
    address = f"https://{host(fetch)}/{found.path}"
    repair = f"take the one for this Python: {address}" if found.path else f"take a Python of {found.least} or later"
    related = (Related(Location(source, found.executed.span), "runs it"),)
    return Finding(Location(source, fetch.span), message, repair, related, _for_python(fetch, found, address))


def _for_python(fetch: Fetch, found: Refused, address: str) -> Fix | None:
    """The script that is kept for this Python."""
    source = fetch.step.instruction.source
    is_written = source.slice(fetch.span).strip("\"'") == fetch.address
    if found.path is None or not is_written or fetch.step.trigger is not None:
        return None
    start = source.text.index(fetch.address, fetch.span.start)
    span = fetch.span._replace(start=start, end=start + len(fetch.address))
    return Fix("safe", f"take get-pip.py for Python {found.minor}", (replace(source, span, address),))
