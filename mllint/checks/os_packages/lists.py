"""Rules about the package lists of apt."""

import posixpath
import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.moving import block
from mllint.checks.os_packages.endings import ended_with
from mllint.findings import Edit, Finding, Fix, Location
from mllint.image.copies import context_path, relative
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.patterns import regex

_LISTS = "/var/lib/apt/lists"
_TOOLS = frozenset({"apt", "apt-get", "apt-cache", "aptitude", "gdebi"})
_CLEARING = frozenset({"autoclean", "autoremove", "clean", "dist-clean", "distclean"})
_DOWNLOADS = _CLEARING - {"autoremove"}
# What apt does without the lists.
_WITHOUT_LISTS = _CLEARING | {"purge", "remove", "--version"}
_INSTALLS_IN_SCRIPT = regex(r"\b(?:apt|apt-get|aptitude)\b.*\binstall\b")
_UPDATES_IN_SCRIPT = regex(r"\b(?:apt|apt-get|aptitude)\b.*\bupdate\b")


@check("DF201")
def apt_lists_kept(stage: Stage) -> Iterator[Finding]:
    """The package lists of apt stay in a layer of the image."""
    if not stage.is_in_image:
        return
    for at, step in enumerate(stage.steps):
        updates = [index for index, each in enumerate(step.commands) if each.is_certain and _updates(each)]
        if not updates or _mounts_lists(step) or _removes_lists(stage, step, updates[-1]):
            continue
        update = step.commands[updates[0]]
        message = f"{update.name} update leaves package lists that no service reads in this layer of the image"
        repair = f"end this RUN with: && rm -rf {_LISTS}/*"
        later = stage.steps[at + 1 :]
        if _is_awaited(later):
            joining = "join the installs that follow to this RUN, or update anew in theirs"
            repair = f"{joining}, and end each with: && rm -rf {_LISTS}/*"
        elif all(_updates(each) or _only_clears(each) for each in step.commands) and not _may_be_needed(stage, step):
            repair = "leave this RUN out: nothing installs by its lists"
        fix = _removed_at_end(stage, step, update, later[0] if later else None)
        yield Finding(Location(stage.build.source, update.span), message, repair, fix=fix)


def _updates(each: Executed) -> bool:
    verbs = [word for word in each.arguments if not word.startswith("-")]
    return each.name in ("apt-get", "apt", "aptitude") and verbs[:1] == ["update"]


def _only_clears(each: Executed) -> bool:
    """Whether a command only removes what apt has downloaded."""
    return each.name in _TOOLS and bool(each.arguments) and _DOWNLOADS.issuperset(each.arguments)


def _is_awaited(later: tuple[Step, ...]) -> bool:
    """Whether a later RUN installs by the lists of this one."""
    for step in later:
        if any(_updates(each) for each in step.commands):
            return False
        if any(install.manager.name == "apt" for install in step.installs):
            return True
    return False


def _removed_at_end(stage: Stage, step: Step, update: Executed, behind: Step | None) -> Fix | None:
    """The removal as the last command of the RUN, unless something later may still need the lists."""
    if step.trigger is not None or not set(update.wrappers) <= {"sudo"} or _may_be_needed(stage, step):
        return None
    # An update that nothing uses is to go as a whole.
    if all(_updates(each) or _only_clears(each) or each.name not in _TOOLS for each in step.commands):
        return None
    dockerfile = stage.build.dockerfile
    commands = [f"{'sudo ' if update.wrappers else ''}rm -rf {_LISTS}/*"]
    gone: tuple[Edit, ...] = ()
    if behind is not None and all(map(_clears, behind.commands)) and _removes_lists(stage, behind, -1):
        below = block(dockerfile, behind.instruction)
        if below.first < behind.instruction.start_line or not _can_be_joined(behind):
            return None
        commands = [" ".join((*each.wrappers, *(word.text for word in each.words))) for each in behind.commands]
        gone = (below.removed(),)
    edit = ended_with(dockerfile, step.instruction, commands)
    return Fix("safe", f"end the RUN with: {' && '.join(commands)}", (edit, *gone)) if edit is not None else None


def _clears(each: Executed) -> bool:
    """Whether a command only removes files, or packages that nothing needs, wherever it stands."""
    if not each.is_sure or each.command.redirects:
        return False
    words = [word for word in each.arguments if not word.startswith("-")]
    if each.name == "rm":
        return all(word.startswith("/") for word in words)
    return each.name in _TOOLS and len(words) == 1 and _CLEARING.issuperset(words)


def _can_be_joined(step: Step) -> bool:
    """Whether the commands of a RUN are written in words that can stand in another."""
    instruction = step.instruction
    has_more = instruction.is_exec_form or instruction.heredocs or instruction.flag_words or instruction.comments
    return not has_more and step.trigger is None and "$" not in instruction.rest.text


def _may_be_needed(stage: Stage, step: Step) -> bool:
    """Whether a RUN behind this one, here or in a stage that starts from this one, asks apt for something before it
    fetches the lists anew."""
    for other in stage.build.stages:
        if stage not in other.lineage:
            continue
        steps = other.steps_before(None)
        behind = steps[next(at for at, each in enumerate(steps) if each is step) + 1 :]
        for each in (command for later in behind for command in later.commands):
            if _updates(each):
                break
            if each.name in _TOOLS and _WITHOUT_LISTS.isdisjoint(each.arguments):
                return True
        if any(_installs_by_script(other, later) for later in behind):
            return True
    return False


def _installs_by_script(stage: Stage, step: Step) -> bool:
    """Whether a RUN starts a script of the context that installs and never updates."""
    for each in step.commands:
        for word in each.words[:2]:
            path = joined(each.directory, word.value)
            found = context_path(stage, step, path) if isinstance(path, str) else None
            text = stage.build.context.text(found) if found else None
            if text is not None and _INSTALLS_IN_SCRIPT.search(text.text) and not _UPDATES_IN_SCRIPT.search(text.text):
                return True
    return False


def _mounts_lists(step: Step) -> bool:
    return any(isinstance(mount.target, Unknown) or _covers_lists(mount.target) for mount in step.mounts)


def _removes_lists(stage: Stage, step: Step, update: int) -> bool:
    """Whether they are removed behind the update that has this index."""
    for each in step.commands[update + 1 :]:
        if each.name in ("apt-get", "apt") and {"dist-clean", "distclean"} & set(each.arguments):
            return True
        if each.name in ("rm", "find", "rmdir") and any(_covers_lists(word) for word in each.arguments):
            return True
        if any(_is_script_about_lists(stage, step, word.value) for word in each.words[:2]):
            return True
    return False


def _covers_lists(path: str) -> bool:
    folder = posixpath.normpath(re.sub(r"/?[*?{].*$", "", path)) if path.startswith("/") else ""
    return folder.startswith("/var/") and (relative(_LISTS, folder) is not None or relative(folder, _LISTS) is not None)


def _is_script_about_lists(stage: Stage, step: Step, path: str) -> bool:
    found = context_path(stage, step, path) if path.startswith("/") else None
    text = stage.build.context.text(found) if found else None
    return text is not None and _LISTS in text.text
