"""ML211: programs that are told to take any certificate."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.content.fetching import fetches, host, is_checked
from mllint.image.content.unverified import is_open, unverified
from mllint.image.shell.commands import Executed, shell_text
from mllint.image.stage import Stage, Step
from mllint.patterns import regex

# Variables, and the values by which they switch the check off.
_VARIABLES = {
    "GIT_SSL_NO_VERIFY": ("git", regex(r"(?!(?:0|false|no|off)$).+", re.IGNORECASE)),
    "NODE_TLS_REJECT_UNAUTHORIZED": ("node", regex(r"0")),
    "PYTHONHTTPSVERIFY": ("python", regex(r"0")),
    "NPM_CONFIG_STRICT_SSL": ("npm", regex(r"false", re.IGNORECASE)),
    "CONDA_SSL_VERIFY": ("conda", regex(r"false|no|off|0", re.IGNORECASE)),
}
# Calls that set it for good, or for one command.
_CALLS = (
    ("git", regex(r".*\bhttp\.(?:\S+\.)?sslverify[= ](?:false|0|no|off)\b.*", re.IGNORECASE)),
    ("npm", regex(r".*\bconfig set strict-ssl[= ]false\b.*")),
    ("yarn", regex(r".*\bconfig set strict-ssl[= ]false\b.*")),
    ("conda", regex(r".*\bconfig .*--set ssl_verify (?:false|no|0)\b.*", re.IGNORECASE)),
)
# What is written into the settings of a program.
_SETTINGS = (
    ("wget", regex(r"\bcheck_certificate\s*=\s*(?:off|no|false)\b", re.IGNORECASE)),
    ("dnf", regex(r"\bsslverify\s*=\s*(?:0|false|no)\b", re.IGNORECASE)),
    ("apt", regex(r"Acquire::https?::Verify-Peer[\s\"'=\\]+(?:false|0|no)\b", re.IGNORECASE)),
)
_OWN = regex(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d+)?")
# Where the certificates of own authorities lie, and what takes them up.
_DEBIAN = ("/usr/local/share/ca-certificates", "update-ca-certificates")
_RHEL = ("/etc/pki/ca-trust/source/anchors", "update-ca-trust")
_BETWEEN = "whoever sits between can put in what they like"


@check("ML211")
def no_check_certificate(stage: Stage) -> Iterator[Finding]:
    """Certificates that a program does not check."""
    for step in stage.steps if stage in stage.build.needed else ():
        if step.trigger is None and step.instruction.keyword == "ENV":
            yield from _variables(stage, step)
        elif step.trigger is None and step.instruction.keyword == "RUN":
            yield from _set(stage, step)
            yield from _fetched(stage, step)


def _variables(stage: Stage, step: Step) -> Iterator[Finding]:
    for pair in step.instruction.pairs:
        program, off = _VARIABLES.get(pair.key.text.upper(), ("", None))
        if off is not None and off.fullmatch(pair.value.text.strip("\"'")):
            written = f"{pair.key.text}={pair.value.text}"
            reach = " here and in the container" if stage.is_in_image else ""
            message = f"{written} has {program} take any certificate{reach}: {_BETWEEN}"
            yield Finding(Location(stage.build.source, pair.key.span), message, _repair(stage, program))


def _set(stage: Stage, step: Step) -> Iterator[Finding]:
    """The first call or setting of a RUN that switches the check of a program off."""
    for each in step.commands:
        program = next((name for name, words in _CALLS if each.name == name and words.fullmatch(_text(each))), None)
        if program is None:
            program = next((_VARIABLES[name][0] for name in each.assignments if _is_off(name, each)), None)
        if program is not None:
            message = f"{program} is told to take any certificate: {_BETWEEN}"
            yield Finding(Location(stage.build.source, each.span), message, _repair(stage, program))
            return
    text = shell_text(step.instruction) or step.instruction.rest
    for program, setting in _SETTINGS:
        match = setting.search(text.text)
        if match is not None:
            message = f"{match[0]} has {program} take any certificate: {_BETWEEN}"
            where = Location(stage.build.source, text.span(*match.span()))
            yield Finding(where, message, _repair(stage, program))


def _text(each: Executed) -> str:
    return " ".join(each.arguments)


def _is_off(name: str, each: Executed) -> bool:
    return name in _VARIABLES and _VARIABLES[name][1].fullmatch(each.assignments[name].value) is not None


def _fetched(stage: Stage, step: Step) -> Iterator[Finding]:
    """Downloads that DF306 leaves out: scripts that run at once, headers and texts."""
    told = {each.fetch.span for each in unverified(stage, step) if each.why == "open"}
    for each in fetches(step):
        is_own = _OWN.fullmatch(host(each)) is not None
        call = each.executed
        if call is None or each.is_plain or each.span in told or is_own or is_checked(stage, each) or not is_open(each):
            continue
        message = f"{call.name} takes any certificate for {host(each)}: {_BETWEEN}"
        yield Finding(Location(stage.build.source, each.command), message, _repair(stage, call.name))


def _repair(stage: Stage, program: str) -> str:
    bundle = "" if _has_bundle(stage) else "install ca-certificates and "
    checked = f"{bundle}have {program} check it"
    folder, update = _RHEL if stage.root.base.family == "rhel" else _DEBIAN
    return f"{checked}; for an authority of your own, copy its certificate to {folder} and run {update}"


def _has_bundle(stage: Stage) -> bool:
    """Whether the certificates of the authorities are there, as in all but the small bases of Debian and Ubuntu."""
    reference = stage.root.base.reference
    is_small = reference is not None and (reference.familiar in ("debian", "ubuntu") or "slim" in (reference.tag or ""))
    installs = (each for step in stage.steps_before(None) for each in step.installs)
    return not is_small or any(word.value == "ca-certificates" for each in installs for word in each.operands)
