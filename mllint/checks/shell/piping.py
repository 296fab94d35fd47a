"""DF305: scripts from the network that are run unseen."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.compiling import is_for_development
from mllint.image.content.fetching import (
    VERSION_WORD,
    Fetch,
    branch,
    fetches,
    has_version,
    host,
    installer,
    is_checked,
    runs,
)
from mllint.image.installing.bootstrapping import refused
from mllint.image.shell.unwrapping import unwrap
from mllint.image.stage import Stage
from mllint.patterns import regex

_KEYRINGS = frozenset({"apt-key", "gpg", "gpg2"})
_VERSION_NAME = regex(r"(?:.*_)?(?:VERSION|VER|TAG|COMMIT|REVISION|RELEASE)(?:_.*)?", re.IGNORECASE)
_REPAIR = "fetch a release by its version, hold it with sha256sum -c and then run it"


@check("DF305")
def curl_pipe_shell(stage: Stage) -> Iterator[Finding]:
    """An installer that is run as it comes from the network."""
    for step in stage.steps if stage in stage.build.needed else ():
        for each in fetches(step):
            # What get-pip.py itself refuses, the build does not get past.
            if is_checked(stage, each) or (not each.is_plain and refused(stage, each) is not None):
                continue
            if runs(each) is not None:
                yield _run(stage, each)
            elif each.is_plain and _reads_key(each):
                yield _trusted(stage, each)


def _run(stage: Stage, fetch: Fetch) -> Finding:
    reader, call = runs(fetch), fetch.executed
    assert reader is not None
    assert call is not None
    where = Location(stage.build.source, fetch.command)
    what = f"{reader.name} runs what {call.name} gets from {fetch.address}"
    if fetch.is_plain:
        message = f"{what} over plain http: whoever sits between can run anything in this build"
        return Finding(where, message, f"take it from https, or {_REPAIR}")
    name = branch(fetch)
    held = f"put a tag or commit in the place of {name}, hold it with sha256sum -c and then run it" if name else _REPAIR
    repair = installer(fetch) or held
    if _is_versioned(fetch):
        message = f"{what} unseen: no checksum holds the script, so that whoever changes it there runs what they like"
        return Finding(where, message, repair, is_strict=True)
    message = f"{what}, with neither version nor checksum: each build may install something else"
    return Finding(where, message, repair, is_strict=is_for_development(stage))


def _trusted(stage: Stage, fetch: Fetch) -> Finding:
    assert fetch.executed is not None
    where = Location(stage.build.source, fetch.command)
    message = (
        f"the signing key comes over plain http from {host(fetch)}: whoever sits between can put in a key of theirs,"
        " and what they sign is then trusted"
    )
    return Finding(where, message, "take the key from https, and compare its fingerprint")


def _reads_key(fetch: Fetch) -> bool:
    words = unwrap(fetch.reader)[0] if fetch.reader is not None and not fetch.is_word else ()
    return bool(words) and words[0].value.rpartition("/")[2] in _KEYRINGS


def _is_versioned(fetch: Fetch) -> bool:
    """Whether the address, a word behind the shell or a variable tells which version to install."""
    reader, call = runs(fetch), fetch.executed
    assert reader is not None
    assert call is not None
    assert fetch.reader is not None
    behind = [word for word in reader.words[1:] if not word.value.startswith("-") and not word.substitutions]
    if has_version(fetch) or any(VERSION_WORD.fullmatch(word.value) or "$" in word.text for word in behind):
        return True
    prefix = unwrap(fetch.reader)[1].assignments
    given = {*prefix, *call.environment, *fetch.step.before.env, *fetch.step.before.args}
    address = fetch.address.lower()
    return any(
        _VERSION_NAME.fullmatch(name) and (name in prefix or name.partition("_")[0].lower() in address)
        for name in given
    )
