"""Rules about how the package managers of the operating system are called."""

import re
from collections.abc import Iterator
from typing import Literal

from mllint import facts
from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Edit, Finding, Fix, Location, Severity
from mllint.image.content.fetching import FETCHERS
from mllint.image.packages import Install
from mllint.image.shell.commands import Executed, executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.patterns import regex

_UPGRADES = {
    "apt": frozenset({"upgrade", "dist-upgrade", "full-upgrade"}),
    "apt-get": frozenset({"upgrade", "dist-upgrade"}),
    "apk": frozenset({"upgrade"}),
    "dnf": frozenset({"upgrade", "update", "distro-sync"}),
    "microdnf": frozenset({"upgrade", "update"}),
    "yum": frozenset({"upgrade", "update"}),
    "zypper": frozenset({"update", "up", "dup", "dist-upgrade"}),
}
_ONLY_SECURITY = frozenset({"--security", "--advisory", "--cve", "--bugfix", "--sec-severity"})
# The options of these that take a word of their own.
_WITH_VALUE = frozenset(
    {"-o", "-c", "-t", "--releasever", "--setopt", "--enablerepo", "--disablerepo", "--target-release"}
)
_NO_RECOMMENDS = regex(r"Install-Recommends[\s\"'=]+(?:0|false|no)", re.IGNORECASE)
_ASSUMES_YES = regex(r"Assume-Yes|assumeyes\s*=", re.IGNORECASE)
_YES = {
    "apt": frozenset({"-y", "--yes", "--assume-yes", "--assume-no", "-s", "--dry-run", "-d", "--download-only"}),
    "dnf": frozenset({"-y", "--assumeyes", "--assumeno", "--downloadonly"}),
    "zypper": frozenset({"-n", "--non-interactive", "-y", "--no-confirm"}),
}
# They recommend one small package: zip that which unpacks, curl and wget certificates, which https needs.
_RECOMMENDS_LITTLE = FETCHERS | {"zip"}
# What they recommend is often what they are installed for: compilers and headers, dictionaries.
_RECOMMENDS_NEEDED = frozenset(
    {"python3-pip", "python-pip", "enchant", "enchant-2", "libenchant-2-2", "python3-enchant"}
)
# What brings the headers of C, which gcc only recommends.
_HEADERS = frozenset({"build-essential", "g++", "libc6-dev"})
_REASON = regex(r"CVE|secur|vulnerab", re.IGNORECASE)
_ASKING = frozenset({"apt", "apt-get", "dnf", "yum", "zypper"})
# What no bare image of Debian or Ubuntu can install without packages that nobody named, of which apt then asks.
_BRINGS_OTHERS = frozenset(
    {"build-essential", "ffmpeg", "g++", "gcc", "git", "python3-pip", "python3-dev", "python3-venv"}
)
_BARE = frozenset({"debian", "ubuntu"})


@check("DF203")
def apt_upgrade(stage: Stage) -> Iterator[Finding]:
    """A build that upgrades all packages of its base."""
    for step in stage.steps if stage.is_in_image and not _is_locked(stage) else ():
        each = next(filter(_upgrades_all, step.commands), None)
        if each is not None and not _is_explained(step):
            call = f"{each.name} {next(word for word in each.arguments if word in _UPGRADES[each.name])}"
            outcome = (
                "what the mirrors have on the day of the build, and the image holds both the old files and the new"
            )
            message = f"{call} brings the packages of the base to {outcome}"
            repair = "take a newer base image, or upgrade by name the packages that have to be newer"
            yield Finding(Location(stage.build.source, each.span), message, repair)


def _is_locked(stage: Stage) -> bool:
    """Whether an upgrade without another release named changes nothing: Amazon Linux 2023 holds to its own."""
    return stage.root.base.distro == "amzn" and stage.root.base.suite == "2023"


def _is_explained(step: Step) -> bool:
    """Whether a comment above tells which fixes it is for."""
    return any(map(_REASON.search, step.instruction.source.comments_above(step.instruction.span.start)))


def _upgrades_all(each: Executed) -> bool:
    words, taken = [], False
    for word in each.arguments:
        if taken or word.startswith("-"):
            taken = word in _WITH_VALUE and not taken
            continue
        words.append(word)
    options = {word.partition("=")[0] for word in each.arguments}
    return len(words) == 1 and words[0] in _UPGRADES.get(each.name, ()) and options.isdisjoint(_ONLY_SECURITY)


@check("DF204")
def apt_recommends(stage: Stage) -> Iterator[Finding]:
    """Packages of Debian bring those that they recommend."""
    for step in stage.steps if stage.is_in_image else ():
        calls = [each for each in step.installs if _takes_recommended(each) and _is_in_plain_build(step, each)]
        calls = [each for each in calls if not _waits(stage, step, each)]
        if not calls or _is_said(stage, step, _NO_RECOMMENDS):
            continue
        call = calls[0]
        more = "packages that are only recommended, which this image stores too"
        message = f"{call.executed.name} install may take along {more}"
        edits = [_behind_verb(each, "--no-install-recommends") for each in calls]
        names = {word.value for each in calls for word in each.operands}
        fix = None if _needs_recommended(stage, names) else _added(step, "--no-install-recommends", edits, "unsafe")
        repair = "add --no-install-recommends, and name those of the recommended ones that are needed"
        yield Finding(Location(stage.build.source, call.span), message, repair, fix=fix)


def _takes_recommended(install: Install) -> bool:
    if install.manager.name != "apt" or install.verb != "install" or install.executed.name == "aptitude":
        return False
    # What is only installed again is there, with all that it brought.
    is_told = install.has("--no-install-recommends", "--install-recommends", "--reinstall")
    names = {word.value.partition("=")[0] for word in install.operands if not word.value.endswith(".deb")}
    alone = facts.by("recommends_nothing", "name") if not is_told else {}
    return not is_told and not all(name in alone or name in _RECOMMENDS_LITTLE for name in names)


def _needs_recommended(stage: Stage, names: set[str]) -> bool:
    """Whether packages may be of no use without what they recommend."""
    if not names.isdisjoint(_RECOMMENDS_NEEDED) or ("gcc" in names and names.isdisjoint(_HEADERS)):
        return True
    # It fetches the keys of repositories with programs of gnupg that are only recommended.
    commands = (each.name for step in stage.steps for each in step.commands)
    return "software-properties-common" in names and "add-apt-repository" in commands


def _is_in_plain_build(step: Step, install: Install) -> bool:
    """Whether a build that is given no arguments may come to a call."""
    unset = {name: "" for name, value in step.before.args.items() if isinstance(value, Unknown) and value.is_unset}
    if install.is_certain or not unset:
        return True
    before = step.before._replace(args={**step.before.args, **unset})
    return any(each.span == install.span for each in executed(step.instruction, before))


@check("DF205")
def apt_no_yes(stage: Stage) -> Iterator[Finding]:
    """An install that asks before it goes on, with nobody there to answer."""
    for step in stage.steps if stage in stage.build.needed else ():
        for each in step.installs:
            if _waits(stage, step, each):
                yield _asking(stage, step, each)


def _waits(stage: Stage, step: Step, install: Install) -> bool:
    """Whether an install may ask, and nothing answers."""
    return _asks(install) and not _is_said(stage, step, _ASSUMES_YES) and not _is_answered(install)


def _asks(install: Install) -> bool:
    kind = install.manager.name
    if install.executed.name not in _ASKING or kind not in _YES or not install.operands:
        return False
    names = {name for name, _ in install.options}
    is_quiet = sum(name == "-q" for name, _ in install.options) > 1
    is_by_variable = any(not word.is_literal and word.value.startswith("$") for word in install.executed.words[1:])
    return names.isdisjoint(_YES[kind]) and not (kind == "apt" and is_quiet) and not is_by_variable


def _is_answered(install: Install) -> bool:
    """Whether something is read as the answer, or the failure is to be overlooked."""
    text = install.step.instruction.rest.text
    return (
        "yes" in text or install.executed.may_fail or any(r.operator == "<" for r in install.executed.command.redirects)
    )


def _asking(stage: Stage, step: Step, install: Install) -> Finding:
    call = f"{install.executed.name} {install.verb}"
    base = stage.root.base
    names = {word.value for word in install.operands}
    is_bare = base.is_plain and base.reference is not None and base.reference.familiar in _BARE
    is_first = not any(other.installs for other in stage.steps_before(step))
    is_sure = is_bare and is_first and install.is_certain and not names.isdisjoint(_BRINGS_OTHERS)
    asks = "may ask whether to go on: nobody answers, and then the build fails"
    if is_sure or install.manager.name != "apt":
        asks = "asks whether to go on: nobody answers, and the build fails"
    message = f"{call} without -y {asks}"
    fix = _added(step, "-y", [_behind_verb(install, "-y")], "safe")
    severity = Severity.ERROR if is_sure else None
    return Finding(Location(stage.build.source, install.span), message, "add -y", fix=fix, severity=severity)


def _is_said(stage: Stage, step: Step, what: re.Pattern[str]) -> bool:
    """Whether this RUN or an instruction in front of it sets an option for good."""
    steps = (*stage.steps_before(step), step)
    return any(what.search(each.instruction.rest.text) for each in steps)


def _behind_verb(install: Install, option: str) -> Edit | None:
    verb = install.verb.split()[-1]
    word = next(each for each in install.executed.words if each.value == verb)
    source = install.step.instruction.source
    is_written = source.slice(word.span) == verb and not install.step.instruction.is_exec_form
    return insert(source, word.span.end, f" {option}") if is_written else None


def _added(step: Step, option: str, edits: list[Edit | None], how: Literal["safe", "unsafe"]) -> Fix | None:
    found = [edit for edit in edits if edit is not None]
    if step.trigger is not None or len(found) < len(edits):
        return None
    return Fix(how, f"add {option}", tuple(dict.fromkeys(found)))
