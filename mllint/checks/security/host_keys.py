"""ML209: ssh that connects to whatever host answers."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.shell.commands import shell_text
from mllint.image.stage import Stage
from mllint.patterns import regex

# As an option, a line of a file, or what `sed` makes of that line.
_UNCHECKED = regex(
    r"StrictHostKeyChecking(?:[\s=\"']+|[\s=]*\\?\)\.\*[/|!#,]\s*\\1)(?:no|off)\b"
    r"|UserKnownHostsFile[\s=\"']+/dev/null\b",
    re.IGNORECASE,
)
_REPAIR = (
    "leave it out, and write the keys of the hosts to /etc/ssh/ssh_known_hosts or mount that file; hosts that change"
    " their names can share one line, * ssh-ed25519 KEY, or a @cert-authority"
)


@check("ML209")
def ssh_host_keys_unchecked(stage: Stage) -> Iterator[Finding]:
    """ssh is told to compare no host keys."""
    places = [place for place in _places(stage) if stage in stage.build.needed]
    # Without the other setting an unknown host is still refused.
    if any("strict" in place.source.slice(place.span).lower() for place in places):
        first, *others = places
        message = "ssh accepts any host key: whoever answers in the place of a host is taken for it"
        related = tuple(Related(each, "and here") for each in others[:5])
        yield Finding(first, message, _REPAIR, related)


def _places(stage: Stage) -> Iterator[Location]:
    for step in stage.steps:
        instruction = step.instruction
        if instruction.keyword in ("RUN", "ENV") and step.trigger is None:
            text = (shell_text(instruction) if instruction.keyword == "RUN" else None) or instruction.rest
            for match in _UNCHECKED.finditer(text.text):
                yield Location(stage.build.source, text.span(*match.span()))
