"""Rules about the user that the process of an image runs as."""

import posixpath
import re
from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.content.built_upon import is_base
from mllint.image.events import Distribution, User
from mllint.image.names import is_public
from mllint.image.service import PYTHON, Process
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex

_ROOT = frozenset({"root", "0"})
_SSH = 22
# Programs that give root up by themselves for what faces others, or do not start without it.
_ROOT_BY_DESIGN = frozenset({"nginx", "apache2", "httpd", "sshd", "cron", "crond", "systemd", "init", "dockerd"})
# Their official images start as root, and change to a user of their own with gosu or setpriv.
_DATABASES = frozenset(
    {"postgres", "mysql", "mariadb", "mongo", "redis", "valkey", "rabbitmq", "influxdb", "memcached"}
)
# Images of tests, of CI and of developers, which serve nobody.
_TRIED = regex(r"(?:^|[/_])\.?(?:tests?|fixtures|github[/_]+workflows|ci|devcontainer)[/_]|\.github/")
_COMPILES = regex(r"g\+\+|gcc|make|ninja|go|cargo|bazel")
_DROPS_ROOT = regex(r"\b(?:gosu|su-exec|setpriv|runuser|setuidgid|chpst|fixuid|start-stop-daemon|su\s+-|sudo\s+-\S*u)")
_AT_START = frozenset({"CMD", "ENTRYPOINT", "ENV", "LABEL"})
# Tools that an image is given for nothing else.
_DROPPERS = regex(r"\b(?:gosu|su-exec|fixuid|s6-overlay)\b")
# Options that name where a program puts its result.
_OUTPUT = regex(r"--?out(?:put)?(?:[-_](?:file|dir|path|folder))?(?:=.*)?")
# What people start an image with that does nothing by itself.
_WAITING = frozenset({"sleep", "tail", "cat", "true", "false", "echo"})
_INTERACTIVE = POSIX_SHELLS | {"python", "python3", "ipython"}


@check("ML201")
def root_user(stage: Stage) -> Iterator[Finding]:
    """The image's process runs as root."""
    yield from _raised(stage)
    if not _is_toolbox(stage):
        yield from _of_image(stage)
    yield from _left_to_base(stage)


def _of_image(stage: Stage) -> Iterator[Finding]:
    """What the image itself says, where no service of compose says something else."""
    user = stage.end.user
    if not stage.is_final or not isinstance(user, str) or user.partition(":")[0] not in _ROOT:
        return
    platform = stage.build.platform
    if stage.root.base.kind == "scratch" or (platform is not None and platform.sets_user) or _composed_user(stage):
        return
    process = stage.process
    if (process is None and _is_given_up(stage)) or (process is not None and _needs_root(stage, process)):
        return
    # Without a process it is a base or a toolbox: those who build on it or work in it decide.
    serves = _is_composed(stage) if process is None else not _is_idle(process)
    finding = _as_root(stage, process, serves=serves)
    if not serves:
        is_tried = _TRIED.search(stage.build.source.path.lower()) is not None
        if not is_tried and not _is_build(stage) and not is_base(stage) and not _is_logged_into(stage):
            yield finding._replace(severity=Severity.INFO, is_strict=True)
        return
    from mllint.checks import user_fixes

    if process is not None and _is_generator(stage, process):
        finding = finding._replace(severity=Severity.INFO, is_strict=True)
    yield finding._replace(fix=user_fixes.as_user(stage))


def _left_to_base(stage: Stage) -> Iterator[Finding]:
    """What a file starts without a USER above an image of which nobody here knows as whom it runs."""
    base, process = stage.root.base, stage.process
    reference, platform = base.reference, stage.build.platform
    # A registry of one's own, and a name that an earlier build gave, have bases that may set a user with intent.
    if not stage.is_final or reference is None or not is_public(reference):
        return
    if not isinstance(stage.end.user, Unknown) or stage.last("USER") is not None or process is None:
        return
    if (platform is not None and platform.sets_user) or _composed_user(stage) or _needs_root(stage, process):
        return
    start = stage.last("CMD", "ENTRYPOINT")
    name = process.commands[-1].name
    # A CMD alone may be words for a program of the base, which then may change the user.
    is_own = stage.last("ENTRYPOINT") is not None or stage.server is not None or PYTHON.fullmatch(name) is not None
    if start is None or not is_own or _is_idle(process):
        return
    from mllint.checks.user_advice import short_name

    message = f"no USER: {short_name(base)} alone decides as whom {name} runs, and most images run as root"
    repair = f"write USER above the {start.instruction.keyword}, or describe the image under bases in the configuration"
    where = Location(stage.build.source, start.instruction.span)
    yield Finding(where, message, repair, severity=Severity.INFO, is_strict=stage.server is None)


@check("ML204")
def user_created_never_used(stage: Stage) -> Iterator[Finding]:
    """A user is made for the image, and its process runs as root all the same."""
    made = next(_unused(stage), None) if stage.is_final else None
    # Where the file tells no process, somebody else starts one, and may well choose the user too.
    starts = stage.last("CMD", "ENTRYPOINT")
    if made is None or made.cause.step is None or starts is None:
        return
    related = (Related(Location(stage.build.source, made.cause.span), "makes the user"),)
    for finding in _of_image(stage):
        message = f"the container runs as root, though the user {made.name} is made for it: no USER switches to it"
        where = f"above the {starts.instruction.keyword}"
        repair = f"write USER {made.name} {where}, and give it what the process writes to"
        yield finding._replace(message=message, repair=repair, related=related)


def _unused(stage: Stage) -> Iterator[User]:
    """The users that this file makes in the image and speaks of nowhere else."""
    steps = stage.steps_before(None)
    named = {step.after.account.user for step in steps if step.instruction.keyword == "USER"}
    for event in stage.log.events:
        if (
            not isinstance(event, User)
            or all(event.cause.step is not step for step in steps)
            or not event.cause.is_sure
        ):
            continue
        if event.uid not in (*_ROOT, *named) and event.name not in named and not _is_named_at_start(stage, event):
            yield event


def _is_named_at_start(stage: Stage, user: User) -> bool:
    """Whether a variable or what the container starts speaks of a user, and may so switch to it."""
    texts = [step.instruction.rest.text for step in stage.steps_before(None) if step.instruction.keyword in _AT_START]
    texts += [script.source.text for script in stage.process.scripts] if stage.process is not None else []
    return any(re.search(rf"(?<![\w./-]){re.escape(user.name)}(?![\w/-])", text) for text in texts)


def _as_root(stage: Stage, process: Process | None, *, serves: bool) -> Finding:
    from mllint.checks import user_advice

    step, start = stage.last("USER"), process.instruction if process else stage.instruction
    cause = user_advice.cause(stage, step)
    if serves:
        message = f"the container runs as root ({cause}): whoever breaks into it owns all that it can reach"
    else:
        unless = "unless whoever starts it names a user"
        message = f"the container runs as root, {unless} ({cause}): what is run in it owns all that it can reach"
    repair = user_advice.repair(stage, step, start, is_idle=not serves)
    where = (step.instruction if step is not None else start).span
    return Finding(Location(stage.build.source, where), message, repair)


def _raised(stage: Stage) -> Iterator[Finding]:
    """What compose starts as root though the image names somebody else."""
    user = stage.end.user
    if not stage.is_final or not isinstance(user, str) or stage.end.account.is_root:
        return
    for service in stage.build.services:
        named = service.user.literal if service.user is not None else None
        is_other = service.is_watched or service.command is not None or service.entrypoint is not None
        if service.user is None or named is None or named.partition(":")[0] not in _ROOT or is_other:
            continue
        message = (
            f"the compose service {service.name} runs as root, though the image names {user}: whoever breaks into it"
            " owns all that it can reach"
        )
        where = Location(service.source, service.user.span)
        yield Finding(where, message, "leave user out, and give that user what the process writes to")


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


def _is_given_up(stage: Stage) -> bool:
    """Whether the base starts a program that gives root up by itself: a web server, a database."""
    reference = stage.root.base.reference
    name = reference.familiar.rpartition("/")[2] if reference is not None else ""
    return name in _ROOT_BY_DESIGN | _DATABASES


def _is_build(stage: Stage) -> bool:
    """Whether an image that starts nothing ends with a compiler's work: it is there for what that made."""
    runs = [step for step in stage.steps if step.instruction.keyword == "RUN"]
    return stage.process is None and bool(runs) and any(_COMPILES.fullmatch(each.name) for each in runs[-1].commands)


def _is_logged_into(stage: Stage) -> bool:
    """Whether the image that starts nothing by itself is for sshd, which needs root to let others in."""
    return any(not isinstance(each.value, Unknown) and each.value.first == _SSH for each in stage.end.exposed)


def _is_composed(stage: Stage) -> bool:
    """Whether compose starts a program in an image that starts none by itself."""
    given = (each.command or each.entrypoint for each in stage.build.services)
    words = [word for each in given if each for value in each.values[:1] for word in value.text.split()[:1]]
    return any(posixpath.basename(word) not in _WAITING | _INTERACTIVE for word in words)


def _is_idle(process: Process) -> bool:
    """Whether nothing runs unless somebody says what: a shell without a script, `sleep infinity` …"""
    last = process.commands[-1]
    if last.name in _WAITING:
        return True
    return last.name in _INTERACTIVE and all(word.startswith("-") for word in last.arguments)


def _is_toolbox(stage: Stage) -> bool:
    """Whether an image starts nothing by itself, listens nowhere, and has neither a file of the build context nor a
    server in it: those who build on it, or start their own programs in it, choose the user."""
    process = stage.process
    if _is_composed(stage) if process is None else not _is_idle(process):
        return False
    steps = (step for needed in stage.build.needed for step in needed.steps)
    if stage.end.exposed or any(step.copy is not None and step.copy.origin == "context" for step in steps):
        return False
    reference = stage.root.base.reference
    name = reference.familiar.rpartition("/")[2] if reference is not None else ""
    installed = {event.name for event in stage.view.behind() if isinstance(event, Distribution)}
    return name not in _server_programs() and installed.isdisjoint(_server_programs())


def _server_programs() -> frozenset[str]:
    """The programs of servers but notebooks, which serve those who start them."""
    rows = (row for row in facts.rows("servers") if row.get("kind") != "notebook")
    return frozenset(row["program"] for row in rows if "program" in row)


def _is_generator(stage: Stage, process: Process) -> bool:
    """Whether the process is a program, no Python and no server, that is told where its result goes: it works once on
    what its starter gives it."""
    if stage.server is not None or stage.end.exposed:
        return False
    if any(PYTHON.fullmatch(each.name) or each.name.endswith(".py") for each in process.all_commands):
        return False
    # Behind an ENTRYPOINT that nobody knows, CMD stands as words of its own.
    return any(_OUTPUT.fullmatch(word.value) for word in process.commands[-1].words)
