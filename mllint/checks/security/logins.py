"""ML206: credentials that a RUN leaves in the image."""

from collections.abc import Iterator

from mllint import masking
from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.content.logins import Kept, kept
from mllint.image.shell.commands import shell_text
from mllint.image.stage import Stage, Step
from mllint.sources.text import Span

_SET_PASSWORDS = ("chpasswd", "passwd", "usermod", "useradd")


@check("ML206")
def login_in_run(stage: Stage) -> Iterator[Finding]:
    """A credential in a RUN, or in a file that it writes."""
    for step in stage.steps:
        if step.instruction.keyword != "RUN" or step.trigger is not None:
            continue
        found = list(kept(stage, step)) if stage.is_in_image else []
        for each in found:
            yield Finding(Location(stage.build.source, each.span), _message(each), _repair(each))
        yield from _literal(stage, step, [each.span for each in found])


def _message(found: Kept) -> str:
    what = f"the credential of {found.variable}" if found.variable else "the credential"
    return (
        f"{found.call} writes {what} into {found.file}, which stays in this layer:"
        " whoever can pull the image can take it from there"
    )


def _repair(found: Kept) -> str:
    if found.file == ".git/config":
        return "clone from the plain address, with a credential helper or ssh: RUN --mount=type=ssh git clone git@..."
    if found.reads is not None:
        variable = f"id={found.reads.lower()},env={found.reads}"
        at_start = f"the container from docker run -e {found.reads}"
        return f"leave it out: a RUN that needs it reads it from RUN --mount=type=secret,{variable}, and {at_start}"
    return f"mount the file where it is needed: RUN --mount=type=secret,id=NAME,target={found.path}"


def _literal(stage: Stage, step: Step, told: list[Span]) -> Iterator[Finding]:
    """The first credential that stands in the text of a RUN."""
    text = shell_text(step.instruction) or step.instruction.rest
    for secret in masking.secrets(text.text):
        span = text.span(secret.start, secret.end)
        if any(each.start <= span.start < each.end for each in told):
            continue
        reach = "whoever can pull the image" if stage.is_in_image else "whoever can read the build cache"
        message = f"this RUN holds a credential ({secret.kind}): whoever sees the Dockerfile has it, and so has {reach}"
        repair = "take it out, and a new one from RUN --mount=type=secret,id=NAME,env=NAME, which no layer keeps"
        if secret.kind == "password" and any(each.name in _SET_PASSWORDS for each in step.commands):
            repair = "set no password, whose hash the layer keeps anyway: use docker exec, or log in to sshd with a key"
        yield Finding(Location(stage.build.source, span), message, repair)
        return
