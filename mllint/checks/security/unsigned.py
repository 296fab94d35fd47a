"""ML208: packages of the operating system that are installed without a signature, or by one that is trusted too far."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

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
    # Since 2017 apt refuses a repository without a signature before it comes to its packages.
    is_apt = install.manager.name == "apt"
    if is_apt:
        message = f"{call} also takes packages without a valid signature, should apt ever let such a repository pass"
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
    message = "apt-key trusts a key for all repositories: whoever holds it can sign packages of the distribution too"
    repair = "write the key to /etc/apt/keyrings, and name it for its repository: deb [signed-by=...] ..."
    if any(_brings_list(step, each) for step, each in calls if each is first):
        repair = (
            "write the key to /etc/apt/keyrings, and name it with signed-by= in the list that is downloaded, or install"
            " the package of the vendor that brings both"
        )
    is_of_nvidia = any(_NVIDIA in word for word in first.arguments)
    if is_of_nvidia:
        repair = f"install the package cuda-keyring from {_NVIDIA}, which names its key for its repository"
        if any("machine-learning" in word for each in found for word in each.arguments):
            repair += ", though not for that of machine-learning"
    related = tuple(Related(Location(source, each.span), "apt-key") for _, each in calls if each is not first)
    where = Location(source, first.span)
    # The way around the key that NVIDIA changed in 2022 is known, and nobody is sent away from it by default.
    yield Finding(where, message, repair, related, severity=Severity.INFO, is_strict=is_of_nvidia)


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
