"""Rules about files that a build downloads."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.content.fetching import Fetch, installer
from mllint.image.content.unverified import Unverified, unverified
from mllint.image.stage import Stage

_BETWEEN = "whoever sits between decides what the image gets"
_MOVING = "the address is that of whatever is newest, and each build may get another one"
_HARM = {
    "moving": _MOVING,
    "unversioned": "the address names no version, and each build may get another one",
    "versioned": "nothing notices another file in its place",
}
_EXCHANGED = "what is put there in its place becomes the model of the next image unseen"


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
    more = f", nor {len(others)} more downloads of this stage" if others else ""
    message = f"no checksum holds {first.fetch.address}{more.replace('1 more downloads', '1 more download')}: {harm}"
    related = tuple(Related(Location(source, each.fetch.command), "nor this") for each in others[:10])
    return Finding(Location(source, first.fetch.command), message, _repair(first), related)


def _harm(found: Unverified) -> str:
    if found.why == "open":
        how = "it comes over plain http" if found.fetch.is_plain else "the certificate of the server goes unchecked"
        return f"{how}, and {_BETWEEN}"
    if found.what == "weights" and found.why != "moving":
        return _EXCHANGED
    return _HARM[found.why]


def _repair(found: Unverified) -> str:
    hold, known = _hold(found.fetch), installer(found.fetch)
    if known is not None and found.why != "open":
        return known
    if found.why == "open":
        return f"take it from https, and {hold}" if found.fetch.is_plain else f"have the certificate checked, or {hold}"
    return hold if found.why == "versioned" or found.what == "weights" else f"take a release by its version, and {hold}"


def _hold(fetch: Fetch) -> str:
    if fetch.executed is None:
        return "hold it with ADD --checksum=sha256:..."
    if fetch.file is None:
        return "write it to a file that sha256sum -c holds before it is unpacked"
    # The shell replaces no ~ between quotes.
    file = f"$HOME{fetch.file[1:]}" if fetch.file.startswith("~/") else fetch.file
    return f'hold it in the same RUN: echo "SHA256  {file}" | sha256sum -c -'
