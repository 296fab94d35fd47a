"""ML2: users, secrets and what else others could abuse."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from mllint import facts, masking
from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import service
from mllint.image.context import Entry
from mllint.image.copies import Copy
from mllint.image.stage import Stage, Step
from mllint.sources.dockerfile import Instruction
from mllint.sources.text import Span

_ROOT = frozenset({"root", "0"})
_DROPS_PRIVILEGES = re.compile(r"\b(?:gosu|su-exec|setpriv|runuser|setuidgid|chroot\s+--userspec|start-stop-daemon|su\s+-|sudo\s+-\S*u)")


@check("ML201")
def root_user(stage: Stage) -> Iterator[Finding]:
    """The image's process runs as root."""
    user = stage.end.user
    if not stage.is_final or not isinstance(user, str) or user.partition(":")[0] not in _ROOT:
        return
    if stage.root.base.kind == "scratch" or stage.build.settings.platform == "lambda":
        return
    process = service.process(stage)
    if process is not None and _gives_root_up(stage, process):
        return
    step = stage.last("USER")
    source = stage.build.source
    if step is not None:
        where, cause = Location(source, step.instruction.span), f"USER {user}"
        related = ()
    else:
        named = process.step.instruction if process else stage.instruction
        where, cause = Location(source, named.keyword_span if process is None else named.span), "no USER"
        related = (Related(Location(source, stage.root.instruction.span), "the base runs as root"),)
    message = f"the container runs as root ({cause}): whoever breaks into the service owns all that the container can reach"
    repair = "create a user and switch to it: RUN useradd --system --create-home app, then USER app before the CMD"
    # An image that starts nothing by itself is a base or a toolbox: its users decide.
    yield Finding(where, message, repair, related, severity=None if process else Severity.INFO)


def _gives_root_up(stage: Stage, process: service.Process) -> bool:
    texts = [step.instruction.rest.text for step in (process.entrypoint, process.command) if step]
    for each in process.commands:
        path = each.words[0].value
        source = service.script_source(stage, path) if path.endswith(".sh") or "/" in path else None
        texts += [source.text] if source else []
    return any(_DROPS_PRIVILEGES.search(text) for text in texts)


@check("ML202")
def secret_in_env_or_arg(stage: Stage) -> Iterator[Finding]:
    """A credential in ENV or ARG, which the image's history shows."""
    for step in stage.steps:
        instruction = step.instruction
        if instruction.keyword == "ENV":
            for pair in instruction.pairs:
                yield from _secret_env(stage, step, pair.key.text, pair.value.text, pair.key.span)
        elif instruction.keyword == "ARG":
            for word in instruction.words:
                name, _, value = word.text.partition("=")
                yield from _secret_arg(stage, step, name, value, word.span)


_MOUNT = "give it to the one RUN that needs it: RUN --mount=type=secret,id={id},env={name}; at run time, docker run -e {name}"


def _repair(name: str) -> str:
    return _MOUNT.format(id=name.lower(), name=name)


def _secret_env(stage: Stage, step: Step, name: str, value: str, span: Span) -> Iterator[Finding]:
    plain = value.strip("\"'")
    where = Location(stage.build.source, span)
    kind = masking.credential(name, plain)
    if kind is not None:
        message = f"ENV {name} holds {kind}: everyone who can pull the image reads it with docker history"
        yield Finding(where, message, _repair(name))
    elif masking.looks_secret_name(name) and (variable := re.fullmatch(r"\$\{?(\w+)\}?", plain)):
        if variable.group(1) in step.before.args:
            message = f"ENV {name} keeps the build argument {variable.group(1)} in the image: docker history shows it"
            yield Finding(where, message, _repair(name))


def _secret_arg(stage: Stage, step: Step, name: str, value: str, span: Span) -> Iterator[Finding]:
    where = Location(stage.build.source, span)
    kind = masking.credential(name, value.strip("\"'")) if value else None
    if kind is not None:
        message = f"ARG {name} has {kind} as its default: it is in the Dockerfile and in the image's history"
        yield Finding(where, message, _repair(name))
    elif not value and masking.looks_secret_name(name) and stage.is_in_image and _is_used(stage, step, name):
        message = f"ARG {name} takes a credential: docker history shows the value that a RUN of the image was given"
        yield Finding(where, message, _repair(name), severity=Severity.WARNING)


def _is_used(stage: Stage, declared: Step, name: str) -> bool:
    """Whether a RUN below uses the argument by its name."""
    used = re.compile(rf"\$\{{?{re.escape(name)}\b")
    later = stage.steps[stage.steps.index(declared) + 1 :]
    return any(step.instruction.keyword == "RUN" and used.search(_script(step.instruction)) for step in later)


def _script(instruction: Instruction) -> str:
    return "\n".join((instruction.rest.text, *(heredoc.content for heredoc in instruction.heredocs)))


@check("ML203")
def env_file_or_credentials_in_image(stage: Stage) -> Iterator[Finding]:
    """A COPY brings a file of credentials into the image."""
    if not stage.is_in_image:
        return
    seen: set[str] = set()
    for step in stage.steps:
        if step.copy is not None and step.copy.origin == "context":
            yield from _credential_files(stage, step.copy, seen)


def _credential_files(stage: Stage, copy: Copy, seen: set[str]) -> Iterator[Finding]:
    for source in copy.sources:
        for entry in source.entries(stage.build.context):
            kind = _credential_kind(stage, entry)
            if kind is None or entry.path in seen:
                continue
            seen.add(entry.path)
            message = f"{copy.step.instruction.keyword} {source.word.text} brings {entry.path} ({kind}) into the image: everyone who can pull it can read it"
            repair = f"add {entry.path} to .dockerignore"
            yield Finding(Location(stage.build.source, source.word.span), message, repair)


def _credential_kind(stage: Stage, entry: Entry) -> str | None:
    for row in facts.rows("credential_files"):
        if not any(fnmatchcase(text, row["file"]) for text in (entry.path, entry.name)):
            continue
        if any(fnmatchcase(entry.name, glob) for glob in row.get("but_not", "").split()):
            continue
        if "holds" not in row:
            return row["what"]
        text = stage.build.context.text(entry.path)
        if text is not None and re.search(row["holds"], text.text, re.MULTILINE):
            return row["what"]
    return None
