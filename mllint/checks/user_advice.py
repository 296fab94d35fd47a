"""What to do where the process of an image runs as root, as a finding says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.checks import placing
from mllint.checks.user_fixes import existing_account, is_given
from mllint.image.content.demands import is_read_whole
from mllint.image.content.homes import closed_needs
from mllint.image.content.rights import CACHE_VARIABLE
from mllint.image.content.written import made_folders, may_write, python_texts
from mllint.image.copies import relative
from mllint.image.events import Put
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.programs import program
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.base import Base
    from mllint.image.stage import Stage, Step
    from mllint.sources.dockerfile import Instruction

_ROOT_HOME = "/root"
# What a shell or an editor reads, which no service starts.
_SETTINGS = regex(r"/\.(?:\w*rc|\w*profile|vim|tmux\.conf)(?:/|$)")
_WORKS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
# Servers of developers, which keep what they bundle beside their configuration.
_BUNDLERS = frozenset({"npm", "npx", "yarn", "pnpm", "vite"})
_BUNDLED = frozenset({"dev", "preview"})
_PLAIN_PATH = regex(r"/[\w.+-][\w./+-]*")
_MOST_FOLDERS = 3
# The user `nonroot` of the distroless images; any other number does as well.
_NUMBER = "65532"


def cause(stage: Stage, step: Step | None) -> str:
    """Why the process is root's: the USER that says so, else what the base has."""
    base = stage.root.base
    if step is not None:
        return f"USER {stage.end.user}"
    # Of others the tables know that root is their user, and not whether they name it.
    is_silent = base.is_plain and base.family != "distroless" and base.described is None
    return f"no USER, and {short_name(base)} {'sets none' if is_silent else 'leaves it at root'}"


def short_name(base: Base) -> str:
    """An image as FROM names it, without a digest."""
    return base.text.partition("@")[0]


def repair(stage: Stage, step: Step | None, start: Instruction, *, is_idle: bool) -> str:
    """How another user gets what the process needs, and where the file switches to it. `step` is a USER that names
    root, `start` what names the process, else the FROM; `is_idle` tells that nobody knows what will run."""
    switch = _switch(stage, _end(stage, step, start), is_idle)
    moved = [f"put what lies in {place} elsewhere"] if (place := _in_root_home(stage)) is not None else []
    home = stage.end.env.get("HOME")
    if isinstance(home, str) and relative(home, _ROOT_HOME) is not None and _is_closed(stage):
        moved.append(f"leave ENV HOME={home} out")
    return f"{enumerated(moved)}, as no other user may enter {_ROOT_HOME}, then {switch}" if moved else switch


def _switch(stage: Stage, end: str, is_idle: bool) -> str:
    base = stage.root.base
    known = existing_account(stage)
    folders = list(dict.fromkeys(_to_own(stage, is_idle)))
    if known is not None:
        given = f"give {enumerated(folders, _MOST_FOLDERS)} to {known} with chown, then " if folders else ""
        return f"{given}switch to the user that is there: USER {known} {end}"
    if base.family == "distroless" and base.reference is not None:
        tag = "debug-nonroot" if (base.reference.tag or "").startswith("debug") else "nonroot"
        return f"start from {base.reference.familiar}:{tag}, or write USER {_NUMBER} {end}"
    if _lacks(stage, "sh") or (_lacks(stage, "useradd") and _lacks(stage, "adduser")):
        return f"write USER {_NUMBER} {end}: a number needs no program that makes users"
    create = "adduser -S app" if base.family == "alpine" else "useradd --system --create-home app"
    if not folders:
        return f"create a user and switch to it: RUN {create}, then USER app {end}"
    above = " above the VOLUME" if any(volume in folders for volume in _volumes(stage)) else ""
    # What is there in the end may come behind the VOLUME.
    missing = [each for each in folders if above or not isinstance(stage.view.find(each), Node)]
    made = f"mkdir -p {' '.join(missing)} && " if missing else ""
    run = f"RUN {create} && {made}chown app {' '.join(folders)}{above}"
    return f"create a user, give it what it may write to and switch to it: {run}, then USER app {end}"


def _lacks(stage: Stage, name: str) -> bool:
    return program(stage.view, name, stage.end.env.get("PATH")) is None


def _end(stage: Stage, step: Step | None, start: Instruction) -> str:
    """Where USER has to stand for nothing else to need root behind it."""
    own = placing.own_steps(stage)
    begin = next((at for at, each in enumerate(own) if each is step or each.instruction is start), None)
    if begin is None:
        return "at the end"
    if step is not None and step in own:
        begin = own.index(step)
    works = [each.instruction for each in own[begin + 1 :] if each.instruction.keyword in _WORKS]
    if works:
        return f"behind line {works[-1].end_line}"
    if step is not None and own[begin] is step:
        return f"in the place of line {step.instruction.start_line}"
    return f"before the {start.keyword}"


def _to_own(stage: Stage, is_idle: bool) -> Iterator[str]:
    """The folders that the process may write to, and root has."""
    for each in (*_volumes(stage), *_caches(stage), *_made(stage), *_worked_in(stage, is_idle)):
        folder = each.rstrip("/")
        if folder in ("", "/home") or relative(folder, _ROOT_HOME) is not None or not _PLAIN_PATH.fullmatch(folder):
            continue
        if not is_given(stage, folder):
            yield folder


def _made(stage: Stage) -> list[str]:
    """What the build makes empty: other folders come with what it fetches or builds."""
    calls = {each.span for step in stage.steps_before(None) for each in step.commands if each.name == "mkdir"}
    puts = (event for event in stage.log.events if isinstance(event, Put) and event.cause.span in calls)
    empty = {event.path for event in puts}
    made = [each for each in made_folders(stage) if each in empty and relative(each, "/var/run") is None]
    return [each for each in made if all(other == each or relative(other, each) is None for other in made)]


def _volumes(stage: Stage) -> list[str]:
    return [each.value.rstrip("/") for each in stage.end.volumes if isinstance(each.value, str)]


def _caches(stage: Stage) -> Iterator[str]:
    """Where variables of the file let libraries keep what they fetch."""
    named = {pair.key.text for step in stage.steps_before(None) for pair in step.instruction.pairs}
    for name in sorted(named):
        value = stage.end.env.get(name) if CACHE_VARIABLE.fullmatch(name) else None
        if isinstance(value, str) and relative(value, "/tmp") is None and not _is_file(stage, value):
            yield value


def _is_file(stage: Stage, path: str) -> bool:
    node = stage.view.find(path)
    return isinstance(node, Node) and node.kind != "folder"


def _worked_in(stage: Stage, is_idle: bool) -> list[str]:
    """The working directory, where the process may write there."""
    folder = stage.end.directory
    if folder.startswith(UNKNOWN_FOLDER) or stage.last("WORKDIR") is None:
        return []
    last = stage.process.commands[-1] if stage.process is not None else None
    is_bundling = last is not None and last.name in _BUNDLERS and not _BUNDLED.isdisjoint(last.arguments)
    # As the fix does it; where there is no source, nobody knows.
    is_writing = python_texts(stage) != [] and (may_write(stage) or not is_read_whole(stage))
    return [folder] if is_idle or is_bundling or is_writing else []


def _is_closed(stage: Stage) -> bool:
    return stage.root.base.root_home_mode != "0755"


def _in_root_home(stage: Stage) -> str | None:
    """A folder in the home of root with something that the image's process needs, its outermost one, as a message
    names it."""
    place = _needed_of_root(stage)
    if place is None:
        return None
    inside = relative(place, _ROOT_HOME)
    place = f"{_ROOT_HOME}/{inside.partition('/')[0]}" if inside else _ROOT_HOME
    names = [name for name, value in stage.end.env.items() if value == place and name != "HOME"]
    about = f" ({enumerated(sorted(names))})" if names else ""
    is_volume = any(relative(place, each) is not None for each in _volumes(stage))
    return f"{place}{about}{', a VOLUME,' if is_volume else ''}"


def _needed_of_root(stage: Stage) -> str | None:
    """A folder in the home of root that what the image starts needs: there it works, looks for programs or finds what
    a COPY brought."""
    if not _is_closed(stage):
        return None
    path = stage.end.env.get("PATH")
    brought = (step.copy.destination for step in stage.steps_before(None) if step.copy is not None)
    # A single file without an ending is a text to read, not to run.
    copied = (each for each in brought if isinstance(each, str) and ("." in each or _is_folder(stage, each)))
    places = [stage.end.directory, *(path.split(":") if isinstance(path, str) else ()), *copied]
    for each in places:
        if isinstance(each, str) and relative(each, _ROOT_HOME) is not None and not _SETTINGS.search(each):
            return each.rstrip("/")
    needed = next(closed_needs(stage, "app"), None) if stage.process is not None else None
    return needed.folder if needed is not None else None


def _is_folder(stage: Stage, path: str) -> bool:
    node = stage.view.find(path.rstrip("/"))
    return isinstance(node, Node) and node.kind == "folder"
