"""ML209: ssh that connects to whatever host answers."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.shell.commands import shell_text
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.wording import enumerated

# As an option, a line of a file, or what `sed` makes of that line.
_UNCHECKED = regex(
    r"StrictHostKeyChecking(?:[\s=\"']+|[\s=]*\\?\)\.\*[/|!#,]\s*\\1)(?:no|off)\b"
    r"|UserKnownHostsFile[\s=\"']+/dev/null\b",
    re.IGNORECASE,
)
# One host key for all containers of an image that has the server in it, too.
_OWN = "sed 's/^/* /' /etc/ssh/ssh_host_*_key.pub > /etc/ssh/ssh_known_hosts"
_SERVERS = frozenset({"openssh-server", "ssh"})


@check("ML209")
def ssh_host_keys_unchecked(stage: Stage) -> Iterator[Finding]:
    """ssh is told to compare no host keys."""
    places = [place for place in _places(stage) if stage in stage.build.needed]
    # Without the other setting an unknown host is still refused.
    if any("strict" in place.source.slice(place.span).lower() for place in places):
        first, *others = places
        lines = list(dict.fromkeys(str(place.source.position(place.span.start)[0]) for place in places))
        by = f", by what lines {enumerated(lines)} set" if len(lines) > 1 else ""
        message = f"ssh accepts any host key{by}: whoever answers in the place of a host is taken for it"
        related = tuple(Related(each, "and here") for each in others[:5])
        yield Finding(first, message, _repair(stage, len(lines)), related)


def _repair(stage: Stage, number: int) -> str:
    """What to do; a cluster of containers of one image has its host keys at hand."""
    leave = "leave these out" if number > 1 else "leave it out"
    calls = (call for each in stage.lineage for step in each.steps for call in step.installs)
    if any(word.value in _SERVERS for call in calls for word in call.operands):
        return f"{leave}, and write the host keys of the image, which all its containers have: {_OWN}"
    return f"{leave}, and write the keys of the hosts to /etc/ssh/ssh_known_hosts, or mount that file"


def _places(stage: Stage) -> Iterator[Location]:
    for step in stage.steps:
        instruction = step.instruction
        if instruction.keyword in ("RUN", "ENV") and step.trigger is None:
            text = (shell_text(instruction) if instruction.keyword == "RUN" else None) or instruction.rest
            for match in _UNCHECKED.finditer(text.text):
                yield Location(stage.build.source, text.span(*match.span()))
