"""ML208: packages of the operating system that are installed without a signature, or by one that is trusted too far."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from mllint import facts
from mllint.checks import check
from mllint.edits import delete, replace
from mllint.findings import Edit, Finding, Fix, Location, Related, Severity
from mllint.image.content.fetching import Fetch, fetches, host
from mllint.image.packages import Install
from mllint.image.shell.commands import Executed, shell_text
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.shell_tree import Word
from mllint.sources.text import Span

_OPTIONS = {
    "apt": frozenset({"--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"}),
    "apk": frozenset({"--allow-untrusted"}),
    "dnf": frozenset({"--nogpgcheck", "--no-gpgchecks"}),
    "zypper": frozenset({"--no-gpg-checks", "--allow-unsigned-rpm"}),
}
# What settings and lists of repositories say, unless they are about folders of the image.
_SETTINGS = regex(
    r"\[[^\]\n]*\btrusted=yes[^\]\n]*\](?!\s*(?:file|copy):)"
    r"|(?<!_)gpgcheck\s*=\s*(?:0|false|no)\b"
    r"|(?:AllowInsecureRepositories|AllowUnauthenticated)[\s\"'=\\]+(?:true|1|yes)\b\"?",
    re.IGNORECASE,
)
_LIST = regex(r"https?://\S+\.list\b")
_NVIDIA = "developer.download.nvidia.com"
_WITH_OLD_APT = ("jessie", "8", "stretch", "9", "trusty", "14.04", "xenial", "16.04")
# The tags of the newest releases; none of these has apt-key.
_NEWEST = {
    "debian": (None, "latest", "stable", "stable-slim", "stable-backports", "testing", "unstable", "sid"),
    "ubuntu": (None, "latest", "rolling", "devel"),
}
_WITHOUT_APT_KEY = {"debian": "Debian 13", "ubuntu": "Ubuntu 25.04"}
_ANYBODY = "whoever sits between, or gets into the mirror, decides what is installed"


@check("ML208")
def apt_unauthenticated(stage: Stage) -> Iterator[Finding]:
    """Packages that no key vouches for."""
    for step in stage.steps if stage in stage.build.needed else ():
        if step.instruction.keyword == "RUN":
            yield from _accepting(stage, step)
            yield from _set(stage, step)
    if stage in stage.build.needed:
        yield from _trusting(stage)


def _accepting(stage: Stage, step: Step) -> Iterator[Finding]:
    """The first call of a RUN with such an option, and all of them in the repair."""
    found = [(each, word) for each in step.installs for word in _given(each)]
    if not found:
        return
    install, word = found[0]
    call = f"{install.executed.name} {install.verb} {word.value}"
    message = f"{call} also takes packages without a valid signature: {_ANYBODY}"
    # Since apt 1.5, of 2017, a repository without a signature is refused before it comes to its packages.
    is_apt = install.manager.name == "apt" and stage.root.base.suite not in _WITH_OLD_APT
    if is_apt:
        allowed = "where a repository is allowed to have none ([trusted=yes], AllowInsecureRepositories)"
        message = f"{call} also takes packages without a valid signature, {allowed}"
    repair = f"leave {word.value} out, and add the key of a repository that needs one"
    is_file = install.manager.name == "apk" and all(each.value.endswith(".apk") for each in install.operands)
    where = Location(stage.build.source, word.span)
    severity = Severity.INFO if is_apt else None
    yield Finding(where, message, repair, fix=_without(step, found), severity=severity, is_strict=is_file or is_apt)


def _given(install: Install) -> Iterator[Word]:
    names = _OPTIONS.get(install.manager.name, frozenset())
    # dnf compares no signature of a package that it is given by its address, with or without the option.
    is_idle = install.manager.name == "dnf" and all("://" in word.value for word in install.operands)
    return (word for word in install.executed.words if word.value in names and not is_idle)


def _without(step: Step, found: list[tuple[Install, Word]]) -> Fix | None:
    """The options taken out; where one was also the answer to apt's question, `-y` takes its place."""
    source = step.instruction.source
    edits: dict[Edit, None] = {}
    for install, word in found:
        if source.slice(word.span) != word.value or step.instruction.is_exec_form or step.trigger is not None:
            return None
        is_answer = word.value == "--force-yes" and not install.has("-y", "--yes", "--assume-yes", "-q")
        start = word.span.start - 1
        if is_answer:
            edits[replace(source, word.span, "-y")] = None
        elif source.text[start] == " ":
            edits[delete(source, Span(start, word.span.end))] = None
        else:
            return None
    options = " and ".join(dict.fromkeys(word.value for _, word in found))
    return Fix("unsafe", f"leave out {options}", tuple(edits))


def _set(stage: Stage, step: Step) -> Iterator[Finding]:
    """A setting or a list of repositories."""
    text = shell_text(step.instruction) or step.instruction.rest
    match = _SETTINGS.search(text.text)
    if match is not None:
        written = " ".join(match[0].split())
        message = f"{written} has packages installed whose signature nobody compares: {_ANYBODY}"
        repair = "fetch the key of the repository and name it: deb [signed-by=/etc/apt/keyrings/NAME.gpg] ..."
        if "gpgcheck" in match[0].lower():
            repair = "write gpgcheck=1, and the address of the key as gpgkey="
        where = Location(stage.build.source, text.span(*match.span()))
        yield Finding(where, message, repair)


def _trusting(stage: Stage) -> Iterator[Finding]:
    """The first key of a stage that may sign whatever it likes."""
    calls = [(step, each) for step in stage.steps for each in step.commands if each.name == "apt-key"]
    found = [each for step, each in calls if each.arguments[:1] in (("add",), ("adv",)) and not _is_open(step, each)]
    if not found:
        return
    first, source = found[0], stage.build.source
    repair = _kept_apart(calls, found)
    related = tuple(Related(Location(source, each.span), "apt-key") for _, each in calls if each is not first)
    where = Location(source, first.span)
    gone = _without_apt_key(stage)
    if gone is not None and not first.may_fail:
        is_error = gone.is_verified and first.is_sure
        message = f"apt-key is not found in {gone.since} and later{gone.today}: the build fails"
        yield Finding(where, message, repair, related, severity=Severity.ERROR if is_error else Severity.WARNING)
        return
    message = "apt-key trusts a key for all repositories: whoever holds it can sign packages of the distribution too"
    # The way around the key that NVIDIA changed in 2022 is known, and nobody is sent away from it by default.
    is_of_nvidia = any(_NVIDIA in word for word in first.arguments)
    yield Finding(where, message, repair, related, severity=Severity.INFO, is_strict=is_of_nvidia)


def _kept_apart(calls: list[tuple[Step, Executed]], found: list[Executed]) -> str:
    """Where the keys are to be written."""
    if any(_NVIDIA in word for word in found[0].arguments):
        repair = f"install the package cuda-keyring from {_NVIDIA}, which names its key for its repository"
        is_for_more = any("machine-learning" in word for each in found for word in each.arguments)
        return f"{repair}, though not for that of machine-learning" if is_for_more else repair
    brought = {_brings_list(step, each) for step, each in calls if each in found}
    what = "the key" if len(found) == 1 else "each key"
    if brought == {False}:
        return f"write {what} to /etc/apt/keyrings, and name it for its repository: deb [signed-by=...] ..."
    where = "in the list that is downloaded" if brought == {True} else "in its list, also in one that is downloaded"
    brings = "package of the vendor that brings both" if len(found) == 1 else "packages of the vendors that bring both"
    return f"write {what} to /etc/apt/keyrings, and name it with signed-by= {where}, or install the {brings}"


class _Gone(NamedTuple):
    """That apt-key is no part of a base any more."""

    since: str
    """The release that lacks it first."""
    today: str
    """What is to be said where the base only happens to be that late."""
    is_verified: bool


def _without_apt_key(stage: Stage) -> _Gone | None:
    base = stage.root.base
    since = _WITHOUT_APT_KEY.get(base.family or "")
    if since is None or base.reference is None:
        return None
    if isinstance(base.suite, str):
        rows = facts.by("distro_releases", "suite").get(base.suite, ())
        row = next((each for each in rows if each.get("apt_key") == "no"), None)
        return _Gone(since, "", row["status"] == "verified") if row is not None else None
    is_newest = base.reference.familiar.rpartition("/")[2] == base.family and base.reference.tag in _NEWEST[base.family]
    return _Gone(since, f", which {base.reference.text} is today", False) if is_newest else None


def _brings_list(step: Step, each: Executed) -> bool:
    """Whether the list of the repository is downloaded too: from the host of the key, where that is known."""
    lists = {urlsplit(found).netloc for found in _LIST.findall(step.instruction.rest.text)}
    keys = [fetch for fetch in fetches(step) if _reads(fetch, each)]
    hosts = {*map(host, keys), *(urlsplit(word).netloc for word in each.arguments if word.startswith("http"))}
    return bool(lists & hosts if hosts else lists)


def _reads(fetch: Fetch, each: Executed) -> bool:
    is_piped = fetch.reader is not None and fetch.reader.span == each.span
    return is_piped or (fetch.file is not None and fetch.file in each.arguments)


def _is_open(step: Step, each: Executed) -> bool:
    """Whether the key itself comes unprotected, which is the concern of DF305."""
    return any(
        fetch.is_plain and fetch.reader is not None and fetch.reader.span == each.span for fetch in fetches(step)
    )
