"""Rules about files that a build downloads."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image import programs
from mllint.image.content.fetching import Fetch, branch, host, installer
from mllint.image.content.unverified import Unverified, unverified
from mllint.image.stage import Stage
from mllint.patterns import regex

_BETWEEN = "whoever sits between decides what the image gets"
_MOVING = "the address is that of whatever is newest, and each build may get another one"
_HARM = {
    "moving": _MOVING,
    "unversioned": "the address names no version, and each build may get another one",
    "versioned": "nothing notices another file in its place",
}
_EXCHANGED = "another file put in its place becomes the model of the next image unnoticed"
# The shell puts the architecture in its place.
_ARCHITECTURE = regex(
    r"\$\{?\w*(?:arch|platform|machine)|\$\((?:uname -m|arch|dpkg --print-architecture)\)", re.IGNORECASE
)
# They answer no https.
_ARCHIVES = (".ubuntu.com", ".debian.org")


@check("DF306")
def download_no_checksum(stage: Stage) -> Iterator[Finding]:
    """Files that the build downloads and compares with nothing."""
    if stage not in stage.build.needed:
        return
    groups: dict[tuple[str, bool], list[Unverified]] = {}
    for step in stage.steps:
        for each in unverified(stage, step):
            groups.setdefault((_harm(each), each.is_grave), []).append(each)
    for (harm, is_grave), found in groups.items():
        yield _finding(stage, harm, found)._replace(is_strict=not is_grave)


def _finding(stage: Stage, harm: str, found: list[Unverified]) -> Finding:
    source, first, others = stage.build.source, found[0], found[1:]
    more = f" or {len(others)} more like it in this stage" if others else ""
    message = f"no checksum holds {first.fetch.address}{more}: {harm}"
    related = tuple(Related(Location(source, each.fetch.command), "this neither") for each in others[:10])
    return Finding(Location(source, first.fetch.command), message, _repair(stage, first), related)


def _harm(found: Unverified) -> str:
    if found.why == "open":
        how = "it comes over plain http" if found.fetch.is_plain else "the certificate of the server goes unchecked"
        return f"{how}, and {_BETWEEN}"
    if found.what == "weights" and found.why != "moving":
        return _EXCHANGED
    return _HARM[found.why]


def _repair(stage: Stage, found: Unverified) -> str:
    fetch = found.fetch
    hold, known = _hold(fetch), _in_place(stage, fetch) or installer(fetch)
    if known is not None and found.why != "open":
        return known
    if found.why == "open" and fetch.is_plain:
        return hold if host(fetch).endswith(_ARCHIVES) else f"take it from https, and {hold}"
    if found.why == "open":
        return f"have the certificate checked, or {hold}"
    kept = _kept(found)
    return f"{kept}, and {hold}" if kept else hold


def _in_place(stage: Stage, fetch: Fetch) -> str | None:
    """That pip need not be fetched, where the Python that runs its script has it already."""
    step = fetch.step
    runners = {each.name for each in step.commands if any(word.endswith("get-pip.py") for word in each.arguments)}
    if not fetch.address.endswith("/get-pip.py") or not runners & {"python", "python3"}:
        return None
    view, path = stage.view_before(step), step.before.env.get("PATH")
    has_pip = any(isinstance(programs.program(view, name, path), programs.Program) for name in ("pip", "pip3"))
    return "pip is in place already: leave this out, or take pip install pip==VERSION" if has_pip else None


def _kept(found: Unverified) -> str | None:
    """Which address to take in the place of one whose file changes, so that a checksum can hold it."""
    address, name = found.fetch.address, branch(found.fetch)
    if found.why == "moving" and name is not None:
        return f"put a tag or commit in the place of {name}"
    if "/releases/download/" in address and found.why == "moving":
        return "take a release whose tag stays, or a copy of your own"
    if found.why == "moving":
        return "take a release by its version"
    if found.why == "unversioned" and found.what != "weights":
        return "take it by an address that names its version, or from a copy of your own"
    return None


def _hold(fetch: Fetch) -> str:
    if fetch.executed is None:
        return "hold it with ADD --checksum=sha256:..."
    is_several = _ARCHITECTURE.search(fetch.address) is not None
    if fetch.file is None:
        by = ", by a SHA256 for each architecture," if is_several else ""
        return f"write it to a file that sha256sum -c holds{by} before it is unpacked"
    # The shell replaces no ~ between quotes.
    file = f"$HOME{fetch.file[1:]}" if fetch.file.startswith("~/") else fetch.file
    by, written = (", by a SHA256 for each architecture", "$SHA256") if is_several else ("", "SHA256")
    return f'hold it in the same RUN{by}: echo "{written}  {file}" | sha256sum -c -'
