"""ML2: users, secrets and what else others could abuse."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase, translate
from functools import cache

from mllint import facts, masking
from mllint.checks import check
from mllint.checks.context.ignore_fixes import keeping_out, listed
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image import mounts
from mllint.image.build import Build
from mllint.image.context import Entry
from mllint.image.copies import Copy, CopySource, arrives_in_image
from mllint.image.service import Process
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.dockerfile import Instruction, Pair
from mllint.sources.text import Span

_ROOT = frozenset({"root", "0"})
# There the platform chooses the user, or the image has to start as root.
_OWN_USERS = frozenset({"lambda", "hf-spaces", "openshift", "sagemaker"})
# Programs that give root up by themselves for what faces others, or do not start without it.
_ROOT_BY_DESIGN = frozenset({"nginx", "apache2", "httpd", "sshd", "cron", "crond", "systemd", "init", "dockerd"})
_DROPS_ROOT = regex(r"\b(?:gosu|su-exec|setpriv|runuser|setuidgid|chpst|fixuid|start-stop-daemon|su\s+-|sudo\s+-\S*u)")
# Tools that an image is given for nothing else.
_DROPPERS = regex(r"\b(?:gosu|su-exec|fixuid|s6-overlay)\b")
# What people start an image with that does nothing by itself.
_WAITING = frozenset({"sleep", "tail", "cat", "true", "false", "echo"})
_INTERACTIVE = POSIX_SHELLS | {"python", "python3", "ipython"}


_VARIABLE = regex(r"\$\{?(\w+)(?::?[-+?][^}]*)?\}?")
# Folders whose credentials are made up.
_NO_REAL_ONES = frozenset(
    {"test", "tests", "testing", "testdata", "test_data", "fixtures", "node_modules", "site-packages", "dist-packages"}
)


@check("ML201")
def root_user(stage: Stage) -> Iterator[Finding]:
    """The image's process runs as root."""
    user = stage.end.user
    if not stage.is_final or not isinstance(user, str) or user.partition(":")[0] not in _ROOT:
        return
    if stage.root.base.kind == "scratch" or stage.build.settings.platform in _OWN_USERS or _composed_user(stage):
        return
    process = stage.process
    if process is not None and _needs_root(stage, process):
        return
    # Without a process it is a base or a toolbox: those who build on it or work in it decide.
    serves = process is not None and not _is_idle(process)
    finding = _as_root(stage, stage.last("USER"), process.instruction if process else stage.instruction)
    if not serves:
        yield finding._replace(severity=Severity.INFO, is_strict=True)
        return
    from mllint.checks import user_fixes

    yield finding._replace(fix=user_fixes.as_user(stage))


def _as_root(stage: Stage, step: Step | None, start: Instruction) -> Finding:
    where, cause = start, f"no USER, and {stage.root.base.text} sets none"
    if step is not None:
        where, cause = step.instruction, f"USER {stage.end.user}"
    message = f"the container runs as root ({cause}): whoever breaks into it owns all that it can reach"
    repair = "create a user and switch to it: RUN useradd --system --create-home app, then USER app before the CMD"
    return Finding(Location(stage.build.source, where.span), message, repair)


def _composed_user(stage: Stage) -> bool:
    """Whether every service that compose makes of the image names another user."""
    users = [each.user.literal if each.user else "root" for each in stage.build.services]
    return bool(users) and not any(user is not None and user.partition(":")[0] in _ROOT for user in users)


def _needs_root(stage: Stage, process: Process) -> bool:
    """Whether the process has to begin as root or gives it up, as its words, its scripts or the image's tools tell."""
    if any(each.name in _ROOT_BY_DESIGN for each in process.commands):
        return True
    named = (step.instruction.rest.text for step in (process.entrypoint, process.command) if step)
    if any(_DROPS_ROOT.search(text) for text in (*named, *(script.source.text for script in process.scripts))):
        return True
    return any(_DROPPERS.search(step.instruction.rest.text) for step in stage.steps_before(None))


def _is_idle(process: Process) -> bool:
    """Whether nothing runs unless somebody says what: a shell without a script, `sleep infinity` …"""
    last = process.commands[-1]
    if last.name in _WAITING:
        return True
    return last.name in _INTERACTIVE and all(word.startswith("-") for word in last.arguments)


@check("ML202")
def secret_in_env_or_arg(build: Build) -> Iterator[Finding]:
    """A credential in ENV or ARG, which the image's history shows."""
    for instruction in build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            break
        for word in instruction.words if instruction.keyword == "ARG" else ():
            name, _, value = word.text.partition("=")
            yield from _literal(build, f"ARG {name}", name, value, word.span, False)
    for stage in build.stages:
        for step in stage.steps:
            if step.instruction.keyword == "ENV":
                yield from _secret_env(stage, step)
            elif step.instruction.keyword == "ARG":
                yield from _secret_arg(stage, step)


def _literal(build: Build, what: str, name: str, value: str, span: Span, is_in_image: bool) -> Iterator[Finding]:
    """A value in the file that is a credential."""
    kind = masking.credential(name, value.strip("\"'"))
    if kind is not None:
        reach = "and with docker history whoever can pull the image" if is_in_image else "and the build cache keeps it"
        message = f"{what} holds a credential ({kind}): whoever sees the Dockerfile can read it, {reach}"
        yield Finding(Location(build.source, span), message, _repair(name))


def _repair(name: str) -> str:
    return (
        f"give it to the one RUN that needs it, RUN --mount=type=secret,id={name.lower()},env={name},"
        f" and at run time to the container: docker run -e {name}"
    )


def _secret_env(stage: Stage, step: Step) -> Iterator[Finding]:
    for pair in step.instruction.pairs:
        name, span = pair.key.text, pair.key.span
        argument = _kept(pair)
        if argument in step.before.args and stage.is_in_image:
            message = f"ENV {name} keeps the build argument {argument} in the image: docker history shows it"
            yield Finding(Location(stage.build.source, span), message, _repair(name))
        else:
            yield from _literal(stage.build, f"ENV {name}", name, pair.value.text, span, stage.is_in_image)


def _kept(pair: Pair) -> str | None:
    """The variable whose value an ENV for a credential takes on."""
    variable = _VARIABLE.fullmatch(pair.value.text.strip("\"'"))
    return variable[1] if variable and masking.looks_secret_name(pair.key.text) else None


def _secret_arg(stage: Stage, step: Step) -> Iterator[Finding]:
    for word in step.instruction.words:
        name, _, value = word.text.partition("=")
        if value.strip("\"'"):
            yield from _literal(stage.build, f"ARG {name}", name, value, word.span, stage.is_in_image)
        elif masking.looks_secret_name(name) and stage.is_in_image and _is_seen(stage, step, name):
            message = f"ARG {name} takes a credential: docker history shows the value that the RUNs below it were given"
            yield Finding(Location(stage.build.source, word.span), message, _repair(name), severity=Severity.WARNING)


def _is_seen(stage: Stage, declared: Step, name: str) -> bool:
    """Whether the history shows the argument, as it does with each RUN below. Not where an ENV below keeps it, which is
    a finding of its own, nor where a RUN mounts a secret of that name: then nobody gives the argument a value."""
    later = stage.steps[stage.steps.index(declared) + 1 :]
    if any(
        _kept(pair) == name for step in later for pair in step.instruction.pairs if step.instruction.keyword == "ENV"
    ):
        return False
    runs = [step for step in later if step.instruction.keyword == "RUN"]
    given = (mount for step in runs for mount in mounts.options(step.instruction) if mount.get("type") == "secret")
    return bool(runs) and all(name.lower() not in (each.lower() for each in mount.values()) for mount in given)


@check("ML203")
def env_file_or_credentials_in_image(stage: Stage) -> Iterator[Finding]:
    """A COPY brings a file of credentials into the image."""
    seen: set[str] = set()
    for step in stage.steps:
        if step.copy is not None and step.copy.origin == "context":
            for source in step.copy.sources:
                yield from _credential_files(stage, step.copy, source, seen)


def _credential_files(stage: Stage, copy: Copy, source: CopySource, seen: set[str]) -> Iterator[Finding]:
    """One finding for all files of a source that no source before it brought."""
    found: dict[str, str] = {}
    for entry in source.entries(stage.build.context):
        kind = _credential_kind(stage, entry) if entry.path not in seen else None
        if kind is not None and arrives_in_image(stage, copy, source, entry.path):
            found[entry.path] = kind
    if not found:
        return
    seen.update(found)
    named = ", ".join(f"{path} ({kind})" for path, kind in list(found.items())[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    written = f"{copy.step.instruction.keyword} {source.word.text}"
    message = f"{written} brings {named}{more} into the image: whoever can pull it can read them"
    repair = f"add to .dockerignore: {' '.join(list(found)[:10])}"
    edits = keeping_out(stage.build, found, found)
    fix = Fix("unsafe", f"keep {listed(list(found))} out of the build", edits) if edits is not None else None
    yield Finding(Location(stage.build.source, source.word.span), message, repair, fix=fix)


def _credential_kind(stage: Stage, entry: Entry) -> str | None:
    """What a file holds, by its name and, where the table asks for it, by its content."""
    if not _named_like_one().match(entry.name) or not _NO_REAL_ONES.isdisjoint(entry.path.split("/")[:-1]):
        return None
    for row in facts.rows("credential_files"):
        if not re.match(_ending_in(row["file"]), entry.path):
            continue
        if any(fnmatchcase(entry.name, glob) for glob in row.get("but_not", "").split()):
            continue
        if "what" in row:
            return str(row["what"])
        text = stage.build.context.text(entry.path)
        kinds = dict.fromkeys(secret.kind for secret in masking.secrets(text.text)) if text else {}
        if kinds:
            return ", ".join(list(kinds)[:3])
    return None


def _ending_in(glob: str) -> str:
    return f"(?:.*/)?{translate(glob)}"


@cache
def _named_like_one() -> re.Pattern[str]:
    """The last parts of the globs, to tell most files of a large context apart at once."""
    return re.compile("|".join(translate(row["file"].rpartition("/")[2]) for row in facts.rows("credential_files")))
