"""Gives the process of an image a user of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import edits
from mllint.checks import placing
from mllint.checks.runtime import home_fixes
from mllint.findings import Fix
from mllint.image.content.demands import demands_root, is_read_whole, is_there, needs_home
from mllint.image.content.homes import closed_needs
from mllint.image.content.rights import fetches_models, keeps_at_home, needs_root
from mllint.image.content.written import made_folders, may_write
from mllint.image.copies import relative
from mllint.image.events import User
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.programs import Program, program
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.findings import Edit
    from mllint.image.stage import Stage, Step

_NAME = "app"
_DISTROLESS = "nonroot"
_MAKERS = frozenset({"useradd", "adduser", "groupadd", "addgroup"})
# What installs read, and the process does not.
_FOR_INSTALLS = regex(
    r".*(?:requirements|constraints|environment)[^/]*|.*\.(?:toml|lock|in|cfg|md)|setup\.py|Pipfile.*|\.python-version"
)
_PLAIN_PATH = regex(r"/[\w./+-]+")


class _Account(NamedTuple):
    name: str
    """As USER and --chown have it."""
    made: str = ""
    """The RUN that makes it; empty where it is there already."""
    cause: Step | None = None
    """The step of the file that makes it already."""
    has_shell: bool = True
    has_home: bool = True
    """Whether it surely has a home folder, where libraries keep what they fetch."""


def as_user(stage: Stage) -> Fix | None:
    """What makes the process of a stage run as somebody else than root; None where that may break it."""
    account = _account(stage)
    if account is None or any(other.parent is stage for other in stage.build.stages):
        return None
    if needs_root(stage) or fetches_models(stage) or not is_there(stage) or demands_root(stage):
        return None
    if not account.has_home and needs_home(stage):
        return None
    moved = home_fixes.moving_edits(stage)
    if not moved and (keeps_at_home(stage) or any(closed_needs(stage, account.name))):
        return None
    owned = _owned(stage, account)
    if owned is None:
        return None
    title = f"run as {account.name}" if not account.made else f"make the user {_NAME} and run as {account.name}"
    return Fix("unsafe", title, (*moved, *owned))


def existing_account(stage: Stage) -> str | None:
    """The one user that the base or the file surely has for the process."""
    found = _existing(stage)
    return found.name if found is not None else None


def _account(stage: Stage) -> _Account | None:
    """The user that the base or the file has for the process, else a new one."""
    found = _existing(stage)
    if found is not None:
        return found
    if any(isinstance(event, User) and event.cause.step is not None for event in stage.log.events):
        return None
    nobody = stage.root.base.entry(_DISTROLESS) if stage.root.base.family == "distroless" else None
    # A number, as Kubernetes cannot tell of a name that it is not root's.
    return _Account(nobody.uid, has_shell=False) if nobody is not None else _new_account(stage)


def _existing(stage: Stage) -> _Account | None:
    base = stage.root.base
    if isinstance(base.user, str) and base.user.partition(":")[0] not in ("root", "0"):
        return _Account(base.user)
    own = {event.name: event for event in stage.log.events if isinstance(event, User) and event.cause.step is not None}
    sure = [each for each in own.values() if each.cause.is_sure and each.uid != "0"]
    if len(own) != 1 or len(sure) != 1:
        return None
    return _Account(sure[0].name, cause=sure[0].cause.step, has_home=sure[0].has_home is True)


def _new_account(stage: Stage) -> _Account | None:
    step = placing.first_work(stage)
    if step is None or not step.has_posix_shell or not step.before.account.is_root or stage.root.base.entry(_NAME):
        return None
    steps = stage.steps_before(None)
    if any(each.name in _MAKERS for other in steps for each in other.commands):
        return None
    base, view = stage.root.base, stage.view_before(step)

    def has(name: str) -> bool:
        return isinstance(program(view, name, step.before.env.get("PATH")), Program)

    if base.family == "alpine" and has("adduser"):
        # 999 is the group ping there.
        return _Account("10001:10001", f"addgroup -g 10001 {_NAME} && adduser -D -u 10001 -G {_NAME} {_NAME}")
    if not has("useradd"):
        return None
    is_first = all(each.instruction.keyword != "RUN" for each in stage.steps_before(step))
    if base.family in ("debian", "ubuntu") and base.is_plain and is_first:
        made = f"groupadd --system --gid 999 {_NAME} && useradd --system --uid 999 --gid {_NAME} --create-home {_NAME}"
        return _Account("999:999", made)
    return _Account(
        "10001:10001", f"groupadd --gid 10001 {_NAME} && useradd --uid 10001 --gid {_NAME} --create-home {_NAME}"
    )


def _owned(stage: Stage, account: _Account) -> list[Edit] | None:
    """What switches to the user, and gives him what the process may write; None where that cannot be told."""
    folder = stage.end.directory
    folders = made_folders(stage)
    found: list[Edit] = []
    # Libraries may keep caches and databases where the process works: only what was read whole surely does not.
    is_writing = may_write(stage)
    if (is_writing or not is_read_whole(stage)) and not is_given(stage, folder):
        if folder == "/" or folder.startswith(UNKNOWN_FOLDER) or not account.has_shell:
            return None
        if stage.last("WORKDIR") is not None:
            folders = [folder, *(each for each in folders if each != folder)]
        elif account.made:
            return None
        behind = stage.steps_before(None)
        if account.cause is not None:
            behind = behind[behind.index(account.cause) :]
        found = [_given(step, account) for step in behind if is_writing and _brings_source(step, folder)]
    if not all(map(_PLAIN_PATH.fullmatch, folders)):
        return None
    chown = [f"RUN chown {account.name} {' '.join(folders)}"] if folders else []
    return [*found, *_switch(stage, account, chown)]


def is_given(stage: Stage, folder: str) -> bool:
    """Whether the file itself gives a folder to somebody else than root."""
    node = stage.view.find(folder)
    return isinstance(node, Node) and node.owner != "0" and isinstance(node.owner, str)


def _switch(stage: Stage, account: _Account, lines: list[str]) -> Iterator[Edit]:
    """The user at the beginning, and USER at the end or in the place of one that nothing needs."""
    first, last, dockerfile = placing.first_work(stage), _needless(stage), stage.build.dockerfile
    place = last or placing.closing(stage)
    if account.made and first is place:
        lines = [f"RUN {account.made}", *lines]
    elif account.made and first is not None:
        yield placing.above(dockerfile, first.instruction, f"RUN {account.made}")
    if last is None:
        yield placing.at_end(stage, *lines, f"USER {account.name}")
        return
    yield edits.replace(dockerfile.source, last.instruction.words[0].span, account.name)
    if lines:
        yield placing.above(dockerfile, last.instruction, *lines)


def _needless(stage: Stage) -> Step | None:
    """The USER of a stage, where nothing behind it works as that user but the process."""
    own = placing.own_steps(stage)
    last = next((step for step in reversed(own) if step.instruction.keyword == "USER"), None)
    rest = own[own.index(last) + 1 :] if last is not None else ()
    is_needed = any(step.instruction.keyword in ("RUN", "COPY", "ADD", "WORKDIR") for step in rest)
    return None if last is None or is_needed or not last.instruction.words else last


def _brings_source(step: Step, folder: str) -> bool:
    """Whether a copy brings files of the build context to where the process works that nobody owns yet."""
    copy = step.copy
    if copy is None or copy.origin != "context" or copy.owner is not None or step.trigger is not None:
        return False
    if not isinstance(copy.destination, str):
        return False
    names = [str(source.path) for source in copy.sources]
    place = copy.destination.rstrip("/") or "/"
    if (relative(place, folder) is None and relative(folder, place) is None) or not step.before.account.is_root:
        return False
    return not all(_FOR_INSTALLS.fullmatch(name.rpartition("/")[2]) for name in names)


def _given(step: Step, account: _Account) -> Edit:
    instruction = step.instruction
    return edits.insert(instruction.source, instruction.keyword_span.end, f" --chown={account.name}")
