"""ML207: credentials in what says which packages are installed."""

from collections.abc import Iterator

from mllint import masking
from mllint.checks import check
from mllint.engine import Requirements
from mllint.findings import Finding, Location, Related
from mllint.image.copies import CopySource
from mllint.image.stage import Stage
from mllint.masking import Secret
from mllint.patterns import regex
from mllint.sources.text import Source, Span

_PROJECT = regex(
    r"pyproject\.toml|Pipfile(?:\.lock)?|(?:uv|poetry|pdm)\.lock|pylock\..*toml|(?:environment|conda).*\.ya?ml"
)
_HAS = "whoever sees the file, in the repository or in a layer, has it"


@check("ML207")
def secret_in_requirements(subject: Stage | Requirements) -> Iterator[Finding]:
    """A credential in a requirements file, a project or a lock file."""
    if isinstance(subject, Requirements):
        source = subject.file.source
        for secret in _secrets(source):
            message = f"this line holds a credential ({secret.kind}): {_HAS}"
            yield Finding(Location(source, Span(secret.start, secret.end)), message, _repair(secret, is_list=True))
        return
    for step in subject.steps if subject in subject.build.needed else ():
        for each in step.copy.sources if step.copy is not None and step.copy.origin == "context" else ():
            yield from _copied(subject, each)


def _copied(stage: Stage, copied: CopySource) -> Iterator[Finding]:
    """One finding for each file of a project that a COPY brings with a credential in it."""
    for entry in copied.entries(stage.build.context):
        if entry.is_folder or not _PROJECT.fullmatch(entry.name):
            continue
        text = stage.build.context.text(entry.path)
        secrets = _secrets(text) if text is not None else []
        if text is not None and secrets:
            yield _finding(stage, copied, text, secrets)


def _secrets(source: Source) -> list[Secret]:
    """What is a credential by its form: names in a project are also those of scripts and settings."""
    found = masking.secrets(source.text)
    return [each for each in found if masking.secret_value(_line(source, each)) is not None]


def _line(source: Source, secret: Secret) -> str:
    return source.slice(source.line_span(source.position(secret.start)[0]))


def _finding(stage: Stage, copied: CopySource, text: Source, secrets: list[Secret]) -> Finding:
    lines = list(dict.fromkeys(text.position(each.start)[0] for each in secrets))
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    message = f"{text.path} holds a credential ({secrets[0].kind}) in line {lines[0]}{more}: {_HAS}"
    related = tuple(Related(Location(text, Span(each.start, each.end)), "here") for each in secrets[:10])
    repair = _repair(secrets[0], is_list=False)
    return Finding(Location(stage.build.source, copied.word.span), message, repair, related)


def _repair(secret: Secret, is_list: bool) -> str:
    if secret.kind == "signed URL":
        return "take the file from an index or storage that asks for a credential, and give that by a secret mount"
    if secret.kind.endswith("URL") and is_list:
        return (
            "write ${NAME} in its place and mount a new one: RUN --mount=type=secret,id=NAME,env=NAME pip install ..."
        )
    return "take it out, and hand it to the installer in its environment: RUN --mount=type=secret,id=NAME,env=NAME"
