"""DF2: the packages of the operating system."""

import posixpath
import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.copies import context_path, relative
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown

_LISTS = "/var/lib/apt/lists"


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
        message = f"{update.name} update leaves the package lists in this layer of the image, which no service reads"
        repair = f"end this RUN with: && rm -rf {_LISTS}/*"
        if _is_awaited(stage.steps[at + 1 :]):
            repair = f"join the installs that follow to this RUN, and end it with: && rm -rf {_LISTS}/*"
        yield Finding(Location(stage.build.source, update.span), message, repair)


def _updates(each: Executed) -> bool:
    verbs = [word for word in each.arguments if not word.startswith("-")]
    return each.name in ("apt-get", "apt", "aptitude") and verbs[:1] == ["update"]


def _is_awaited(later: tuple[Step, ...]) -> bool:
    """Whether a later RUN installs by the lists of this one."""
    for step in later:
        if any(_updates(each) for each in step.commands):
            return False
        if any(install.manager.name == "apt" for install in step.installs):
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
