"""DF308: answers of a server that say no and are kept as the file."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Edit, Finding, Fix, Location, Related, Severity
from mllint.image.content.fetching import Fetch, base_name, fetches, is_checked, options
from mllint.image.content.unverified import UNPACKS, behind, kind
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage
from mllint.patterns import regex

# With these it tells of a failure, or what it saves is the answer itself.
_SEES = frozenset(
    "-f --fail --fail-with-body -I --head -w --write-out -X --request -d --data --data-raw -K --config -D".split()
)
_BUNDLE = regex(r"-[a-zA-Z]{2,}")
# What fails on a page of HTML.
_NOTICES = frozenset(
    "apt apt-get bash bunzip2 conda dnf dpkg gpg gzip java jq pip pip3 rpm sh tar unxz unzip yum".split()
)
_LISTS = regex(r"/etc/(?:apt|yum\.repos\.d|zypp)/")


@check("DF308")
def curl_without_fail(stage: Stage) -> Iterator[Finding]:
    """The first download of a RUN by a curl that succeeds with an error page, and those like it in the repair."""
    for step in stage.steps if stage in stage.build.needed else ():
        groups: dict[tuple[bool, bool], list[Fetch]] = {}
        seen = set()
        for each in fetches(step):
            call = each.executed
            if call is None or call.name != "curl" or call.span in seen or each.file is None:
                continue
            seen.add(call.span)
            if options(call).keys().isdisjoint(_SEES) and not is_checked(stage, each):
                what = kind(stage, each)
                is_noticed = _is_noticed(stage, each, what == "archive")
                groups.setdefault((is_noticed, is_noticed or what is None), []).append(each)
        for (is_noticed, is_small), found in groups.items():
            yield _finding(stage, found, is_noticed, is_small)


def _finding(stage: Stage, found: list[Fetch], is_noticed: bool, is_small: bool) -> Finding:
    first, *others = found
    source = stage.build.source
    outcome = "what reads it fails with a message that leads astray" if is_noticed else "the build goes on"
    message = f"curl lacks -f: where the server answers with an error, {first.file} is its error page, and {outcome}"
    calls = "1 more call of this RUN lacks" if len(others) == 1 else f"{len(others)} more calls of this RUN lack"
    message += f"; {calls} it too" if others else ""
    related = tuple(Related(Location(source, each.command), "lacks -f too") for each in others)
    repair = f"add -f, in all {len(found)} calls" if others else "add -f"
    where, severity = Location(source, first.command), Severity.INFO if is_small else None
    return Finding(where, message, repair, related, _failing(stage, found), severity=severity, is_strict=is_small)


def _is_noticed(stage: Stage, fetch: Fetch, is_archive: bool) -> bool:
    """Whether a later command of the stage cannot do with an error page, so that the build fails a little later."""
    name = base_name(fetch.file or "")
    # A package manager stops at a list of repositories that is none.
    return _LISTS.match(fetch.file or "") is not None or any(
        each.name == name or (is_archive and each.name in UNPACKS) or _reads(each, name)
        for each in behind(stage, fetch)
    )


def _reads(each: Executed, name: str) -> bool:
    is_reader = each.name in _NOTICES or each.name.startswith("python")
    return is_reader and any(name in word or "*" in word or "$" in word for word in each.arguments)


def _failing(stage: Stage, found: list[Fetch]) -> Fix | None:
    edits = [_edit(stage, each) for each in found]
    made = tuple(each for each in edits if each is not None)
    return Fix("safe", "let curl fail on an HTTP error", made) if len(made) == len(edits) else None


def _edit(stage: Stage, fetch: Fetch) -> Edit | None:
    """`-f` in the first bundle of options, or as one of its own."""
    call, source = fetch.executed, stage.build.source
    if call is None or fetch.step.trigger is not None or fetch.step.instruction.is_exec_form:
        return None
    first, *others = call.words
    if source.slice(first.span) != first.value:
        return None
    following = others[0] if others else None
    if following is not None and _BUNDLE.fullmatch(source.slice(following.span)):
        return insert(source, following.span.start + 1, "f")
    return insert(source, first.span.end, " -f")
